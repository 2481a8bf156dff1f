"""The Kubernetes API server: /version and /readyz as anybody, then queries with a token where there is one.

With `params.queries` they are lists of these resources, one element each, by the token of the pod's own service account
(`query`, `query.RESOURCE`); without it /apis by the token that the environment gives.
Facts: `kind` (version, status, ready, not-ready, groups, list), `version` (gitVersion), `failed` (readiness checks),
`auth` (bearer, service-account, none), `error`, `error_message` (of a Status), `sni` ("missing": a firewall says so).
"""

import re

import msgspec

from preflight.model.plan import Task
from preflight.model.secret import SERVICE_ACCOUNT, Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.request import Reply
from preflight.probes.services.answers import as_object, text
from preflight.probes.services.asking import note, request
from preflight.probes.services.credentials import bearer, given
from preflight.probes.trail import Trail

_LIST_LIMIT = 4 * 1024 * 1024
_FAILED = re.compile(r"^\[-\]([A-Za-z0-9/._-]{1,80}) failed", re.MULTILINE)


async def probe(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets) -> None:
    """`origin`, then `ready`, then `query`; a server that gives no answer at all is not asked again."""
    origin = await dialer.fetch(trail, "origin", request(task, "/version"))
    if origin.status is None:
        return
    note(trail, origin, {"auth": "none", **_facts(origin, "version")}, secrets)
    ready = await dialer.fetch(trail, "ready", request(task, "/readyz"))
    note(trail, ready, {"auth": "none", **_facts(ready, "ready")}, secrets)
    for query in _queries(task):
        headers = bearer(given(task, secrets, query.secret))
        if headers:
            asked = msgspec.structs.replace(request(task, query.path), secret_headers=headers, body_limit=_LIST_LIMIT)
            reply = await dialer.fetch(trail, query.role, asked)
            note(trail, reply, {"auth": query.auth, **_facts(reply, query.expected)}, secrets)


class _Query(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    path: str
    secret: str
    auth: str
    expected: str


def _queries(task: Task) -> list[_Query]:
    """What is asked with a token."""
    listed = [one for one in task.params.get("queries", "").split(",") if one]
    if not listed:
        return [_Query(role="query", path="/apis", secret="api_server_token", auth="bearer", expected="groups")]  # noqa: S106 - a name
    return [
        _Query(
            role=f"query.{resource}" if number else "query",
            path=f"/api/v1/{resource}?limit=1",
            secret=SERVICE_ACCOUNT,
            auth="service-account",
            expected="list",
        )
        for number, resource in enumerate(listed)
    ]


def _facts(reply: Reply, expected: str) -> dict[str, str]:
    """What kind of answer it is; a Kubernetes Status may stand in place of whatever was asked for."""
    document = as_object(reply.body)
    if document.get("kind") == "Status" and document.get("apiVersion") == "v1":
        return {
            "kind": "status",
            "error": text(document.get("reason"), 80),
            "error_message": text(document.get("message")),
        }
    if b"SNI TLS extension was missing" in reply.body:
        return {"sni": "missing"}
    return _READERS[expected](reply, document)


def _version(_reply: Reply, document: dict[str, object]) -> dict[str, str]:
    known = all(isinstance(document.get(key), str) for key in ("major", "minor", "gitVersion"))
    return {"kind": "version", "version": text(document["gitVersion"], 80)} if known else {}


def _ready(reply: Reply, _document: dict[str, object]) -> dict[str, str]:
    body = reply.body[:16_384].decode("utf-8", "replace").strip()
    if reply.status == 200 and body == "ok":
        return {"kind": "ready"}
    if reply.status is not None and reply.status >= 500 and ("readyz check failed" in body or "[-]" in body):
        return {"kind": "not-ready", "failed": ", ".join(_FAILED.findall(body)[:10])}
    return {}


def _groups(_reply: Reply, document: dict[str, object]) -> dict[str, str]:
    return {"kind": "groups"} if document.get("kind") == "APIGroupList" else {}


def _list(_reply: Reply, document: dict[str, object]) -> dict[str, str]:
    whole = isinstance(document.get("items"), list) and text(document.get("kind"), 80).endswith("List")
    return {"kind": "list"} if whole else {}


_READERS = {"version": _version, "ready": _ready, "groups": _groups, "list": _list}
