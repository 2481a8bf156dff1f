"""Time as the facts have it: UTC with milliseconds, and milliseconds since a start."""

import time
from datetime import UTC, datetime


def utc_now() -> str:
    """ISO 8601 in UTC with milliseconds: "2026-11-22T10:00:00.123Z"."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """Counts milliseconds from its creation."""

    def __init__(self) -> None:
        self.zero = time.perf_counter()

    def ms(self) -> float:
        """Milliseconds since the start."""
        return round((time.perf_counter() - self.zero) * 1000, 3)

    def since(self, at_ms: float) -> float:
        """Milliseconds between `at_ms` of this clock and now."""
        return round(max(self.ms() - at_ms, 0.0), 3)
