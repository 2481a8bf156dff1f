"""Where a fault lies that the wire cannot tell: compares vantages with the cluster's network model in mind.

A workstation's view is a clue here and decides nothing. Names of subnets are used only when the environment has them.
"""

from enum import StrEnum
from typing import Any

import msgspec

from preflight.model.environment import NetworkModel
from preflight.model.run import Candidate
from preflight.model.vocabulary import Confidence, VantageKind, vantage_kind


class Pattern(StrEnum):
    """Which places fail and which do not, for the same targets."""

    POD_ONLY = "pods fail, nodes do not"
    NODE_ONLY = "nodes fail, pods do not"
    SOME_POOLS = "some pools fail, others do not"
    CLUSTER_ONLY = "the cluster fails, the workstation does not"
    WORKSTATION_ONLY = "the workstation fails, the cluster does not"
    EVERYWHERE = "every place fails"
    ONE_PLACE = "only one place was seen"


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The same targets from all places."""

    cause: str
    failing: tuple[str, ...]
    working: tuple[str, ...]
    inside: bool = False  # private destinations
    model: NetworkModel = NetworkModel.UNKNOWN
    subnets: tuple[str, ...] = ()  # of the failing places, as the environment names them


SILENT = ("tcp.timeout", "proxy.unreachable")
BY_NAME = ("tls.reset-after-hello", "tls.closed")
_TRANSLATED = (NetworkModel.OVERLAY, NetworkModel.KUBENET)  # pods leave behind their node's address


def network_model(environment: dict[str, Any]) -> NetworkModel:
    """The model that the environment states, `unknown` when it states none."""
    stated = _table(environment, "environment").get("network_model") or _table(environment, "main").get("network_model")
    return NetworkModel(stated) if stated in tuple(NetworkModel) else NetworkModel.UNKNOWN


def subnets(environment: dict[str, Any], vantages: tuple[str, ...]) -> tuple[str, ...]:
    """The subnets in which the vantages stand, where [[pool]] names them."""
    pools = environment.get("pools") or environment.get("pool") or ()
    named = {pool.get("name"): pool for pool in pools if isinstance(pool, dict)} if isinstance(pools, list | tuple) else {}
    found = []
    for vantage in vantages:
        kind, _, pool = vantage.partition("/")
        subnet = named.get(pool, {}).get(f"{kind}_subnet") if pool else None
        if isinstance(subnet, str) and subnet:
            found.append(subnet)
    return tuple(dict.fromkeys(found))


def pattern(view: View) -> Pattern:
    """Which of the known patterns the places form."""
    bad, good = _kinds(view.failing), _kinds(view.working)
    if not view.working:
        return Pattern.EVERYWHERE if len(view.failing) > 1 else Pattern.ONE_PLACE
    if bad & good & {VantageKind.NODE, VantageKind.POD}:
        return Pattern.SOME_POOLS
    if VantageKind.POD in bad and VantageKind.NODE in good:
        return Pattern.POD_ONLY
    if VantageKind.NODE in bad and VantageKind.POD in good:
        return Pattern.NODE_ONLY
    if bad == {VantageKind.WORKSTATION}:
        return Pattern.WORKSTATION_ONLY
    return Pattern.CLUSTER_ONLY


def clue(view: View) -> str:
    """What the comparison shows, in one sentence; "" when there is nothing to compare."""
    found = pattern(view)
    if found in (Pattern.EVERYWHERE, Pattern.ONE_PLACE):
        return f"The same from {', '.join(view.failing)}." if len(view.failing) > 1 else ""
    because = {
        Pattern.POD_ONLY: "so the way from the nodes is open",
        Pattern.NODE_ONLY: "so the way from the pods is open",
        Pattern.SOME_POOLS: "so the pools meet different rules",
        Pattern.CLUSTER_ONLY: "so the service is up; what differs is the cluster's network",
        Pattern.WORKSTATION_ONLY: "so the cluster's network is not concerned",
    }[found]
    return f"The same works from {', '.join(view.working)}, {because}."


def contradicts(view: View) -> tuple[str, ...]:
    """What does not fit the usual explanation."""
    found = pattern(view)
    if found is Pattern.NODE_ONLY:
        return ("Pods get through where their nodes do not: rules that name single addresses, or a proxy, differ.",)
    if found is Pattern.POD_ONLY and view.model in _TRANSLATED:
        return ("Pods leave behind their node's address here, so a rule on a subnet would stop the nodes too.",)
    return ()


def candidates(view: View) -> tuple[Candidate, ...]:
    """Possible places, most likely first; empty for causes whose place the cause itself names."""
    if view.cause.startswith("dns."):
        return _dns(view)
    if view.cause in BY_NAME:
        return (*_by_place(view, filters=True), _SNI_FILTER, _PROXY_IN_LINE)
    if view.cause in SILENT:
        return (*_by_place(view, filters=False), *(_PRIVATE_SILENCE if view.inside else _PUBLIC_SILENCE))
    return _OTHERS.get(view.cause, ())


def confidence(view: View, usual: Confidence) -> Confidence:
    """An unknown network model leaves a pod-only failure between two owners' devices."""
    ambiguous = pattern(view) is Pattern.POD_ONLY and view.model is NetworkModel.UNKNOWN
    return Confidence.POSSIBLE if ambiguous and usual is Confidence.LIKELY and candidates(view) else usual


def _kinds(vantages: tuple[str, ...]) -> set[VantageKind]:
    return {vantage_kind(vantage) for vantage in vantages}


def _table(environment: dict[str, Any], name: str) -> dict[str, Any]:
    table = environment.get(name)
    return table if isinstance(table, dict) else {}


def _by_place(view: View, *, filters: bool) -> tuple[Candidate, ...]:
    """What the comparison of places adds in front of the usual suspects."""
    match pattern(view):
        case Pattern.POD_ONLY:
            return _pods(view, filters=filters)
        case Pattern.SOME_POOLS:
            return (_subnet(view, "the pools that fail"),)
        case _:
            return ()


def _pods(view: View, *, filters: bool) -> tuple[Candidate, ...]:
    subnet = _subnet(view, "the pods")
    if view.model in _TRANSLATED:
        return (_POLICY,)
    if view.model is NetworkModel.POD_SUBNET:
        return (subnet, _POLICY)
    if view.model is NetworkModel.NODE_SUBNET:
        return (_POLICY, _SINGLE_ADDRESSES)
    return (subnet, _POLICY) if filters else (_POLICY, subnet)


def _subnet(view: View, whose: str) -> Candidate:
    known = f" ({', '.join(view.subnets)})" if view.subnets else ""
    return Candidate(
        what=f"NSG, route table or firewall source range for the subnet of {whose}{known}",
        because="only places in that subnet fail, and their addresses differ from those that get through",
        settle="effective NSG rules and routes of that subnet; the firewall's log for the source address",
    )


def _dns(view: View) -> tuple[Candidate, ...]:
    if view.cause == "dns.privatelink-public-answer":
        return _PUBLIC_ANSWER
    if pattern(view) is Pattern.POD_ONLY:
        return (_COREDNS, _DNS_POLICY) if view.cause != "dns.timeout" else (_DNS_POLICY, _COREDNS)
    if view.cause in ("dns.timeout", "dns.servfail"):
        return (_DNS_PATH, _FORWARDER)
    return ()


_POLICY = Candidate(
    what="NetworkPolicy (Cilium, Calico, Azure) that applies to the pods",
    because="pods fail where their nodes do not",
    settle="kubectl get networkpolicy,ciliumnetworkpolicy -A; run once in a namespace without policies",
)
_SINGLE_ADDRESSES = Candidate(
    what="rule that names single addresses instead of the subnet",
    because="pods and nodes share the subnet but not their addresses",
    settle="the firewall's log for the pod's source address",
)
_SNI_FILTER = Candidate(
    what="firewall that filters by server name (application rule of a firewall or a next-generation firewall)",
    because="TCP connects and is cut when the server name is sent; NSGs and routes do not see server names",
    settle="the firewall's application rule log at that time for that name",
)
_PROXY_IN_LINE = Candidate(
    what="transparent proxy or secure web gateway on the way",
    because="it answers TCP itself and then refuses the name",
    settle="the gateway's log at that time for that name",
)
_PRIVATE_SILENCE = (
    Candidate(
        what="no route between this network and the private endpoint's (peering missing or disconnected, route table)",
        because="the destination is private and nothing answers",
        settle="effective routes of the source; state of both peerings",
    ),
    Candidate(
        what="NSG on the source's or on the private endpoint's subnet",
        because="NSGs drop silently",
        settle="flow logs for source and destination; effective NSG rules",
    ),
    Candidate(
        what="firewall between the networks without a network rule for the destination",
        because="private traffic crosses it where routes send it there",
        settle="the firewall's network rule log",
    ),
)
_PUBLIC_SILENCE = (
    Candidate(
        what="firewall or appliance behind the default route without a rule for the destination",
        because="outbound traffic of the cluster usually crosses it, and it drops silently",
        settle="the firewall's network rule log; effective routes of the source",
    ),
    Candidate(
        what="NSG that denies Internet on the source's subnet",
        because="NSGs drop silently",
        settle="flow logs for source and destination; effective NSG rules",
    ),
    Candidate(
        what="no way out or no way back (outbound type, NAT gateway, asymmetric route)",
        because="nothing answers, and nothing says why",
        settle="effective routes; whether any other public destination answers from here",
    ),
)
_PUBLIC_ANSWER = (
    Candidate(
        what="private DNS zone not linked to the network of the resolver",
        because="the chain names the private link zone, and the answer is the public one",
        settle="az network private-dns link vnet list for the zone: is the resolver's network among them?",
    ),
    Candidate(
        what="forwarder missing on the resolver (or it forwards the private link zone instead of the public one)",
        because="the resolver asks the Internet instead of Azure DNS",
        settle="ask 168.63.129.16 from inside the linked network; compare with environment.resolvers",
    ),
    Candidate(
        what="the private endpoint is somebody else's (another tenant or network), none exists for this network",
        because="any private endpoint anywhere puts the private link name into the chain",
        settle="the service's private endpoint connections: is one of them in a network that this place reaches?",
    ),
)
_COREDNS = Candidate(
    what="CoreDNS of the cluster (coredns-custom, stub domains, LocalDNS cache)",
    because="nodes resolve the name and pods do not",
    settle="kubectl -n kube-system get configmap coredns coredns-custom -o yaml",
)
_DNS_POLICY = Candidate(
    what="NetworkPolicy that keeps pods from CoreDNS",
    because="nodes resolve and pods do not; policies that forget DNS are common",
    settle="kubectl get networkpolicy -A; UDP and TCP 53 to kube-dns",
)
_DNS_PATH = Candidate(
    what="NSG, firewall or route between this place and the DNS server",
    because="silence on port 53 looks like a dead server",
    settle="flow logs for port 53; ask the server from its own network",
)
_FORWARDER = Candidate(
    what="the DNS server's own forwarder or its way to Azure DNS",
    because="a server that cannot reach its forwarder answers late or with SERVFAIL",
    settle="the same query asked at the server itself",
)
_OTHERS: dict[str, tuple[Candidate, ...]] = {
    "tls.timeout": (
        Candidate(
            what="firewall that answers TCP itself and drops the handshake",
            because="TCP connects and the ClientHello gets no answer",
            settle="the firewall's application rule log for the server name",
        ),
        Candidate(
            what="path MTU black hole in a tunnel (VPN, ExpressRoute, virtual WAN)",
            because="the first large packets of a connection are those of the handshake",
            settle="the same with the MSS clamped to 1200",
        ),
    ),
    "http.stalled": (
        Candidate(
            what="tunnel on the way (VPN, ExpressRoute, virtual WAN, overlay) with a smaller MTU",
            because="small segments pass where full ones vanish",
            settle="tracepath to the destination; ICMP 'fragmentation needed' in a capture",
        ),
    ),
    "tcp.refused": (
        Candidate(
            what="service that does not listen there, or an address that is stale",
            because="a reset comes at once, and NSGs never send one",
            settle="whether the address is still the service's",
        ),
        Candidate(
            what="firewall or appliance that rejects instead of dropping",
            because="a reset comes at once",
            settle="the device's log for source and destination",
        ),
    ),
    "route.unreachable": (
        Candidate(
            what="route table or peering without a route to the address",
            because="a router says so, or this place has no route",
            settle="effective routes of the source",
        ),
        Candidate(
            what="device that answers 'unreachable' instead of dropping",
            because="some firewalls reject that way",
            settle="the source of the ICMP message in a capture",
        ),
    ),
    "http.reset": (
        Candidate(
            what="device that inspects content and cuts",
            because="the connection and TLS were fine",
            settle="the device's threat or content log at that time",
        ),
        Candidate(
            what="the service itself",
            because="an overloaded service resets too",
            settle="the same request from another network at the same time",
        ),
    ),
}
