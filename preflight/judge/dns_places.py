"""Where on the way a pod's lookup fails: pod to CoreDNS, or CoreDNS to its upstream, with pod, node and pool. Pure.

CoreDNS forwards from its own node, so the node of the replica that fails is the place, not the pod's. What the service
answered decides that something fails; what replicas said when asked straight only tells where.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec
from msgspec import UNSET

from preflight.judge import suspects
from preflight.judge.answers import DEFINITE, SILENT, kind_of
from preflight.judge.cluster_dns import Straight, settle, straight, udp
from preflight.judge.scene import listed
from preflight.model.cluster import ClusterFacts, DnsReplica
from preflight.model.observation import Hop, Observation
from preflight.model.run import Candidate, Evidence
from preflight.model.vocabulary import ProbeName, VantageKind, vantage_kind

_MOST_WORDS = 4


class Leg(StrEnum):
    """One part of the way of a lookup."""

    TO_DNS = "pod to CoreDNS"
    SERVICE = "service address to CoreDNS"
    REPLICAS = "CoreDNS itself"
    UPSTREAM = "CoreDNS to its upstream"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The leg that fails for one vantage, and the replicas at its end."""

    leg: Leg
    replicas: tuple[DnsReplica, ...] = ()
    words: str
    candidates: tuple[Candidate, ...] = ()
    settle: str = ""

    def title(self, who: str, service: str) -> str:
        """The change in one line."""
        named = listed([one.place for one in self.replicas], most=3) or f"behind {service}"
        return _TITLES[self.leg].format(who=who, service=service, named=named)


_TITLES = {
    Leg.TO_DNS: "Open UDP and TCP 53 from {who} to cluster DNS: {named}",
    Leg.SERVICE: "Repair the cluster DNS address {service} for {who}: its replicas answer, the address does not",
    Leg.REPLICAS: "Repair the cluster DNS replica {named}: nobody gets an answer from it",
    Leg.UPSTREAM: "Let cluster DNS reach its DNS servers from its own node: {named}",
}


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One pod vantage's view."""

    vantage: str
    service: str  # "10.96.0.10:53"
    silent: bool  # the service says nothing, not even about the cluster's own names
    failing: bool  # some lookups of a name outside fail
    name: str  # that name
    replicas: tuple[Straight, ...]


def find(evidence: Evidence) -> dict[str, Place]:
    """Pod vantage -> the place where its lookups fail; nothing for those whose lookups work."""
    cluster = evidence.plan.cluster or ClusterFacts()
    views = [view for one in evidence.observations if (view := _seen(one)) is not None]
    names = {view.name for view in views}
    nodes = dict(_nodes(evidence, names))
    heard = _heard(views)
    found = {view.vantage: _place(view, heard, cluster, nodes) for view in views if view.silent or view.failing}
    return {vantage: place for vantage, place in found.items() if place is not None}


def words(places: tuple[Place, ...]) -> tuple[str, ...]:
    """A sentence for each place, the first few of many."""
    more = len(places) - _MOST_WORDS
    return (
        *(place.words for place in places[:_MOST_WORDS]),
        *([f"and the same from {more} more places"] if more > 0 else []),
    )


def _heard(views: list[_Seen]) -> dict[str, list[str]]:
    """Who gets answers from which replica; from the service itself under the empty name."""
    heard: defaultdict[str, list[str]] = defaultdict(list)
    for view in views:
        for server in (one.server for one in view.replicas if one.answers):
            heard[server].append(view.vantage)
        if not view.silent:
            heard[""].append(view.vantage)
    return heard


def service_of(evidence: Evidence) -> str:
    """`10.96.0.10:53`; empty where no pod asked cluster DNS."""
    return next((view.service for one in evidence.observations if (view := _seen(one)) is not None), "")


def _seen(observation: Observation) -> _Seen | None:
    if observation.probe is not ProbeName.CLUSTER_DNS or vantage_kind(observation.vantage) is not VantageKind.POD:
        return None
    inside, outside = _hop(observation, "inside"), _hop(observation, "outside")
    if inside is None or outside is None or inside.dns is UNSET or outside.dns is UNSET:
        return None
    settled = settle(udp(inside.dns.answers))
    samples = udp(outside.dns.answers)
    return _Seen(
        vantage=observation.vantage,
        service=observation.target,
        silent=settled is None or kind_of(settled) in SILENT,
        failing=any(kind_of(answer) not in DEFINITE for answer in samples),
        name=outside.dns.name,
        replicas=straight(observation),
    )


def _hop(observation: Observation, role: str) -> Hop | None:
    return next((hop for hop in observation.hops if hop.role == role), None)


def _nodes(evidence: Evidence, names: set[str]) -> Iterable[tuple[str, bool]]:
    """Pool -> whether the resolver of its nodes has an answer for one of these names."""
    for one in evidence.observations:
        kind, _, pool = one.vantage.partition("/")
        if kind != VantageKind.NODE or one.probe is ProbeName.CLUSTER_DNS:
            continue
        for hop in one.hops:
            if hop.dns is not UNSET and hop.dns.name in names and hop.dns.answers:
                asked = [answer for answer in hop.dns.answers if answer.role == "configured" and answer.rtype == "A"]
                yield pool.partition("/")[0], any(kind_of(answer) in DEFINITE for answer in asked)


def _place(
    view: _Seen, heard: Mapping[str, list[str]], cluster: ClusterFacts, nodes: Mapping[str, bool]
) -> Place | None:
    known = {_server(one): one for one in cluster.dns_replicas}
    told = view.replicas
    mute = tuple(known.get(one.server, _unknown(one.server)) for one in told if not one.answers)
    if view.silent and told and not mute:
        return _service(view, known, told)
    if mute or (view.silent and not told):
        return _mute(view, heard, mute, told)
    stuck = tuple(known.get(one.server, _unknown(one.server)) for one in told if not one.forwards)
    if stuck or not told:
        return _upstream(view, stuck, told, nodes)
    return None


def _service(view: _Seen, known: Mapping[str, DnsReplica], told: tuple[Straight, ...]) -> Place:
    replicas = tuple(known.get(one.server, _unknown(one.server)) for one in told)
    return Place(
        leg=Leg.SERVICE,
        replicas=replicas,
        words=f"{view.vantage}: the service address {view.service} is silent, while every replica answers when it is"
        f" asked straight ({_listed(replicas)}): the way to the pods is open, the service address is not translated",
        candidates=(suspects.SERVICE_ADDRESS, suspects.DNS_POLICY),
        settle=suspects.SERVICE_ADDRESS.settle,
    )


def _mute(
    view: _Seen, heard: Mapping[str, list[str]], mute: tuple[DnsReplica, ...], told: tuple[Straight, ...]
) -> Place:
    """Some or all replicas do not answer: the way from this place, when others get through, else the replicas."""
    whose = _listed(mute) if mute else "the replicas, which are not known"
    servers = [_server(one) for one in mute] or [""]
    elsewhere = [other for server in servers for other in heard.get(server, ()) if other != view.vantage]
    if elsewhere:
        return Place(
            leg=Leg.TO_DNS,
            replicas=mute,
            words=f"{view.vantage}: pod to CoreDNS: no answer from {whose}; {listed(elsewhere)} gets answers there",
            candidates=(suspects.DNS_POLICY, suspects.DNS_NODES),
            settle=suspects.DNS_POLICY.settle,
        )
    every = len(mute) == len(told)
    return Place(
        leg=Leg.TO_DNS if every else Leg.REPLICAS,
        replicas=mute,
        words=f"{view.vantage}: no answer from {whose}"
        + (", nor from any other" if every and told else _others(len(told) - len(mute), "answers", "answer")),
        candidates=(suspects.DNS_POLICY, suspects.DNS_NODES, suspects.DNS_PODS)
        if every
        else (suspects.DNS_PODS, suspects.DNS_NODES),
        settle=(suspects.DNS_POLICY if every else suspects.DNS_PODS).settle,
    )


def _upstream(
    view: _Seen, stuck: tuple[DnsReplica, ...], told: tuple[Straight, ...], nodes: Mapping[str, bool]
) -> Place:
    """The cluster's own names are answered and others are not: CoreDNS gets no answer itself."""
    pools = tuple(dict.fromkeys(one.pool for one in stuck if one.pool))
    works = [pool for pool in pools if nodes.get(pool)]
    fails = [pool for pool in pools if nodes.get(pool) is False]
    beside = f"; the nodes of {listed(works)} resolve it themselves, so CoreDNS forwards elsewhere" if works else ""
    beside += f"; the nodes of {listed(fails)} do not resolve it either" if fails else ""
    whose = _listed(stuck) if stuck else "replicas that are not known"
    rest = _others(len(told) - len(stuck), "does", "do")
    return Place(
        leg=Leg.UPSTREAM,
        replicas=stuck,
        words=f"{view.vantage}: CoreDNS to its upstream: {whose} answers for the cluster's own names"
        f" and not for {view.name}{rest}; it forwards from its own node{beside}",
        candidates=(suspects.COREDNS, suspects.DNS_UPSTREAM)
        if works and not fails
        else (suspects.DNS_UPSTREAM, suspects.COREDNS),
        settle=(suspects.COREDNS if works and not fails else suspects.DNS_UPSTREAM).settle,
    )


def _others(many: int, one: str, several: str) -> str:
    """What the remaining replicas do."""
    return "" if many <= 0 else f"; the other one {one}" if many == 1 else f"; the other {many} {several}"


def _listed(replicas: tuple[DnsReplica, ...]) -> str:
    return listed([one.place for one in replicas])


def _server(replica: DnsReplica) -> str:
    address = f"[{replica.address}]" if ":" in replica.address else replica.address
    return f"{address}:{replica.port}"


def _unknown(server: str) -> DnsReplica:
    return DnsReplica(address=server.rpartition(":")[0].strip("[]"), ready=True)
