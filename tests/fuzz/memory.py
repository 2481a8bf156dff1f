"""Peers in memory that say what the fuzzer wants. They are `ByteStream`s; the dialer above them is the real one."""

import asyncio
import errno
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from preflight.model.observation import Connection, DnsAnswer, DnsFacts, SystemLookup, TcpFacts, TlsFacts
from preflight.probes.dialer import Dialer
from preflight.probes.http import Answer, Channel
from preflight.probes.way import Way

_PIECES = (65_536, 1, 7, 64)
_LOOPS: list[asyncio.AbstractEventLoop] = []
_OPEN: list[Callable[[], None]] = []  # what closes the sockets on that loop
NEXT = b"\n--- next answer ---\n"  # between the answers of one input


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """On the one event loop of this process."""
    if not _LOOPS:
        _LOOPS.append(asyncio.new_event_loop())
    return _LOOPS[0].run_until_complete(work)


def at_close(closing: Callable[[], None]) -> None:
    """Called before the loop is closed."""
    _OPEN.append(closing)


def close() -> None:
    """Closes the loop and what is open on it, for tests that count what is left over."""
    while _LOOPS:
        loop = _LOOPS.pop()
        while _OPEN:
            loop.call_soon(_OPEN.pop())
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()


class Peer:
    """Says its bytes in pieces, then ends the connection or resets it. `manner` chooses both."""

    def __init__(self, says: bytes, manner: int = 0) -> None:
        self._says = says
        self._piece = _PIECES[manner % 4]
        self._resets = bool(manner & 4)
        self.heard = 0
        self.closed = False

    async def recv(self, size: int) -> bytes:
        """The next piece; b"" or ECONNRESET at the end."""
        taken = min(size, self._piece)
        data, self._says = self._says[:taken], self._says[taken:]
        if not data and self._resets:
            raise ConnectionResetError(errno.ECONNRESET, "reset by peer")
        return data

    async def send(self, data: bytes) -> None:
        """Listens, and never answers to it: everything has been decided beforehand."""
        if self.closed:
            raise OSError(errno.EBADF, "closed")
        self.heard += len(data)

    def close(self) -> None:
        """As a socket: may be called again."""
        self.closed = True


class MemoryDialer(Dialer):
    """The dialer with its redirects, limits, idle connections and redaction; only the sockets are peers in memory.

    Every connection is a peer that says the next of the answers; when they are used up, peers close without a word.
    """

    def __init__(self, *given: Any, answers: Iterable[bytes], manner: int = 0, alpn: str | None = None) -> None:
        super().__init__(*given, environ={}, hosts_file=Path("/nonexistent/hosts"))
        self._answers = iter(answers)
        self._manner = manner
        self._alpn = alpn
        self.peers: list[Peer] = []

    async def _anew(self, way: Way) -> Answer | None:
        peer = Peer(next(self._answers, b""), self._manner)
        self.peers.append(peer)
        way.draft.dns, way.draft.connections = _reached(way)
        channel = Channel(peer, way.url, self._alpn)
        way.draft.http, answer = await channel.exchange(way.sent(), way.draft.clock, way.means.redactor)
        way.keep(channel, answer)
        return answer


def _reached(way: Way) -> tuple[DnsFacts, tuple[Connection, ...]]:
    """A name that resolves and a port that answers: the fault is in what is said there."""
    answer = DnsAnswer(
        server="10.0.0.4:53", rtype="A", transport="udp", result="answer", rcode="NOERROR", chain=(way.host,),
        addresses=("20.60.1.4",), at_ms=0.0, duration_ms=1.0,
    )  # fmt: skip
    tcp = TcpFacts(
        address="20.60.1.4", port=way.port, result="connected", source="10.240.8.17:51234", cap_ms=3000.0, at_ms=1.0,
        duration_ms=1.0,
    )  # fmt: skip
    secure = TlsFacts(server_name=way.server_name, result="ok", version="TLSv1.3", at_ms=2.0, duration_ms=1.0)
    link = Connection(address="20.60.1.4", tcp=tcp, tls=secure) if way.url.scheme == "https" else None
    return (
        DnsFacts(
            name=way.host,
            answers=(answer,),
            system=SystemLookup(result="answer", addresses=("20.60.1.4",)),
            addresses=("20.60.1.4",),
        ),
        (link or Connection(address="20.60.1.4", tcp=tcp),),
    )
