"""Keeps one place within its share of new connections to each destination. Waits before a connect, never during one.

What waits for its turn does not run out of its check's time: `PATIENCE` moves the deadline of the check that waits.
"""

import asyncio
import zlib
from collections.abc import Callable
from contextvars import ContextVar

from preflight.model.plan import Pace

PATIENCE: ContextVar[Callable[[float], None] | None] = ContextVar("PATIENCE", default=None)


class Pacer:
    """The connections of one place by destination: so many at once, then so many a second."""

    def __init__(self, pace: Pace) -> None:
        self._every_s = 1 / pace.connects_per_s if pace.connects_per_s else 0.0
        self._ahead_s = (pace.burst - 1) * self._every_s
        self._due: dict[tuple[str, int], float] = {}  # when the next connection would come at an even pace

    async def turn(self, address: str, port: int) -> None:
        """Wait until one more connection is within the share, and count it."""
        wait = self.spend(address, port)
        if wait > 0:
            if (patience := PATIENCE.get()) is not None:
                patience(wait)
            await asyncio.sleep(wait)

    def spend(self, address: str, port: int) -> float:
        """Count a connection that cannot wait; gives the seconds by which it comes too early."""
        if not self._every_s:
            return 0.0
        now = asyncio.get_running_loop().time()
        due = max(self._due.get((address, port), now), now)
        self._due[address, port] = due + self._every_s
        return due - self._ahead_s - now


def moment(pace_s: float, *words: str) -> float:
    """A moment within `pace_s` that looks random, is the same each time, and differs from place to place."""
    return pace_s * zlib.crc32("|".join(words).encode()) / 2**32
