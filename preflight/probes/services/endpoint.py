"""The endpoint domain: the router (azureml-fe) that answers for the deployed models.

Facts: `router` (no-replicas, replica-closed, overloaded): the router's own words about the model behind it.
"""

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.services.asking import note, request
from preflight.probes.trail import Trail

_WORDS = (
    (b"No ready replicas for service", "no-replicas"),
    (b"Replica closed connection before replying", "replica-closed"),
    (b"(overloaded)", "overloaded"),
)


async def probe(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets) -> None:
    """`origin`: GET the path."""
    reply = await dialer.fetch(trail, "origin", request(task))
    if reply.status is not None and reply.status >= 400:
        note(trail, reply, {"router": next((word for text, word in _WORDS if text in reply.body), "")}, secrets)
