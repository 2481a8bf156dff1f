"""The telemetry service (Kusto ingest): the authentication metadata, which it gives to everybody.

Facts: `document` (metadata, json, other), `error_message`.
"""

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.services.answers import as_json, text
from preflight.probes.services.asking import note, request
from preflight.probes.trail import Trail

METADATA = "/v1/rest/auth/metadata"


async def probe(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets) -> None:
    """`origin`: GET the metadata."""
    reply = await dialer.fetch(trail, "origin", request(task, METADATA))
    if reply.status is not None:
        note(trail, reply, _facts(reply.body), secrets)


def _facts(body: bytes) -> dict[str, str]:
    document = as_json(body)
    if not isinstance(document, dict):
        return {"document": "other"}
    if isinstance(document.get("AzureAD"), dict):
        return {"document": "metadata"}
    error = document.get("error")
    return {"document": "json", "error_message": text(error.get("message")) if isinstance(error, dict) else ""}
