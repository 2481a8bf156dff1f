"""Where the pod vantage stands: in the run's own namespace, or beside the real pods when that was asked for.

Looks before anything is planned; creates nothing, and judges no policy.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from preflight.cli.cluster_options import Options
from preflight.environment.rules import is_label
from preflight.failures import ClusterFailure, UsageFailure
from preflight.kube import objects, policy_scout, pools, rights, standing
from preflight.kube.client import Client, Gone
from preflight.kube.pools import Placement
from preflight.kube.standing import Asked, Lent
from preflight.model.environment import Environment, StandAs
from preflight.model.policies import PolicyFacts, Role, Stand
from preflight.model.vocabulary import VantageKind, vantage_kind

Json = dict[str, Any]


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    placement: Placement
    policies: PolicyFacts | None = None
    unavailable: dict[str, tuple[str | None, str]] = {}
    notices: tuple[str, ...] = ()


def asked(options: Options, env: Environment, kinds: Sequence[VantageKind]) -> Asked:
    """What command line and environment say, the command line first. Raises `UsageFailure`."""
    given = options.pod_as is not None or options.pod_namespace is not None or bool(options.pod_labels)
    if given and VantageKind.POD not in kinds:
        raise UsageFailure("--pod-as, --pod-namespace, --pod-label: --vantage leaves the pods out")
    chosen = StandAs(options.pod_as) if options.pod_as is not None else env.pods.stand_as
    return Asked(
        role=None if chosen is StandAs.OWN else Role(chosen.value),
        namespace=options.pod_namespace,
        labels=labels(options.pod_labels),
    )


async def stand(
    client: Client, placement: Placement, wish: Asked, env: Environment, *, own: str | None, secrets: bool
) -> Beside:
    """The places of the pod vantage, and the policies that tell it from the real pods. Raises `UsageFailure`.

    `own` is the namespace of all other probes, when it was given.
    """
    if not any(place.kind is VantageKind.POD for place in placement.places):
        return Beside(placement=placement)
    real, notices = await policy_scout.real_pods(client, standing.wanted(env))
    lent = standing.lend(wish, real) if wish.given else Lent(namespace="", labels={})
    if lent is None:
        raise UsageFailure(_unknown(wish))
    found = await policy_scout.read(client, _places(real, lent.namespace or own))
    lent = standing.fewest(lent, wish, found.keys)
    trouble = await _trouble(client, lent, secrets=secrets) if wish.given else None
    if trouble is not None:
        return Beside(placement=_without_pods(placement), unavailable={VantageKind.POD.value: trouble})
    probe = standing.probe(lent.namespace or own or "", lent.labels)
    policies = policy_scout.about(found, real, probe, notices)
    return Beside(
        placement=pools.lent(placement, lent.namespace, lent.labels),
        policies=policies,
        notices=(*policies.notices, *_told(wish, lent)),
    )


async def compared(client: Client, env: Environment, probes: Mapping[str, Json]) -> PolicyFacts | None:
    """The policies that tell pod probes that ran already from the real pods; None when there is no such probe."""
    pods = [pod for name, pod in probes.items() if vantage_kind(name) is VantageKind.POD]
    if not pods:
        return None
    real, notices = await policy_scout.real_pods(client, standing.wanted(env))
    probe = standing.where(pods[0])
    return policy_scout.about(await policy_scout.read(client, _places(real, probe.namespace)), real, probe, notices)


def _places(real: Sequence[Stand], also: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in (*(one.namespace for one in real), also) if name))


async def _trouble(client: Client, lent: Lent, *, secrets: bool) -> tuple[str, str] | None:
    """Why no probe can stand there. Raises `UsageFailure` where one would be in the way of the real pods."""
    if not lent.namespace:
        return None
    try:
        await client.get(objects.path("Namespace", name=lent.namespace))
    except Gone:
        return "kube.namespace-gone", f"namespace {lent.namespace} is not there, where the pod vantage was to stand"
    except ClusterFailure:
        pass  # it may not be looked at: creating objects in it will tell
    lacking = await rights.missing(client, rights.needed(own_namespace=False, secrets=secrets), lent.namespace)
    if needed := [one for one in lacking if not one.right.optional]:
        told = f"the user of the kubeconfig may not {'; '.join(map(str, needed))} in {lent.namespace}"
        return "kube.forbidden", f"{told}; see `preflight rbac --pod-namespace {lent.namespace}`"
    try:
        services = await client.get(objects.path("Service", lent.namespace))
    except ClusterFailure as failure:
        why = f"whether one would send traffic to the probes there is not known ({failure.text[:200]})"
        return "kube.forbidden", f"Services of {lent.namespace} could not be listed: {why}"
    if inviting := standing.endangered(services, lent.labels):
        raise UsageFailure(
            f"--pod-as: Service {', '.join(inviting)} sends traffic to pods that are not ready, so to the probes, too\n"
            "  give --pod-namespace, and with --pod-label the labels that policies select and this Service does not"
        )
    return None


def _without_pods(placement: Placement) -> Placement:
    places = tuple(one for one in placement.places if one.kind is not VantageKind.POD)
    return Placement(places=places, gaps=placement.gaps)


def _told(wish: Asked, lent: Lent) -> tuple[str, ...]:
    if not wish.given:
        return ()
    where = f"namespace {lent.namespace}" if lent.namespace else "a namespace of the run's own"
    worn = ", ".join(f"{key}={value}" for key, value in sorted(lent.labels.items())) or "no label of theirs"
    after = f", after {lent.after}" if lent.after else ""
    return (f"pod probes stand in {where} with {worn}{after}; they are never ready, so Services pass them by",)


def _unknown(wish: Asked) -> str:
    role = wish.role.value if wish.role is not None else ""
    return (
        f"--pod-as {role}: no such pod runs, and it is not known where they will stand\n"
        f"  give pods.{role}_namespace in preflight.toml, or --pod-namespace and --pod-label"
    )


def labels(pairs: Sequence[str]) -> dict[str, str]:
    """`--pod-label KEY=VALUE`, each. Raises `UsageFailure`."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not is_label(key, value):
            raise UsageFailure(f"--pod-label {pair}: is not KEY=VALUE\n  for example azuremlappname=azureml-fe")
        found[key] = value
    return found
