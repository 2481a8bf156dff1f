"""Where a fault lies that the wire cannot tell: compares vantages with the cluster's network model in mind.

A workstation's view is a clue here and decides nothing. Names of subnets are used only when the environment has them.
"""

from enum import StrEnum
from typing import Any

import msgspec

from preflight.judge import load, suspects
from preflight.judge.scene import listed
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
    api_server: bool = False
    proxied: tuple[str, ...] = ()  # working places that go through a proxy
    model: NetworkModel = NetworkModel.UNKNOWN
    subnets: tuple[str, ...] = ()  # of the failing places, as the environment names them
    policies: tuple[str, ...] = ()  # that a reservation is about
    suspects: tuple[str, ...] | None = ()  # policies that may deny it; None: it is known that none does


SILENT = ("tcp.timeout", "proxy.unreachable")
BY_NAME = ("tls.reset-after-hello", "tls.closed")
_NAMED = 8  # places in a sentence
_TRANSLATED = (NetworkModel.OVERLAY, NetworkModel.KUBENET)  # pods leave behind their node's address


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
        kind, pool, *_ = (*vantage.split("/"), "")
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
    if view.cause in load.OF_LOAD:  # a matter of how many asked, not of rules
        return f"The same worked at that time from {listed(view.working, most=_NAMED)}." if view.working else ""
    found = pattern(view)
    if found in (Pattern.EVERYWHERE, Pattern.ONE_PLACE):
        return f"The same from {listed(view.failing, most=_NAMED)}." if len(view.failing) > 1 else ""
    because = {
        Pattern.POD_ONLY: "so the way from the nodes is open",
        Pattern.NODE_ONLY: "so the way from the pods is open",
        Pattern.SOME_POOLS: "so the pools meet different rules",
        Pattern.CLUSTER_ONLY: "so the service is up; what differs is the cluster's network",
        Pattern.WORKSTATION_ONLY: "so the cluster's network is not concerned",
    }[found]
    return f"The same works from {listed(view.working, most=_NAMED)}, {because}."


def contradicts(view: View) -> tuple[str, ...]:
    """What does not fit the usual explanation."""
    lines = []
    if pattern(view) is Pattern.NODE_ONLY:
        lines.append("Pods get through where their nodes do not: rules for single addresses, or a proxy, differ.")
    if pattern(view) is Pattern.POD_ONLY and view.model in _TRANSLATED and not view.cause.startswith("dns."):
        lines.append("Pods leave behind their node's address here, so a rule on a subnet would stop the nodes too.")
    if view.proxied:
        lines.append(
            f"{listed(view.proxied, most=_NAMED)} goes through a proxy, which says nothing about the direct way."
        )
    return tuple(lines)


def candidates(view: View) -> tuple[Candidate, ...]:
    """Possible places, most likely first; empty for causes whose place the cause itself names."""
    if view.cause in _ALIKE:
        return candidates(msgspec.structs.replace(view, cause=_ALIKE[view.cause]))
    found = _candidates(view)
    if view.suspects == ():
        return found
    # The objects were read: either some policy is named, or it is known that there is none.
    others = tuple(one for one in found if one not in (suspects.POLICY, suspects.DNS_POLICY))
    return (*(suspects.named_policy(title) for title in view.suspects or ()), *others)


def _candidates(view: View) -> tuple[Candidate, ...]:
    if view.cause.startswith("dns."):
        return _dns(view)
    if view.cause in BY_NAME:
        return (*_by_place(view, filters=True), suspects.SNI_FILTER, suspects.PROXY_IN_LINE)
    if view.cause in SILENT:
        ranges = (suspects.AUTHORIZED_RANGES,) if view.api_server and not view.inside else ()
        usual = suspects.PRIVATE_SILENCE if view.inside else suspects.PUBLIC_SILENCE
        return (*_by_place(view, filters=False), *ranges, *usual)
    pods = _POD_ONLY.get(view.cause, ()) if pattern(view) is Pattern.POD_ONLY else ()
    return (*pods, *suspects.OTHERS.get(view.cause, ()))


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
        return (suspects.POLICY,)
    if view.model is NetworkModel.POD_SUBNET:
        return (subnet, suspects.POLICY)
    if view.model is NetworkModel.NODE_SUBNET:
        return (suspects.POLICY, suspects.SINGLE_ADDRESSES)
    return (subnet, suspects.POLICY) if filters else (suspects.POLICY, subnet)


def _subnet(view: View, whose: str) -> Candidate:
    known = f" ({', '.join(view.subnets)})" if view.subnets else ""
    return Candidate(
        what=f"NSG, route table or firewall source range for the subnet of {whose}{known}",
        because="only places in that subnet fail, and their addresses differ from those that get through",
        settle="effective NSG rules and routes of that subnet; the firewall's log for the source address",
    )


def _dns(view: View) -> tuple[Candidate, ...]:
    if view.cause == "dns.privatelink-public-answer":
        return suspects.PUBLIC_ANSWER
    if pattern(view) is Pattern.POD_ONLY:
        return (
            (suspects.COREDNS, suspects.DNS_POLICY)
            if view.cause != "dns.timeout"
            else (suspects.DNS_POLICY, suspects.COREDNS)
        )
    if view.cause in ("dns.timeout", "dns.servfail"):
        return (suspects.DNS_PATH, suspects.FORWARDER)
    return ()


# A node that pulls an image meets the same devices as a probe that connects; so does the workstation's own client.
_ALIKE: dict[str, str] = {
    "pull.proxy-failing": "proxy.failed",
    "pull.wrong-name": "tls.wrong-name",
    "pull.not-tls": "tls.not-tls",
    "pull.tls-refused": "tls.alert",
    "pull.tls-timeout": "tls.timeout",
    "pull.refused": "tcp.refused",
    "pull.unreachable": "route.unreachable",
    "pull.timeout": "tcp.timeout",
    "pull.reset": "http.reset",
    "pull.layer-broken": "http.reset",
    "pull.no-answer": "http.timeout",
    "kube.unreachable": "tcp.timeout",
    "kube.api-lost": "tcp.timeout",
}

_POD_ONLY: dict[str, tuple[Candidate, ...]] = {
    "tls.untrusted": (suspects.IMAGE_TRUST,),
    "tls.intercepted": (suspects.IMAGE_TRUST,),
    "http.stalled": (suspects.TUNNEL_MTU,),
    "tls.timeout": (suspects.TUNNEL_MTU,),
    "proxy.auth-required": (suspects.POD_PROXY,),
    "proxy.denied": (suspects.POD_PROXY,),
    "proxy.failed": (suspects.POD_PROXY,),
    "proxy.unresolved": (suspects.POD_PROXY,),
    "tcp.refused": (suspects.POLICY,),
    "route.prohibited": (suspects.POLICY,),
}
