"""What a target is: a function of bytes that calls our own code and lets only the documented exceptions through."""

import zlib
from collections.abc import Callable

import msgspec

DEEP_EVERY = 64  # of the inputs, chosen by their content, the costly rest of the way is gone too


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One parser. `run(data, deep)` raises for a defect; with `deep` every report format is rendered as well."""

    name: str
    parses: str  # what the bytes are, for the table
    enters: str  # the function of preflight that they are handed to
    run: Callable[[bytes, bool], None]
    longest: int = 4_096  # bytes
    mutator: str = ""  # of fuzz.mutators, for bytes with a structure that random changes would only break
    words: tuple[str, ...] = ()  # the dictionary

    def __call__(self, data: bytes) -> None:
        """As the fuzzer calls it."""
        self.run(data, zlib.crc32(data) % DEEP_EVERY == 0)


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
