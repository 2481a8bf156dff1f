"""What is said while a run is under way, on stderr only: a bar per vantage on a terminal, plain lines otherwise."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click

from preflight.model.observation import Observation, VantageFacts
from preflight.render import text

_MAX_ERROR = 1_000  # characters; an agent wrote it
_MOST = 12  # vantages that are told one by one
_ERRORS = 3  # of a kind that are told when there are more
Report = Callable[[str, VantageFacts | Observation], None]


@contextmanager
def shown(totals: Mapping[str, int], *, quiet: bool = False) -> Iterator[Report]:
    """Yields the callback for `Session.conduct`; `totals` are the tasks of each vantage."""
    if quiet:
        yield lambda _name, _item: None
    elif sys.stderr.isatty():
        with _bars(totals) as report:
            yield report
    else:
        yield _Lines(totals) if len(totals) <= _MOST else _FewLines(totals)


class _Lines:
    """One plain line when a vantage starts and one when it is done."""

    def __init__(self, totals: Mapping[str, int]) -> None:
        self._totals, self._done = totals, dict.fromkeys(totals, 0)
        self._started: set[str] = set()

    def __call__(self, name: str, item: VantageFacts | Observation) -> None:
        if isinstance(item, Observation):
            self._done[name] += 1
        elif item.error:
            click.echo(f"{name}: {text.line(item.error)[:_MAX_ERROR]}", err=True)
        elif item.finished:
            click.echo(f"{name}: {self._done[name]} of {self._totals[name]} targets looked at", err=True)
        elif name not in self._started:
            self._started.add(name)
            click.echo(f"{name}: looking at {self._totals[name]} targets", err=True)


class _FewLines:
    """Of many vantages a line for each tenth of a kind that is done, and the first errors."""

    def __init__(self, totals: Mapping[str, int]) -> None:
        self._places = Counter(map(_kind, totals))
        self._ended: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        for kind, number in self._places.items():
            click.echo(f"{kind}: looking from {number} place{'s' * (number != 1)}", err=True)

    def __call__(self, name: str, item: VantageFacts | Observation) -> None:
        if isinstance(item, Observation) or not (item.error or item.finished):
            return
        kind = _kind(name)
        if item.error:
            self._errors[kind] += 1
            if self._errors[kind] <= _ERRORS:
                more = " (others like it are in the report)" if self._errors[kind] == _ERRORS else ""
                click.echo(f"{name}: {text.line(item.error)[:_MAX_ERROR]}{more}", err=True)
        self._ended[kind] += 1
        total, ended = self._places[kind], self._ended[kind]
        if ended * 10 // total > (ended - 1) * 10 // total:
            click.echo(f"{kind}: {ended} of {total} places done", err=True)


def _kind(name: str) -> str:
    return name.partition("/")[0]


@contextmanager
def _bars(totals: Mapping[str, int]) -> Iterator[Report]:
    """A bar for each vantage, or for each kind when there are many."""
    try:
        from rich.console import Console  # noqa: PLC0415 - an optional part, and slow to import
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    except ModuleNotFoundError:
        yield _Lines(totals) if len(totals) <= _MOST else _FewLines(totals)
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, TextColumn("{task.fields[last]}", markup=False), console=Console(stderr=True), transient=True
    ) as progress:
        of = {name: name if len(totals) <= _MOST else _kind(name) for name in totals}
        sums: Counter[str] = Counter()
        for name, total in totals.items():
            sums[of[name]] += total
        bars = {group: progress.add_task(group, total=total, last="starting") for group, total in sums.items()}

        def report(name: str, item: VantageFacts | Observation) -> None:
            if isinstance(item, Observation):
                progress.update(bars[of[name]], advance=1, last=text.line(item.target)[:40])
            elif item.error:
                progress.update(bars[of[name]], last=text.line(item.error)[:60])
            elif item.finished:
                progress.update(bars[of[name]], last="done" if of[name] == name else f"{name} done"[:60])

        yield report
