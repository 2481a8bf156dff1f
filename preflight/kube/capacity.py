"""What the pools of a cluster have left for model pods: allocatable minus requested, node by node. Pure.

Counts what the scheduler counts: requests, of init containers too, never usage. Affinity, quotas and volumes are not
looked at.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from preflight.kube.pools import WHOLE
from preflight.kube.values import table, tables, text
from preflight.model.load import Size

Json = dict[str, Any]
_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
}  # fmt: skip
_QUANTITY: Final = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?)([a-zA-Z]{0,2})")
_ENDED: Final = ("Succeeded", "Failed")
_KEEPS_OUT: Final = ("NoSchedule", "NoExecute")


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """Cores, bytes, and pods."""

    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)
    pods: int = 0

    def plus(self, other: "Amount") -> "Amount":
        """The sum."""
        return Amount(cpu=self.cpu + other.cpu, memory=self.memory + other.memory, pods=self.pods + other.pods)

    def minus(self, other: "Amount") -> "Amount":
        """What is left, never less than nothing."""
        return Amount(
            cpu=max(Decimal(0), self.cpu - other.cpu),
            memory=max(Decimal(0), self.memory - other.memory),
            pods=max(0, self.pods - other.pods),
        )

    def holds(self, size: Size) -> int:
        """How many replicas of that size fit."""
        by_cpu = [int(self.cpu // size.cpu)] if size.cpu else []
        by_memory = [int(self.memory // size.memory)] if size.memory else []
        return min(self.pods, *by_cpu, *by_memory) if by_cpu or by_memory else self.pods


class PoolRoom(msgspec.Struct, frozen=True, kw_only=True):
    """One pool: nodes that take model pods, what they have left together, and replicas that fit, node by node."""

    pool: str
    nodes: int
    usable: int
    free: Amount
    fits: int
    per_new_node: int  # replicas on one more node like its largest, beside the DaemonSets' pods
    why_not: str = ""  # when none is usable


def rooms(
    nodes: Sequence[Json], pods: Sequence[Json], size: Size, *, label: str, chosen: Sequence[str] = ()
) -> tuple[PoolRoom, ...]:
    """Every pool, or those chosen, by name. A chosen pool's taints are tolerated: whoever names it has a reason."""
    used, constant = _used(pods)
    pools: dict[str, list[Json]] = {}
    for node in nodes:
        name = text(table(table(node, "metadata"), "labels").get(label)) or WHOLE
        if not chosen or name in chosen:
            pools.setdefault(name, []).append(node)
    return tuple(_room(name, pools[name], used, constant, size, tolerated=bool(chosen)) for name in sorted(pools))


def _room(
    name: str,
    members: Sequence[Json],
    used: Mapping[str, Amount],
    constant: Mapping[str, Amount],
    size: Size,
    *,
    tolerated: bool,
) -> PoolRoom:
    reasons = {_name(node): _kept_out(node, tolerated=tolerated) for node in members}
    usable = [node for node in members if not reasons[_name(node)]]
    left = [_allocatable(node).minus(used.get(_name(node), Amount())) for node in usable]
    free = Amount()
    for one in left:
        free = free.plus(one)
    fresh = [_allocatable(node).minus(constant.get(_name(node), Amount())) for node in usable]
    return PoolRoom(
        pool=name,
        nodes=len(members),
        usable=len(usable),
        free=free,
        fits=sum(one.holds(size) for one in left),
        per_new_node=max((one.holds(size) for one in fresh), default=0),
        why_not="" if usable else ", ".join(sorted({reason for reason in reasons.values() if reason})),
    )


def _kept_out(node: Json, *, tolerated: bool) -> str:
    """Why no model pod is scheduled there; empty when one would be."""
    spec, labels = table(node, "spec"), table(table(node, "metadata"), "labels")
    if labels.get("kubernetes.io/os") == "windows":
        return "Windows"
    if labels.get("type") == "virtual-kubelet":
        return "virtual nodes"
    conditions = {text(one.get("type")): one.get("status") for one in tables(table(node, "status").get("conditions"))}
    if conditions.get("Ready") != "True":
        return "not ready"
    if spec.get("unschedulable") is True:
        return "cordoned"
    taints = [text(one.get("key")) for one in tables(spec.get("taints")) if one.get("effect") in _KEEPS_OUT]
    return f"tainted ({', '.join(taints[:3])})" if taints and not tolerated else ""


def _used(pods: Sequence[Json]) -> tuple[dict[str, Amount], dict[str, Amount]]:
    """By node: what its pods request, and what of that belongs to DaemonSets, which every new node would have too."""
    used: dict[str, Amount] = {}
    constant: dict[str, Amount] = {}
    for pod in pods:
        node = text(table(pod, "spec").get("nodeName"))
        if not node or table(pod, "status").get("phase") in _ENDED:
            continue
        asked = requested(pod)
        used[node] = used.get(node, Amount()).plus(asked)
        if any(one.get("kind") == "DaemonSet" for one in tables(table(pod, "metadata").get("ownerReferences"))):
            constant[node] = constant.get(node, Amount()).plus(asked)
    return used, constant


def requested(pod: Json) -> Amount:
    """What the scheduler reserves: all containers together or the largest init container, and the overhead.

    Source: Kubernetes, "Init Containers", Resource sharing within containers.
    """
    spec = table(pod, "spec")
    together, largest = Amount(), Amount()
    for container in tables(spec.get("containers")):
        together = together.plus(_of(table(table(container, "resources"), "requests")))
    for container in tables(spec.get("initContainers")):
        one = _of(table(table(container, "resources"), "requests"))
        if container.get("restartPolicy") == "Always":  # a sidecar goes on beside the containers
            together = together.plus(one)
        largest = Amount(cpu=max(largest.cpu, one.cpu), memory=max(largest.memory, one.memory))
    overhead = _of(table(spec, "overhead"))
    return Amount(
        cpu=max(together.cpu, largest.cpu) + overhead.cpu,
        memory=max(together.memory, largest.memory) + overhead.memory,
        pods=1,
    )


def quantity(value: object) -> Decimal:
    """A Kubernetes quantity ("100m", "2Gi", 1, "1e3"); nothing for what is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = repr(value)
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in _SUFFIXES:
        return Decimal(0)
    number = Decimal(match[1]) * _SUFFIXES[match[2]]
    return number if number < Decimal(2**63) else Decimal(0)


def _allocatable(node: Json) -> Amount:
    told = table(table(node, "status"), "allocatable")
    return msgspec.structs.replace(_of(told), pods=int(quantity(told.get("pods"))))


def _of(told: Json) -> Amount:
    return Amount(cpu=quantity(told.get("cpu")), memory=quantity(told.get("memory")))


def _name(node: Json) -> str:
    return text(table(node, "metadata").get("name"))
