"""A hop without proxy: name, connections, TLS, request; and beside a stalled request the same over small segments."""

import asyncio

import msgspec
from msgspec import UNSET

from preflight.model.observation import Connection, HttpFacts
from preflight.probes.connector import Link
from preflight.probes.http import Answer, Channel
from preflight.probes.way import Way, alpn

_REPEATABLE = frozenset({"GET", "HEAD"})


async def fetch(way: Way) -> Answer | None:
    """The answer, or None when it came to no request; every stage is in the draft."""
    draft, means = way.draft, way.means
    draft.dns = await means.resolvers.resolve(way.host, draft.clock)

    def report(seen: tuple[Connection, ...]) -> None:
        draft.connections = seen

    link = await means.connector.connect(draft.dns.addresses, way.port, way.wish(), draft.clock, report)
    if link is None or link.stream is None:
        return None
    channel = Channel(link.stream, way.url, alpn(link.stream))
    answer = await _exchange(way, link, channel)
    way.keep(channel, answer)
    return answer


async def _exchange(way: Way, link: Link, channel: Channel) -> Answer:
    """One request; half of its cap later, if it may be repeated, the second one beside it."""
    draft, limits = way.draft, way.means.limits
    first = asyncio.ensure_future(channel.exchange(way.sent(), draft.clock, way.means.redactor))
    beside: asyncio.Future[HttpFacts | None] | None = None
    try:
        if way.request.method in _REPEATABLE:
            await asyncio.wait({first}, timeout=max(limits.answer_cap_s / 2, limits.second_attempt_s))
            if not first.done():
                beside = asyncio.ensure_future(_clamped(way, link))
        draft.http, answer = await first
        if beside is not None and draft.http.result == "timeout":
            draft.clamped = await beside or UNSET
    except BaseException:
        channel.close()
        raise
    finally:
        await _end(first, beside)
    return answer


async def _clamped(way: Way, link: Link) -> HttpFacts | None:
    """The same request on a connection with clamped segments: it gets through where large packets vanish."""
    draft, means = way.draft, way.means
    number = max(connection.tcp.attempt for connection in draft.connections) + 1
    again = await means.connector.again(link.connection.address, way.port, way.wish(), draft.clock, number)
    draft.connections = (*draft.connections, again.connection)
    if again.stream is None:
        return None
    channel = Channel(again.stream, way.url, alpn(again.stream))
    try:
        sent = msgspec.structs.replace(way.sent(), cap_s=max(means.limits.answer_cap_s / 2, 0.001))
        facts, _ = await channel.exchange(sent, draft.clock, means.redactor)
    finally:
        channel.close()
    return facts


async def _end(*tasks: "asyncio.Future[tuple[HttpFacts, Answer]] | asyncio.Future[HttpFacts | None] | None") -> None:
    """Nothing goes on behind the hop's back."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
