"""Which node pools there are, and where a probe of each is placed, or why none can be. Pure: nodes in, places out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from preflight.model.vocabulary import VantageKind

Json = dict[str, Any]
POOL_LABEL: Final = "agentpool"
NO_NODE: Final = "kube.no-usable-node"
WHOLE: Final = "nodes"  # the one pool of a cluster without pool labels
_HOSTNAME: Final = "kubernetes.io/hostname"
# Set by the control plane for as long as a node is unwell or closed: a probe that ignored them would prove nothing.
_LIFECYCLE: Final = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "ToBeDeletedByClusterAutoscaler")
_CONTROL_PLANE: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


class Expression(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One condition on the labels of a node."""

    key: str
    operator: str  # "In" or "DoesNotExist"
    values: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one probe stands."""

    vantage: str  # node/user1, or node/user1/aks-user1-0 with a probe on every node
    kind: VantageKind
    pool: str
    expressions: tuple[Expression, ...]
    tolerations: tuple[Mapping[str, str], ...] = ()
    usable: int = 0  # nodes of the pool that could run it; 0: not known
    total: int = 0
    namespace: str = ""  # another than the run's: where the real pods stand
    labels: Mapping[str, str] = {}  # of the real pods, so that policies select the probe, too


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Places by vantage, and vantages that cannot be: name -> (cause, or None when it does not apply; reason)."""

    places: tuple[Place, ...] = ()
    gaps: dict[str, tuple[str | None, str]] = {}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line and the environment ask for."""

    kinds: tuple[VantageKind, ...]
    pools: tuple[str, ...] = ()  # --pool; empty: all
    known: tuple[str, ...] = ()  # Linux pools of preflight.toml
    label: str = POOL_LABEL
    all_nodes: bool = False


def place(nodes: Sequence[Json], wish: Wish) -> Placement:
    """A place for every pool and kind, or for every node; what cannot be probed stands in `gaps` with its reason."""
    pools = _pools(nodes, wish.label)
    wanted = wish.pools or (*pools, *(name for name in wish.known if name not in pools))
    places: list[Place] = []
    gaps: dict[str, tuple[str | None, str]] = {}
    for name in dict.fromkeys(wanted):
        members = pools.get(name, [])
        gap = _gap(name, members, wish.label)
        for kind in (one for one in wish.kinds if one is not VantageKind.WORKSTATION):
            if gap is not None:
                gaps[f"{kind.value}/{name}"] = gap
            else:
                places += _places(kind, name, members, wish)
                gaps |= _unusable(kind, name, members) if wish.all_nodes else {}
    return Placement(places=tuple(places), gaps=gaps)


def lent(placement: Placement, namespace: str, labels: Mapping[str, str]) -> Placement:
    """The same with its pod vantages beside the real pods."""
    return Placement(
        places=tuple(
            msgspec.structs.replace(one, namespace=namespace, labels=labels) if one.kind is VantageKind.POD else one
            for one in placement.places
        ),
        gaps=placement.gaps,
    )


def blind(wish: Wish) -> Placement:
    """Without the right to list nodes: the pools that were named, wherever the scheduler finds room."""
    names = dict.fromkeys((*wish.pools, *(() if wish.pools else wish.known)))
    return Placement(
        places=tuple(
            Place(
                vantage=f"{kind.value}/{name}",
                kind=kind,
                pool=name,
                expressions=(Expression(key=wish.label, operator="In", values=(name,)),),
                tolerations=({"operator": "Exists", "effect": "NoSchedule"},),
            )
            for name in names
            for kind in wish.kinds
            if kind is not VantageKind.WORKSTATION
        )
    )


def _pools(nodes: Sequence[Json], label: str) -> dict[str, list[Json]]:
    """By the label; nodes without it are one pool of their own."""
    found: dict[str, list[Json]] = {}
    for node in sorted(nodes, key=lambda one: str(one["metadata"]["name"])):
        found.setdefault(_labels(node).get(label) or WHOLE, []).append(node)
    return dict(sorted(found.items()))


def _places(kind: VantageKind, pool: str, members: Sequence[Json], wish: Wish) -> list[Place]:
    usable = [node for node in members if _trouble(node) is None]
    whole = pool == WHOLE and all(wish.label not in _labels(node) for node in members)
    here = Expression(key=wish.label, operator="DoesNotExist") if whole else Expression(
        key=wish.label, operator="In", values=(pool,)
    )  # fmt: skip
    linux = Expression(key="kubernetes.io/os", operator="In", values=("linux",))
    common = {"kind": kind, "pool": pool, "usable": len(usable), "total": len(members)}
    if not wish.all_nodes:
        vantage = f"{kind.value}/{pool}"
        taints = _tolerations(usable)
        return [Place(vantage=vantage, expressions=(here, linux), tolerations=taints, **common)]  # type: ignore[arg-type]
    return [
        Place(
            vantage=f"{kind.value}/{pool}/{node['metadata']['name']}",
            expressions=(Expression(key=_HOSTNAME, operator="In", values=(_hostname(node),)),),
            tolerations=_tolerations([node]),
            **common,  # type: ignore[arg-type]
        )
        for node in usable
    ]


def _gap(pool: str, members: Sequence[Json], label: str) -> tuple[str | None, str] | None:
    """Why no node of the pool can run a probe; None when one can."""
    if not members:
        return NO_NODE, f"no node has the label {label}={pool}: the pool is stopped, scaled to zero or named otherwise"
    if all(_is_virtual(node) for node in members):
        return None, f"pool {pool} is virtual nodes: they have neither a node network nor the cluster's pod network"
    if all(_os(node) == "windows" for node in members):
        return None, f"pool {pool} runs Windows: neither the router nor models run there"
    troubles = Counter(trouble for node in members if (trouble := _trouble(node)))
    if sum(troubles.values()) < len(members):
        return None
    told = ", ".join(f"{number} {trouble}" for trouble, number in troubles.items())
    return NO_NODE, f"no node of pool {pool} can run a probe: {told}"


def _unusable(kind: VantageKind, pool: str, members: Sequence[Json]) -> dict[str, tuple[str | None, str]]:
    return {
        f"{kind.value}/{pool}/{node['metadata']['name']}": (
            None if trouble in ("Windows", "virtual") else NO_NODE,
            f"node {node['metadata']['name']} is {trouble}",
        )
        for node in members
        if (trouble := _trouble(node))
    }


def _trouble(node: Json) -> str | None:
    """Why a node runs no probe, in one word."""
    if _is_virtual(node):
        return "virtual"
    if _os(node) == "windows":
        return "Windows"
    ready = [one for one in node.get("status", {}).get("conditions", []) if one.get("type") == "Ready"]
    if not ready or ready[0].get("status") != "True":
        return "not ready"
    return "cordoned" if node.get("spec", {}).get("unschedulable") else None


def _tolerations(nodes: Sequence[Json]) -> tuple[Mapping[str, str], ...]:
    """For every taint that a pool has by intention (spot, GPU, system), once each."""
    found: dict[tuple[str, str], Mapping[str, str]] = {}
    for node in nodes:
        for taint in node.get("spec", {}).get("taints") or []:
            key, effect = str(taint.get("key", "")), str(taint.get("effect", ""))
            if key and not key.startswith(_LIFECYCLE) and key not in _CONTROL_PLANE:
                found.setdefault((key, effect), {"key": key, "operator": "Exists", "effect": effect})
    return tuple(found[key] for key in sorted(found))


def _labels(node: Json) -> Json:
    labels = node["metadata"].get("labels")
    return labels if isinstance(labels, dict) else {}


def _hostname(node: Json) -> str:
    return str(_labels(node).get(_HOSTNAME) or node["metadata"]["name"])


def _os(node: Json) -> str:
    told = _labels(node).get("kubernetes.io/os") or node.get("status", {}).get("nodeInfo", {}).get("operatingSystem")
    return str(told or "linux").lower()


def _is_virtual(node: Json) -> bool:
    taints = node.get("spec", {}).get("taints") or []
    return _labels(node).get("type") == "virtual-kubelet" or any(
        str(taint.get("key", "")).startswith("virtual-kubelet.io/") for taint in taints
    )
