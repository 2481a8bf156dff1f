"""Makes hops: name, connection, TLS, HTTP, through a proxy where one applies. Writes facts, never verdicts."""

import asyncio
import base64
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import msgspec
from msgspec import UNSET

from preflight.model.observation import Connection, Hop, HttpFacts, ProxyFacts, VantageFacts
from preflight.model.plan import Target, VantagePlan
from preflight.model.secret import Secret, Secrets
from preflight.probes import redirects, system_lookup, tls
from preflight.probes.attempts import Cap
from preflight.probes.connector import Connector, Link, TlsWish
from preflight.probes.http import Answer, Channel, Sent
from preflight.probes.proxy import Proxies, Route
from preflight.probes.redact import Redactor
from preflight.probes.request import Reply, Request
from preflight.probes.resolvers import Resolvers
from preflight.probes.streams import ByteStream
from preflight.probes.tls import TlsStream
from preflight.probes.trail import Draft, Trail
from preflight.probes.trust import Judges

__all__ = ["Dialer", "Reply", "Request", "Trail"]

_REPEATABLE = frozenset({"GET", "HEAD"})
_PROXY_ALPN = ("http/1.1",)  # CONNECT over HTTP/2 is not what containerd, curl or requests speak to a proxy
_PROXY_PAGE = 16_384  # bytes of a deny page


class _Way(msgspec.Struct, frozen=True, kw_only=True):
    """One request on its way, with everything that is settled before the first packet."""

    request: Request
    url: httpx.URL
    route: Route | None
    trail: Trail
    draft: Draft

    @property
    def host(self) -> str:
        return self.url.raw_host.decode("ascii")

    @property
    def port(self) -> int:
        return redirects.port(self.url)

    @property
    def server_name(self) -> str:
        return (self.request.server_name or self.host).removesuffix(".")

    @property
    def key(self) -> object:
        """What must be equal for a connection to serve again."""
        asked = self.request
        return redirects.origin(self.url), self.server_name, asked.alpn, asked.trust, self.route and self.route.url


class Dialer:
    """The connections of one vantage; each name is looked up once and shared. Close it after the last hop."""

    def __init__(
        self,
        plan: VantagePlan,
        facts: VantageFacts,
        secrets: Secrets,
        *,
        environ: Mapping[str, str] | None = None,
        hosts_file: Path = system_lookup.HOSTS_FILE,
    ) -> None:
        self._limits = plan.limits
        self._judges = Judges(plan)
        self._proxies = Proxies(plan, facts, secrets, os.environ if environ is None else environ)
        self._redactor = Redactor(secrets, self._proxies.logins())
        self._resolvers = Resolvers(plan, facts, hosts_file=hosts_file)
        self._connector = Connector(plan.limits, plan.mapping.connect_to)
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(plan.limits.per_host))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the lookups that are still running."""
        await self._resolvers.aclose()

    async def connect(self, trail: Trail, role: str, target: Target) -> Hop:
        """Name and TCP only, never through a proxy: HTTP proxies carry nothing but HTTP."""
        with trail.hop(role, target.url) as draft:
            async with self._hosts[target.host]:
                draft.dns = await self._resolvers.resolve(target.host, trail.clock)

                def report(seen: tuple[Connection, ...]) -> None:
                    draft.connections = seen

                link = await self._connector.connect(draft.dns.addresses, target.port, None, trail.clock, report)
                if link is not None:
                    link.close()
        return draft.freeze()

    async def fetch(self, trail: Trail, role: str, request: Request) -> Reply:
        """One request with its redirects; a stage that fails ends the hop, it is no exception.

        Raises UsageFailure for a URL or a CA that cannot be used at all.
        """
        reply = await self._hop(trail, role, request)
        seen = frozenset({request.url})
        for number in range(1, request.follow + 2):
            following = redirects.following(request, reply, seen, request.follow + 1 - number)
            if following is None or not request.follow:
                break
            if following.request is None:
                return msgspec.structs.replace(reply, hop=trail.annotate(reply.hop.role, _refused(following)))
            request = following.request
            seen |= {request.url}
            reply = await self._hop(trail, f"{role}.redirect{number}", request)
        return reply

    async def _hop(self, trail: Trail, role: str, request: Request) -> Reply:
        url = redirects.parse(request.url)
        if url is None:
            raise ValueError(f"not an http or https URL: {self._redactor.url(request.url)}")
        with trail.hop(role, self._redactor.url(str(url))) as draft:
            route = self._proxies.route(url.scheme, url.host, redirects.port(url))
            way = _Way(request=request, url=url, route=route, trail=trail, draft=draft)
            async with self._hosts[way.host]:
                answer = await self._again(way) or await self._anew(way)
        if answer is None or answer.status is None:
            return Reply(hop=draft.freeze())
        return Reply(
            hop=draft.freeze(),
            status=answer.status,
            headers=answer.headers,
            body=answer.content(request.body_limit),
        )

    async def _again(self, way: _Way) -> Answer | None:
        """Over an idle connection of this trail; None when there is none, or when it turns out to be closed."""
        channel = way.trail.take(way.key)
        if not isinstance(channel, Channel):
            return None
        try:
            facts, answer = await channel.exchange(self._sent(way), way.draft.clock, self._redactor)
        except BaseException:
            channel.close()
            raise
        if answer.status is None and facts.result in {"closed", "reset"}:
            return None
        way.draft.reused = True
        way.draft.http = facts
        self._keep(way, channel, answer)
        return answer

    async def _anew(self, way: _Way) -> Answer | None:
        """From the name on."""
        if way.route is None:
            return await self._direct(way)
        async with asyncio.TaskGroup() as group:
            beside = group.create_task(self._side_evidence(way))
            answer = await self._through_proxy(way, way.route)
            await beside
        return answer

    async def _side_evidence(self, way: _Way) -> None:
        """What the target's name resolves to here, although the proxy resolves it itself."""
        way.draft.dns = await self._resolvers.resolve(way.host, way.draft.clock)

    async def _direct(self, way: _Way) -> Answer | None:
        draft, clock = way.draft, way.draft.clock
        draft.dns = await self._resolvers.resolve(way.host, clock)

        def report(seen: tuple[Connection, ...]) -> None:
            draft.connections = seen

        wish = self._wish(way)
        link = await self._connector.connect(draft.dns.addresses, way.port, wish, clock, report)
        if link is None or link.stream is None:
            return None
        with _closing(link.stream) as stream:
            answer = await self._talk(way, link, stream, wish)
        return answer

    async def _talk(self, way: _Way, link: Link, stream: ByteStream, wish: TlsWish | None) -> Answer:
        """The request, and beside it the same over small segments when the first one stalls."""
        channel = Channel(stream, way.url, _alpn(stream))
        first = asyncio.ensure_future(channel.exchange(self._sent(way), way.draft.clock, self._redactor))
        beside: asyncio.Task[HttpFacts | None] | None = None
        try:
            if way.request.method in _REPEATABLE:
                await asyncio.wait({first}, timeout=max(self._limits.answer_cap_s / 2, self._limits.second_attempt_s))
                if not first.done():
                    beside = asyncio.ensure_future(self._clamped(way, link, wish))
            way.draft.http, answer = await first
            if beside is not None and way.draft.http.result == "timeout":
                way.draft.clamped = await beside or UNSET
        finally:
            await _end(first, beside)
        self._keep(way, channel, answer)
        return answer

    async def _clamped(self, way: _Way, link: Link, wish: TlsWish | None) -> HttpFacts | None:
        """The same request on a connection with clamped segments: it gets through where large packets vanish."""
        again = await self._connector.again(link, way.port, wish, way.draft.clock, link.connection.tcp.attempt + 1)
        way.draft.connections = (*way.draft.connections, again.connection)
        if again.stream is None:
            return None
        with _closing(again.stream) as stream:
            left = max(self._limits.answer_cap_s / 2 - self._limits.connect_cap_s, self._limits.connect_cap_s)
            sent = msgspec.structs.replace(self._sent(way), cap_s=left)
            facts, _ = await Channel(stream, way.url, _alpn(stream)).exchange(sent, way.draft.clock, self._redactor)
            stream.close()
        return facts

    async def _through_proxy(self, way: _Way, route: Route) -> Answer | None:
        link = await self._to_proxy(way, route)
        if link is None or link.stream is None:
            return None
        with _closing(link.stream) as stream:
            origin = httpx.URL(route.url)
            if way.url.scheme == "http":
                channel = Channel(stream, origin, None, absolute=True)
                sent = self._sent(way, extra=_login_header(route))
            else:
                tunnel = await self._tunnel(way, route, Channel(stream, origin, None))
                inner = await self._inner_tls(way, tunnel) if tunnel is not None else None
                if inner is None:
                    stream.close()
                    return None
                channel, sent = Channel(inner, way.url, _alpn(inner)), self._sent(way)
            way.draft.http, answer = await channel.exchange(sent, way.draft.clock, self._redactor)
            self._keep(way, channel, answer)
        return answer

    async def _to_proxy(self, way: _Way, route: Route) -> Link | None:
        """The proxy's own name, connections and TLS."""
        draft, clock = way.draft, way.draft.clock
        facts = ProxyFacts(url=route.url, source=route.source)
        draft.proxy = facts
        dns = await self._resolvers.resolve(route.host, clock)
        draft.proxy = facts = msgspec.structs.replace(facts, dns=dns)

        def report(seen: tuple[Connection, ...]) -> None:
            draft.proxy = msgspec.structs.replace(facts, connections=seen)

        wish = None
        if route.scheme == "https":
            wish = TlsWish(judge=self._judges.get("system", _PROXY_ALPN), server_name=route.host)
        return await self._connector.connect(dns.addresses, route.port, wish, clock, report)

    async def _tunnel(self, way: _Way, route: Route, channel: Channel) -> ByteStream | None:
        target = f"[{way.host}]:{way.port}" if ":" in way.host else f"{way.host}:{way.port}"
        sent = Sent(
            method="CONNECT",
            url=way.url,
            headers=_login_header(route),
            body_limit=_PROXY_PAGE,
            cap_s=self._limits.answer_cap_s,
        )
        facts, _, tunnel = await channel.tunnel(sent, target, way.draft.clock, self._redactor)
        assert way.draft.proxy is not UNSET
        way.draft.proxy = msgspec.structs.replace(way.draft.proxy, connect=facts)
        return tunnel

    async def _inner_tls(self, way: _Way, tunnel: ByteStream) -> TlsStream | None:
        judge = self._judges.get(way.request.trust, way.request.alpn)
        cap = Cap.after(self._limits.connect_cap_s)
        way.draft.tls, stream = await tls.handshake(tunnel, judge, way.server_name, cap, way.draft.clock)
        return stream

    def _wish(self, way: _Way) -> TlsWish | None:
        if way.url.scheme == "http":
            return None
        return TlsWish(judge=self._judges.get(way.request.trust, way.request.alpn), server_name=way.server_name)

    def _sent(self, way: _Way, extra: tuple[tuple[str, str], ...] = ()) -> Sent:
        secret = tuple((name, value.reveal()) for name, value in way.request.secret_headers)
        return Sent(
            method=way.request.method,
            url=way.url,
            headers=(*way.request.headers, *secret, *extra),
            body=way.request.body,
            body_limit=way.request.body_limit,
            cap_s=self._limits.answer_cap_s,
        )

    def _keep(self, way: _Way, channel: Channel, answer: Answer) -> None:
        if answer.complete and channel.idle:
            way.trail.keep(way.key, channel)
        else:
            channel.close()


class _closing:  # noqa: N801 - reads like contextlib.closing, but only on the way of an exception
    """Closes the stream when the block fails; otherwise whoever used it has decided."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def __enter__(self) -> ByteStream:
        return self._stream

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stream.close()


async def _end(*tasks: asyncio.Task[object] | asyncio.Future[object] | None) -> None:
    """Nothing goes on behind the hop's back."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _alpn(stream: ByteStream) -> str | None:
    return stream.tls.selected_alpn_protocol() if isinstance(stream, TlsStream) else None


def _refused(following: redirects.Next) -> dict[str, str]:
    return {"redirect": following.refused or ""}


def _login_header(route: Route) -> tuple[tuple[str, str], ...]:
    if route.login is None:
        return ()
    return (("proxy-authorization", _basic(route.login)),)


def _basic(login: Secret) -> str:
    return f"Basic {base64.b64encode(login.reveal().encode()).decode()}"
