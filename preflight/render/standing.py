"""Which vantages of a target are told in full, and for whom they stand: of many that saw the same, the first one."""

from collections.abc import Sequence

from msgspec import UNSET

from preflight.model.observation import Observation
from preflight.model.run import Verdict
from preflight.model.vocabulary import Status
from preflight.render.columns import kind, places, worst

MOST = 6  # that are told
_FINE = (Status.PASS, Status.SKIPPED)

Groups = Sequence[Sequence[Observation]]


def told(
    seen: Sequence[Observation], own: Sequence[Verdict], every: Sequence[str]
) -> tuple[tuple[Observation, ...], tuple[str, ...]]:
    """The observations to tell, and in words what they stand for; all of them, and no word, where they are few."""
    if len(seen) <= MOST:
        return tuple(seen), ()
    groups = _grouped(seen, own)
    return tuple(group[0] for group in groups[:MOST]), _words(groups, every)


def _grouped(seen: Sequence[Observation], own: Sequence[Verdict]) -> Groups:
    """Those that got the same verdicts with the same causes at the same addresses together, trouble first."""
    judged: dict[str, list[Verdict]] = {}
    for verdict in own:
        judged.setdefault(verdict.vantage, []).append(verdict)
    groups: dict[object, list[Observation]] = {}
    for one in seen:
        said = tuple((verdict.requirement, verdict.status, verdict.cause) for verdict in judged.get(one.vantage, ()))
        groups.setdefault((kind(one.vantage), said, _addresses(one)), []).append(one)
    trouble = {name: worst(one.status for one in mine if one.decides) for name, mine in judged.items()}
    return sorted(groups.values(), key=lambda group: trouble.get(group[0].vantage, Status.PASS) in _FINE)


def _addresses(seen: Observation) -> tuple[str, ...]:
    """What the target's name led to there, in any order."""
    first = seen.hops[0] if seen.hops else None
    return tuple(sorted(first.dns.addresses)) if first is not None and first.dns is not UNSET else ()


def _words(groups: Groups, every: Sequence[str]) -> tuple[str, ...]:
    several = [group for group in groups[:MOST] if len(group) > 1]
    lines = [f"{group[0].vantage} stands for {places((one.vantage for one in group), every)}" for group in several]
    left = [one.vantage for group in groups[MOST:] for one in group]
    return (*lines, *([f"only in run.json: {places(left, every)}"] if left else []))
