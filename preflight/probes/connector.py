"""Connects to every address of a target and shakes hands on the first few: second attempts, evidence, one stream out.

A silent connect gets a second socket beside it; a silent handshake one whose segments are clamped, which gets through a
path MTU black hole and so proves it; a handshake that was cut gets one more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from msgspec import UNSET

from preflight.model.observation import Connection, TlsFacts
from preflight.model.plan import Limits, Pace
from preflight.probes import certificates, served_time, tcp, tls
from preflight.probes.attempts import Cap, twice
from preflight.probes.clock import Clock
from preflight.probes.pacing import Pacer
from preflight.probes.streams import ByteStream
from preflight.probes.tcp import CLAMPED_MSS
from preflight.probes.trust import Judge

MAX_ADDRESSES = 8  # connected to
MAX_HANDSHAKES = 4  # addresses on which TLS is tried

Report = Callable[[tuple[Connection, ...]], None]


class TlsWish(msgspec.Struct, frozen=True, kw_only=True):
    """Shake hands as this, judged by that."""

    judge: Judge
    server_name: str


class Link(msgspec.Struct, kw_only=True):
    """One connection with what was reached on it; `stream` is there when everything wished for was reached."""

    connection: Connection
    stream: ByteStream | None = None

    def close(self) -> None:
        """Gives the socket back."""
        if self.stream is not None:
            self.stream.close()


class Connector:
    """The sockets of one vantage, within its limits."""

    def __init__(self, limits: Limits, connect_to: dict[str, str], pace: Pace | None = None) -> None:
        self.limits = limits
        self.connect_to = connect_to
        self.pacer = Pacer(pace or Pace())
        self._slots = asyncio.Semaphore(max(64, limits.concurrency))

    async def connect(
        self, addresses: Iterable[str], port: int, wish: TlsWish | None, clock: Clock, report: Report
    ) -> Link | None:
        """Tries every address at once: the first, in order, where all went well. `report` sees the progress."""
        fan = _Fan(self, port, wish, clock, report)
        tried = tuple(addresses)[:MAX_ADDRESSES]
        tasks = [asyncio.ensure_future(self._within_limits(fan, place, address)) for place, address in enumerate(tried)]
        try:
            links = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            fan.close()
            raise
        chosen = next((link for link in links if link is not None), None)
        fan.close(but=chosen)
        return chosen

    async def again(self, address: str, port: int, wish: TlsWish | None, clock: Clock, attempt: int) -> Link:
        """One more connection to an address with clamped segments, for a request that stalled."""
        fan = _Fan(self, port, wish, clock, lambda _: None)
        return await fan.whole(address, attempt, Cap.after(self.limits.connect_cap_s), CLAMPED_MSS)

    async def _within_limits(self, fan: "_Fan", place: int, address: str) -> Link | None:
        await self.pacer.turn(address, fan.port)
        async with self._slots:
            return await fan.address(place, address)


class _Fan:
    """The attempts at the addresses of one target."""

    def __init__(self, connector: Connector, port: int, wish: TlsWish | None, clock: Clock, report: Report) -> None:
        self._limits = connector.limits
        self._connect_to = connector.connect_to
        self._pacer = connector.pacer
        self.port = port
        self._wish = wish
        self._clock = clock
        self._report = report
        self._handshakes_left = MAX_HANDSHAKES
        self._seen: dict[tuple[int, int], Connection] = {}
        self._links: list[Link] = []

    def close(self, but: Link | None = None) -> None:
        for link in self._links:
            if link is not but:
                link.close()

    async def address(self, place: int, address: str) -> Link | None:
        """Everything at one address; the link if all was reached."""
        links = await self._twice(lambda number, cap: self._tcp(address, number, cap), _tcp_ambiguous)
        self._note(place, links)
        reached = links[-1]
        if self._wish is None or reached.stream is None:
            return reached if reached.stream is not None else None
        if not self._handshakes_left:
            reached.close()
            return None
        self._handshakes_left -= 1
        links = await self._handshakes(address, reached)
        self._note(place, links)
        best = links[-1]
        await self._complete_chain(place, address, best)
        await self._ask_for_the_time(place, address, best)
        return best if best.stream is not None else None

    async def whole(self, address: str, attempt: int, cap: Cap, mss: int | None) -> Link:
        """TCP and TLS under one cap."""
        link = await self._tcp(address, attempt, cap, mss)
        return await self._tls(link, cap) if link.stream is not None and self._wish is not None else link

    async def _handshakes(self, address: str, reached: Link) -> tuple[Link, ...]:
        """The handshake on the connection there is, and on a second one when that is silent or cut."""
        number = reached.connection.tcp.attempt
        first: list[Link] = []

        async def attempt(which: int, cap: Cap) -> Link:
            if which == 1:
                first.append(await self._tls(reached, cap))
                return first[0]
            silent = not first or _result(first[0]) == "timeout"
            return await self.whole(address, number + 1, cap, CLAMPED_MSS if silent else None)

        return await self._twice(attempt, _tls_ambiguous)

    async def _twice(
        self, attempt: Callable[[int, Cap], Awaitable[Link]], ambiguous: Callable[[Link], bool]
    ) -> tuple[Link, ...]:
        return await twice(
            attempt,
            when=asyncio.get_running_loop().time() + self._limits.connect_cap_s,
            after=self._limits.second_attempt_s,
            ambiguous=ambiguous,
            discard=Link.close,
        )

    async def _tcp(self, address: str, number: int, cap: Cap, mss: int | None = None) -> Link:
        if number > 1:
            self._pacer.spend(address, self.port)  # its cap is running
        facts, stream = await tcp.connect(
            address, self.port, cap, self._clock, connect_to=self._connect_to, mss=mss, attempt=number
        )
        return self._own(Link(connection=Connection(address=address, tcp=facts), stream=stream))

    async def _tls(self, link: Link, cap: Cap) -> Link:
        assert link.stream is not None
        assert self._wish is not None
        below, link.stream = link.stream, None  # the handshake closes it, or the TLS stream does
        facts, stream = await tls.handshake(below, self._wish.judge, self._wish.server_name, cap, self._clock)
        connection = msgspec.structs.replace(link.connection, tls=facts)
        if stream is not None:
            link.stream = None  # it belongs to the TLS stream now
        return self._own(Link(connection=connection, stream=stream))

    async def _complete_chain(self, place: int, address: str, link: Link) -> None:
        """The second, non-judging handshake, for a Python that does not show the chain of a failed one."""
        facts = link.connection.tls
        if facts is UNSET or facts.result != "unverified" or facts.chain or self._wish is None:
            return
        cap = Cap.after(self._limits.connect_cap_s)
        self._pacer.spend(address, self.port)
        _, stream = await tcp.connect(address, self.port, cap, self._clock, connect_to=self._connect_to)
        if stream is None:
            return
        chain = certificates.read(await tls.read_chain(stream, self._wish.server_name, self._wish.judge.alpn, cap))
        told = msgspec.structs.replace(facts, chain=chain, chain_source="second-handshake" if chain else None)
        link.connection = msgspec.structs.replace(link.connection, tls=told)
        self._note(place, (link,))

    async def _ask_for_the_time(self, place: int, address: str, link: Link) -> None:
        """One more connection where the dates alone failed: the service's own clock says whose fault that is."""
        facts = link.connection.tls
        if facts is UNSET or self._wish is None or not served_time.is_wanted(facts):
            return
        cap = Cap.after(self._limits.connect_cap_s)
        self._pacer.spend(address, self.port)
        _, stream = await tcp.connect(address, self.port, cap, self._clock, connect_to=self._connect_to)
        if stream is None:
            return
        told = await served_time.ask(stream, self._wish.judge.timeless(), self._wish.server_name, cap)
        facts = msgspec.structs.replace(facts, served_date=told)
        link.connection = msgspec.structs.replace(link.connection, tls=facts)
        self._note(place, (link,))

    def _own(self, link: Link) -> Link:
        """Every stream is closed by this fan, unless it is the chosen one."""
        self._links.append(link)
        return link

    def _note(self, place: int, links: Iterable[Link]) -> None:
        for link in links:
            self._seen[place, link.connection.tcp.attempt] = link.connection
        self._report(tuple(self._seen[key] for key in sorted(self._seen)))


def _result(link: Link) -> str | None:
    facts = link.connection.tls
    return facts.result if isinstance(facts, TlsFacts) else None


def _tcp_ambiguous(link: Link) -> bool:
    facts = link.connection.tcp
    return facts.result == "timeout" or facts.errno == "ECONNRESET"


def _tls_ambiguous(link: Link) -> bool:
    """No handshake at all counts too: the second connection may fail before it."""
    return _result(link) in {None, "timeout", "reset", "closed"}
