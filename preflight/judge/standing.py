"""What the network sees of a pod: its own address or its node's, and who says so. Pure: evidence in, values out.

What a pod of another node's network saw outweighs what the environment states: a stated model can be out of date. It
speaks for destinations in the virtual network. Azure CNI with pods in the node subnet translates what leaves it, which
is stated here and not observed (ip-masq-agent keeps the virtual network's own range as it is).
"""

from typing import Any

import msgspec

from preflight.judge.scene import listed
from preflight.model.cluster import Behind
from preflight.model.environment import NetworkModel
from preflight.model.run import Evidence
from preflight.model.vocabulary import VantageKind, vantage_kind

_STATED: dict[NetworkModel, bool] = {
    NetworkModel.KUBENET: True,
    NetworkModel.OVERLAY: True,
    NetworkModel.NODE_SUBNET: False,
    NetworkModel.POD_SUBNET: False,
}
_WORDS = {True: "their node's address", False: "an address of their own"}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How pods stand in the network."""

    model: NetworkModel = NetworkModel.UNKNOWN  # as stated, and only while nothing that was seen contradicts it
    behind: bool | None = None  # pods leave behind their node's address
    seen: dict[str, str] = {}  # pod vantage -> the source address that the network sees of it, where it is known
    ranges: dict[str, str] = {}  # pod vantage that keeps its address -> the range of its node's pods
    notices: tuple[str, ...] = ()


def standing(evidence: Evidence) -> Standing:
    """What is stated, corrected by what was seen."""
    model, claim, source = _claimed(evidence)
    seen = dict(_seen(evidence))
    votes = {behind for behind, _ in seen.values()}
    addresses = {vantage: address for vantage, (_, address) in seen.items()}
    if len(votes) > 1:
        return _placed(evidence, Standing(model=model, behind=claim, seen=addresses, notices=(_mixed(seen),)))
    behind = next(iter(votes), claim)
    if claim is None or claim is behind:
        return _placed(evidence, Standing(model=model, behind=behind, seen=addresses))
    notice = (
        f"{source}, yet another node saw pods with {_WORDS[behind is True]} ({listed(sorted(addresses.values()))}):"
        " findings follow what was seen"
    )
    return _placed(evidence, Standing(behind=behind, seen=addresses, notices=(notice,)))


def _claimed(evidence: Evidence) -> tuple[NetworkModel, bool | None, str]:
    """The model, whether pods leave behind their nodes, and who says so: the environment first, then the cluster."""
    stated = network_model(evidence.environment)
    if stated is not NetworkModel.UNKNOWN:
        return stated, _STATED[stated], f"preflight.toml says environment.network_model {stated.value}"
    cluster = evidence.plan.cluster
    if cluster is None or cluster.network.pods_behind_nodes is Behind.UNKNOWN:
        return stated, None, ""
    behind = cluster.network.pods_behind_nodes is Behind.YES
    model = NetworkModel.OVERLAY if cluster.network.words == "overlay" else NetworkModel.UNKNOWN
    return model, behind, f"{cluster.network.known_from} says {cluster.network.words}"


def _placed(evidence: Evidence, stand: Standing) -> Standing:
    """With what the nodes' objects add: their addresses, or the ranges of their pods."""
    known = {node.name: node for node in evidence.plan.cluster.nodes} if evidence.plan.cluster is not None else {}
    pods = {
        fact.vantage: known[fact.node]
        for fact in evidence.vantages
        if vantage_kind(fact.vantage) is VantageKind.POD and fact.node in known
    }
    if stand.behind is None or not pods:
        return stand
    if stand.behind:
        addresses = {vantage: node.address for vantage, node in pods.items() if node.address}
        return msgspec.structs.replace(stand, seen={**addresses, **stand.seen})
    ranges = {vantage: ", ".join(node.pod_cidrs) for vantage, node in pods.items() if node.pod_cidrs}
    return msgspec.structs.replace(stand, ranges=ranges)


def network_model(environment: dict[str, Any]) -> NetworkModel:
    """The model that the environment states, `unknown` when it states none."""
    stated = _table(environment, "environment").get("network_model")
    return NetworkModel(stated) if stated in tuple(NetworkModel) else NetworkModel.UNKNOWN


def subnets(environment: dict[str, Any], vantages: tuple[str, ...]) -> tuple[str, ...]:
    """The subnets in which the vantages stand, where [[pool]] names them."""
    pools = environment.get("pool") or ()
    named = (
        {pool.get("name"): pool for pool in pools if isinstance(pool, dict)} if isinstance(pools, list | tuple) else {}
    )
    found = []
    for vantage in vantages:
        kind, _, rest = vantage.partition("/")
        pool = rest.partition("/")[0]
        subnet = named.get(pool, {}).get(f"{kind}_subnet") if pool else None
        if isinstance(subnet, str) and subnet:
            found.append(subnet)
    return tuple(dict.fromkeys(found))


def _seen(evidence: Evidence) -> list[tuple[str, tuple[bool, str]]]:
    """Pods that were seen from another node: whether it saw another address than theirs, and which."""
    found = []
    for observation in evidence.observations:
        if vantage_kind(observation.vantage) is not VantageKind.POD:
            continue
        for hop in observation.hops:
            own, seen = hop.service.get("own", ""), hop.service.get("seen_as", "")
            if hop.role == "seen" and own and seen:
                found.append((observation.vantage, (own != seen, seen)))
    return found


def _mixed(seen: dict[str, tuple[bool, str]]) -> str:
    alike = {behind: sorted(vantage for vantage, (one, _) in seen.items() if one is behind) for behind in (True, False)}
    told = "; ".join(f"{listed(vantages)} with {_WORDS[behind]}" for behind, vantages in alike.items())
    return f"another node saw pods of one cluster in two ways: {told}"


def _table(environment: dict[str, Any], name: str) -> dict[str, Any]:
    table = environment.get(name)
    return table if isinstance(table, dict) else {}
