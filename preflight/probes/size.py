"""Keeps one observation within what lines, reports and memory can hold, whatever servers sent. Pure.

Single facts are bounded where they are made; this bounds their sum, which redirects and addresses multiply.
"""

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from preflight.model.observation import Certificate, Connection, DnsFacts, Hop, HttpFacts, Observation, TlsFacts
from preflight.probes.redact import CUT, cut

MAX_OBSERVATION = 1_048_576  # bytes as JSON; two hundred times a usual one
_NAMES = 5  # of a certificate, when there is no room
_ADDRESSES = 8  # of a DNS answer
_VALUE = 200  # characters of a header
_BODY = 500
_ENCODER = msgspec.json.Encoder()


def bounded(observation: Observation) -> Observation:
    """The observation; without its bulk when it is too large; without hops, as our own failure, when it still is."""
    if _size(observation) <= MAX_OBSERVATION:
        return observation
    alone = observation.alone
    alone = UNSET if alone is UNSET else replace(alone, hops=tuple(map(_slim, alone.hops)))
    slim = replace(observation, hops=tuple(map(_slim, observation.hops)), alone=alone)
    size = _size(slim)
    if size <= MAX_OBSERVATION:
        return slim
    why = f"what was seen takes {size:,} bytes, more than {MAX_OBSERVATION:,}"
    return replace(observation, hops=(), alone=UNSET, tool_error=observation.tool_error or why)


def _size(observation: Observation) -> int:
    return len(_ENCODER.encode(observation))


def _slim(hop: Hop) -> Hop:
    proxy = hop.proxy
    if proxy is not UNSET:
        proxy = replace(
            proxy, dns=_names(proxy.dns), connections=_connections(proxy.connections), connect=_http(proxy.connect)
        )
    return replace(
        hop,
        dns=_names(hop.dns),
        proxy=proxy,
        connections=_connections(hop.connections),
        tls=_tls(hop.tls),
        http=_http(hop.http),
        clamped=_http(hop.clamped),
    )


def _names(dns: DnsFacts | UnsetType) -> DnsFacts | UnsetType:
    if dns is UNSET:
        return UNSET
    answers = tuple(replace(answer, addresses=answer.addresses[:_ADDRESSES]) for answer in dns.answers)
    return replace(dns, answers=answers)


def _connections(connections: tuple[Connection, ...]) -> tuple[Connection, ...]:
    """The chain of the first address is enough to name who answers."""
    return tuple(
        replace(connection, tls=_tls(connection.tls, chain=number == 0))
        for number, connection in enumerate(connections)
    )


def _tls(tls: TlsFacts | UnsetType, *, chain: bool = True) -> TlsFacts | UnsetType:
    if tls is UNSET or not tls.chain:
        return tls
    if chain:
        return replace(tls, chain=tuple(map(_certificate, tls.chain)))
    return replace(tls, chain=(), detail=f"{tls.detail} the chain is left out: too much was seen".strip())


def _certificate(one: Certificate) -> Certificate:
    names = one.sans if len(one.sans) <= _NAMES else (*one.sans[:_NAMES], f"{CUT} and {len(one.sans) - _NAMES} more")
    return replace(one, sans=names)


def _http(http: HttpFacts | UnsetType) -> HttpFacts | UnsetType:
    if http is UNSET:
        return UNSET
    headers = tuple((name, cut(value, _VALUE)) for name, value in http.headers)
    return replace(http, headers=headers, body=cut(http.body, _BODY))
