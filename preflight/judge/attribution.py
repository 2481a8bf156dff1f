"""Where a fault lies that the wire cannot tell: compares vantages with the cluster's network model in mind.

A workstation's view is a clue here and decides nothing. Names of subnets are used only when the environment has them.
Where pods leave behind their node's address, a rule of the network cannot tell them from it: what stops pods alone is
in the cluster then (policy, DNS, proxy, trust, MTU), never a rule on a subnet.
"""

import msgspec

from preflight.judge import compared, suspects
from preflight.judge.pattern import Pattern, View, pattern
from preflight.model.environment import NetworkModel
from preflight.model.run import Candidate
from preflight.model.vocabulary import Confidence

SILENT = ("tcp.timeout", "proxy.unreachable")
BY_NAME = ("tls.reset-after-hello", "tls.closed")
_PODS = (Pattern.POD_ONLY, Pattern.SOME_PODS)


def contradicts(view: View) -> tuple[str, ...]:
    """What does not fit the usual explanation."""
    lines = []
    if pattern(view) is Pattern.NODE_ONLY:
        lines.append("Pods get through where their nodes do not: rules for single addresses, or a proxy, differ.")
    if pattern(view) in _PODS and view.behind and not view.cause.startswith("dns."):
        lines.append("Pods leave behind their node's address here, so a rule on a subnet would stop the nodes too.")
    if view.alone and view.cause in _BY_POLICY:
        policies = ", ".join(view.alone[:4])
        lines.append(f"{policies} may hold back the probe here, and none of the real pods: --pod-as tells them apart.")
    return (*lines, *compared.hidden_by_proxy(view.failing, view.proxied))


def candidates(view: View) -> tuple[Candidate, ...]:
    """Possible places, most likely first; empty for causes whose place the cause itself names."""
    if view.cause in _ALIKE:
        return candidates(msgspec.structs.replace(view, cause=_ALIKE[view.cause]))
    found = _candidates(view)
    by_policy = view.cause in _BY_POLICY or any(one in _UNNAMED for one in found)
    if view.suspects == () or not by_policy:
        return found
    # The objects were read: either some policy is named, or it is known that there is none.
    others = tuple(one for one in found if one not in _UNNAMED)
    return (*(suspects.named_policy(title) for title in view.suspects or ()), *others)


# What pods see when a network policy drops or rejects what they send.
_BY_POLICY = (*SILENT, "dns.timeout", "tcp.refused", "tcp.reset", "route.prohibited", "route.unreachable")
_UNNAMED = (suspects.POLICY, suspects.DNS_POLICY, suspects.PEER_POLICY)


def _candidates(view: View) -> tuple[Candidate, ...]:
    if view.between_pods:
        return _between_pods(view)
    if view.cause.startswith("dns."):
        return _dns(view)
    if pattern(view) in _PODS and view.cause in (*SILENT, *BY_NAME):
        return _pods(view, by_name=view.cause in BY_NAME)
    if view.cause in BY_NAME:
        return (*_by_place(view), suspects.SNI_FILTER, suspects.PROXY_IN_LINE)
    if view.cause in SILENT:
        ranges = (suspects.AUTHORIZED_RANGES,) if view.api_server and not view.inside else ()
        usual = suspects.PRIVATE_SILENCE if view.inside else suspects.PUBLIC_SILENCE
        return (*_by_place(view), *ranges, *usual)
    pods = _POD_ONLY.get(view.cause, ()) if pattern(view) in _PODS else ()
    return (*pods, *_STORES.get(view.cause, {}).get(pattern(view), ()), *suspects.OTHERS.get(view.cause, ()))


def confidence(view: View, usual: Confidence) -> Confidence:
    """An unknown network model leaves a failure of pods alone, or between pods, among several owners' devices."""
    unknown = view.behind is None and (pattern(view) in _PODS or view.between_pods)
    return Confidence.POSSIBLE if unknown and usual is Confidence.LIKELY and candidates(view) else usual


def _by_place(view: View) -> tuple[Candidate, ...]:
    """What the comparison of places adds in front of the usual suspects."""
    match pattern(view):
        case Pattern.SOME_POOLS:
            return (_subnet(view, "the pools that fail"),)
        case Pattern.CLUSTER_ONLY if not view.inside:
            return (suspects.CLUSTER_EGRESS,)
        case Pattern.EVERYBODY:
            return (suspects.PROVIDER, suspects.STALE_NAME)
        case _:
            return ()


def _pods(view: View, *, by_name: bool) -> tuple[Candidate, ...]:
    """Pods fail where their own nodes get through: by what the network can tell them apart, if by anything."""
    whose = "the pods" if pattern(view) is Pattern.POD_ONLY else "the pods of the pools that fail"
    policy, subnet = suspects.POD_FILTER if by_name else suspects.POLICY, _subnet(view, whose)
    if view.behind:
        first = (suspects.FORWARDING, policy) if pattern(view) is Pattern.SOME_PODS else (policy, suspects.FORWARDING)
        return (*first, suspects.POD_PROXY) if by_name else first
    if view.model is NetworkModel.NODE_SUBNET:
        return (policy, suspects.SINGLE_ADDRESSES)
    if view.behind is False:
        return (subnet, policy)
    return (subnet, policy) if by_name else (policy, subnet)


def _between_pods(view: View) -> tuple[Candidate, ...]:
    """The pods' own network: what reaches it differs with the model, and nothing of the Internet is in between."""
    if view.cause == "peers.other-answer":
        return suspects.OTHERS[view.cause]
    if view.cause not in (*SILENT, "tcp.refused", "tcp.reset", "route.unreachable", "route.prohibited"):
        return ()
    match view.model:
        case NetworkModel.KUBENET:
            return (suspects.PEER_ROUTES, suspects.PEER_POLICY, suspects.PEER_NSG)
        case NetworkModel.OVERLAY:
            return (suspects.PEER_POLICY, suspects.PEER_NSG)
        case NetworkModel.POD_SUBNET | NetworkModel.NODE_SUBNET:
            return (suspects.PEER_POLICY, suspects.PEER_NSG, suspects.PEER_FIREWALL)
        case NetworkModel.UNKNOWN:
            return (suspects.PEER_POLICY, suspects.PEER_NSG, suspects.PEER_ROUTES, suspects.PEER_FIREWALL)


def _subnet(view: View, whose: str) -> Candidate:
    known = ", ".join(dict.fromkeys((*view.subnets, *view.ranges.values())))
    return Candidate(
        what=f"NSG, route table or firewall source range for the subnet of {whose}{f' ({known})' if known else ''}",
        because="only places in that subnet fail, and their addresses differ from those that get through",
        settle="effective NSG rules, routes and NAT gateway of that subnet; the firewall's log for the source address",
    )


def _dns(view: View) -> tuple[Candidate, ...]:
    if view.cause == "dns.privatelink-public-answer":
        return suspects.PUBLIC_ANSWER
    if view.places:
        return tuple(dict.fromkeys(one for place in view.places for one in place.candidates))
    if pattern(view) in _PODS:
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
    "azure.unreachable": "tcp.timeout",
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

# A certificate that is trusted here and not there.
_STORES: dict[str, dict[Pattern, tuple[Candidate, ...]]] = {
    "tls.untrusted": {Pattern.CLUSTER_ONLY: (suspects.CLUSTER_TRUST,)},
    "tls.intercepted": {Pattern.CLUSTER_ONLY: (suspects.CLUSTER_TRUST,)},
}
