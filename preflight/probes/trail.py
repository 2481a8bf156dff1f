"""Collects the hops of one observation in the order in which they began, the unfinished one included.

It also keeps the idle connections of the observation, so it must be closed (`with Trail() as trail`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

import msgspec
from msgspec import UNSET, UnsetType

from preflight.model.observation import Connection, DnsFacts, Hop, HttpFacts, ProxyFacts, TlsFacts
from preflight.probes.clock import Clock, utc_now


class Closable(Protocol):
    """An idle connection."""

    def close(self) -> None:
        """Gives the socket back, at once."""


class Draft:
    """A hop that is being made: stages are set when they are reached, and frozen whenever somebody looks."""

    def __init__(self, role: str, url: str, clock: Clock) -> None:
        self.role = role
        self.url = url
        self.clock = clock
        self.started = utc_now()
        self.at_ms = clock.ms()
        self.duration_ms: float | None = None
        self.reused = False
        self.dns: DnsFacts | UnsetType = UNSET
        self.proxy: ProxyFacts | UnsetType = UNSET
        self.connections: tuple[Connection, ...] = ()
        self.tls: TlsFacts | UnsetType = UNSET
        self.http: HttpFacts | UnsetType = UNSET
        self.clamped: HttpFacts | UnsetType = UNSET
        self.service: dict[str, str] = {}

    def finish(self) -> None:
        """Stops the hop's watch."""
        if self.duration_ms is None:
            self.duration_ms = self.clock.since(self.at_ms)

    def freeze(self) -> Hop:
        """The hop as it is now."""
        return Hop(
            role=self.role,
            url=self.url,
            started=self.started,
            at_ms=self.at_ms,
            duration_ms=self.clock.since(self.at_ms) if self.duration_ms is None else self.duration_ms,
            reused=self.reused,
            dns=self.dns,
            proxy=self.proxy,
            connections=self.connections,
            tls=self.tls,
            http=self.http,
            clamped=self.clamped,
            service=dict(self.service),
        )


class Trail:
    """All hops of one observation. Hops may be made one after the other or side by side."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.started = utc_now()
        self._drafts: list[Draft] = []
        self._idle: dict[object, list[Closable]] = {}

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Every hop begun so far; one that is still running has the stages that it reached."""
        return tuple(draft.freeze() for draft in self._drafts)

    @contextmanager
    def hop(self, role: str, url: str) -> Iterator[Draft]:
        """A new hop; it is finished when the block is left, in whatever way."""
        draft = Draft(role, url, self.clock)
        self._drafts.append(draft)
        try:
            yield draft
        finally:
            draft.finish()

    def annotate(self, role: str, facts: Mapping[str, str]) -> Hop:
        """Adds what the probe parsed out of the answer to `Hop.service` of the latest hop with this role."""
        for draft in reversed(self._drafts):
            if draft.role == role:
                draft.service.update(facts)
                return draft.freeze()
        raise KeyError(role)

    def last(self, role: str) -> Hop | None:
        """The latest hop with this role."""
        return next((draft.freeze() for draft in reversed(self._drafts) if draft.role == role), None)

    def keep(self, key: object, connection: Closable) -> None:
        """Keeps an idle connection for a later hop to the same origin."""
        self._idle.setdefault(key, []).append(connection)

    def take(self, key: object) -> Closable | None:
        """An idle connection to the same origin; it then belongs to the caller."""
        waiting = self._idle.get(key)
        return waiting.pop() if waiting else None

    def close(self) -> None:
        """Closes the idle connections."""
        for waiting in self._idle.values():
            for connection in waiting:
                connection.close()
        self._idle.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def with_service(hop: Hop, facts: Mapping[str, str]) -> Hop:
    """The hop with further service facts."""
    return msgspec.structs.replace(hop, service={**hop.service, **facts})
