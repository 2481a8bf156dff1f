"""What answers at one address: TLS with the right or a wrong certificate, HTTP from a stand-in, and the faults between.

Cuts come after the ClientHello, where a filtering firewall has read the server name (Azure/AKS#4974, azure-docs#46134).
"""

import socket
from collections.abc import Awaitable, Callable, Mapping

from preflight.lab import deployment as at
from preflight.lab.effects import Effects, Layer
from preflight.lab.http import Handler, Request, Response, answer, head, page, requests
from preflight.lab.pages import Costume
from preflight.lab.pki import Leaf, Pki
from preflight.lab.services import ERRORS, HANDLERS
from preflight.lab.stream import Socket, Stream, Tls

_ALERT = bytes((21, 3, 3, 0, 2, 2))  # record of a fatal alert, RFC 8446 5.1 and 6
_UNRECOGNIZED_NAME, _PROTOCOL_VERSION = bytes((112,)), bytes((70,))
_STALL_AFTER, _STALLED_LENGTH = 512, 1 << 20
_PASSES = 1400  # segments up to this size get through the narrow tunnel that http.stalled plays

_LEAVES = {
    "tls.expired": Leaf.EXPIRED,
    "tls.not-yet-valid": Leaf.NOT_YET,
    "tls.expiring": Leaf.EXPIRING,
    "tls.wrong-name": Leaf.WRONG_NAME,
    "tls.intercepted": Leaf.INTERCEPTED,
    "tls.untrusted": Leaf.SELF_SIGNED,
    "tls.incomplete-chain": Leaf.NO_INTERMEDIATE,
}


class Front:
    """Serves connections to one host; `vantage` says from a client's address which vantage it is."""

    def __init__(
        self,
        host: at.Host,
        address: str,
        vantage: Callable[[str], str],
        pki: Pki,
        effects: Effects,
        *,
        costume: Costume,
        real_sources: bool = False,
        own: Mapping[at.Role, Handler] = {},
    ) -> None:
        self._host, self._vantage, self._pki, self._effects, self._costume = host, vantage, pki, effects, costume
        self._handlers = {**HANDLERS, **own}
        self._real_sources = real_sources  # services then report the address that they see
        self._inside = address == host.private or address.startswith("10.")

    async def serve(self, connection: socket.socket) -> None:
        """One connection from its first byte to its end."""
        raw = Socket(connection)
        if not self._host.tls:
            await _hold(raw)
            return
        client = connection.getpeername()[0]
        vantage = self._vantage(client)
        await raw.peek()
        cause = self._effects.at(vantage, self._host.name, Layer.TLS) or ""
        if cause in _CUTS:
            await _CUTS[cause](raw)
            return
        cluster = self._host.role is at.Role.API_SERVER
        alpn = () if cause == "tls.alpn-stripped" else self._host.alpn
        leaf = self._costume.leaf(self._host.name) or _LEAVES.get(cause, Leaf.GOOD)
        name = self._effects.naming.renamed(self._host.name)
        tls = Tls(raw, self._pki.context(name, leaf, cluster=cluster, alpn=alpn))
        await tls.handshake()
        usual = at.source(vantage) if self._inside else at.EGRESS
        await self._http(tls, raw, vantage, client if self._real_sources else usual)

    async def _http(self, stream: Stream, raw: Socket, vantage: str, source: str) -> None:
        async for request in requests(stream, source):
            kind = "signed" if request.authorized else "anonymous"
            step = f"{kind} {request.method} {request.target}"
            cause = self._effects.at(vantage, self._host.name, Layer.HTTP, step)
            if cause in _BREAKS and not (cause == "http.stalled" and raw.segment <= _PASSES):
                await _BREAKS[cause](stream, raw, request)
                return
            handler = _ANSWERS.get(cause or "") or ERRORS.get(cause or "") or self._handlers[self._host.role]
            naming, page = self._effects.naming, self._costume.answer(self._host.name, request)
            await answer(stream, request, page or naming.response(handler(naming.request(request))))


async def _hold(stream: Stream) -> None:
    """Say nothing until the client gives up."""
    while await stream.receive():
        pass


async def _reset(raw: Socket) -> None:
    raw.reset()


async def _finish(raw: Socket) -> None:
    await raw.receive()
    raw.finish()


async def _plain(raw: Socket) -> None:
    """A captive portal or block page on the TLS port, in clear."""
    await raw.receive()
    portal = page(302, "", {"Location": "http://portal.contoso.internal/login", "Connection": "close"})
    await raw.send(head(portal))
    raw.finish()


def _alert(description: bytes) -> Callable[[Socket], Awaitable[None]]:
    async def send(raw: Socket) -> None:
        await raw.receive()
        await raw.send(_ALERT + description)
        raw.finish()

    return send


_CUTS: dict[str, Callable[[Socket], Awaitable[None]]] = {
    "tls.reset-after-hello": _reset,
    "tls.closed": _finish,
    "tls.timeout": _hold,
    "tls.not-tls": _plain,
    "tls.alert": _alert(_UNRECOGNIZED_NAME),
    # What a server that knows TLS 1.0 only says to a client that offers 1.2 and 1.3 (measured with OpenSSL 3).
    "tls.version": _alert(_PROTOCOL_VERSION),
}


async def _silence(stream: Stream, _raw: Socket, _request: Request) -> None:
    await _hold(stream)


async def _cut(_stream: Stream, raw: Socket, _request: Request) -> None:
    raw.reset()


async def _garbage(stream: Stream, raw: Socket, _request: Request) -> None:
    await stream.send(b"\x00\x01\x02 not the protocol that you speak\r\n\r\n")
    raw.finish()


async def _stall(stream: Stream, _raw: Socket, _request: Request) -> None:
    """The head arrives, full segments never do: what a path MTU black hole looks like from the client."""
    body = b"x" * _STALL_AFTER
    await stream.send(head(Response(body=body), length=_STALLED_LENGTH) + body)
    await _hold(stream)


_BREAKS: dict[str | None, Callable[[Stream, Socket, Request], Awaitable[None]]] = {
    "http.timeout": _silence,
    "http.reset": _cut,
    "http.malformed": _garbage,
    "http.stalled": _stall,
}


def _block_page(request: Request) -> Response:
    # Status 470 and text of an Azure Firewall application rule: MicrosoftDocs/azure-docs#46134, #70564.
    text = (
        f"HTTPS request from {request.source}:49424 to {request.host}:443. Action: Deny. Reason: No rule matched."
        " Proceeding with default action."
    )
    return page(470, text, reason="status code 470")


_ANSWERS: dict[str, Callable[[Request], Response]] = {
    "http.block-page": _block_page,
    "http.redirect-loop": lambda request: page(302, "", {"Location": f"https://{request.host}{request.target}"}),
    "http.unexpected-status": lambda _request: page(410, "<html><body><h1>410 Gone</h1></body></html>"),
}
