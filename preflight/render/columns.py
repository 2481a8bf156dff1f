"""How many places become few: columns of a table, and lists of places in a sentence. Arranges, never judges.

Nothing is lost: a column knows all of its vantages, and what stands for several says for how many.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from preflight.model.run import Verdict
from preflight.model.vocabulary import Status

# Worst first: what a cell with several verdicts shows, and how rows are weighed.
WEIGHT = (
    Status.FAIL,
    Status.UNKNOWN,
    Status.BLOCKED,
    Status.WARN,
    Status.WAIVED,
    Status.PASS,
    Status.SKIPPED,
)
_PLAIN = 6  # places that are simply listed; with more, those of a kind are counted
_NAMED = 3  # of a kind that are named when not all of them are meant

Cells = Mapping[str, Verdict]  # of a row, by vantage
_T = TypeVar("_T")


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One vantage, or several that saw the same; the last one of a kind may hold what had no room for itself."""

    label: str
    vantages: tuple[str, ...]
    alike: bool = True

    @property
    def several(self) -> bool:
        """Whether it stands for more than one."""
        return len(self.vantages) > 1

    @property
    def words(self) -> str:
        """What stands behind the label: "node: 19 pools alike"."""
        if not self.several:
            return self.label
        how = "alike" if self.alike else "that are not all alike; a cell shows the worst of them"
        return f"{kind(self.vantages[0])}: {_counted(self.vantages)} {how}"


def worst(statuses: Iterable[Status]) -> Status:
    """The status that stands for several."""
    return min(statuses, key=WEIGHT.index, default=Status.SKIPPED)


def kind(vantage: str) -> str:
    """`node` of `node/user1`."""
    return vantage.partition("/")[0]


def columns(names: Sequence[str], shown: Sequence[Cells], limit: int) -> tuple[Column, ...]:
    """One column per vantage. More than `limit` fold into those that saw the same, those in trouble first.

    When that is not enough, the rest of each kind shares a column.
    """
    if len(names) <= limit:
        return tuple(_column([name]) for name in names)
    groups = _grouped(names, lambda name: (kind(name), *(_seen(row, name) for row in shown)))
    groups.sort(key=lambda group: _trouble(group[0], shown))
    if len(groups) > limit:
        kept = max(limit - len({kind(group[0]) for group in groups}), 0)
        return tuple(map(_column, groups[:kept])) + _rest(groups[kept:])
    return tuple(map(_column, groups))


def _rest(groups: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    """One column per kind; what turns out to be of one group stays alike."""
    made = []
    for same in _grouped(groups, lambda group: kind(group[0])):
        names = [name for group in same for name in group]
        made.append(_column(names) if len(same) == 1 else _column(names, alike=False))
    return tuple(made)


def _column(names: Sequence[str], *, alike: bool = True) -> Column:
    """Its label; a column of a kind's rest says by its dots that not all of it is the same."""
    label = names[0] if len(names) == 1 else f"{kind(names[0])} {'' if alike else '…'}\u00d7{len(names)}"
    return Column(label=label, vantages=tuple(names), alike=alike)


def _grouped(values: Iterable[_T], key: Callable[[_T], Hashable]) -> list[list[_T]]:
    groups: dict[Hashable, list[_T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return list(groups.values())


def _seen(row: Cells, vantage: str) -> tuple[Status, str | None, bool] | None:
    verdict = row.get(vantage)
    return (verdict.status, verdict.cause, verdict.decides) if verdict else None


def _trouble(vantage: str, shown: Sequence[Cells]) -> int:
    """The weight of the worst that decides there; what only compares is as good as a pass."""
    mine = (row[vantage] for row in shown if vantage in row)
    found = worst(verdict.status for verdict in mine if verdict.decides)
    return min(WEIGHT.index(found), WEIGHT.index(Status.PASS))


def places(names: Iterable[str], every: Sequence[str] = ()) -> str:
    """Vantages for a sentence: a few by name, many counted by kind.

    `every` are the vantages of the run: "all" and "of" are said of them.
    """
    listed = list(dict.fromkeys(name for name in names if name))
    if len(listed) <= _PLAIN:
        return ", ".join(listed)
    return ", ".join(_of_kind(same, every) for same in _grouped(listed, kind))


def _of_kind(names: Sequence[str], every: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    total = sum(kind(name) == kind(names[0]) for name in every)
    short = f"{kind(names[0])} \u00d7{len(names)}"
    if total == len(names):
        return f"{short} (all)"
    of = f" of {total}" if total > len(names) else ""
    return f"{short}{of} ({', '.join(names[:_NAMED])} and {len(names) - _NAMED} more)"


def _counted(names: Sequence[str]) -> str:
    """Pools, or the nodes of pools that `--all-nodes` probes."""
    pools = {name.split("/")[1] for name in names if "/" in name}
    if any(name.count("/") > 1 for name in names):
        return f"{len(names)} nodes of {len(pools)} pool{'' if len(pools) == 1 else 's'}"
    return f"{len(names)} {'pools' if pools else 'places'}"
