"""Pushes one tiny image to a registry and deletes it again, by the OCI distribution specification 1.1, "Push".

Only `preflight.vantages.nonce` uses it, and only when the user names a repository to push to. No token is in any fact;
uploads go to the registry itself and to nobody that it names.
"""

from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.request import Reply, Request
from preflight.probes.services import registry
from preflight.probes.services.answers import text
from preflight.probes.services.asking import note, request
from preflight.probes.services.challenge import parse
from preflight.probes.services.credentials import basic, given
from preflight.probes.services.nonce import Content
from preflight.probes.services.registry import Pull
from preflight.probes.trail import Trail

_PUSH: Final = "pull,push"
_DELETE: Final = "pull,delete"
_LONGEST: Final = 4096  # of an upload's address


class Refused(Exception):  # noqa: N818 - an answer, told to the user
    """The registry, or the way to it, does not let the image in; the text says what it answered."""


async def push(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets, image: Content) -> None:
    """Blobs, then the manifest under the tag `task.params["reference"]`. Raises `Refused`."""
    session = await _session(task, dialer, trail, secrets, _PUSH)
    for name, blob in (("layer", image.layer), ("config", image.config)):
        await _upload(session, name, blob.digest, blob.content)
    path = f"/v2/{registry.repository_path(task)}/manifests/{task.params['reference']}"
    asked = _with(session, path, "PUT", image.manifest.content, image.manifest.media_type)
    _must(await _send(session, "manifest", asked), (201,), "the manifest")


async def delete(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets, digest: str) -> None:
    """The manifest, by its digest; blobs are the registry's to collect. Raises `Refused`."""
    session = await _session(task, dialer, trail, secrets, _DELETE)
    path = f"/v2/{registry.repository_path(task)}/manifests/{digest}"
    _must(await _send(session, "delete", _with(session, path, "DELETE")), (202, 404), "the deletion")


async def _session(task: Task, dialer: Dialer, trail: Trail, secrets: Secrets, actions: str) -> Pull:
    origin = await dialer.fetch(trail, "origin", request(task, "/v2/"))
    if origin.status is None:
        raise Refused(f"{task.target.host} was not reached{_why(origin)}")
    challenges = parse(origin.headers.get_list("www-authenticate"))
    login = basic(given(task, secrets, "registry_user"), given(task, secrets, "registry_password"))
    pull = Pull(task=task, dialer=dialer, trail=trail, secrets=secrets, actions=actions)
    session = await registry.signed_in(pull, origin, challenges, login)
    if session is None:
        raise Refused(f"{task.target.host} gives no token for {actions} on {task.params['repository']}")
    return session


async def _upload(session: Pull, name: str, digest: str, content: bytes) -> None:
    """POST for an address, PUT the whole blob there."""
    begin = f"/v2/{registry.repository_path(session.task)}/blobs/uploads/"
    opened = await _send(session, f"{name}.open", _with(session, begin, "POST"))
    _must(opened, (202,), f"the upload of the {name}")
    place = _place(session.task, opened.headers.get("location", ""))
    url = str(httpx.URL(place).copy_merge_params({"digest": digest}))
    asked = msgspec.structs.replace(_with(session, begin, "PUT", content, "application/octet-stream"), url=url)
    _must(await _send(session, name, asked), (201,), f"the {name}")


def _place(task: Task, location: str) -> str:
    """Where to send a blob: on the registry itself. Raises `Refused`."""
    own = task.target.url
    try:
        place = urljoin(own, location[:_LONGEST])
        parts = urlsplit(place)
        same = (parts.hostname, parts.port or 443) == (task.target.host, task.target.port)
    except ValueError:
        same = False
    if not location or not same or parts.scheme != "https" or parts.username is not None or not place.isprintable():
        raise Refused(f"{task.target.host} sends the upload elsewhere: {text(location, 200) or 'no address'}")
    return place


def _with(session: Pull, path: str, method: str, body: bytes = b"", kind: str = "") -> Request:
    headers = (("content-type", kind),) if kind else ()
    return msgspec.structs.replace(
        request(session.task, path), method=method, body=body, headers=headers, secret_headers=session.headers, follow=0
    )


async def _send(session: Pull, role: str, asked: Request) -> Reply:
    reply = await session.dialer.fetch(session.trail, role, asked)
    if reply.status is not None:
        note(session.trail, reply, {"auth": session.auth, **registry.refusal(reply)}, session.secrets)
    return reply


def _must(reply: Reply, good: tuple[int, ...], what: str) -> None:
    if reply.status in good:
        return
    said = registry.refusal(reply)
    told = " ".join(part for part in (said.get("error", ""), said.get("error_message", "")) if part)
    answered = f"HTTP {reply.status} {told}".strip() if reply.status is not None else f"no answer{_why(reply)}"
    raise Refused(f"{what}: {answered}")


def _why(reply: Reply) -> str:
    """What the transport says, as far as one word goes; the rest is in the workstation's own checks."""
    if not reply.hop.connections and reply.hop.dns and not reply.hop.dns.addresses:
        return " (its name does not resolve)"
    failed = [one.tcp.errno or one.tcp.result for one in reply.hop.connections if one.tcp.result != "connected"]
    broken = [one.tls.result for one in reply.hop.connections if one.tls and one.tls.result != "ok"]
    return f" ({(failed or broken)[0]})" if failed or broken else ""
