"""The lab's explicit HTTP proxy: CONNECT into the embedded Azure, with the refusals of a squid.

Measured with squid 5.7: 407 without credentials, 403 for a denied host, 503 for a target that cannot be connected to.
"""

import asyncio
import socket
from collections.abc import Callable

from preflight.lab import deployment as at
from preflight.lab.effects import Effects, Layer
from preflight.lab.http import Response, answer, page, requests
from preflight.lab.stream import Socket

Route = Callable[[str, int], tuple[str, int] | None]


class Proxy:
    """Serves connections; `vantage` says from a client's address which it is, `route` where a target is played."""

    def __init__(self, vantage: Callable[[str], str], effects: Effects, route: Route) -> None:
        self._vantage, self._effects, self._route = vantage, effects, route

    async def serve(self, connection: socket.socket) -> None:
        """One connection: refusals keep it open, a tunnel takes it over."""
        client, vantage = Socket(connection), self._vantage(connection.getpeername()[0])
        async for request in requests(client, at.source(vantage)):
            if request.method != "CONNECT":
                await answer(client, request, _refusal(501, "ERR_UNSUP_REQ"))
                continue
            host, _, port = request.target.rpartition(":")
            refused = self._refused(vantage, host)
            target = None if refused else self._route(host, int(port))
            if refused or target is None:
                await answer(client, request, refused or _refusal(503, "ERR_DNS_FAIL"))
                continue
            await _tunnel(client, target)
            return

    def _refused(self, vantage: str, host: str) -> Response | None:
        if self._effects.any(vantage, "proxy.auth-required"):
            return _refusal(407, "ERR_CACHE_ACCESS_DENIED", {"Proxy-Authenticate": 'Basic realm="Contoso proxy"'})
        match self._effects.at(vantage, host, Layer.PROXY):
            case "proxy.denied":
                return _refusal(403, "ERR_ACCESS_DENIED")
            case "proxy.failed":
                return _refusal(503, "ERR_CONNECT_FAIL")
            case _:
                return None


def _refusal(status: int, error: str, headers: dict[str, str] | None = None) -> Response:
    marks = {"Server": "squid/5.7", "X-Squid-Error": f"{error} 0", "Via": "1.1 proxy.contoso.internal (squid/5.7)"}
    text = (
        f"<html><head><title>ERROR: The requested URL could not be retrieved</title></head><body>{error}</body></html>"
    )
    return page(status, text, {**marks, **(headers or {})})


async def _tunnel(client: Socket, target: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        upstream = Socket(sock)
        await asyncio.get_running_loop().sock_connect(sock, target)
        await client.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        pumps = [asyncio.create_task(_pump(client, upstream)), asyncio.create_task(_pump(upstream, client))]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(source: Socket, sink: Socket) -> None:
    while data := await source.receive():
        await sink.send(data)
    sink.finish()
