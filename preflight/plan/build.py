"""The plan: every requirement becomes checks, or stands in `left_out` with its reason; nothing vanishes. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from preflight.catalogue.places import Item
from preflight.model.catalogue import Catalogue, Requirement
from preflight.model.cluster import ClusterFacts
from preflight.model.environment import Environment
from preflight.model.plan import Check, LeftOut, Plan
from preflight.model.vocabulary import ProbeName, VantageKind, vantage_kind
from preflight.plan.aims import Aim, Omission, aims
from preflight.plan.choice import Selection, Where, where
from preflight.plan.tasks import tasks

_NO_KUBELET = "only in a run with a cluster (--kubeconfig): a kubelet has to pull"


def build(
    catalogue: Catalogue,
    env: Environment,
    *,
    vantages: Sequence[str],
    left_out: Mapping[VantageKind, str] = {},
    unavailable: Mapping[str, tuple[str | None, str]] = {},
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    stand_in: Sequence[VantageKind] = (),
    cluster: ClusterFacts | None = None,
    peers: Mapping[str, tuple[str, ...]] = {},
    kubelets: bool = False,
) -> Plan:
    """What is checked at the vantages that run, and what is not, and why.

    Args:
        catalogue: all requirements, in order.
        env: what is true of the deployment.
        vantages: names that run, for example ("workstation", "node/demo").
        left_out: kinds left out by choice -> reason: what they decide is skipped.
        unavailable: kind or name that cannot run -> (cause, reason): what they decide is unknown, or skipped without
            a cause: it does not apply there.
        only: globs of requirement ids; everything else is left out.
        skip: globs of requirement ids that are left out.
        stand_in: kinds for which the workstation decides.
        cluster: what the cluster said of itself, when one was named.
        peers: names of pods that answer others -> the vantages that ask them.
        kubelets: a cluster is named, whose kubelets can be made to pull.

    Raises:
        UsageFailure: a glob matches nothing, nothing runs, or the workstation stands in without running.
    """
    env = msgspec.structs.replace(env, cluster=cluster)
    places = where(vantages, left_out, unavailable, stand_in)
    selection = Selection(only=tuple(only), skip=tuple(skip))
    found = {"peers": tuple(_peer(host, sources) for host, sources in peers.items())}
    outcomes = [outcome for requirement in catalogue.requirements for outcome in aims(requirement, env, found)]
    known = [outcome.id for outcome in outcomes] + [requirement.id for requirement in catalogue.requirements]
    selection.check(known)
    kept, omitted = _kept(outcomes, selection, places, kubelets=kubelets)
    merged, keys = tasks(kept)
    checks, runs = _checks(kept, keys, places)
    return Plan(
        catalogue_version=catalogue.version,
        vantages=places.vantages,
        stand_in=tuple(kind.value for kind in places.stand_in),
        tasks=tuple(task for task in merged if any(task.key in used for used in runs.values())),
        runs={vantage: tuple(task.key for task in merged if task.key in runs[vantage]) for vantage in places.vantages},
        checks=checks,
        left_out=omitted,
        cluster=cluster,
    )


def _peer(host: str, sources: tuple[str, ...]) -> Item:
    return Item(name=host, values={"peer.host": host}, sources=sources)


def _kept(
    outcomes: Sequence[Aim | Omission], selection: Selection, places: Where, *, kubelets: bool
) -> tuple[list[Aim], tuple[LeftOut, ...]]:
    """The aims that are checked somewhere, and everything that is left out, in catalogue order."""
    kept: list[Aim] = []
    omitted: dict[tuple[str, str | None, str, str], LeftOut] = {}

    def leave(entry: LeftOut) -> None:
        omitted.setdefault((entry.requirement, entry.vantage, entry.reason, entry.target), entry)

    targets = Counter(outcome.id for outcome in outcomes)
    for outcome in outcomes:
        refusal = selection.refusal(outcome.id)
        if refusal is not None:
            leave(_left_out(outcome, refusal))
        elif isinstance(outcome, Omission):
            leave(_left_out(outcome, outcome.reason, target=outcome.target))
        elif outcome.probe is ProbeName.PULL and not (kubelets and _pulls(outcome, places)):
            leave(_left_out(outcome, _NO_KUBELET))
        else:
            kept.append(outcome)
            alone = outcome.target.hostport if targets[outcome.id] == 1 else ""
            for vantage, cause, reason in places.gaps(outcome.decides, everywhere=outcome.everywhere):
                leave(_left_out(outcome, reason, vantage=vantage, cause=cause, target=alone))
    return kept, tuple(omitted.values())


def _pulls(aim: Aim, places: Where) -> bool:
    """Whether a kubelet is part of the run, or would have been: nobody stands in for one."""
    here = {vantage_kind(vantage) for vantage in places.vantages}
    return bool(here & set(aim.decides)) or not set(aim.decides) & set(places.stand_in)


def _left_out(
    outcome: Aim | Omission, reason: str, *, vantage: str | None = None, cause: str | None = None, target: str = ""
) -> LeftOut:
    return LeftOut(
        requirement=outcome.id,
        title=outcome.title,
        phase=outcome.requirement.phase,
        severity=outcome.severity,
        vantage=vantage,
        reason=reason,
        status="unknown" if cause else "skipped",
        cause=cause,
        target=target,
    )


def _checks(kept: Sequence[Aim], keys: Sequence[str], places: Where) -> tuple[tuple[Check, ...], dict[str, set[str]]]:
    """The checks in order of catalogue, vantage, target; and what each vantage has to run for them."""
    targets = Counter(aim.id for aim in kept)
    runs: dict[str, set[str]] = {vantage: set() for vantage in places.vantages}
    found: list[tuple[int, int, int, Check]] = []
    ranks = {vantage: number for number, vantage in enumerate(places.vantages)}
    order = {requirement_id: number for number, requirement_id in enumerate(dict.fromkeys(aim.id for aim in kept))}
    for number, (aim, key) in enumerate(zip(kept, keys, strict=True)):
        for vantage, decides in places.runs(aim.decides, _informs(aim.requirement, places)):
            if aim.sources is not None and vantage not in aim.sources:
                continue
            if aim.probe is ProbeName.PULL and vantage_kind(vantage) is VantageKind.WORKSTATION:
                continue  # which stands in for connections, and has no kubelet
            runs[vantage].add(key)
            check = _check(aim, key, vantage, several=targets[aim.id] > 1, decides=decides)
            found.append((order[aim.id], ranks[vantage], number, check))
    return tuple(check for *_, check in sorted(found, key=lambda entry: entry[:3])), runs


def _informs(requirement: Requirement, places: Where) -> tuple[VantageKind, ...]:
    """A vantage that a stand-in replaces still runs where it can, and then decides as ever."""
    kinds = {vantage_kind(vantage) for vantage in places.vantages}
    return tuple(kind for kind in requirement.informs if kind in kinds)


def _check(aim: Aim, key: str, vantage: str, *, several: bool, decides: bool) -> Check:
    return Check(
        id=f"{aim.id}@{vantage}[{aim.target.host}]" if several else f"{aim.id}@{vantage}",
        requirement=aim.id,
        title=aim.title,
        phase=aim.requirement.phase,
        severity=aim.severity,
        vantage=vantage,
        target=aim.target.hostport,
        task=key,
        judges=aim.requirement.judges,
        decides=decides,
        expect=aim.expect,
        breaks=aim.requirement.breaks,
        opens=aim.opens,
        precondition=aim.precondition,
    )
