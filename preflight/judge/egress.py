"""Whether rules of network policies obviously allow a destination. Pure, and modest: what is not obvious is not denied.

A destination is obviously allowed when one rule names it, nothing narrows that rule, and no deny rule can mean it.
Named ports, groups, services and rules of layer 7 are never obvious.
"""

import ipaddress
import re
from typing import Final

import msgspec

from preflight.judge.selecting import reaches
from preflight.model.policies import Peer, Policy, PolicyFacts, Port, Rule, Stand

_ANY_LABEL: Final = "[-a-z0-9_]*"  # what a star stands for within a name in Cilium's toFQDNs


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """What a check sent packets to."""

    address: str
    port: int
    protocol: str = "TCP"
    host: str = ""  # the name that it asked for; empty for an address
    pods: Stand | None = None  # who stands behind the address, where that is known: cluster DNS
    api_server: bool = False

    @property
    def title(self) -> str:
        """`TCP 443 to mcr.microsoft.com (20.1.2.3)`."""
        where = f"{self.host} ({self.address})" if self.host and self.host != self.address else self.address
        return f"{self.protocol} {self.port} to {where}"


def allowed(policies: tuple[Policy, ...], destination: Destination, facts: PolicyFacts) -> bool:
    """Whether what these policies isolate may obviously send to the destination; without any it may send anywhere."""
    if not any(policy.isolates_egress for policy in policies):
        return not any(_denied(policy, destination, facts) for policy in policies)
    if any(policy.clipped or _denied(policy, destination, facts) for policy in policies):
        return False
    return any(
        not (rule.denies or rule.narrowed) and _covers(policy, rule, destination, facts)
        for policy in policies
        for rule in policy.egress
    )


def _denied(policy: Policy, destination: Destination, facts: PolicyFacts) -> bool:
    return any(rule.denies and _covers(policy, rule, destination, facts, guess=True) for rule in policy.egress)


def _covers(policy: Policy, rule: Rule, destination: Destination, facts: PolicyFacts, *, guess: bool = False) -> bool:
    """Whether the rule means the destination; `guess` is the answer for what cannot be told."""
    if rule.ports is not None and not any(_port(port, destination, guess=guess) for port in rule.ports):
        return False
    return rule.peers is None or any(_peer(policy, peer, destination, facts, guess=guess) for peer in rule.peers)


def _port(port: Port, destination: Destination, *, guess: bool) -> bool:
    if port.protocol not in (destination.protocol, "ANY"):
        return False
    if port.name:
        return guess
    return port.first == 0 or port.first <= destination.port <= max(port.first, port.last)


def _peer(policy: Policy, peer: Peer, destination: Destination, facts: PolicyFacts, *, guess: bool) -> bool:
    if peer.cidr:
        # Cilium gives pods and the API server an identity, and rules by address do not mean them.
        mine = destination.pods is None or not facts.cilium
        return mine and _within(destination.address, peer.cidr) and not any(
            _within(destination.address, part) for part in peer.but
        )  # fmt: skip
    if peer.name:
        return bool(destination.host) and _named(peer.name, destination.host)
    if peer.entity:
        return _entity(peer.entity, destination)
    if peer.other:
        return guess
    return destination.pods is not None and reaches(peer.pods, peer.namespaces, policy, destination.pods, facts)


def _entity(entity: str, destination: Destination) -> bool:
    """Cilium, "Entities Based": who is meant by a word."""
    match entity:
        case "all":
            return True
        case "world":
            return destination.pods is None and not destination.api_server
        case "cluster":
            return destination.pods is not None
        case "kube-apiserver":
            return destination.api_server
        case _:
            return False


def _named(pattern: str, host: str) -> bool:
    """Cilium, "DNS based": a star stands for characters of one label, and alone for every name."""
    if pattern in ("*", "**"):
        return True
    parts = pattern.lower().rstrip(".").removeprefix("**.").split("*")
    regex = _ANY_LABEL.join(re.escape(part) for part in parts)
    if pattern.startswith("**."):
        regex = rf"({_ANY_LABEL}\.)+{regex}"
    return re.fullmatch(regex, host.lower().rstrip(".")) is not None


def _within(address: str, cidr: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
