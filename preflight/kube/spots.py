"""Which container of an existing pod a shell can be started in, and what place that is. Pure, but for `find`."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure, Refused, UsageFailure
from preflight.kube import objects, pools, rights
from preflight.kube.client import Client, Gone
from preflight.kube.execute import Spot
from preflight.model.vocabulary import VantageKind

Json = dict[str, Any]
_DEFAULT: Final = "kubectl.kubernetes.io/default-container"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NODE_OF_AKS: Final = re.compile(r"aks-([a-z][a-z0-9]{0,11})-[0-9]{5,10}-vmss[0-9a-z]{6}")  # aks-POOL-HASH-vmssNUMBER


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A container, and where it stands."""

    spot: Spot
    kind: VantageKind  # a pod of the host's network stands where nodes stand
    pool: str
    node: str
    notices: tuple[str, ...] = ()

    @property
    def vantage(self) -> str:
        """The name that probes of the same place have."""
        return f"{self.kind.value}/{self.pool}"


def parse(text: str) -> tuple[str, str, str | None]:
    """`NS/POD` or `NS/POD/CONTAINER`. Raises `UsageFailure`."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(_NAME.fullmatch(part) for part in parts):
        raise UsageFailure(
            f"--via existing-pod {text[:200]!r}: is not NAMESPACE/POD\n  for example --via existing-pod azureml/fe-0"
        )
    return parts[0], parts[1], parts[2] if len(parts) > 2 else None


async def find(client: Client, target: str, label: str) -> Found:
    """Look a pod up, and its node. Raises `ClusterFailure`, with what is missing or wrong, and `UsageFailure`."""
    namespace, name, container = parse(target)
    lacking = await rights.missing(client, rights.of_shell(), namespace)
    if needed := [one for one in lacking if not one.right.optional]:
        told = f"may not {'; '.join(map(str, needed))} in {namespace}"
        raise ClusterFailure(
            "kube.forbidden",
            f"the user of the kubeconfig {told}; see `preflight rbac --via existing-pod`",
        )
    notices = tuple(f"without the right to {one}: {one.right.why} is not possible" for one in lacking)
    try:
        pod = await client.get(objects.path("Pod", namespace, name))
    except Gone as gone:
        raise ClusterFailure("pod.not-found", f"there is no pod {namespace}/{name}: {gone.text}") from gone
    spot = choose(pod, namespace, name, container)
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    labels = await _labels(client, node)
    return place(pod, spot, node, labels, label, notices=notices)


async def _labels(client: Client, node: str) -> Mapping[str, Any] | None:
    """Of the node; None when it may not be read."""
    try:
        found = await client.get(objects.path("Node", name=node))
    except Refused:
        return None
    labels = (found.get("metadata") or {}).get("labels")
    return labels if isinstance(labels, dict) else {}


def choose(pod: Json, namespace: str, name: str, container: str | None) -> Spot:
    """The container that was named, the pod's default one, or its first. Raises `ClusterFailure`."""
    where = f"pod {namespace}/{name}"
    there = [str(one.get("name")) for one in (pod.get("spec") or {}).get("containers") or []]
    default = ((pod.get("metadata") or {}).get("annotations") or {}).get(_DEFAULT)
    chosen = container or (default if default in there else there[0] if there else "")
    if chosen not in there:
        raise ClusterFailure("pod.not-found", f"{where} has no container {chosen}; it has {', '.join(there)[:500]}")
    status = pod.get("status") or {}
    states = {one.get("name"): one.get("state") or {} for one in status.get("containerStatuses") or []}
    if "running" not in states.get(chosen, {}):
        state = next(iter(states.get(chosen, {})), "") or str(status.get("phase") or "not started")
        raise ClusterFailure("pod.not-running", f"container {chosen} of {where} does not run: {state[:100]}")
    return Spot(namespace=namespace, pod=name, container=chosen)


def place(
    pod: Json, spot: Spot, node: str, labels: Mapping[str, Any] | None, label: str, *, notices: tuple[str, ...] = ()
) -> Found:
    """The place by the node's pool label; by the node's name where AKS named it and the label may not be read."""
    named = _NODE_OF_AKS.fullmatch(node)
    pool = str((labels or {}).get(label) or "") or (named[1] if named and labels is None else pools.WHOLE)
    on_host = bool((pod.get("spec") or {}).get("hostNetwork"))
    policy = (pod.get("spec") or {}).get("dnsPolicy")
    more: tuple[str, ...] = ()
    if on_host and policy == "ClusterFirstWithHostNet":
        more = (f"pod {spot.namespace}/{spot.pod} is in its node's network but asks the cluster's DNS",)
    return Found(
        spot=spot,
        kind=VantageKind.NODE if on_host else VantageKind.POD,
        pool=pool,
        node=node,
        notices=(*notices, *more),
    )
