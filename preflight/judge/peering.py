"""Failing pairs of pods into as few findings as explain them: one end that is common to several is one thing to change.

Pure: places and verdicts in, keys and sentences out.
"""

from collections.abc import Hashable, Iterable, Sequence

from preflight.judge.cases import Case
from preflight.model.run import Verdict
from preflight.model.vocabulary import Status

Pair = tuple[str, str]  # who asks, whom


def keys(cases: Iterable[Case], verdicts: Sequence[Verdict]) -> dict[Pair, Hashable]:
    """For each failing pair what it is grouped by: everything, one end, or the two ends."""
    failing = [pair_of(case) for case in cases if case.peer and not case.blamed]
    left = list(dict.fromkeys(failing))
    crossing = {pair for verdict in verdicts if (pair := asked(verdict)) is not None and pair[0] != pair[1]}
    if crossing and crossing <= set(left):
        return dict.fromkeys(left, "every pair")
    found: dict[Pair, Hashable] = {}
    while left:
        ends = list(dict.fromkeys(end for pair in left for end in pair))
        top = max(ends, key=lambda end: len({frozenset(pair) for pair in left if end in pair}))
        mine = [pair for pair in left if top in pair]
        several = len({frozenset(pair) for pair in mine}) > 1
        found |= {pair: top if several else frozenset(pair) for pair in mine}
        left = [pair for pair in left if pair not in mine]
    return found


def pair_of(case: Case) -> Pair:
    """Pools of both ends, as pod vantages."""
    return _pool(case.verdict.vantage), case.peer


def asked(verdict: Verdict) -> Pair | None:
    """The pair that a verdict speaks of; None when it is about something else, or was not tested."""
    if not (verdict.task or "").startswith("peers:") or verdict.status is Status.UNKNOWN:
        return None
    return _pool(verdict.vantage), f"pod/{verdict.target.rpartition(':')[0].removesuffix('.pods')}"


def ways_back(cases: Iterable[Case], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Sentences for pairs that fail in one direction while the other is open."""
    failing = list(dict.fromkeys((*pair_of(case), case.verdict.requirement) for case in cases if case.peer))
    told = []
    for source, peer, requirement in failing:
        back = [v.status for v in verdicts if v.requirement == requirement and asked(v) == (peer, source)]
        if back and all(status in (Status.PASS, Status.WARN) for status in back):
            told.append(f"The other way is open: {peer} reaches {source} on the same ports, so replies pass both ways.")
    return tuple(dict.fromkeys(told))


def _pool(vantage: str) -> str:
    """`pod/user1` of `pod/user1/NODE`."""
    return "/".join(vantage.split("/")[:2])
