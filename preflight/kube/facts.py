"""Objects of a cluster to `ClusterFacts`: bounded texts, checked addresses. Pure: objects in, values out."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from preflight.kube.pools import WHOLE
from preflight.kube.values import table, tables, text, texts
from preflight.model.cluster import Behind, DnsReplica, NetworkFacts, NodeFacts, ServiceFacts
from preflight.model.environment import NetworkModel

Json = dict[str, Any]
MOST_NODES: Final = 1_000
MOST_REPLICAS: Final = 32
MOST_CIDRS: Final = 16
_MOST_PORTS: Final = 8
_IMAGE: Final = "kubernetes.azure.com/node-image-version"
_ZONE: Final = "topology.kubernetes.io/zone"
# AKS sets it (Azure/karpenter-provider-azure, Azure/azure-container-networking): "overlay", "vnet", "vnetblock".
_POD_NETWORK: Final = "kubernetes.azure.com/podnetwork-type"
_STATED: Final = {
    NetworkModel.KUBENET: Behind.YES,
    NetworkModel.OVERLAY: Behind.YES,
    NetworkModel.NODE_SUBNET: Behind.NO,
    NetworkModel.POD_SUBNET: Behind.NO,
    NetworkModel.UNKNOWN: Behind.UNKNOWN,
}
_LABELLED: Final = {"overlay": Behind.YES, "vnet": Behind.NO, "vnetblock": Behind.NO}


def service(found: Json) -> ServiceFacts:
    """A Service; headless ones have no address."""
    meta, spec = table(found, "metadata"), table(found, "spec")
    told = [*texts(spec.get("clusterIPs")), text(spec.get("clusterIP"))]
    return ServiceFacts(
        name=text(meta.get("name")),
        namespace=text(meta.get("namespace")),
        addresses=tuple(dict.fromkeys(address for one in told if (address := _address(one))))[:2],
        ports=_ports(spec.get("ports")),
    )


def replicas(found: Json, nodes: Sequence[NodeFacts]) -> tuple[DnsReplica, ...]:
    """What stands behind a Service, from its Endpoints; ordered by address."""
    pools = {node.name: node.pool for node in nodes}
    told: dict[str, DnsReplica] = {}
    for subset in tables(found.get("subsets")):
        ports = _ports(subset.get("ports"))
        for key, ready in (("addresses", True), ("notReadyAddresses", False)):
            for entry in tables(subset.get(key)):
                one = _replica(entry, ports[0] if ports else 53, pools, ready=ready)
                if one.address and one.address not in told and len(told) < MOST_REPLICAS:
                    told[one.address] = one
    return tuple(told[address] for address in sorted(told, key=_order))


def _replica(entry: Json, port: int, pools: Mapping[str, str], *, ready: bool) -> DnsReplica:
    target, node = table(entry, "targetRef"), text(entry.get("nodeName"))
    pod = text(target.get("name")) if target.get("kind") == "Pod" else ""
    return DnsReplica(
        address=_address(text(entry.get("ip"))), ready=ready, port=port, pod=pod, node=node, pool=pools.get(node, "")
    )


def nodes(found: Sequence[Json], label: str) -> tuple[NodeFacts, ...]:
    """The nodes by name, at most `MOST_NODES`."""
    read = sorted((_node(one, label) for one in found), key=lambda one: one.name)
    return tuple(read[:MOST_NODES])


def _node(found: Json, label: str) -> NodeFacts:
    meta, spec, status = (table(found, key) for key in ("metadata", "spec", "status"))
    labels, info = table(meta, "labels"), table(status, "nodeInfo")
    ready = [one for one in tables(status.get("conditions")) if one.get("type") == "Ready"]
    inside = [one for one in tables(status.get("addresses")) if one.get("type") == "InternalIP"]
    return NodeFacts(
        name=text(meta.get("name")),
        pool=text(labels.get(label)) or WHOLE,
        address=next((address for one in inside if (address := _address(text(one.get("address"))))), ""),
        pod_cidrs=tuple(dict.fromkeys(_cidrs([*texts(spec.get("podCIDRs")), text(spec.get("podCIDR"))])))[:2],
        image=text(labels.get(_IMAGE)) or text(info.get("osImage")),
        zone=text(labels.get(_ZONE)),
        created=text(meta.get("creationTimestamp")),
        runtime=text(info.get("containerRuntimeVersion")),
        kubelet=text(info.get("kubeletVersion")),
        ready=bool(ready) and ready[0].get("status") == "True",
    )


def pod_cidrs(found: Sequence[NodeFacts]) -> tuple[str, ...]:
    """The ranges of all nodes, neighbours joined; at most `MOST_CIDRS`."""
    ranges = [ipaddress.ip_network(one) for node in found for one in node.pod_cidrs]
    four = ipaddress.collapse_addresses(one for one in ranges if isinstance(one, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(one for one in ranges if isinstance(one, ipaddress.IPv6Network))
    return tuple(str(one) for one in (*four, *six))[:MOST_CIDRS]


def network(stated: NetworkModel, found: Iterable[Json]) -> NetworkFacts:
    """What the environment states, else what AKS writes on the nodes when all of them agree."""
    if stated is not NetworkModel.UNKNOWN:
        source = "preflight.toml environment.network_model"
        return NetworkFacts(pods_behind_nodes=_STATED[stated], known_from=source, words=stated.value)
    told = {text(table(table(node, "metadata"), "labels").get(_POD_NETWORK)) for node in found}
    words = told.pop() if len(told) == 1 else ""
    if words not in _LABELLED:
        return NetworkFacts()
    return NetworkFacts(pods_behind_nodes=_LABELLED[words], known_from=f"node label {_POD_NETWORK}", words=words)


def _address(told: str) -> str:
    """In its usual form; empty for what is none ("None" of a headless Service)."""
    try:
        return str(ipaddress.ip_address(told))
    except ValueError:
        return ""


def _cidrs(told: Iterable[str]) -> Iterator[str]:
    for one in told:
        try:
            yield str(ipaddress.ip_network(one, strict=False))
        except ValueError:
            continue


def _ports(value: object) -> tuple[int, ...]:
    told = (one.get("port") for one in tables(value))
    return tuple(dict.fromkeys(port for port in told if type(port) is int and 0 < port < 65_536))[:_MOST_PORTS]


def _order(address: str) -> tuple[int, int]:
    parsed = ipaddress.ip_address(address)
    return parsed.version, int(parsed)
