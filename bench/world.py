"""What there is to be reached: endpoints, what is wrong with each, and which cause is the right one. Values only."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

DOMAIN = "bench.example"
# RFC 2544 sets 198.18.0.0/15 aside for benchmarks; the links between the two namespaces are TEST-NET-1 (RFC 5737).
SERVERS = "198.18.0.0/15"
NEAR, FAR = "192.0.2.1", "192.0.2.2"
SLOW_NEAR, SLOW_FAR = "192.0.2.5", "192.0.2.6"
NAMESERVER = "198.18.255.53"


class Kind(StrEnum):
    """What a client meets."""

    GOOD = "good"
    BLOCKED = "blocked"
    NXDOMAIN = "nxdomain"
    REFUSED = "refused"
    DROPPED = "dropped"
    INSPECTED = "inspected"
    CUT = "cut"
    STALLED = "stalled"  # in no set: accepts and says nothing, to see whether a tool can tell it from DROPPED


# The causes, in preflight's vocabulary, of which one has to be named; `None`: nothing is wrong, and that must be said.
RIGHT: dict[Kind, frozenset[str] | None] = {
    Kind.GOOD: None,
    Kind.BLOCKED: frozenset({"http.block-page", "http.status-403"}),
    Kind.NXDOMAIN: frozenset({"dns.nxdomain"}),
    Kind.REFUSED: frozenset({"tcp.refused"}),
    Kind.DROPPED: frozenset({"tcp.timeout"}),
    Kind.INSPECTED: frozenset({"tls.intercepted", "tls.untrusted"}),
    Kind.CUT: frozenset({"tls.reset-after-hello"}),
    Kind.STALLED: frozenset({"tls.timeout"}),
}
MIXED = {
    Kind.GOOD: 38,
    Kind.BLOCKED: 2,
    Kind.NXDOMAIN: 5,
    Kind.REFUSED: 5,
    Kind.DROPPED: 5,
    Kind.INSPECTED: 3,
    Kind.CUT: 2,
}
SMALL = {Kind.GOOD: 1, Kind.NXDOMAIN: 1, Kind.REFUSED: 1, Kind.DROPPED: 1, Kind.INSPECTED: 1, Kind.CUT: 1}


@dataclass(frozen=True)
class Endpoint:
    """A name with HTTPS on port 443, and what is wrong with it."""

    kind: Kind
    number: int  # from 0, within its kind

    @property
    def host(self) -> str:
        """Its name."""
        return f"{self.kind}-{self.number + 1:04}.{DOMAIN}"

    @property
    def address(self) -> str:
        """Its address: good ones from 198.18.0.1 on, every other kind in a /24 of its own in 198.19.0.0/16."""
        if self.kind is Kind.GOOD:
            return f"198.18.{self.number // 250}.{self.number % 250 + 1}"
        return f"198.19.{list(Kind).index(self.kind)}.{self.number + 1}"


def good(count: int) -> tuple[Endpoint, ...]:
    """That many endpoints with nothing wrong."""
    return tuple(Endpoint(Kind.GOOD, number) for number in range(count))


def mixed(counts: dict[Kind, int]) -> tuple[Endpoint, ...]:
    """The faults spread evenly between the good ones, the same way each time."""
    rows = [
        ((number + 0.5) / count, kind, Endpoint(kind, number))
        for kind, count in counts.items()
        for number in range(count)
    ]
    return tuple(endpoint for _, _, endpoint in sorted(rows, key=lambda row: row[:2]))


def with_server(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Those that need a certificate."""
    return tuple(one for one in endpoints if one.kind in {Kind.GOOD, Kind.BLOCKED, Kind.INSPECTED})
