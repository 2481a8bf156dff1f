"""What is said while a run is under way, on stderr only: a bar per vantage on a terminal, plain lines otherwise."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click

from preflight.model.observation import Observation, VantageFacts
from preflight.render import text

_MAX_ERROR = 1_000  # characters; an agent wrote it
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
        yield _Lines(totals)


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


@contextmanager
def _bars(totals: Mapping[str, int]) -> Iterator[Report]:
    try:
        from rich.console import Console  # noqa: PLC0415 - an optional part, and slow to import
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    except ModuleNotFoundError:
        yield _Lines(totals)
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, TextColumn("{task.fields[last]}", markup=False), console=Console(stderr=True), transient=True
    ) as progress:
        bars = {name: progress.add_task(name, total=total, last="starting") for name, total in totals.items()}

        def report(name: str, item: VantageFacts | Observation) -> None:
            if isinstance(item, Observation):
                progress.update(bars[name], advance=1, last=text.line(item.target)[:40])
            elif item.error:
                progress.update(bars[name], last=text.line(item.error)[:60])
            elif item.finished:
                progress.update(bars[name], last="done")

        yield report
