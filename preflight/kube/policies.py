"""Network policies of every kind as `Policy`: one form, bounded. Pure: objects in, values out.

`networking.k8s.io/v1` NetworkPolicy; `cilium.io/v2` CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy. What is cut
or not understood is marked (`clipped`, `narrowed`, `other`), never left out in silence.
"""

from collections.abc import Iterator
from typing import Any, Final

from preflight.kube.values import table, tables, text, texts
from preflight.model.policies import Operator, Peer, Policy, Port, Rule, Selector, Term

Json = dict[str, Any]
KUBERNETES: Final = "NetworkPolicy"
CILIUM: Final = "CiliumNetworkPolicy"
CLUSTERWIDE: Final = "CiliumClusterwideNetworkPolicy"
_MOST: Final = 50  # rules of a policy, peers and ports of a rule, terms of a selector
_MOST_KEYS: Final = 1_000  # labels of one policy
_NAMESPACE: Final = "io.kubernetes.pod.namespace"
_SOURCES: Final = ("k8s:", "any:")  # of Cilium's labels; what comes from elsewhere never names a pod's labels
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP", "ICMP", "ANY")


def kubernetes(item: Json) -> Policy:
    """A NetworkPolicy. Without `policyTypes` it isolates ingress, and egress when it has rules for that."""
    spec, meta = table(item, "spec"), table(item, "metadata")
    kinds = texts(spec.get("policyTypes")) or ("Ingress", *(("Egress",) if spec.get("egress") else ()))
    rules = tables(spec.get("egress"), _MOST) if "Egress" in kinds else []  # without the type they mean nothing
    return Policy(
        kind=KUBERNETES,
        namespace=text(meta.get("namespace")),
        name=text(meta.get("name")),
        selector=selector(spec.get("podSelector")),
        isolates_egress="Egress" in kinds,
        isolates_ingress="Ingress" in kinds,
        egress=tuple(_rule(one) for one in rules),
        clipped=_long(spec.get("egress")) or _clipped(spec.get("podSelector")),
    )


def cilium(item: Json, kind: str) -> list[Policy]:
    """A policy of Cilium: one for `spec`, one for each of `specs`; those about nodes are left out."""
    specs = [*([table(item, "spec")] if table(item, "spec") else []), *tables(item.get("specs"), _MOST)]
    return [_cilium(item, spec, kind) for spec in specs if "nodeSelector" not in spec]


def mentioned(item: Json) -> set[str]:
    """Every label that a policy speaks of, anywhere in it, without Cilium's sources."""
    found: set[str] = set()
    left: list[object] = [item.get("spec"), item.get("specs")]
    while left and len(found) < _MOST_KEYS:
        each = left.pop()
        if isinstance(each, dict):
            found |= {_key(key, of_cilium=True) for key in table(each, "matchLabels")}
            found |= {_key(one.get("key"), of_cilium=True) for one in tables(each.get("matchExpressions"))}
        left += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
    return found


def selector(found: object, *, of_cilium: bool = False) -> Selector:
    """`matchLabels` and `matchExpressions` as terms."""
    spec = table(found)
    plain = [
        Term(key=_key(key, of_cilium=of_cilium), operator=Operator.IN, values=(text(value),))
        for key, value in sorted(table(spec, "matchLabels").items())
    ]
    told = [_term(one, of_cilium=of_cilium) for one in tables(spec.get("matchExpressions"), _MOST)]
    return Selector(terms=(*plain[:_MOST], *(term for term in told if term is not None)))


def _key(key: object, *, of_cilium: bool) -> str:
    told = text(key)
    source = next((one for one in _SOURCES if of_cilium and told.startswith(one)), "")
    return told[len(source) :]


def _term(found: Json, *, of_cilium: bool) -> Term | None:
    operator = text(found.get("operator"))
    if operator not in tuple(Operator):
        return None
    values = texts(found.get("values"), _MOST)
    return Term(key=_key(found.get("key"), of_cilium=of_cilium), operator=Operator(operator), values=values)


def _clipped(found: object) -> bool:
    """Whether a selector has more terms than are kept, or one that is not understood."""
    spec = table(found)
    told = tables(spec.get("matchExpressions"), _MOST)
    odd = any(_term(one, of_cilium=False) is None or _long(one.get("values")) for one in told)
    return odd or _long(spec.get("matchExpressions")) or len(table(spec, "matchLabels")) > _MOST


def _long(value: object) -> bool:
    return isinstance(value, list) and len(value) > _MOST


def _rule(found: Json) -> Rule:
    """One egress rule of a NetworkPolicy; no `to` means everybody, no `ports` every port."""
    peers, ports = found.get("to"), found.get("ports")
    return Rule(
        peers=tuple(_peer(one) for one in tables(peers, _MOST)) if peers else None,
        ports=tuple(_port(one) for one in tables(ports, _MOST)) if ports else None,
        narrowed=_long(peers) or _long(ports),
    )


def _peer(found: Json) -> Peer:
    block = table(found, "ipBlock")
    if block:
        return Peer(cidr=text(block.get("cidr")), but=texts(block.get("except"), _MOST))
    pods, namespaces = found.get("podSelector"), found.get("namespaceSelector")
    if pods is None and namespaces is None:
        return Peer(other="/".join(sorted(map(text, found)))[:100] or "nothing")
    if _clipped(pods) or _clipped(namespaces):
        return Peer(other="a selector that is too long")
    return Peer(
        pods=selector(pods) if pods is not None else None,
        namespaces=selector(namespaces) if namespaces is not None else None,
    )


def _port(found: Json) -> Port:
    """A number, a range up to `endPort`, or the name of a port; without `port` all of the protocol."""
    port, protocol = found.get("port"), text(found.get("protocol")) or "TCP"
    if isinstance(port, str) and not port.isdecimal():
        return Port(protocol=protocol, name=text(port))
    first = int(port) if isinstance(port, int | str) and len(str(port)) <= 5 else 0
    last = found.get("endPort")
    return Port(protocol=protocol, first=first, last=last if isinstance(last, int) else 0)


def _cilium(item: Json, spec: Json, kind: str) -> Policy:
    """Cilium isolates a direction that has rules, unless `enableDefaultDeny` says otherwise."""
    meta = table(item, "metadata")
    namespace = text(meta.get("namespace")) if kind == CILIUM else ""
    chosen = selector(spec.get("endpointSelector"), of_cilium=True)
    return Policy(
        kind=kind,
        namespace=namespace,
        name=text(meta.get("name")),
        selector=_inside(chosen, namespace, only=True),
        isolates_egress=_isolates(spec, "egress"),
        isolates_ingress=_isolates(spec, "ingress"),
        egress=(*_rules(spec, "egress", namespace), *_rules(spec, "egressDeny", namespace)),
        clipped=_clipped(spec.get("endpointSelector")) or _long(spec.get("egress")) or _long(spec.get("egressDeny")),
    )


def _isolates(spec: Json, direction: str) -> bool:
    said = table(spec, "enableDefaultDeny").get(direction)
    return said if isinstance(said, bool) else bool(spec.get(direction) or spec.get(f"{direction}Deny"))


def _inside(chosen: Selector, namespace: str, *, only: bool = False) -> Selector:
    """A policy in a namespace is about pods there; its peers are, too, unless they name another namespace."""
    if not namespace or (not only and any(term.key == _NAMESPACE for term in chosen.terms)):
        return chosen
    return Selector(terms=(*chosen.terms, Term(key=_NAMESPACE, operator=Operator.IN, values=(namespace,))))


def _rules(spec: Json, direction: str, namespace: str) -> Iterator[Rule]:
    for found in tables(spec.get(direction), _MOST):
        peers = tuple(_peers(found, namespace))
        ports, narrowed = _ports(found)
        speaks = any(key.startswith("to") and key != "toPorts" for key in found)
        yield Rule(peers=peers if speaks else None, ports=ports, denies=direction == "egressDeny", narrowed=narrowed)


def _peers(found: Json, namespace: str) -> Iterator[Peer]:
    """Every kind of peer that a rule of Cilium has."""
    for one in tables(found.get("toEndpoints"), _MOST):
        chosen = selector(one, of_cilium=True)
        odd = _clipped(one) or any(term.key.startswith("reserved:") for term in chosen.terms)
        yield Peer(other="toEndpoints") if odd else Peer(pods=_inside(chosen, namespace))
    for cidr in texts(found.get("toCIDR"), _MOST):
        yield Peer(cidr=cidr)
    for one in tables(found.get("toCIDRSet"), _MOST):
        odd = not text(one.get("cidr"))
        yield Peer(other="toCIDRSet") if odd else Peer(cidr=text(one.get("cidr")), but=texts(one.get("except"), _MOST))
    for one in tables(found.get("toFQDNs"), _MOST):
        yield Peer(name=text(one.get("matchName")) or text(one.get("matchPattern")) or "-")
    for entity in texts(found.get("toEntities"), _MOST):
        yield Peer(entity=entity or "-")
    for key in ("toServices", "toGroups", "toNodes", "toRequires"):
        if found.get(key):
            yield Peer(other=key)


def _ports(found: Json) -> tuple[tuple[Port, ...] | None, bool]:
    """The ports of a rule, and whether more is asked for on them."""
    told = tables(found.get("toPorts"), _MOST)
    narrowed = _long(found.get("toPorts")) or "icmps" in found
    if not told:
        return None, narrowed
    ports: list[Port] = []
    for one in told:
        listed = tables(one.get("ports"), _MOST)
        ports += [_cilium_port(port) for port in listed] or [Port(protocol="ANY")]
        narrowed = narrowed or _asks_more(table(one, "rules")) or "serverNames" in one or _long(one.get("ports"))
    return tuple(ports), narrowed


def _cilium_port(found: Json) -> Port:
    protocol = text(found.get("protocol")).upper() or "ANY"
    return _port({**found, "protocol": protocol if protocol in _PROTOCOLS else "ANY"})


def _asks_more(rules: Json) -> bool:
    """Rules of layer 7; the usual one that only shows DNS to Cilium asks for nothing."""
    seen_only = [{"matchPattern": "*"}]
    return any(value and (key != "dns" or value != seen_only) for key, value in rules.items())
