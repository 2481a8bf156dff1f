"""What is measured, in which order: rounds of all tools in turn, so that a machine's moods fall on all alike."""

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import floor, trial, world
from bench.measure import Sample, run
from bench.peers import PEERS, PREFLIGHT, SAME_CAP
from bench.peers.base import Peer, Score, environment
from bench.stage import Link, go
from bench.world import Endpoint

SIZES = (10, 100, 1_000, 5_000)
_LARGE = 1_000  # from here on three rounds do
FLOOR = "floor: a bare asyncio loop"
START = {"preflight --help": "--help", "preflight --version": "--version"}


@dataclass
class Series:
    """One row: the runs of one tool over one set."""

    samples: list[Sample] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)

    def middle(self, figure: Callable[[Sample], float]) -> float:
        """The median of the runs."""
        return statistics.median(figure(sample) for sample in self.samples) if self.samples else math.nan


Table = dict[str, Series]


def compare(peers: Sequence[Peer], endpoints: Sequence[Endpoint], work: Path, times: int, *, with_floor: bool) -> Table:
    """All tools over one set, in rounds; those that sleep have their runs side by side behind the others."""
    table: Table = defaultdict(Series)
    healthy = all(one.kind is world.Kind.GOOD for one in endpoints)
    for number in range(times):
        for peer in peers:
            if not peer.sleeps or healthy:
                _add(table, peer.name, trial.try_out(peer, endpoints, work / "run"))
        if with_floor:
            table[FLOOR].samples += _floor(endpoints, work)
        print(f"  round {number + 1} of {times}", file=sys.stderr, flush=True)
    for peer in peers:
        if peer.sleeps and not healthy:
            for one in trial.side_by_side(peer, endpoints, work / "run", times):
                _add(table, peer.name, one)
    return dict(table)


def scale(work: Path, times: int, sizes: Sequence[int] = SIZES) -> Table:
    """Growing healthy sets, for preflight and the floor."""
    table: Table = {}
    for size in sizes:
        few = min(times, 3) if size >= _LARGE else times
        for name, series in compare([PREFLIGHT], world.good(size), work, few, with_floor=True).items():
            table[f"{name}, {size}"] = series
    return table


def start_up(work: Path, times: int) -> Table:
    """How long it takes to say what it can do, and its version."""
    table: Table = defaultdict(Series)
    for _ in range(times):
        for name, flag in START.items():
            argv = (PREFLIGHT.version.argv[0], flag)
            table[name].samples.append(run(argv, folder=work, env=environment(work)))
    return dict(table)


def everything(work: Path, times: int) -> Iterator[tuple[str, Table]]:
    """All tables with their titles, one after the other."""
    healthy, mixed = world.good(60), world.mixed(world.MIXED)
    steps: tuple[tuple[str, Link, Callable[[], Table]], ...] = (
        ("healthy, 10 ms away", Link.SLOW, lambda: compare(PEERS, healthy, work, times, with_floor=True)),
        ("healthy, 0 ms away", Link.NEAR, lambda: compare(PEERS, healthy, work, times, with_floor=True)),
        ("mixed, 10 ms away", Link.SLOW, lambda: compare(PEERS, mixed, work, times, with_floor=False)),
        ("mixed, 10 ms away, same cap", Link.SLOW, lambda: compare(SAME_CAP, mixed, work, times, with_floor=False)),
        ("scaling, healthy, 0 ms away", Link.NEAR, lambda: scale(work, times)),
        ("start-up", Link.NEAR, lambda: start_up(work, 3 * times)),
    )
    for title, link, step in steps:
        print(title, file=sys.stderr, flush=True)
        go(link)
        yield title, step()


def small(work: Path) -> Iterator[tuple[str, Table]]:
    """Six endpoints, one round, preflight and curl: shows that the bench still works."""
    peers = [peer for peer in PEERS if peer.name.startswith(("preflight", "curl"))]
    yield "small", compare(peers, world.mixed(world.SMALL), work, 1, with_floor=False)


def versions(work: Path) -> dict[str, str]:
    """First line of what each tool says of its version."""
    found: dict[str, str] = {}
    for peer in (*PEERS, *SAME_CAP):
        sample = run(peer.version.argv, folder=work, env=environment(work))
        line = (sample.stdout + sample.stderr).strip().partition("\n")[0]
        found.setdefault(peer.name.partition(",")[0], line[:80])
    return found


def _add(table: Table, name: str, one: trial.Trial) -> None:
    table[name].samples.append(one.sample)
    table[name].scores.append(one.score)


def _floor(endpoints: Sequence[Endpoint], work: Path) -> list[Sample]:
    """One run; none when it did not reach every endpoint in time, as on a machine that is busy with other things."""
    hosts = "\n".join(one.host for one in endpoints)
    sample = run((sys.executable, str(floor.__file__)), folder=work, env=environment(work), stdin=hosts)
    if sample.stdout.strip() == str(len(endpoints)):
        return [sample]
    print(f"  the floor did not reach all of {len(endpoints)}: {sample.stderr[-200:]}", file=sys.stderr)
    return []
