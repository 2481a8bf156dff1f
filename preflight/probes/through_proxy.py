"""A hop through an HTTP or HTTPS proxy: its name, connections, authentication and CONNECT, then the target's TLS."""

import httpx
import msgspec
from msgspec import UNSET

from preflight.model.observation import Connection, ProxyFacts
from preflight.probes import tls
from preflight.probes.attempts import Cap
from preflight.probes.connector import Link, TlsWish
from preflight.probes.http import Answer, Channel, Sent
from preflight.probes.names import join
from preflight.probes.proxy import Route
from preflight.probes.streams import ByteStream
from preflight.probes.tls import TlsStream
from preflight.probes.way import Way, alpn, login_header

_ALPN = ("http/1.1",)  # neither containerd nor curl nor requests speaks HTTP/2 to a proxy
_PAGE = 16_384  # bytes of a deny page


async def fetch(way: Way, route: Route) -> Answer | None:
    """The answer, or None when it came to no request; every stage is in the draft."""
    link = await _connect(way, route)
    if link is None or link.stream is None:
        return None
    try:
        channel = await _channel(way, route, link.stream)
        if channel is None:
            link.close()
            return None
        way.draft.http, answer = await channel.exchange(way.sent(), way.draft.clock, way.means.redactor)
    except BaseException:
        link.close()
        raise
    way.keep(channel, answer)
    return answer


async def _connect(way: Way, route: Route) -> Link | None:
    """The proxy's own name, connections and TLS."""
    draft, means = way.draft, way.means
    draft.proxy = ProxyFacts(url=route.url, source=route.source)
    dns = await means.resolvers.resolve(route.host, draft.clock)
    draft.proxy = known = msgspec.structs.replace(draft.proxy, dns=dns)

    def report(seen: tuple[Connection, ...]) -> None:
        draft.proxy = msgspec.structs.replace(known, connections=seen)

    wish = TlsWish(judge=means.judges.get("system", _ALPN), server_name=route.host) if route.scheme == "https" else None
    return await means.connector.connect(dns.addresses, route.port, wish, draft.clock, report)


async def _channel(way: Way, route: Route, stream: ByteStream) -> Channel | None:
    """What the request is sent over: the proxy itself for plain HTTP, otherwise TLS through a tunnel."""
    to_proxy = Channel(stream, httpx.URL(route.url), None, absolute=way.absolute)
    if way.absolute:
        return to_proxy
    tunnel = await _tunnel(way, route, to_proxy)
    inner = await _handshake(way, tunnel) if tunnel is not None else None
    return Channel(inner, way.url, alpn(inner)) if inner is not None else None


async def _tunnel(way: Way, route: Route, channel: Channel) -> ByteStream | None:
    sent = Sent(
        method="CONNECT",
        url=way.url,
        headers=login_header(route),
        body_limit=_PAGE,
        cap_s=way.means.limits.answer_cap_s,
    )
    facts, tunnel = await channel.tunnel(sent, join(way.host, way.port), way.draft.clock, way.means.redactor)
    assert way.draft.proxy is not UNSET
    way.draft.proxy = msgspec.structs.replace(way.draft.proxy, connect=facts)
    return tunnel


async def _handshake(way: Way, tunnel: ByteStream) -> TlsStream | None:
    judge = way.means.judges.get(way.request.trust, way.request.alpn)
    cap = Cap.after(way.means.limits.connect_cap_s)
    way.draft.tls, stream = await tls.handshake(tunnel, judge, way.server_name, cap, way.draft.clock)
    return stream
