"""`--via`: ways in when nothing can be pulled or reached. Looks before planning, then runs a shell probe there."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from preflight.azure import run_command
from preflight.cli import load, loops, via_azure
from preflight.cli.cluster_options import Options
from preflight.cli.conduct import Circumstances, conducted
from preflight.cli.journal import Journal
from preflight.cli.options import Selection
from preflight.cli.via_azure import Invoked
from preflight.failures import ClusterFailure, UsageFailure
from preflight.kube import execute, spots
from preflight.kube.client import Access, Client, connect
from preflight.kube.spots import Found
from preflight.model.catalogue import Catalogue
from preflight.model.environment import Environment
from preflight.model.plan import Plan
from preflight.model.run import Evidence
from preflight.model.secret import Secrets
from preflight.model.vocabulary import VantageKind, vantage_kind
from preflight.session import new_run_id
from preflight.strict import nearest
from preflight.vantages.base import Vantage
from preflight.vantages.shell.place import Where
from preflight.vantages.shell.vantage import ShellVantage
from preflight.vantages.workstation import workstation

EXISTING_POD: Final = "existing-pod"
COMMAND_INVOKE: Final = "command-invoke"
WAYS: Final = (EXISTING_POD, COMMAND_INVOKE)
INSIDE: Final = (VantageKind.NODE, VantageKind.POD)


class Scouted(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, by the vantage that it is, and what cannot be: name -> (cause, reason)."""

    pods: dict[str, Found] = {}
    invoked: dict[str, Invoked] = {}
    gaps: dict[str, tuple[str | None, str]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The vantages that run."""
        return (*self.pods, *self.invoked)


# What only Jobs have: asked for besides, it would do nothing.
_OF_JOBS: Final = {
    "pools": "--pool", "all_nodes": "--all-nodes", "images": "--probe-image", "pull_secrets": "--pull-secret",
    "namespace": "--namespace", "pod_as": "--pod-as", "push_nonce": "--push-nonce", "node_trust": "--node-trust",
}  # fmt: skip


def targets(options: Options) -> dict[str, tuple[str, ...]]:
    """Way -> what `--via` names for it. Raises `UsageFailure`."""
    for way, _ in options.via:
        if way not in WAYS:
            hint = nearest(way, WAYS)
            meant = f"did you mean {hint}? " if hint else ""
            raise UsageFailure(f"--via {way[:80]!r}: is no way in\n  {meant}there are: {', '.join(WAYS)}")
    idle = [flag for name, flag in _OF_JOBS.items() if getattr(options, name)]
    if idle:
        raise UsageFailure(f"--via: starts no Job, so that {', '.join(idle)} would do nothing\n  leave it out")
    found = {way: tuple(target for one, target in options.via if one == way) for way in WAYS}
    for target in found[EXISTING_POD]:
        spots.parse(target)
    if found[EXISTING_POD] and not options.given:
        raise UsageFailure("--via existing-pod: name the cluster\n  with --kubeconfig FILE or --context NAME")
    if len(found[COMMAND_INVOKE]) > 1:
        raise UsageFailure("--via command-invoke: was given twice\n  name one cluster")
    for target in found[COMMAND_INVOKE]:
        run_command.parse(target)
    return found


def scout(options: Options, env: Environment, secrets: Secrets) -> Scouted:
    """Look at what was named; starts nothing. Raises `UsageFailure`."""
    wanted = targets(options)
    pods, gaps = loops.run(_pods(options, wanted[EXISTING_POD])) if wanted[EXISTING_POD] else ({}, {})
    invoked: dict[str, Invoked] = {}
    for target in wanted[COMMAND_INVOKE]:
        try:
            invoked[via_azure.VANTAGE] = loops.run(via_azure.look(env, secrets, target))
        except ClusterFailure as failure:
            gaps[via_azure.VANTAGE] = (failure.cause, failure.text)
    return Scouted(pods=pods, invoked=invoked, gaps=gaps)


async def _pods(options: Options, wanted: Sequence[str]) -> tuple[dict[str, Found], dict[str, tuple[str | None, str]]]:
    found: dict[str, Found] = {}
    gaps: dict[str, tuple[str | None, str]] = {}
    async with connect(_access(options)) as client:
        for target in wanted:
            try:
                one = await spots.find(client, target, options.pool_label)
            except ClusterFailure as failure:  # of this pod, or of the API server for each of them
                gaps[_gap(target)] = (failure.cause, failure.text)
                continue
            if one.vantage in found:
                raise UsageFailure(f"--via existing-pod {target}: stands in {one.vantage}, as the one before it does")
            found[one.vantage] = one
    return found, gaps


def _access(options: Options) -> Access:
    return Access(kubeconfig=options.kubeconfig, context=options.context)


def _gap(target: str) -> str:
    """The vantage that it would have been, as far as its name tells."""
    return f"{VantageKind.POD.value}/{spots.parse(target)[1]}"


def inside(scouted: Scouted, kinds: Sequence[VantageKind]) -> load.Inside:
    """For planning: what runs, what cannot, and the kinds that no `--via` reaches. Raises `UsageFailure`."""
    covered = {vantage_kind(name) for name in (*scouted.names, *scouted.gaps)}
    for kind in INSIDE:
        if kind in covered and kind not in kinds:
            raise UsageFailure(
                f"--via stands in the {kind.value} network, which --vantage leaves out\n  add {kind.value}"
            )
    beyond = "no probe was started there: --via reaches only what it names"
    others = {kind.value: ("vantage.not-run", beyond) for kind in kinds if kind in INSIDE and kind not in covered}
    return load.Inside(names=scouted.names, unavailable={**others, **scouted.gaps})


def observer(
    catalogue: Catalogue, env: Environment, chosen: Selection, secrets: Secrets, how: Circumstances, *, options: Options
) -> Callable[[Journal], Awaitable[Evidence]]:
    """Plan a run from here and from where `--via` leads; gives what conducts it. Raises `Failure`."""
    scouted = scout(options, env, secrets)
    plan = load.plan(catalogue, env, chosen, inside(scouted, load.wanted_kinds(chosen.vantage)))
    here: dict[str, Vantage] = {VantageKind.WORKSTATION.value: workstation}
    if not scouted.names:
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
    there: dict[str, Vantage] = {}
    async with contextlib.AsyncExitStack() as stack:
        if scouted.pods:
            client = await stack.enter_async_context(connect(_access(options)))
            there |= {name: _pod(client, one) for name, one in scouted.pods.items()}
        for name, one in scouted.invoked.items():
            there[name] = await stack.enter_async_context(via_azure.vantage(env, secrets, one))
        evidence = await conducted(plan, env, {**here, **there}, secrets, how, kept=kept)
    notices = tuple(dict.fromkeys(notice for one in scouted.pods.values() for notice in one.notices))
    return msgspec.structs.replace(evidence, notices=(*evidence.notices, *notices))


def _pod(client: Client, one: Found) -> ShellVantage:
    spot = one.spot
    where = Where(
        via=f"{EXISTING_POD} {spot.namespace}/{spot.pod}/{spot.container}",
        words=f"pod {spot.namespace}/{spot.pod}, container {spot.container}, node {one.node or 'unknown'}",
        node=one.node,
    )
    return ShellVantage(lambda text: execute.shell(client, spot, text), where)
