"""Any web service: the target and its redirects. Writes no service facts; the status is the answer."""

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.services.asking import request
from preflight.probes.trail import Trail


async def probe(task: Task, dialer: Dialer, trail: Trail, _secrets: Secrets) -> None:
    """`origin` and its redirects: GET the target."""
    await dialer.fetch(trail, "origin", request(task))
