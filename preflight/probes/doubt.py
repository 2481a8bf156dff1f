"""Whether what was seen may be the doing of the crowd that asked at once: silence, resets, refusals of many. Pure.

It is no verdict: a firewall that drops looks the same. What vanishes when it is tried alone was load.
"""

from typing import Final

from msgspec import UNSET, UnsetType

from preflight.model.observation import Connection, Hop, HttpFacts, Observation, TlsFacts

_CUT: Final = ("timeout", "reset", "closed")
_TOO_MANY: Final = (429, 503)


def may_be_load(seen: Observation) -> bool:
    """Whether trying again alone could tell load from a fault."""
    return seen.tool_error is None and any(map(_doubtful, seen.hops))


def _doubtful(hop: Hop) -> bool:
    through = hop.proxy.connections if hop.proxy is not UNSET else ()
    connect = hop.proxy.connect if hop.proxy is not UNSET else UNSET
    return (
        _unreached(hop.connections) or _unreached(through) or _cut(hop.tls) or _refused(hop.http) or _refused(connect)
    )


def _unreached(connections: tuple[Connection, ...]) -> bool:
    """None of them got through, and the last one says nothing definite."""
    if not connections or any(_through(one) for one in connections):
        return False
    last = connections[-1]
    return last.tcp.result == "timeout" or last.tcp.errno == "ECONNRESET" or _cut(last.tls)


def _through(one: Connection) -> bool:
    return one.tcp.result == "connected" and (one.tls is UNSET or one.tls.result == "ok")


def _cut(tls: TlsFacts | UnsetType) -> bool:
    return tls is not UNSET and tls.result in _CUT


def _refused(http: HttpFacts | UnsetType) -> bool:
    return http is not UNSET and (http.result in _CUT or http.status in _TOO_MANY)
