"""Which faults act where, looked up by the servers when they answer, so that faults can be switched meanwhile."""

from collections.abc import Sequence
from enum import StrEnum

from preflight.lab.faults import Fault
from preflight.lab.naming import Naming
from preflight.lab.sites import NOT_GIVEN, SITES


class Layer(StrEnum):
    """The part of the lab that produces a cause."""

    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    PROXY = "proxy"
    HTTP = "http"
    ENVIRONMENT = "environment"


_LAYERS = {"dns": Layer.DNS, "route": Layer.TCP, "tcp": Layer.TCP, "tls": Layer.TLS, "proxy": Layer.PROXY}
_ELSEWHERE = {
    "endpoint.wrong-address": Layer.DNS,
    "telemetry.name-undocumented": Layer.DNS,
    **dict.fromkeys(NOT_GIVEN, Layer.ENVIRONMENT),
}


def layer(cause: str) -> Layer:
    """Where a cause is produced; services' own causes are HTTP answers."""
    return _ELSEWHERE.get(cause) or _LAYERS.get(cause.partition(".")[0], Layer.HTTP)


class Effects:
    """The active faults. `replace` switches them while the servers run."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.six: frozenset[str] = frozenset()  # names with an AAAA record
        self.naming = Naming()

    def replace(self, faults: Sequence[Fault]) -> None:
        """From now on these and no others."""
        self.faults = tuple(faults)

    def at(self, vantage: str, host: str, where: Layer, step: str = "") -> str | None:
        """The cause to produce for a host seen from a vantage, the first that was asked for."""
        for fault in self.faults:
            if layer(fault.cause) is where and fault.hits(vantage) and _placed(fault, host, step):
                return fault.cause
        return None

    def any(self, vantage: str, *causes: str) -> bool:
        """Whether one of these is produced for any host at a vantage."""
        return any(fault.cause in causes and fault.hits(vantage) for fault in self.faults)

    @property
    def not_given(self) -> frozenset[str]:
        """Keys that the environment leaves out."""
        return frozenset(key for fault in self.faults for key in NOT_GIVEN.get(fault.cause, ()))

    def proxied(self, vantage: str) -> bool:
        """Whether a vantage goes through the lab's proxy, because something about proxies is to be shown there."""
        return any(layer(fault.cause) is Layer.PROXY and fault.hits(vantage) for fault in self.faults)


def _placed(fault: Fault, host: str, step: str) -> bool:
    return any(
        site.host == host and (not step or site.takes(step))
        for site in SITES
        if site.requirement == fault.requirement and fault.cause in site.causes
    )
