"""What a crowd of places did itself: failures that were gone when one place tried again alone. Pure.

The first try is never forgotten: what held only alone is a reservation that names it, and no pass.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from preflight.judge.addresses import is_internal
from preflight.model.causes import CAUSES
from preflight.model.observation import Observation
from preflight.model.run import Verdict
from preflight.model.vocabulary import Status

INDUCED: Final = "check.load-induced"
SNAT: Final = "snat.exhaustion-suspected"
OF_LOAD: Final = (INDUCED, SNAT)
_DESTINATIONS: Final = 3  # that were silent now and then, before ports are suspected that are used up
# What load brings about; everything else is a fault that being alone cannot cure, or a chance that it did.
_DOUBTFUL: Final = frozenset(
    (
        *("dns.timeout", "dns.servfail", "tcp.timeout", "tcp.reset", "proxy.unreachable", "proxy.failed"),
        *("tls.timeout", "tls.closed", "tls.reset-after-hello", "http.timeout", "http.reset", "http.stalled"),
        *("registry.throttled", "storage.throttled", "entra.throttled", "kube.throttled", "http.unexpected-status"),
        *("endpoint.unavailable", "entra.unavailable", "kube.unavailable"),
    )
)


class Relieved(msgspec.Struct, frozen=True, kw_only=True):
    """A check that held only alone."""

    check: str
    cause: str  # of the first try
    destinations: tuple[str, ...]  # public addresses that gave no answer then


def alone(seen: Observation) -> Observation | None:
    """The second try as an observation of its own."""
    if seen.alone is UNSET:
        return None
    again = seen.alone
    return replace(
        seen,
        started=again.started,
        duration_ms=again.duration_ms,
        hops=again.hops,
        finished=again.finished,
        deadline_hit=not again.finished,
        alone=UNSET,
    )


def settled(first: Mapping[str, Verdict], again: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The verdicts of one task in the light of its second try; all as they were when it changed nothing."""
    freed = {
        name: _relieved(verdict)
        for name, verdict in first.items()
        if verdict.cause in _DOUBTFUL
        and verdict.status in (Status.FAIL, Status.UNKNOWN)
        and again[name].status in (Status.PASS, Status.WARN)
    }
    blocked = {name: again[name] for name, verdict in first.items() if verdict.blocked_by in freed}
    return {**first, **blocked, **freed}


def relieved(first: Mapping[str, Verdict], now: Mapping[str, Verdict], seen: Observation) -> Iterable[Relieved]:
    """What `settled` made a reservation of."""
    silent = _silent(seen)
    for name, verdict in now.items():
        if verdict.cause == INDUCED:
            yield Relieved(check=name, cause=first[name].cause or "", destinations=silent)


def suspected(verdicts: Mapping[str, Verdict], found: Iterable[Relieved]) -> dict[str, Verdict]:
    """Ports of the way out that may be used up: several public destinations were silent now and then, none for good."""
    silent = [one for one in found if one.cause == "tcp.timeout" and one.destinations]
    reached = {(one.requirement, one.target) for one in verdicts.values() if one.status is Status.PASS}
    hosts = {
        address
        for one in silent
        for address in one.destinations
        if (verdicts[one.check].requirement, verdicts[one.check].target) in reached
    }
    if len(hosts) < _DESTINATIONS:
        return {}
    told = f"; the same at {len(hosts)} public addresses, each silent for some places only"
    return {one.check: _named(verdicts[one.check], SNAT, verdicts[one.check].reason + told) for one in silent}


def _relieved(verdict: Verdict) -> Verdict:
    return _named(verdict, INDUCED, f"{verdict.reason} ({verdict.cause}) while many asked; alone it held")


def _named(verdict: Verdict, cause: str, reason: str) -> Verdict:
    return replace(verdict, status=Status.WARN, cause=cause, owner=CAUSES[cause].owner, reason=reason)


def _silent(seen: Observation) -> tuple[str, ...]:
    """Addresses outside that no connection reached in the first try."""
    every = [one for hop in seen.hops for one in hop.connections]
    reached = {one.address for one in every if one.tcp.result == "connected"}
    quiet = dict.fromkeys(one.address for one in every if one.tcp.result == "timeout" and one.address not in reached)
    return tuple(address for address in quiet if not is_internal(address))
