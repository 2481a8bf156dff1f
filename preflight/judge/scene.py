"""What the judges of stages know besides the hop: the vantage and the time. Values only."""

from datetime import UTC, datetime

import msgspec

from preflight.judge.addresses import is_address
from preflight.judge.clock import Skew
from preflight.judge.lossy import Loss
from preflight.model.observation import DnsFacts, Hop, Observation, VantageFacts
from preflight.model.vocabulary import VantageKind, vantage_kind


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One observation and where it was made; `now` is the run's start, never the clock."""

    observation: Observation
    facts: VantageFacts | None
    now: datetime
    skew: Skew | None = None  # the clock of the vantage is proven wrong by so much
    catch_all: frozenset[str] = frozenset()  # addresses that its resolvers give for every name
    loss: Loss | None = None  # packets are lost on the way from here
    inspectors: frozenset[str] = frozenset()  # issuers that stand in for several services here

    @property
    def true_now(self) -> datetime:
        """`now` as it would be with a right clock."""
        return self.skew.corrected(self.now) if self.skew is not None else self.now

    @property
    def kind(self) -> VantageKind:
        """The kind of the vantage."""
        return vantage_kind(self.observation.vantage)

    @property
    def families(self) -> tuple[str, ...]:
        """Families with an address and a route here; IPv4 is assumed where the vantage told nothing of itself."""
        return self.facts.families if self.facts is not None else ("ipv4",)


def moment(text: str) -> datetime:
    """ISO 8601 to UTC; what cannot be read is the beginning of time, so that nothing is claimed to have expired."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # an offset may lead out of the years 1 to 9999
        return datetime(1970, 1, 1, tzinfo=UTC)


def host_of(hop: Hop) -> str:
    """Host of the hop's URL, lower case, without brackets."""
    authority = hop.url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    host = authority[1:].partition("]")[0] if authority.startswith("[") else authority.partition(":")[0]
    return host.lower()


def scheme_of(hop: Hop) -> str:
    """`https`, `http` or `tcp`."""
    return hop.url.partition("://")[0].lower()


def port_of(hop: Hop) -> int:
    """Port of the hop's URL."""
    authority = hop.url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    port = authority.rpartition("]")[2].partition(":")[2]
    return number(port) or {"https": 443, "http": 80, "dns": 53}.get(scheme_of(hop), 0)


def number(text: str) -> int:
    """A count or a port as it stands in a name or URL; 0 for what is none, other scripts' digits among it."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0


def is_literal(hop: Hop) -> bool:
    """Whether the target is an address, so that no name is looked up."""
    return is_address(host_of(hop))


def listed(values: tuple[str, ...] | list[str], most: int = 4) -> str:
    """Values for a sentence: at most `most` of them, the rest counted."""
    unique = list(dict.fromkeys(values))
    more = f" and {len(unique) - most} more" if len(unique) > most else ""
    return ", ".join(unique[:most]) + more


def used_addresses(dns: DnsFacts) -> tuple[str, ...]:
    """The addresses that count at this place: the hosts file's, else those that the connection used."""
    return dns.system.hosts_file or dns.addresses or dns.system.addresses
