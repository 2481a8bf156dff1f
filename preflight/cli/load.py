"""From paths and flags to catalogue, environment and plan. Reads files, sends nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from preflight import catalogue as catalogues
from preflight import environment as environments
from preflight import plan as plans
from preflight.cli.options import KINDS, Selection
from preflight.failures import ClusterFailure, UsageFailure
from preflight.model.catalogue import Catalogue
from preflight.model.cluster import ClusterFacts
from preflight.model.environment import Environment
from preflight.model.plan import Plan
from preflight.model.vocabulary import VantageKind
from preflight.strict import nearest, shown

BY_CHOICE: Final = "vantage left out"
_NO_CLUSTER: Final = (
    "no cluster was named: give --kubeconfig, run on a node or a host of its subnet with --stand-in,"
    " or leave it out with --vantage workstation"
)
NO_CLUSTER: Final[tuple[str | None, str]] = ("vantage.not-run", _NO_CLUSTER)


class Vantages(msgspec.Struct, frozen=True, kw_only=True):
    """Which run, which were left out by choice, which cannot run (no cause: it does not apply there)."""

    names: tuple[str, ...]
    left_out: dict[VantageKind, str] = {}
    unavailable: dict[str, tuple[str | None, str]] = {}


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at the cluster found: vantages that can run there, and kinds or names that cannot."""

    names: tuple[str, ...] = ()
    unavailable: dict[str, tuple[str | None, str]] = {}
    facts: ClusterFacts | None = None
    peers: dict[str, tuple[str, ...]] = {}  # pods that answer others -> vantages that ask them


def everything(
    config: Path, checks: Sequence[Path], sets: Sequence[str], environ: Mapping[str, str]
) -> tuple[Catalogue, Environment]:
    """Catalogue and environment. Raises `UsageFailure` with all that is wrong."""
    catalogue = catalogues.load(checks)
    clouds = catalogues.load_clouds(checks)
    return catalogue, environments.load(config, overrides=assignments(sets), environ=environ, clouds=clouds)


def assignments(sets: Sequence[str]) -> dict[str, str]:
    """`--set table.key=value` as key -> text; a later one wins."""
    found: dict[str, str] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals or "." not in key.strip("."):
            raise UsageFailure(
                f"--set {shown(text)}: is not TABLE.KEY=VALUE\n  for example --set environment.region=westeurope"
            )
        found[key.strip()] = value.strip()
    return found


def kinds(text: str, flag: str, allowed: Sequence[str] = KINDS) -> tuple[VantageKind, ...]:
    """`node,pod` as kinds, in their usual order. Raises `UsageFailure`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in allowed:
            hint = nearest(word, allowed)
            meant = f"did you mean {hint}? " if hint else ""
            raise UsageFailure(
                f"{flag}: {shown(word)} is not a kind of vantage\n  {meant}allowed: {', '.join(allowed)}"
            )
    if not words:
        raise UsageFailure(f"{flag}: names no vantage\n  allowed: {', '.join(allowed)}")
    return tuple(kind for kind in VantageKind if kind.value in words)


def stand_in(text: str | None) -> tuple[VantageKind, ...]:
    """`--stand-in node,pod`."""
    return kinds(text, "--stand-in", ("node", "pod")) if text else ()


def wanted_kinds(text: str | None) -> tuple[VantageKind, ...]:
    """`--vantage`; all without it. Raises `UsageFailure`."""
    return kinds(text, "--vantage") if text else tuple(VantageKind)


def choose_vantages(text: str | None, inside: Inside | None = None) -> Vantages:
    """`--vantage`, and what the cluster offers of it; None when no cluster was named."""
    wanted = wanted_kinds(text)
    alone = {kind.value: NO_CLUSTER for kind in wanted if kind is not VantageKind.WORKSTATION}
    here = tuple(kind.value for kind in wanted if kind is VantageKind.WORKSTATION)
    return Vantages(
        names=(*here, *(inside.names if inside is not None else ())),
        left_out={kind: BY_CHOICE for kind in VantageKind if kind not in wanted},
        unavailable=dict(alone if inside is None else inside.unavailable),
    )


def plan(
    catalogue: Catalogue, env: Environment, chosen: Selection, inside: Inside | None = None, *, kubelets: bool = False
) -> Plan:
    """The plan of a run from here. Raises `UsageFailure`, or `ClusterFailure` when only a cluster was to be asked."""
    vantages = choose_vantages(chosen.vantage, inside)
    if not vantages.names and inside is not None and vantages.unavailable:
        cause, reason = next(iter(vantages.unavailable.values()))
        raise ClusterFailure(cause or "vantage.not-run", f"--vantage {chosen.vantage}: nothing can run: {reason}")
    if not vantages.names:
        raise UsageFailure(
            f"--vantage {chosen.vantage}: {_NO_CLUSTER}\n  add it: --vantage workstation,{chosen.vantage}"
        )
    return plans.build(
        catalogue,
        env,
        vantages=vantages.names,
        left_out=vantages.left_out,
        unavailable=vantages.unavailable,
        only=chosen.only,
        skip=chosen.skip,
        stand_in=stand_in(chosen.stand_in),
        cluster=inside.facts if inside is not None else None,
        peers=inside.peers if inside is not None else {},
        kubelets=kubelets,
    )


def whole_plan(catalogue: Catalogue, env: Environment, chosen: Selection) -> Plan:
    """The plan of every vantage there is, whether or not it can run from here: what a firewall has to let through."""
    wanted = kinds(chosen.vantage, "--vantage") if chosen.vantage else tuple(VantageKind)
    return plans.build(
        catalogue,
        env,
        vantages=tuple(name for kind in wanted for name in _names(kind, env)),
        left_out={kind: BY_CHOICE for kind in VantageKind if kind not in wanted},
        only=chosen.only,
        skip=chosen.skip,
        stand_in=stand_in(chosen.stand_in),
    )


def _names(kind: VantageKind, env: Environment) -> list[str]:
    if kind is VantageKind.WORKSTATION or not env.pools:
        return [kind.value]
    return [f"{kind.value}/{pool.name}" for pool in env.pools if pool.os.lower() == "linux"] or [kind.value]
