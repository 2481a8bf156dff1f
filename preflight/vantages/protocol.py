"""The agent's lines: a sentinel, then one JSON message. Written by the agent, read back by whoever started it.

Logs hold foreign lines, lose lines and repeat them, so every message carries the run's id and a sequence number, and
the closing line says how many there were. What does not parse is counted, never guessed at. Bounded: one line may have
`MAX_LINE` bytes, one stream `MAX_MESSAGES` messages and `MAX_STREAM` bytes; what comes behind them is lost.
"""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from preflight.model.observation import Observation, VantageFacts

SENTINEL = b"@preflight@ "
PROTOCOL_VERSION = 1
MAX_LINE = 4 * 1024 * 1024  # bytes with sentinel and newline
MAX_MESSAGES = 100_000
MAX_STREAM = 256 * 1024 * 1024  # bytes of one agent's lines with the sentinel


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """First line: who speaks, and what is true of the place."""

    protocol: int = PROTOCOL_VERSION
    facts: VantageFacts


class Seen(msgspec.Struct, frozen=True, kw_only=True, tag="seen"):
    """One finished observation."""

    observation: Observation


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """Closing line: how many observations were sent, and the facts with `finished` filled in."""

    observations: int
    facts: VantageFacts


class Stranger(msgspec.Struct, frozen=True, kw_only=True):
    """An agent of another version whose lines cannot be relied on."""

    tool_version: str
    protocol: int


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One line."""

    run_id: str
    seq: Annotated[int, msgspec.Meta(ge=0)]
    message: Hello | Seen | End


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    tool_version: str = ""


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    protocol: int = 0
    facts: _Facts = _Facts()


class _Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What every version's first line has had, whatever else it holds."""

    run_id: str
    message: _Message


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Envelope)
_OUTLINES = msgspec.json.Decoder(_Outline)
_MOST_VERSION = 40  # characters


def encode(run_id: str, seq: int, message: Hello | Seen | End) -> bytes:
    """One line with its newline."""
    return SENTINEL + _ENCODER.encode(Envelope(run_id=run_id, seq=seq, message=message)) + b"\n"


class Reader:
    """Turns lines into messages: once each, of this run only."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._seen: set[int] = set()
        self._size = 0
        self.foreign = 0  # lines without the sentinel, or of another run
        self.broken = 0  # lines with the sentinel that do not parse
        self.repeated = 0
        self.stranger: Stranger | None = None

    def feed(self, line: bytes) -> Iterator[Hello | Seen | End]:
        """The message of a line, if it holds a new one."""
        _, sentinel, payload = line.partition(SENTINEL)
        if not sentinel:
            self.foreign += bool(line.strip())
            return
        self._size += len(line)
        if self._size > MAX_STREAM or len(line) > MAX_LINE:
            self.broken += 1
            return
        try:
            envelope = _DECODER.decode(payload.strip())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.broken += 1
            self._recognise(payload)
            return
        if self._speaks_otherwise(envelope):
            self.broken += 1
        elif envelope.run_id != self._run_id:
            self.foreign += 1
        elif envelope.seq in self._seen or len(self._seen) >= MAX_MESSAGES:
            self.repeated += 1
        else:
            self._seen.add(envelope.seq)
            yield envelope.message

    def _speaks_otherwise(self, envelope: Envelope) -> bool:
        """Whether it is of an agent with another protocol: its lines may decode and mean something else."""
        match envelope.message:
            case Hello(protocol=protocol, facts=facts) if envelope.run_id == self._run_id:
                if protocol != PROTOCOL_VERSION:
                    self.stranger = Stranger(tool_version=facts.tool_version[:_MOST_VERSION], protocol=protocol)
        known = self.stranger is not None and self.stranger.protocol != PROTOCOL_VERSION
        return known and envelope.run_id == self._run_id

    def _recognise(self, payload: bytes) -> None:
        """A first line that does not decode may still say whose it is."""
        try:
            outline = _OUTLINES.decode(payload.strip())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        message = outline.message
        if outline.run_id == self._run_id and message.type == "hello":
            version = message.facts.tool_version[:_MOST_VERSION] or "?"
            self.stranger = Stranger(tool_version=version, protocol=message.protocol)

    @property
    def messages(self) -> int:
        """How many came so far."""
        return len(self._seen)

    @property
    def missing(self) -> int:
        """Sequence numbers below the highest one that never came."""
        return max(self._seen, default=-1) + 1 - len(self._seen)
