"""Whether the clock of a vantage is wrong: Date headers of several independent services that agree against it. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

import msgspec
from msgspec import UNSET

from preflight.model.observation import Hop, HttpFacts, Observation, TlsFacts

# Entra and Kerberos accept five minutes; a certificate's dates never come closer to a right clock than that by chance.
TOLERANCE = timedelta(minutes=5)
_AGREE = timedelta(minutes=1)
_HOSTS = 3  # that have to agree, and two thirds of all that say anything


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    """How far a clock is ahead of the services' (negative: behind), and by whose Date headers."""

    seconds: float
    hosts: tuple[str, ...]

    def corrected(self, moment: datetime) -> datetime:
        """What a right clock would have said."""
        return moment - timedelta(seconds=self.seconds)

    @property
    def words(self) -> str:
        """`2.0 days ahead`."""
        size = abs(self.seconds)
        amount = f"{size / 86400:.1f} days" if size >= 86400 else f"{size / 60:.0f} minutes"
        return f"{amount} {'ahead' if self.seconds > 0 else 'behind'}"


def skew(observations: Iterable[Observation]) -> Skew | None:
    """The skew of the vantage that made these observations; None when its clock is right or nothing proves it."""
    samples = {host: ahead for observation in observations for host, ahead in _samples(observation)}
    if len(samples) < _HOSTS:
        return None
    middle = median(samples.values())
    agreeing = tuple(sorted(host for host, ahead in samples.items() if abs(ahead - middle) <= _AGREE.total_seconds()))
    enough = len(agreeing) >= _HOSTS and len(agreeing) * 3 >= len(samples) * 2
    wrong = abs(middle) > TOLERANCE.total_seconds()
    return Skew(seconds=round(middle), hosts=agreeing) if enough and wrong else None


def _samples(observation: Observation) -> Iterable[tuple[str, float]]:
    """(host, seconds that the clock here is ahead) for each answer of a service that proved who it is."""
    begun = read(observation.started)
    for hop in observation.hops:
        if begun is None or not hop.url.startswith("https://"):
            continue
        host = hop.url.removeprefix("https://").partition("/")[0].lower()
        for served, at_ms in _served(hop):
            yield host, (begun + timedelta(milliseconds=at_ms) - served).total_seconds()


def _served(hop: Hop) -> Iterable[tuple[datetime, float]]:
    """(time that the service gave, milliseconds of the observation at which it came)."""
    if hop.http is not UNSET and (date := _dated(hop.http)) is not None:
        yield date, hop.http.at_ms + hop.http.duration_ms
    handshakes = [connection.tls for connection in hop.connections]
    for tls in handshakes:
        if isinstance(tls, TlsFacts) and tls.served_date is not None and (moment := read(tls.served_date)) is not None:
            yield moment, tls.at_ms + tls.duration_ms


def _dated(http: HttpFacts) -> datetime | None:
    """Date, and what a cache on the way says has passed since (RFC 9111, 5.1)."""
    headers = dict(http.headers)
    try:
        date = parsedate_to_datetime(headers["date"])
        age = timedelta(seconds=int(headers.get("age", "0")))
        return (date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)) + age
    except (KeyError, ValueError, OverflowError):
        return None


def read(text: str) -> datetime | None:
    """ISO 8601 to UTC; None for anything else."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
