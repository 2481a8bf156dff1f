"""A name at every resolver of a vantage, and at the system's own lookup; each name is asked once and shared.

Decides only which addresses the connection uses, as the consumer would; what an answer means is the judge's.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from preflight.model.observation import DnsAnswer, DnsFacts, SystemLookup, VantageFacts
from preflight.model.plan import VantagePlan
from preflight.probes import dns, names, system_lookup
from preflight.probes.attempts import Cap, twice
from preflight.probes.clock import Clock

_TYPES = ("A", "AAAA")
_CONCLUSIVE = frozenset({"NOERROR", "NXDOMAIN"})  # a stub resolver asks the next server for anything else
_REPLACED = SystemLookup(result="replaced")
_FAMILY = {"A": "ipv4", "AAAA": "ipv6"}
# SERVFAIL may pass; FORMERR and NOTIMP may be about EDNS, which the second attempt leaves out.
# REFUSED may be for load: CoreDNS above max_concurrent and dnsmasq above --dns-forward-max refuse what is too much.
_AMBIGUOUS_RCODES = frozenset({"SERVFAIL", "FORMERR", "NOTIMP", "BADVERS", "REFUSED"})


class Resolvers:
    """All lookups of one vantage."""

    def __init__(
        self,
        plan: VantagePlan,
        facts: VantageFacts,
        *,
        hosts_file: Path = system_lookup.HOSTS_FILE,
        lookup: system_lookup.Lookup = system_lookup._getaddrinfo,  # noqa: SLF001 - the same adapter
    ) -> None:
        self.clock = Clock()
        self._limits = plan.limits
        self._families = facts.families or ("ipv4", "ipv6")
        self._detours = plan.mapping.connect_to
        self._mapped = bool(plan.mapping.nameservers)
        servers = plan.mapping.nameservers or facts.resolver.nameservers
        self._servers = [(server, "configured") for server in _with_ports(servers)]
        self._servers += [(server, "compared") for server in _with_ports(plan.compare_resolvers)]
        self._hosts_file = hosts_file
        self._lookup = lookup
        self._asking = asyncio.Semaphore(max(128, 2 * plan.limits.concurrency))
        self._lanes: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(dns.TCP_AT_ONCE))
        self._shared: dict[str, asyncio.Task[DnsFacts]] = {}

    async def resolve(self, host: str, clock: Clock) -> DnsFacts:
        """The facts of a name (or a literal address), with times on `clock`."""
        address = names.literal(host)
        if address is not None:
            return DnsFacts(
                name=host, system=SystemLookup(result="literal", addresses=(address,)), addresses=(address,)
            )
        name = names.ascii_name(host)
        if name is None:
            return _illegal(host, self._servers, clock)
        if name not in self._shared:
            self._shared[name] = asyncio.ensure_future(self._everywhere(name))
        return _rebased(await asyncio.shield(self._shared[name]), self.clock, clock)

    async def ask(
        self, questions: Sequence[dns.Question], clock: Clock, *, again: bool = True
    ) -> tuple[DnsAnswer, ...]:
        """Answers of servers that are named, with times on `clock`; where the environment maps them, of those."""
        asking = self._ask if again else self._ask_once
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asking(self._mapped_to(one))) for one in questions]
        found = [
            msgspec.structs.replace(answer, server=one.server)
            for one, task in zip(questions, tasks, strict=True)
            for answer in task.result()
        ]
        return _rebased(DnsFacts(name="", answers=tuple(found), system=_REPLACED), self.clock, clock).answers

    def _mapped_to(self, question: dns.Question) -> dns.Question:
        return msgspec.structs.replace(question, server=self._detours.get(question.server, question.server))

    async def _ask_once(self, question: dns.Question) -> tuple[DnsAnswer, ...]:
        limits = self._limits
        async with self._asking:
            lanes = self._lanes[question.server]
            cap = Cap.after(limits.connect_cap_s)
            return (await dns.ask(question, cap, self.clock, grace_s=limits.second_attempt_s, lanes=lanes),)

    async def aclose(self) -> None:
        """Ends the lookups that nobody waits for any more."""
        for task in self._shared.values():
            task.cancel()
        await asyncio.gather(*self._shared.values(), return_exceptions=True)

    async def _everywhere(self, name: str) -> DnsFacts:
        questions = [
            dns.Question(name=name, rtype=rtype, server=server, role=role)
            for server, role in self._servers
            for rtype in _TYPES
        ]
        async with asyncio.TaskGroup() as group:
            system = group.create_task(self._system(name))
            asked = [group.create_task(self._ask(question)) for question in questions]
        answers = tuple(answer for task in asked for answer in task.result())
        addresses = self._used(answers, system.result())
        return DnsFacts(name=name, answers=answers, system=system.result(), addresses=addresses)

    async def _ask(self, question: dns.Question) -> tuple[DnsAnswer, ...]:
        limits = self._limits
        refused = False

        async def attempt(number: int, cap: Cap) -> DnsAnswer:
            nonlocal refused
            if refused:  # at once it would be refused again, if it was for load
                await asyncio.sleep(limits.second_attempt_s)
            again = msgspec.structs.replace(question, attempt=number, edns=number == 1)
            lanes = self._lanes[question.server]
            answer = await dns.ask(again, cap, self.clock, grace_s=limits.second_attempt_s, lanes=lanes)
            refused = answer.rcode == "REFUSED"
            return answer

        async with self._asking:
            when = asyncio.get_running_loop().time() + limits.connect_cap_s
            return await twice(attempt, when=when, after=limits.second_attempt_s, ambiguous=_ambiguous)

    async def _system(self, name: str) -> SystemLookup:
        if self._mapped:
            return _REPLACED
        cap = Cap.after(self._limits.connect_cap_s)
        return await system_lookup.look_up(name, cap, hosts_file=self._hosts_file, lookup=self._lookup)

    def _used(self, answers: Iterable[DnsAnswer], system: SystemLookup) -> tuple[str, ...]:
        """The hosts file before DNS, as glibc and Go have it; the system's answer where DNS has none (mDNS, macOS)."""
        configured = [answer for answer in answers if answer.role == "configured"]
        told = (address for rtype in _TYPES for address in _first(configured, rtype))
        for candidates in (system.hosts_file, tuple(told), system.addresses):
            usable = tuple(dict.fromkeys(address for address in candidates if self._tried(address)))
            if usable:
                return usable
        return ()

    def _tried(self, address: str) -> bool:
        return _FAMILY["AAAA" if names.is_ipv6(address) else "A"] in self._families


def _first(answers: Iterable[DnsAnswer], rtype: str) -> tuple[str, ...]:
    """The addresses of the first server, as configured, whose answer ends a stub resolver's search."""
    for answer in answers:
        if answer.rtype == rtype and answer.result == "answer" and answer.rcode in _CONCLUSIVE:
            return answer.addresses
    return ()


def _ambiguous(answer: DnsAnswer) -> bool:
    if answer.result == "answer":
        return answer.rcode in _AMBIGUOUS_RCODES
    return answer.result in {"timeout", "malformed"}


def _with_ports(servers: Iterable[str]) -> tuple[str, ...]:
    return tuple(names.join(*names.split(server, 53)) for server in servers)


def _illegal(host: str, servers: Iterable[tuple[str, str]], clock: Clock) -> DnsFacts:
    """Nothing is sent for a name that no DNS message can hold."""
    answers = tuple(
        DnsAnswer(
            server=server,
            role=role,
            rtype=rtype,
            transport="udp",
            result="error",
            detail="not a legal name: empty label, a label over 63 or a name over 253 characters",
            at_ms=clock.ms(),
            duration_ms=0.0,
        )
        for server, role in servers
        for rtype in _TYPES
    )
    return DnsFacts(name=host[:300], answers=answers, system=SystemLookup(result="failed", error="EAI_NONAME"))


def _rebased(facts: DnsFacts, theirs: Clock, ours: Clock) -> DnsFacts:
    """A shared lookup on the clock of one observation; what began before it stands at its start."""
    shift = (theirs.zero - ours.zero) * 1000
    answers = tuple(
        msgspec.structs.replace(answer, at_ms=round(max(answer.at_ms + shift, 0.0), 3)) for answer in facts.answers
    )
    return msgspec.structs.replace(facts, answers=answers)
