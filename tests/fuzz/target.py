"""What a target is: a function of bytes that calls our own code and lets only the documented exceptions through."""

import zlib
from collections.abc import Callable
from enum import IntEnum

import msgspec

_JUDGED_EVERY, _SHOWN_EVERY = 8, 1_024  # of the inputs, chosen by their content, so that each goes the same way again


class Depth(IntEnum):
    """How far an input goes; parsing is cheap, five reports are not."""

    PARSED = 0
    JUDGED = 1
    SHOWN = 2


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One parser. `run(data, depth)` raises for a defect."""

    name: str
    parses: str  # what the bytes are, for the table
    enters: str  # the function of preflight that they are handed to
    run: Callable[[bytes, Depth], None]
    longest: int = 4_096  # bytes
    mutator: str = ""  # of fuzz.mutators, for bytes with a structure that random changes would only break
    words: tuple[str, ...] = ()  # the dictionary

    def __call__(self, data: bytes) -> None:
        """As the fuzzer calls it."""
        choice = zlib.crc32(data)
        self.run(data, Depth((choice % _JUDGED_EVERY == 0) + (choice % _SHOWN_EVERY == 0)))


class Feed:
    """Takes an input apart from the front: small choices first, then the bytes that are parsed."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def byte(self) -> int:
        """The next byte, 0 at the end."""
        first, self._data = self._data[:1], self._data[1:]
        return first[0] if first else 0

    def rest(self) -> bytes:
        """Everything that is left."""
        rest, self._data = self._data, b""
        return rest
