"""What is told once although many saw it: verdicts that say the same, and vantages of which the same is true.

Arranges, never judges. What is not told in full is counted, never dropped in silence.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence

import msgspec

from preflight.model.observation import VantageFacts
from preflight.model.run import Verdict
from preflight.render.columns import kind

_WORDINGS = 3  # of one cause that are told; many places say the same with their own names in it
_OTHER = "the same, told in {} other ways: run.json has each"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts that share cause and reason, told once."""

    cause: str | None
    reason: str
    verdicts: tuple[Verdict, ...]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts that say the same of one requirement, told once: the first of them, and where the others are."""

    verdict: Verdict
    reason: str
    vantages: tuple[str, ...]
    slowest_ms: float | None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Vantages of which the same is true; `facts` are the first one's."""

    facts: VantageFacts
    vantages: tuple[str, ...]

    @property
    def number(self) -> int:
        """How many they are."""
        return len(self.vantages)


def reasons(verdicts: Iterable[Verdict]) -> tuple[Reason, ...]:
    """Verdicts grouped by cause and reason, first seen first; of one cause only some wordings are told."""
    told = _worded(verdicts, lambda one: one.cause)
    return tuple(Reason(cause=group[0].cause, reason=reason, verdicts=tuple(group)) for reason, group in told)


def said(verdicts: Iterable[Verdict]) -> tuple[Said, ...]:
    """Verdicts of whatever requirements, alike ones once, in their order."""
    told = _worded(verdicts, lambda one: (one.requirement, one.target, one.status, one.decides, one.cause, one.at))
    return tuple(
        Said(
            verdict=group[0],
            reason=reason,
            vantages=tuple(dict.fromkeys(one.vantage for one in group)),
            slowest_ms=max((one.duration_ms for one in group if one.duration_ms is not None), default=None),
        )
        for reason, group in told
    )


def places(facts: Iterable[VantageFacts]) -> tuple[Place, ...]:
    """Vantages of one kind of which the same is true but for their own name, host and times."""
    groups: dict[Hashable, list[VantageFacts]] = {}
    for one in facts:
        groups.setdefault((kind(one.vantage), _circumstances(one)), []).append(one)
    return tuple(Place(facts=group[0], vantages=tuple(one.vantage for one in group)) for group in groups.values())


def _circumstances(one: VantageFacts) -> bytes:
    """Errors are the same when their cause is: their texts name nodes and pods."""
    return msgspec.json.encode(
        msgspec.structs.replace(
            one,
            vantage="",
            host="",
            node="",
            place="",
            started="",
            finished=None,
            error="" if one.error_cause else one.error,
        )
    )


def _worded(verdicts: Iterable[Verdict], key: Callable[[Verdict], Hashable]) -> list[tuple[str, list[Verdict]]]:
    """(reason, verdicts): of each key some reasons as they are, and the rest of them together."""
    groups: dict[Hashable, list[Verdict]] = {}
    told: dict[Hashable, set[str]] = {}
    for one in verdicts:
        own = key(one)
        reasons_told = told.setdefault(own, set())
        if one.cause is None or len(reasons_told) < _WORDINGS:
            reasons_told.add(one.reason)
        groups.setdefault((own, one.reason if one.reason in reasons_told else None), []).append(one)
    return [(_reason(group), group) for group in groups.values()]


def _reason(group: Sequence[Verdict]) -> str:
    texts = {one.reason for one in group}
    return group[0].reason if len(texts) == 1 else _OTHER.format(len(texts))
