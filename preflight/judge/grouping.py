"""Which verdicts one finding explains: same cause, and the same thing to change. Order is kept."""

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import msgspec

from preflight.judge import peering
from preflight.judge.cases import Case
from preflight.judge.dns_places import Place
from preflight.model.run import Verdict
from preflight.model.vocabulary import Severity, Status

_BY_SERVERS = {
    "dns.timeout",
    "dns.refused",
    "dns.servfail",
    "dns.tcp-blocked",
    "dns.malformed",
    "dns.server-dead",
    "dns.aaaa-failing",
    "dns.inconsistent",
    "dns.catch-all",
    "dns.cluster-names",
    "dns.replica-failing",
    "dns.local-cache-differs",
}
# What one broken place between a pod and the answer to its lookup may show as, the most telling first.
_CLUSTER_DNS = (
    "dns.replica-failing",
    "dns.timeout",
    "dns.servfail",
    "dns.refused",
    "dns.malformed",
    "dns.server-dead",
    "dns.aaaa-failing",
)
_BY_ZONE = {
    "dns.nxdomain",
    "dns.nodata",
    "dns.rebind-filtered",
    "dns.privatelink-public-answer",
    "dns.privatelink-record-missing",
    "dns.public-when-private-expected",
    "dns.private-when-public-expected",
}
_BY_PROXY = {"proxy.unresolved", "proxy.unreachable", "proxy.auth-required", "proxy.denied", "proxy.failed"}
_BY_PLACES = {
    "tcp.timeout",
    "tcp.reset",
    "route.unreachable",
    "route.prohibited",
    "tls.reset-after-hello",
    "tls.closed",
    "tls.timeout",
    "http.stalled",
}
_BY_VANTAGE = {
    "clock.wrong",
    "dns.no-resolver",
    "dns.search-domain",
    "vantage.not-run",
    "vantage.limited",
    "vantage.incomplete",
}
_EACH = 5  # places that are told one by one; what more of them share is told once for each kind
_OF_PROBES = ("pull.", "pod.", "azure.")
_OF_CLUSTER = {
    "kube.no-usable-node",
    "kube.forbidden",
    "kube.login-refused",
    "kube.unreachable",
    "kube.api-lost",
    "kube.log-channel-broken",
    "kube.rejected",
    "kube.namespace-gone",
}
_ALONE = {
    "policy.probe-differs",
    "policy.may-deny",
    "dns.sinkhole",
    "tcp.lossy",
    "check.deadline",
    "check.interrupted",
    "preflight.internal",
    "path.firewall-resolved-public",
    "check.load-induced",
    "snat.exhaustion-suspected",
}


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to change: its cases and the ids of every verdict that it explains."""

    cases: tuple[Case, ...]
    checks: tuple[str, ...]
    of_cluster_dns: bool = False  # every lookup went to cluster DNS, and it is known where on the way it failed

    @property
    def cause(self) -> str:
        """The same for all; one place on the way to an answer may show as several, the most telling first."""
        causes = [case.cause for case in self.cases]
        return next((cause for cause in _CLUSTER_DNS if cause in causes), causes[0])

    @property
    def status(self) -> Status:
        """The worst of its verdicts."""
        statuses = {case.verdict.status for case in self.cases}
        return next(status for status in (Status.FAIL, Status.UNKNOWN, Status.WARN) if status in statuses)

    @property
    def severity(self) -> Severity:
        """Required when it keeps the run from passing."""
        needed = (
            case.verdict.status is Status.FAIL
            or (case.verdict.status is Status.UNKNOWN and case.verdict.severity is Severity.REQUIRED)
            for case in self.cases
        )
        return Severity.REQUIRED if any(needed) else Severity.RECOMMENDED

    @property
    def vantages(self) -> tuple[str, ...]:
        """Where it was seen."""
        return tuple(dict.fromkeys(case.vantage for case in self.cases if case.vantage))


def groups(
    cases: list[Case], verdicts: tuple[Verdict, ...], *, cluster_dns: str = "", places: Mapping[str, Place] = {}
) -> list[Group]:
    """Heaviest first: failures, then what could not be told, then warnings; then by how much they explain."""
    seen: dict[tuple[str, str | None], set[str]] = {}
    for case in cases:
        for host in (case.host, None):  # None: wherever
            seen.setdefault((case.cause, host), set()).add(case.vantage)
    pairs = peering.keys(cases, verdicts)
    collected: dict[Hashable, list[Case]] = {}
    for case in cases:
        usual = (case.cause, "pods", pairs[peering.pair_of(case)]) if _of_pods(case) else _key(case, seen)
        collected.setdefault(_place(case, cluster_dns, places) or usual, []).append(case)
    found = [_group(key, tuple(members), verdicts) for key, members in collected.items()]
    rank = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.WARN: 2}
    return sorted(
        found, key=lambda group: (rank[group.status], group.severity is not Severity.REQUIRED, -len(group.checks))
    )


def _group(key: Hashable, members: tuple[Case, ...], verdicts: tuple[Verdict, ...]) -> Group:
    ids = {case.verdict.check for case in members}
    explained = tuple(v.check for v in verdicts if v.check in ids or (v.decides and v.blocked_by in ids))
    return Group(cases=members, checks=explained, of_cluster_dns=isinstance(key, _Leg))


class _Leg(NamedTuple):
    """Key of everything that fails on one part of the way to an answer of cluster DNS."""

    leg: str
    replicas: tuple[str, ...]


def _place(case: Case, cluster_dns: str, places: Mapping[str, Place]) -> _Leg | None:
    """One key for the several causes under which one place shows; None for what is no lookup at cluster DNS."""
    place = places.get(case.vantage)
    if place is None or case.cause not in _CLUSTER_DNS or case.servers != (cluster_dns,):
        return None
    return _Leg(place.leg, tuple(one.address for one in place.replicas))


def _of_pods(case: Case) -> bool:
    return bool(case.peer and not case.blamed)


def _key(case: Case, places: dict[tuple[str, str | None], set[str]]) -> Hashable:
    """What would be changed at once."""
    cause = case.cause
    if cause in _BY_SERVERS:
        return cause, case.servers or case.vantage
    if cause in _BY_ZONE:
        return cause, case.zone or case.host
    if cause in _BY_PROXY:
        return cause, case.proxy
    if cause in _BY_PLACES:
        return cause, frozenset(places[cause, case.host]), case.inside
    if cause in _BY_VANTAGE:
        return cause, case.vantage if len(places[cause, None]) <= _EACH else case.vantage.partition("/")[0]
    if cause == "tls.intercepted":
        return cause, case.issuer
    if cause == "http.block-page" and case.device:
        return cause, case.device
    if case.pulled:
        return cause, case.host, "pulled"
    if cause.startswith(_OF_PROBES) or cause == "peers.no-listener" or cause in _OF_CLUSTER or cause in _ALONE:
        return cause
    return cause, case.host
