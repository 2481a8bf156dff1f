"""The Azure ML workspace API: /discovery as anybody, and with a token when one is given.

Facts: `document` (json, empty, challenge, other), `denied` ("private-link"), `auth`, `error`, `error_message`.
"""

from urllib.parse import quote

import msgspec

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.request import Reply
from preflight.probes.services import challenge
from preflight.probes.services.answers import as_json, text
from preflight.probes.services.asking import note, request
from preflight.probes.services.credentials import bearer, given
from preflight.probes.trail import Trail

_PRIVATE_LINK = b"denied based on workspace private link configuration"  # azure-docs#90426


async def probe(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets) -> None:
    """`origin`, then `query` with the token; param `id`: the workspace that is asked for with it."""
    path = task.target.path if task.target.path not in ("", "/") else "/discovery"
    origin = await dialer.fetch(trail, "origin", request(task, path))
    if origin.status is None:
        return
    note(trail, origin, {"auth": "none", **_facts(origin)}, secrets)
    headers = bearer(given(task, secrets, "workspace_token"))
    if headers:
        asked = msgspec.structs.replace(request(task, _query_path(task) or path), secret_headers=headers)
        query = await dialer.fetch(trail, "query", asked)
        note(trail, query, {"auth": "bearer", **_facts(query)}, secrets)


def _query_path(task: Task) -> str:
    """The workspace's own discovery document: azureml-core, `discovery_url` of a workspace."""
    workspace = task.params.get("id")
    return f"/discovery/workspaces/{quote(workspace, safe='')}" if workspace else ""


def _facts(reply: Reply) -> dict[str, str]:
    if _PRIVATE_LINK in reply.body:
        return {"denied": "private-link"}
    document = as_json(reply.body)
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        return {"document": "json", "error": text(error.get("code"), 80), "error_message": text(error.get("message"))}
    return {"document": _document(reply, document)}


def _document(reply: Reply, document: object) -> str:
    if isinstance(document, dict | list):
        return "json"
    if not reply.body.strip():
        return "empty"
    asked = challenge.of_scheme(challenge.parse(reply.headers.get_list("www-authenticate")), "bearer")
    return "challenge" if reply.status == 401 and asked is not None else "other"
