"""Cluster DNS as a pod met it: the service's answers decide, replicas that were asked straight only explain.

Hops are those of `preflight.probes.services.cluster_dns`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET

from preflight.judge import local_cache
from preflight.judge.addresses import is_internal
from preflight.judge.answers import DEFINITE, SILENT, Kind, kind_of, words_of
from preflight.judge.names import CAUSE_OF
from preflight.judge.outcome import Outcome, fail, good, unknown, warn
from preflight.judge.scene import Scene, listed, number
from preflight.model.observation import DnsAnswer, Hop, Observation
from preflight.model.plan import Check

_SURE = 2  # failures among the samples that no single lost datagram explains


class Straight(NamedTuple):
    """One replica, asked straight; None where it was not asked."""

    server: str  # "10.251.1.4:53"
    inside: Kind | None
    outside: Kind | None

    @property
    def answers(self) -> bool:
        """Whether it says anything about the cluster's own names."""
        return self.inside in DEFINITE

    @property
    def forwards(self) -> bool:
        """Whether it has an answer for a name outside."""
        return self.outside in DEFINITE


def judge(_check: Check, hop: Hop, scene: Scene) -> Outcome | None:
    """One hop of the probe; None when it was not finished."""
    if hop.dns is UNSET:
        return None
    if hop.role == "inside":
        return _inside(hop, hop.dns.answers, scene)
    if hop.role == "outside":
        return _outside(hop, hop.dns.answers, scene)
    return good("asked besides")


def missing(_check: Check, role: str, _observation: Observation) -> Outcome:
    """The probe asks both in any case."""
    return unknown("vantage.incomplete", f"the step {role} was not reached")


def straight(observation: Observation) -> tuple[Straight, ...]:
    """What each replica said when it was asked straight, in the order of the plan."""
    found: dict[str, dict[str, Kind]] = {}
    for hop in observation.hops:
        word, _, rest = hop.role.partition(".")
        if word == "replica" and hop.dns is not UNSET and hop.dns.answers:
            settled = settle(udp(hop.dns.answers))
            where = "outside" if rest.endswith(".outside") else "inside"
            if settled is not None:
                found.setdefault(hop.dns.answers[0].server, {})[where] = kind_of(settled)
    return tuple(Straight(server, told.get("inside"), told.get("outside")) for server, told in found.items())


def udp(answers: Sequence[DnsAnswer]) -> list[DnsAnswer]:
    """What was asked over UDP, also when the answer then came over TCP."""
    return [answer for answer in answers if answer.transport == "udp" or answer.truncated]


def tcp(answers: Sequence[DnsAnswer]) -> list[DnsAnswer]:
    """What was asked over TCP from the start."""
    return [answer for answer in answers if answer.transport == "tcp" and not answer.truncated]


def settle(answers: Sequence[DnsAnswer]) -> DnsAnswer | None:
    """Of several attempts the one that settles it."""
    definite = [answer for answer in answers if kind_of(answer) in DEFINITE]
    return next(iter(definite or answers), None)


def _inside(hop: Hop, answers: Sequence[DnsAnswer], scene: Scene) -> Outcome:
    name, over_udp, over_tcp = _name(hop), settle(udp(answers)), settle(tcp(answers))
    if over_udp is None:
        return unknown("vantage.incomplete", f"nothing was asked for {name}")
    kind, server = kind_of(over_udp), over_udp.server
    if kind in (Kind.NXDOMAIN, Kind.NODATA):
        return fail("dns.cluster-names", f"{server} answers for {name}: {words_of(over_udp)}")
    if kind in SILENT and (mute := _mute(scene)):
        seen = f"{server} asked for {name}: {words_of(over_udp)}"
        return fail("dns.replica-failing", f"{seen}; asked straight, {listed(mute)} is silent and others answer")
    if kind is not Kind.ADDRESSES:
        also = "; over TCP it answers" if over_tcp is not None and kind_of(over_tcp) in DEFINITE else ""
        return fail(CAUSE_OF[kind], f"{server} asked for {name}: {words_of(over_udp)}{also}")
    return _without_tcp(name, over_tcp, scene) or good(f"{server}: {words_of(over_udp)}, over UDP and TCP")


def _mute(scene: Scene) -> list[str]:
    """Replicas that say nothing when they are asked straight, where others answer: the service may lead to either."""
    replicas = straight(scene.observation)
    mute = [one.server for one in replicas if not one.answers]
    return mute if len(mute) < len(replicas) else []


def _without_tcp(name: str, over_tcp: DnsAnswer | None, scene: Scene) -> Outcome | None:
    """No TCP while UDP works; one query that met a dead replica is no such thing."""
    if over_tcp is None or kind_of(over_tcp) in DEFINITE or _mute(scene):
        return None
    words = words_of(over_tcp)
    return warn("dns.tcp-blocked", f"{over_tcp.server} answers for {name} over UDP, but over TCP: {words}")


def _outside(hop: Hop, answers: Sequence[DnsAnswer], scene: Scene) -> Outcome:
    name, samples, over_tcp = _name(hop), udp(answers), settle(tcp(answers))
    if not samples:
        return unknown("vantage.incomplete", f"nothing was asked for {name}")
    server = samples[0].server
    bad = [answer for answer in samples if kind_of(answer) not in DEFINITE]
    seen = f"{len(bad)} of {len(samples)} lookups of {name} at {server} fail"
    if len(bad) == len(samples):
        telling = next((one for one in bad if kind_of(one) not in SILENT), bad[0])
        return fail(CAUSE_OF[kind_of(telling)], f"{seen}: {words_of(telling)}")
    replicas = straight(scene.observation)
    failing = [one.server for one in replicas if not (one.answers and one.forwards)]
    if bad and (len(bad) >= _SURE or failing):
        by = f"; asked straight, {len(failing)} of {len(replicas)} fail: {listed(failing)}" if failing else ""
        return fail("dns.replica-failing", f"{seen}: {words_of(bad[0])}{by}")
    kinds = {kind_of(answer) for answer in samples if answer not in bad}
    if len(kinds) > 1:
        return fail("dns.inconsistent", f"{server} answers differently for {name}: {', '.join(sorted(kinds))}")
    return (
        _stale(name, samples, scene) or _without_tcp(name, over_tcp, scene) or good(_summary(name, samples, bad, scene))
    )


def _stale(name: str, samples: list[DnsAnswer], scene: Scene) -> Outcome | None:
    """The cache on the node against the DNS behind it; addresses of one class may rotate, so they are no difference."""
    hop = next((one for one in scene.observation.hops if one.role == "local"), None)
    cached = settle(hop.dns.answers) if hop is not None and hop.dns is not UNSET else None
    behind = settle(samples)
    if cached is None or behind is None or not local_cache.name(cached.server) or _word(cached) == _word(behind):
        return None
    seen = f"{cached.server} ({local_cache.name(cached.server)}) answers for {name}: {words_of(cached)}"
    return warn("dns.local-cache-differs", f"{seen}; {behind.server} behind it: {words_of(behind)}")


def _word(answer: DnsAnswer) -> tuple[Kind, frozenset[bool]]:
    return kind_of(answer), frozenset(is_internal(address) for address in answer.addresses)


def _summary(name: str, samples: list[DnsAnswer], bad: list[DnsAnswer], scene: Scene) -> str:
    settled = settle(samples)
    words = words_of(settled) if settled is not None else ""
    lost = f"; {len(bad)} of {len(samples)} lookups got no answer" if bad else ""
    return f"{name}: {words}{lost}{_searched(scene)}"


def _searched(scene: Scene) -> str:
    """What the search list costs one lookup: a fact, no reservation."""
    hop = next((one for one in reversed(scene.observation.hops) if one.role == "search" and one.service), None)
    if hop is None:
        return ""
    fact = hop.service
    if fact.get("found") and fact["found"] != hop.url.rpartition("/")[2]:
        return f"; with ndots:{fact.get('ndots')} {fact['found'][:120]} answers first"
    many = number(fact.get("queries", ""))
    times = f"{fact.get('ms')} ms instead of {fact.get('plain_ms')}"
    return f"; ndots:{fact.get('ndots')} makes {many} queries of one lookup ({times})"


def _name(hop: Hop) -> str:
    return hop.dns.name if hop.dns is not UNSET else ""
