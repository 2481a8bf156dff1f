"""A group of verdicts as seen from every place: who fails, who does not, and their evidence side by side. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from preflight.judge import compared, dns_places, nodes, pattern, peering, policies
from preflight.judge.dns_places import Place
from preflight.judge.grouping import Group
from preflight.judge.pattern import View
from preflight.judge.standing import Standing, subnets
from preflight.model.observation import Observation
from preflight.model.run import Evidence, Verdict
from preflight.model.vocabulary import Phase, Status

_HELD = (Status.PASS, Status.WARN)
_BY_CERTIFICATE = ("tls.untrusted", "tls.intercepted", "tls.wrong-name", "tls.incomplete-chain", "tls.expired")


def view(
    group: Group, evidence: Evidence, verdicts: tuple[Verdict, ...], stand: Standing, places: Mapping[str, Place]
) -> View:
    """Where the same requirements on the same targets hold, comparison evidence included."""
    failing = group.vantages
    others = _others(group, verdicts)
    bad = {v.vantage for v in others if v.status not in _HELD or v.cause == group.cause}
    working = tuple(dict.fromkeys(v.vantage for v in others if v.vantage not in bad))
    return View(
        cause=group.cause,
        failing=failing,
        working=working,
        inside=all(case.inside for case in group.cases),
        api_server=any(case.api_server for case in group.cases),
        between_pods=any(case.peer for case in group.cases),
        proxied=_proxied(group, working, _observed(evidence, others, working)),
        places=tuple(places[name] for name in failing if name in places) if group.of_cluster_dns else (),
        policies=policies.titles(evidence, (case.verdict for case in group.cases)),
        alone=policies.alone(evidence, failing),
        suspects=policies.suspects(evidence, failing, tuple(case.verdict.task or "" for case in group.cases)),
        model=stand.model,
        behind=stand.behind,
        subnets=subnets(evidence.environment, failing),
        shares=nodes.shares(failing, evidence.plan),
        ranges={vantage: stand.ranges[vantage] for vantage in failing if vantage in stand.ranges},
        seen_as={vantage: stand.seen[vantage] for vantage in failing if stand.behind and vantage in stand.seen},
    )


def side_by_side(group: Group, seen: View, evidence: Evidence, verdicts: tuple[Verdict, ...]) -> tuple[str, ...]:
    """The pattern as a sentence, and what differs between the places that fail and those that do not."""
    others = _others(group, verdicts)
    good = _observed(evidence, others, seen.working)
    bad = _observed(evidence, [case.verdict for case in group.cases], seen.failing)
    first = pattern.clue(seen)
    certificates = compared.certificates(bad, good) if group.cause in _BY_CERTIFICATE else ()
    return (
        *dns_places.words(seen.places),
        *([first] if first else []),
        *nodes.sentences(seen.failing, evidence.plan),
        *peering.ways_back(group.cases, verdicts),
        *compared.split_horizon(bad, good),
        *certificates,
    )


def phases(group: Group) -> tuple[Phase, ...]:
    """Of what a reservation about network policies stands for; none for any other cause."""
    ours = group.cause in policies.CAUSES_HERE
    return tuple(dict.fromkeys(case.verdict.phase for case in group.cases)) if ours else ()


def _others(group: Group, verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    """The same requirements on the same targets, at other places."""
    mine = {(case.verdict.requirement, case.verdict.target) for case in group.cases}
    failing = group.vantages
    return [v for v in verdicts if (v.requirement, v.target) in mine and v.vantage and v.vantage not in failing]


def _observed(evidence: Evidence, verdicts: Sequence[Verdict], places: Sequence[str]) -> list[Observation]:
    """What those verdicts were made of, at these places."""
    tasks = {(v.vantage, v.task) for v in verdicts if v.vantage in places}
    return [one for one in evidence.observations if (one.vantage, one.task) in tasks]


def _proxied(group: Group, working: tuple[str, ...], seen: list[Observation]) -> tuple[str, ...]:
    """Places that work through a proxy, where the failing ones go directly."""
    if any(case.proxy for case in group.cases):
        return ()
    through = {one.vantage for one in seen if any(hop.proxy is not UNSET for hop in one.hops)}
    return tuple(vantage for vantage in working if vantage in through)
