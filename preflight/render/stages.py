"""When each stage of a hop ran and whether it broke: what the waterfall draws and the tables of attempts say."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from preflight.model.observation import Connection, DnsFacts, Hop, HttpFacts, Observation, TlsFacts
from preflight.model.vocabulary import Stage


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of one hop, milliseconds from the observation's start."""

    stage: Stage
    start_ms: float
    end_ms: float
    broken: bool

    @property
    def took_ms(self) -> float:
        """How long it took, milliseconds."""
        return self.end_ms - self.start_ms


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One hop as seen from one vantage."""

    vantage: str
    role: str
    spans: tuple[Span, ...]

    @property
    def end_ms(self) -> float:
        """When its last stage ended."""
        return max((span.end_ms for span in self.spans), default=0.0)


def lanes(observation: Observation, failed_at: str | None = None) -> tuple[Lane, ...]:
    """One lane per hop; `failed_at` ("layer.tls") is where a verdict says that it broke, whatever the transport did."""
    return tuple(
        Lane(vantage=observation.vantage, role=hop.role, spans=tuple(_marked(spans(hop), hop.role, failed_at)))
        for hop in observation.hops
    )


def _marked(made: Iterable[Span], role: str, failed_at: str | None) -> Iterable[Span]:
    for span in made:
        here = failed_at == f"{role}.{span.stage}"
        yield msgspec.structs.replace(span, broken=True) if here else span


def spans(hop: Hop) -> tuple[Span, ...]:
    """The stages that were reached, in order; what was not reached is absent."""
    made = [
        _dns_span(hop),
        _span(Stage.PROXY, _proxy_times(hop), broken=_proxy_broken(hop)),
        _span(
            Stage.TCP,
            [(one.tcp.at_ms, one.tcp.duration_ms) for one in hop.connections],
            broken=all(one.tcp.result != "connected" for one in hop.connections),
        ),
        _tls_span(hop),
        _http_span(hop.http),
    ]
    return tuple(span for span in made if span is not None)


def _dns_span(hop: Hop) -> Span | None:
    """A lookup that was over before the hop began was another attempt's, shared: its time is not this hop's."""
    if hop.dns is UNSET:
        return None
    span = _span(Stage.DNS, _dns_times(hop.dns), broken=not hop.dns.addresses)
    return span if span is None or span.end_ms >= hop.at_ms else None


def handshakes(hop: Hop) -> tuple[TlsFacts, ...]:
    """Every handshake with the target, directly or through a proxy."""
    own = [one.tls for one in hop.connections if one.tls is not UNSET]
    return (*own, hop.tls) if hop.tls is not UNSET else tuple(own)


def _span(stage: Stage, times: Iterable[tuple[float, float]], *, broken: bool) -> Span | None:
    listed = list(times)
    if not listed:
        return None
    start = min(at for at, _ in listed)
    return Span(stage=stage, start_ms=start, end_ms=max(at + took for at, took in listed), broken=broken)


def _dns_times(facts: DnsFacts | msgspec.UnsetType) -> list[tuple[float, float]]:
    return [] if facts is UNSET else [(one.at_ms, one.duration_ms) for one in facts.answers]


def _connection_times(connection: Connection) -> list[tuple[float, float]]:
    tls = connection.tls
    times = [(connection.tcp.at_ms, connection.tcp.duration_ms)]
    return times if tls is UNSET else [*times, (tls.at_ms, tls.duration_ms)]


def _proxy_times(hop: Hop) -> list[tuple[float, float]]:
    if hop.proxy is UNSET:
        return []
    times = _dns_times(hop.proxy.dns) + [one for made in hop.proxy.connections for one in _connection_times(made)]
    connect = hop.proxy.connect
    return times if connect is UNSET else [*times, (connect.at_ms, connect.duration_ms)]


def _proxy_broken(hop: Hop) -> bool:
    if hop.proxy is UNSET:
        return False
    connect = hop.proxy.connect
    if connect is not UNSET:
        return connect.status is None or connect.status >= 300
    return all(one.tcp.result != "connected" for one in hop.proxy.connections)


def _tls_span(hop: Hop) -> Span | None:
    made = handshakes(hop)
    return _span(
        Stage.TLS, [(one.at_ms, one.duration_ms) for one in made], broken=all(one.result != "ok" for one in made)
    )


def _http_span(facts: HttpFacts | msgspec.UnsetType) -> Span | None:
    if facts is UNSET:
        return None
    return _span(Stage.HTTP, [(facts.at_ms, facts.duration_ms)], broken=facts.result != "ok")
