"""The tcp stage: errno to cause, and what several addresses of one name come to together."""

from msgspec import UNSET

from preflight.judge import lossy
from preflight.judge.addresses import family
from preflight.judge.lossy import Loss
from preflight.judge.outcome import PASS, Outcome, fail, unknown, warn
from preflight.judge.scene import Scene, listed, used_addresses
from preflight.model.observation import Connection, Hop, TcpFacts
from preflight.model.plan import Check

_ERRNOS = {
    "ECONNREFUSED": "tcp.refused",
    "ECONNRESET": "tcp.reset",
    "ECONNABORTED": "tcp.reset",
    "EPIPE": "tcp.reset",
    "ETIMEDOUT": "tcp.timeout",
    "ENETUNREACH": "route.unreachable",
    "EHOSTUNREACH": "route.unreachable",
    "EHOSTDOWN": "route.unreachable",
    "ENETDOWN": "route.unreachable",
    "EADDRNOTAVAIL": "route.unreachable",
    "EAFNOSUPPORT": "route.unreachable",
    "EACCES": "route.prohibited",
    "EPERM": "route.prohibited",
}
# "Administratively prohibited" in its variants: RFC 1812 5.2.7.1, RFC 4443 3.1. Linux makes the same errno of it as of
# an unreachable host, in IPv4.
_PROHIBITED = {"ipv4": (9, 10, 13), "ipv6": (1, 5, 6)}
_WORDS = {
    "tcp.refused": "refused",
    "tcp.reset": "reset while connecting",
    "tcp.timeout": "no answer",
    "route.unreachable": "no route, or a device says that the host cannot be reached",
    "route.prohibited": "administratively prohibited",
}


def judge(check: Check, hop: Hop, scene: Scene) -> Outcome | None:  # noqa: ARG001 - every stage has this shape
    """The outcome of the stage, or None when it was not reached or a proxy connects."""
    if hop.proxy is not UNSET or not hop.connections:
        return _no_family(hop, scene)
    outcomes = {address: judge_address(group) for address, group in by_address(hop.connections).items()}
    said = together(outcomes, scene.families)
    return _lossy(hop, scene.loss) if said is PASS and scene.loss is not None else said


def _lossy(hop: Hop, loss: Loss) -> Outcome:
    """It connects, but where several connections lost packets that is luck."""
    late = lossy.sent_again(hop.connections)
    return (
        warn("tcp.lossy", f"{listed(late)}: connected at the second try only, as {loss.words} here") if late else PASS
    )


def by_address(connections: tuple[Connection, ...]) -> dict[str, list[Connection]]:
    """All attempts at each address, in the order of trial."""
    groups: dict[str, list[Connection]] = {}
    for connection in connections:
        groups.setdefault(connection.address, []).append(connection)
    return groups


def judge_address(attempts: list[Connection]) -> Outcome:
    """One address: it connects when any attempt did."""
    if any(attempt.tcp.result == "connected" for attempt in attempts):
        return PASS
    return _failed([attempt.tcp for attempt in attempts])


def together(outcomes: dict[str, Outcome], families: tuple[str, ...]) -> Outcome:
    """Several addresses: all bad is a failure, some bad a reservation, a family that has no route here is nothing."""
    bad = {address: outcome for address, outcome in outcomes.items() if outcome.cause is not None}
    if not bad:
        return PASS
    good = [address for address in outcomes if address not in bad]
    if good:
        bad = {address: outcome for address, outcome in bad.items() if family(address) in families}
        return _some(bad, good) if bad else PASS
    return _telling(bad, families)


def _some(bad: dict[str, Outcome], good: list[str]) -> Outcome:
    first = next(iter(bad.values()))
    assert first.cause is not None
    seen = "; ".join(outcome.reason for outcome in list(bad.values())[:3])
    return warn(first.cause, f"{seen}; {listed(good)} is fine, so only some connections fail")


def _telling(bad: dict[str, Outcome], families: tuple[str, ...]) -> Outcome:
    """Of several failures the one of a usable family that says more than that there is no route."""
    ranked = sorted(
        bad, key=lambda address: (family(address) not in families, (bad[address].cause or "").startswith("route."))
    )
    first = bad[ranked[0]]
    others = [bad[address].reason for address in ranked[1:3] if bad[address].reason != first.reason]
    reason = "; ".join((first.reason, *others))
    return Outcome(status=first.status, cause=first.cause, reason=reason)


def _failed(attempts: list[TcpFacts]) -> Outcome:
    """A definite error outweighs silence: the second attempt may have met a device that speaks."""
    facts = next((attempt for attempt in attempts if attempt.result == "error"), attempts[0])
    where = f"{facts.address} port {facts.port}"
    if facts.result == "timeout":
        tried = f" ({len(attempts)} attempts)" if len(attempts) > 1 else ""
        return fail("tcp.timeout", f"{where}: no answer within {facts.cap_ms / 1000:.1f} s{tried}")
    cause = _ERRNOS.get(facts.errno or "")
    if cause is None:
        return unknown("preflight.internal", f"{where}: the socket gave {facts.errno or 'no reason'}")
    if facts.icmp_code in _PROHIBITED[family(facts.address)]:
        cause = "route.prohibited"
    by = f", says {facts.icmp_from} by ICMP" if facts.icmp_from else ""
    return fail(cause, f"{where}: {_WORDS[cause]}{by} ({facts.errno}, after {facts.duration_ms:.0f} ms)")


def _no_family(hop: Hop, scene: Scene) -> Outcome | None:
    """Addresses are known but none is of a family with a route here, so nothing was tried."""
    if hop.proxy is not UNSET or hop.dns is UNSET:
        return None
    known = used_addresses(hop.dns)
    if not known or any(family(address) in scene.families for address in known):
        return None
    return fail("route.unreachable", f"{listed(known)}: this place has no address and no route of that family")
