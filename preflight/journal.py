"""A journal's bytes to evidence, and lines to bytes. Pure: no file is opened here, and nothing is judged.

A journal ends where its writer was killed: the last line may be torn. What cannot be read is counted, never guessed at.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from preflight import __version__
from preflight.failures import UsageFailure
from preflight.judge.scene import listed
from preflight.model.journal import JOURNAL_VERSION, Begin, End, Heard, Line, Seen
from preflight.model.observation import Observation, VantageFacts
from preflight.model.run import Evidence
from preflight.model.sharing import Shared
from preflight.vantages.listener import unheard

_MARK = b'{"line":"begin"'
_NAMED = 6  # vantages that are named beside what all of them say
MARK_BYTES = len(_MARK)
_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)

Observations = Mapping[tuple[str, str], Observation]  # (vantage, key of the task)


class _Head(msgspec.Struct, frozen=True):
    """What is read before anything else."""

    journal_version: int


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal gives back."""

    evidence: Evidence
    ended: bool  # the closing line is there: everything was observed, only reports are missing
    unreadable: int  # lines that are no line of a journal
    torn: bool  # the last line breaks off

    @property
    def summary(self) -> str:
        """One sentence for people: how much of the run there is."""
        evidence = self.evidence
        planned = sum(len(evidence.plan.runs.get(name, ())) for name in evidence.plan.vantages)
        lost = [
            *([f"{self.unreadable} unreadable line{'s' * (self.unreadable != 1)}"] if self.unreadable else []),
            *(["a torn last line"] if self.torn else []),
        ]
        how = "the run had ended" if self.ended and not evidence.interrupted else "the run was cut short"
        left = f", {' and '.join(lost)} left out" if lost else ""
        return f"read from a journal, {how}: {len(evidence.observations)} of {planned} observations{left}"


def encode(line: Line) -> bytes:
    """One line with its newline."""
    return _ENCODER.encode(line) + b"\n"


def is_journal(data: bytes) -> bool:
    """Whether these bytes are a journal's, by what they begin with."""
    return data.startswith(_MARK)


def collect(
    begin: Begin,
    facts: Mapping[str, VantageFacts],
    observations: Observations,
    *,
    end: End,
    notices: tuple[str, ...] = (),
) -> Evidence:
    """What was seen, in the plan's order; a vantage that was never heard is there, too."""
    plan = begin.plan
    told = tuple(facts.get(name) or unheard(name, begin.started) for name in plan.vantages)
    order = [(name, key) for name in plan.vantages for key in plan.runs.get(name, ())]
    return Evidence(
        run_id=begin.run_id,
        started=begin.started,
        finished=end.finished,
        duration_ms=end.duration_ms,
        strict=begin.strict,
        interrupted=end.interrupted,
        banner=begin.banner,
        environment=begin.environment,
        vantages=told,
        plan=plan,
        observations=tuple(observations[at] for at in order if at in observations),
        notices=(*notices, *_notices(told)),
    )


def read(data: bytes, source: str) -> Recovered:
    """The run that a journal holds, as far as it goes; `source` is its name in messages.

    Raises:
        UsageFailure: the first line is broken or of a newer preflight.
    """
    return read_lines(io.BytesIO(data), source)


def read_lines(lines: Iterable[bytes], source: str) -> Recovered:
    """The same line by line: of a thousand places it is never in memory as a whole."""
    rest = iter(lines)
    first = next(rest, b"")
    begin = _begin(first.removesuffix(b"\n"), source, torn=not first.endswith(b"\n"))
    shared = Shared()
    shared.each(begin.plan.checks)
    facts: dict[str, VantageFacts] = {}
    observations: dict[tuple[str, str], Observation] = {}
    end: End | None = None
    last_ms, unreadable, torn = 0.0, 0, False
    for line, whole in _lines(rest):
        match line:
            case Heard():
                facts[line.vantage], last_ms = line.facts, line.at_ms
            case Seen():
                observations[line.vantage, line.observation.task] = shared.of(line.observation)
                last_ms = line.at_ms
            case End():
                end = line
            case _:
                unreadable, torn = unreadable + whole, torn or not whole
    cut = end or End(finished=_later(begin.started, last_ms), duration_ms=last_ms, interrupted=True)
    found = Recovered(
        evidence=collect(begin, facts, observations, end=cut), ended=end is not None, unreadable=unreadable, torn=torn
    )
    return msgspec.structs.replace(
        found, evidence=collect(begin, facts, observations, end=cut, notices=(found.summary,))
    )


def _lines(rest: Iterable[bytes]) -> Iterator[tuple[Line | None, bool]]:
    """Each line, None where it cannot be read, and whether it was closed by a newline."""
    for text in rest:
        if text.strip():
            yield _decode(text), text.endswith(b"\n")


def _decode(text: bytes) -> Line | None:
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _begin(text: bytes, source: str, *, torn: bool) -> Begin:
    try:
        version = msgspec.json.decode(text, type=_Head).journal_version
        if version == JOURNAL_VERSION:
            return msgspec.json.decode(text, type=Begin)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "breaks off in its first line" if torn else f"its first line is broken: {error}"
        raise UsageFailure(f"{source}: a journal of preflight that cannot be judged: {why}") from error
    raise UsageFailure(
        f"{source}: journal of version {version}; this preflight {__version__} reads version {JOURNAL_VERSION}"
        "\n  use the version that wrote it"
    )


def _later(started: str, at_ms: float) -> str:
    """The time of the last line, in the form of `started`; the file's own words, not a clock's."""
    try:
        moment = datetime.fromisoformat(started) + timedelta(milliseconds=at_ms)
    except (ValueError, OverflowError):
        return started
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _notices(facts: tuple[VantageFacts, ...]) -> tuple[str, ...]:
    """Each notice once, with the vantages that gave it."""
    said: dict[str, list[str]] = {}
    for fact in facts:
        for notice in fact.notices:
            said.setdefault(notice, []).append(fact.vantage)
    return tuple(f"{listed(vantages, most=_NAMED)}: {notice}" for notice, vantages in said.items())
