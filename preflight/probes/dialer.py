"""Makes hops: name, connection, TLS, HTTP, through a proxy where one applies. Writes facts, never verdicts."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from preflight.model.observation import Connection, DnsFacts, Hop, SystemLookup, VantageFacts
from preflight.model.plan import Target, VantagePlan
from preflight.model.secret import Secrets
from preflight.probes import direct, redirects, system_lookup, through_proxy
from preflight.probes.connector import Connector
from preflight.probes.dns import Question
from preflight.probes.http import Answer, Channel
from preflight.probes.proxy import Proxies
from preflight.probes.redact import Redactor
from preflight.probes.request import Reply, Request
from preflight.probes.resolvers import Resolvers
from preflight.probes.talk import Said, talk
from preflight.probes.trail import Trail
from preflight.probes.trust import Judges
from preflight.probes.way import Means, Way

__all__ = ["Dialer", "Reply", "Request", "Trail"]


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
        self.resolver = facts.resolver
        self._proxies = Proxies(plan, facts, secrets, os.environ if environ is None else environ)
        self._means = Means(
            limits=plan.limits,
            judges=Judges(plan),
            redactor=Redactor(secrets, self._proxies.logins()),
            resolvers=Resolvers(plan, facts, hosts_file=hosts_file),
            connector=Connector(plan.limits, plan.mapping.connect_to, plan.pace),
        )
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(plan.limits.per_host))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the lookups that are still running."""
        await self._means.resolvers.aclose()

    async def connect(self, trail: Trail, role: str, target: Target) -> Hop:
        """Name and TCP only, never through a proxy: HTTP proxies carry nothing but HTTP."""
        with trail.hop(role, target.url) as draft:
            async with self._hosts[target.host]:
                draft.dns = await self._means.resolvers.resolve(target.host, trail.clock)

                def report(seen: tuple[Connection, ...]) -> None:
                    draft.connections = seen

                addresses = draft.dns.addresses
                link = await self._means.connector.connect(addresses, target.port, None, trail.clock, report)
                if link is not None:
                    link.close()
        return draft.freeze()

    async def exchange(self, trail: Trail, role: str, target: Target, words: bytes, limit: int) -> Said | None:
        """TCP, a line there and a line back, of `limit` bytes at most; None when nothing was connected to."""
        with trail.hop(role, target.url) as draft:
            async with self._hosts[target.host]:

                def report(seen: tuple[Connection, ...]) -> None:
                    draft.connections = seen

                link = await self._means.connector.connect((target.host,), target.port, None, trail.clock, report)
                if link is None or link.stream is None:
                    return None
                try:
                    said = await talk(link.stream, words, limit, self._means.limits.connect_cap_s)
                finally:
                    link.close()
        return msgspec.structs.replace(said, source=(link.connection.tcp.source or "").rpartition(":")[0].strip("[]"))

    async def ask(
        self, trail: Trail, role: str, name: str, questions: Sequence[Question], *, again: bool = True
    ) -> Hop:
        """Queries to servers that are named, side by side; `again`: with a second attempt for ambiguous results."""
        server = questions[0].server
        with trail.hop(role, f"dns://{server}/{name}") as draft:
            answers = await self._means.resolvers.ask(questions, draft.clock, again=again)
            draft.dns = DnsFacts(name=name, answers=answers, system=SystemLookup(result="replaced"))
        return draft.freeze()

    async def fetch(self, trail: Trail, role: str, request: Request) -> Reply:
        """One request with its redirects; a stage that fails ends the hop, it is no exception.

        Raises ValueError for what is no http or https URL, and UsageFailure for a configured CA that cannot be read.
        """
        reply = await self._hop(trail, role, request)
        seen = frozenset({request.url})
        for number in range(1, request.follow + 2):
            following = redirects.following(request, reply, seen, request.follow + 1 - number)
            if following is None or not request.follow:
                break
            if following.request is None:
                hop = trail.annotate(reply.hop.role, {"redirect": following.refused or ""})
                return msgspec.structs.replace(reply, hop=hop)
            request = following.request
            seen |= {request.url}
            reply = await self._hop(trail, f"{role}.redirect{number}", request)
        return reply

    async def _hop(self, trail: Trail, role: str, request: Request) -> Reply:
        url = redirects.parse(request.url)
        if url is None:
            raise ValueError(f"not an http or https URL: {self._means.redactor.url(request.url)}")
        with trail.hop(role, self._means.redactor.url(str(url))) as draft:
            host, port = url.raw_host.decode("ascii"), redirects.port(url)
            route = self._proxies.route(url.scheme, host, port)
            way = Way(request=request, url=url, route=route, trail=trail, draft=draft, means=self._means)
            async with self._hosts[host]:
                answer = await self._again(way) or await self._anew(way)
        if answer is None or answer.status is None:
            return Reply(hop=draft.freeze())
        return Reply(
            hop=draft.freeze(), status=answer.status, headers=answer.headers, body=answer.content(request.body_limit)[0]
        )

    async def _again(self, way: Way) -> Answer | None:
        """Over an idle connection of this trail; None when there is none, or when it turns out to be closed."""
        channel = way.trail.take(way.key)
        if not isinstance(channel, Channel):
            return None
        facts, answer = await channel.exchange(way.sent(), way.draft.clock, self._means.redactor)
        if answer.status is None and facts.result in {"closed", "reset"}:
            return None  # idle connections end without notice
        way.draft.reused = True
        way.draft.http = facts
        way.keep(channel, answer)
        return answer

    async def _anew(self, way: Way) -> Answer | None:
        """From the name on. Through a proxy, what the target's name resolves to here is side evidence."""
        if way.route is None:
            return await direct.fetch(way)
        beside = asyncio.ensure_future(self._means.resolvers.resolve(way.host, way.draft.clock))
        try:
            answer = await through_proxy.fetch(way, way.route)
            way.draft.dns = await beside
        finally:
            beside.cancel()
        return answer
