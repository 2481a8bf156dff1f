"""Blob storage: the account's listing, then the first bytes of a named blob, with a SAS, a bearer token, or as anybody.

Facts: `auth` (sas, service-sas, bearer, none), `read_bytes`, and those of `answers.storage_error`.
"""

from urllib.parse import parse_qs, quote

import msgspec

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.request import Reply, Request
from preflight.probes.services.answers import storage_error
from preflight.probes.services.asking import note, request
from preflight.probes.services.credentials import bearer, given, signature
from preflight.probes.trail import Trail

VERSION = "2023-11-03"  # of the REST service; bearer tokens need 2017-11-09 or newer
_FIRST_BYTES = 65_536


async def probe(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets) -> None:
    """`origin`: list containers; `read`: the blob of params `container` and `blob`."""
    origin, auth = authorized(task, secrets, "/?comp=list&maxresults=1")
    reply = await dialer.fetch(trail, "origin", origin)
    if reply.status is None:
        return
    note(trail, reply, {"auth": auth, **error_facts(reply)}, secrets)
    container, blob = task.params.get("container"), task.params.get("blob")
    if container and blob:
        read, auth = authorized(task, secrets, f"/{quote(container, safe='')}/{quote(blob, safe='/')}")
        ranged = ("range", f"bytes=0-{_FIRST_BYTES - 1}")
        reply = await dialer.fetch(
            trail, "read", msgspec.structs.replace(read, headers=(*read.headers, ranged), body_limit=_FIRST_BYTES)
        )
        note(trail, reply, {"auth": auth, **error_facts(reply), "read_bytes": _read(reply)}, secrets)


def authorized(task: Task, secrets: Secrets, path: str) -> tuple[Request, str]:
    """The request with the task's credentials, and what they are; a bearer token goes before a SAS."""
    headers = (("x-ms-version", VERSION),)
    token, sas = bearer(given(task, secrets, "storage_token")), signature(given(task, secrets, "storage_sas"))
    if token:
        return msgspec.structs.replace(request(task, path), headers=headers, secret_headers=token), "bearer"
    if sas:
        signed = request(task, f"{path}{'&' if '?' in path else '?'}{sas}")
        return msgspec.structs.replace(signed, headers=headers), "service-sas" if "sr" in parse_qs(sas) else "sas"
    return msgspec.structs.replace(request(task, path), headers=headers), "none"


def error_facts(reply: Reply) -> dict[str, str]:
    """Code and message of an error; nothing for a good answer."""
    return {} if reply.status is None or reply.status < 300 else storage_error(reply.headers, reply.body)


def _read(reply: Reply) -> str:
    return str(len(reply.body)) if reply.status in (200, 206) else ""
