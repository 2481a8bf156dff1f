"""One request to Azure Resource Manager after the other, each error as a cause. Waits where it is told to.

Statuses and bodies: learn.microsoft.com/azure/azure-resource-manager, "Throttling Resource Manager requests" (429 with
Retry-After), "Track asynchronous operations" (202 with Location), "Troubleshoot common errors" (code and message).
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from preflight.failures import ClusterFailure
from preflight.kube import refusals
from preflight.model.observation import Connection, Hop
from preflight.model.secret import Secret
from preflight.probes.dialer import Dialer
from preflight.probes.redact import Redactor
from preflight.probes.request import Reply, Request
from preflight.probes.trail import Trail

Json = dict[str, Any]
MAX_ANSWER: Final = 8 * 1024 * 1024  # bytes; a command's output has at most 512 kB
_TRIES: Final = 4  # of a request that is throttled or meets a server error
_LONGEST_WAIT_S: Final = 60.0
_PAUSE_S: Final = 5.0  # without a Retry-After: what azure-cli waits between looks at a command
_STATUSES: Final = {401: "azure.login-refused", 403: "azure.forbidden", 404: "azure.not-found", 429: "azure.throttled"}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A good answer."""

    status: int
    headers: Mapping[str, str]
    body: Json

    @property
    def pause_s(self) -> float:
        """How long to wait before looking again."""
        return retry_after(self.headers.get("retry-after", ""))


def retry_after(text: str) -> float:
    """Seconds of a Retry-After, bounded; a date, or nothing, is the usual pause."""
    plain = text.strip()
    seconds = float(plain) if plain.isascii() and plain.isdecimal() and len(plain) < 6 else _PAUSE_S
    return min(seconds, _LONGEST_WAIT_S)


class Arm:
    """The Resource Manager of one cloud, with one token."""

    def __init__(self, dialer: Dialer, host: str, token: Secret) -> None:
        self._dialer, self.host, self._token = dialer, host, token
        self._redactor = Redactor({"arm_token": token})

    async def ask(self, method: str, path: str, body: Json | None = None) -> Answer:
        """One request, again when it is throttled or the server fails. Raises `ClusterFailure`."""
        for attempt in range(1, _TRIES + 1):
            reply = await self._once(method, path, body)
            if reply.status is None:
                raise ClusterFailure("azure.unreachable", f"{self.host}: {self._redactor.text(_broken(reply.hop))}")
            if reply.status < 300:
                return Answer(status=reply.status, headers=dict(reply.headers), body=_object(reply.body))
            again = reply.status == 429 or (reply.status >= 500 and method == "GET")
            if not again or attempt == _TRIES:
                raise self._refused(method, path, reply)
            await asyncio.sleep(retry_after(reply.headers.get("retry-after", "")))
        raise AssertionError

    async def _once(self, method: str, path: str, body: Json | None) -> Reply:
        request = Request(
            method=method,
            url=f"https://{self.host}{path}",
            headers=(("accept", "application/json"), *((("content-type", "application/json"),) if body else ())),
            secret_headers=(("authorization", Secret(f"Bearer {self._token.reveal()}")),),
            body=msgspec.json.encode(body) if body else b"",
            body_limit=MAX_ANSWER,
        )
        with Trail() as trail:
            return await self._dialer.fetch(trail, "arm", request)

    def _refused(self, method: str, path: str, reply: Reply) -> ClusterFailure:
        error = _object(reply.body).get("error")
        told = error if isinstance(error, dict) else {}
        code, message = str(told.get("code") or "")[:100], str(told.get("message") or "")[:800]
        said = self._redactor.text(f"{code} {message}".strip() or "no message")
        what = f"{method} {path.partition('?')[0].rpartition('/')[2]}"
        return ClusterFailure(cause(reply.status or 0, code, message), f"{self.host} {what}: {reply.status} {said}")


def cause(status: int, code: str, message: str) -> str:
    """The cause of an error; what the cluster itself said comes before the status, which is 404 for it, too."""
    if (rule := refusals.by_rule(message)) is not None:
        return rule
    if code.startswith("Kubernetes"):
        return "azure.command-failed"
    if status in _STATUSES:
        return _STATUSES[status]
    return "azure.unavailable" if status >= 500 else "azure.rejected"


def _object(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _broken(hop: Hop) -> str:
    """Where a request without an answer ended, in words."""
    if hop.http is not UNSET:
        return f"no complete answer ({hop.http.result} {hop.http.detail})".replace(" )", ")")
    if hop.proxy is not UNSET and hop.tls is UNSET:
        return f"no way through the proxy {hop.proxy.url}"
    failed = hop.connections[-1] if hop.connections else None
    if failed is None:
        return "the name has no address here" if hop.dns is not UNSET and not hop.dns.addresses else "no connection"
    return _ended(failed)


def _ended(one: Connection) -> str:
    if one.tls is not UNSET:
        return f"{one.address}: TLS {one.tls.result} {one.tls.verify_message or one.tls.alert or ''}".rstrip()
    return f"{one.address} port {one.tcp.port}: {one.tcp.errno or one.tcp.result}"
