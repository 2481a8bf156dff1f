"""`--via`: a way in when nothing can be pulled or reached. Looks before planning, then runs a shell probe there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from preflight.cli import load
from preflight.cli.cluster_options import Options
from preflight.cli.conduct import Circumstances, conducted
from preflight.cli.journal import Journal
from preflight.cli.options import Selection
from preflight.failures import ClusterFailure, UsageFailure
from preflight.kube import execute, spots
from preflight.kube.client import Access, Client, connect
from preflight.kube.spots import Found
from preflight.model.catalogue import Catalogue
from preflight.model.environment import Environment
from preflight.model.plan import Plan
from preflight.model.run import Evidence
from preflight.model.secret import Secrets
from preflight.model.vocabulary import VantageKind
from preflight.session import new_run_id
from preflight.vantages.base import Vantage
from preflight.vantages.shell.place import Where
from preflight.vantages.shell.vantage import ShellVantage
from preflight.vantages.workstation import workstation

EXISTING_POD: Final = "existing-pod"
KINDS: Final = (EXISTING_POD,)
INSIDE: Final = (VantageKind.NODE, VantageKind.POD)


class Scouted(msgspec.Struct, frozen=True, kw_only=True):
    """Containers by the vantage that they are, and what cannot be: name -> (cause, reason)."""

    found: dict[str, Found] = {}
    gaps: dict[str, tuple[str | None, str]] = {}


def targets(options: Options) -> tuple[str, ...]:
    """What `--via existing-pod` names. Raises `UsageFailure` for anything else that `--via` may have been given."""
    for kind, target in options.via:
        if kind not in KINDS:
            raise UsageFailure(f"--via {kind!r}: is no way in\n  there are: {', '.join(KINDS)}")
        spots.parse(target)
    if not options.given:
        raise UsageFailure("--via existing-pod: name the cluster\n  with --kubeconfig FILE or --context NAME")
    return tuple(target for _, target in options.via)


def scout(options: Options) -> Scouted:
    """Look at the pods that were named; starts nothing. Raises `UsageFailure`."""
    wanted = targets(options)
    try:
        return asyncio.run(_scout(options, wanted))
    except ClusterFailure as failure:
        return Scouted(gaps={_gap(target): (failure.cause, failure.text) for target in wanted})


async def _scout(options: Options, wanted: Sequence[str]) -> Scouted:
    found: dict[str, Found] = {}
    gaps: dict[str, tuple[str | None, str]] = {}
    async with connect(Access(kubeconfig=options.kubeconfig, context=options.context)) as client:
        for target in wanted:
            try:
                one = await spots.find(client, target, options.pool_label)
            except ClusterFailure as failure:
                gaps[_gap(target)] = (failure.cause, failure.text)
                continue
            if one.vantage in found:
                raise UsageFailure(f"--via existing-pod {target}: stands in {one.vantage}, as the one before it does")
            found[one.vantage] = one
    return Scouted(found=found, gaps=gaps)


def _gap(target: str) -> str:
    """The vantage that it would have been, as far as its name tells."""
    return f"{VantageKind.POD.value}/{spots.parse(target)[1]}"


def inside(scouted: Scouted, kinds: Sequence[VantageKind]) -> load.Inside:
    """For planning: what runs, what cannot, and the kinds that no `--via` reaches. Raises `UsageFailure`."""
    names = tuple(scouted.found)
    covered = {one.kind for one in scouted.found.values()} | {
        VantageKind(name.partition("/")[0]) for name in scouted.gaps
    }
    for kind in covered - set(kinds):
        raise UsageFailure(f"--via stands in the {kind.value} network, which --vantage leaves out\n  add {kind.value}")
    beyond = f"--via {' and '.join(KINDS)} started no probe there: only what was named is reached"
    others = {kind.value: ("vantage.not-run", beyond) for kind in kinds if kind in INSIDE and kind not in covered}
    return load.Inside(names=names, unavailable={**others, **scouted.gaps})


def observer(
    catalogue: Catalogue, env: Environment, chosen: Selection, secrets: Secrets, how: Circumstances, *, options: Options
) -> Callable[[Journal], Awaitable[Evidence]]:
    """Plan a run from here and from where `--via` leads; gives what conducts it. Raises `Failure`."""
    scouted = scout(options)
    plan = load.plan(catalogue, env, chosen, inside(scouted, load.wanted_kinds(chosen.vantage)))
    here: dict[str, Vantage] = {VantageKind.WORKSTATION.value: workstation}
    if not scouted.found:
        return lambda journal: conducted(plan, env, here, secrets, how, kept=journal)
    run = msgspec.structs.replace(how, run_id=new_run_id())
    return lambda journal: _observe(plan, env, here, secrets, run, options=options, scouted=scouted, kept=journal)


async def _observe(
    plan: Plan,
    env: Environment,
    here: Mapping[str, Vantage],
    secrets: Secrets,
    how: Circumstances,
    *,
    options: Options,
    scouted: Scouted,
    kept: Journal,
) -> Evidence:
    async with connect(Access(kubeconfig=options.kubeconfig, context=options.context)) as client:
        there = {name: _vantage(client, one) for name, one in scouted.found.items()}
        evidence = await conducted(plan, env, {**here, **there}, secrets, how, kept=kept)
    notices = tuple(dict.fromkeys(notice for one in scouted.found.values() for notice in one.notices))
    return msgspec.structs.replace(evidence, notices=(*evidence.notices, *notices))


def _vantage(client: Client, one: Found) -> ShellVantage:
    spot = one.spot
    where = Where(
        via=f"{EXISTING_POD} {spot.namespace}/{spot.pod}/{spot.container}",
        words=f"pod {spot.namespace}/{spot.pod}, container {spot.container}, node {one.node or 'unknown'}",
    )
    return ShellVantage(lambda text: execute.shell(client, spot, text), where)
