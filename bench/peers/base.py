"""What a peer is, and what reading its output yields. The rules of reading are in bench/README.md."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bench.measure import Sample
from bench.world import RIGHT, Endpoint

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "preflight-bench"


class Told(NamedTuple):
    """What a tool says of one endpoint: whether it passes, and which cause its words name, if any."""

    passed: bool
    cause: str | None = None


PASSED, NOTHING = Told(passed=True), Told(passed=False)


class Command(NamedTuple):
    """A program with its arguments and what it reads on standard input."""

    argv: tuple[str, ...]
    stdin: str = ""


@dataclass(frozen=True)
class Peer:
    """One tool. `prepare` writes into the folder in which the command runs; `read` looks at what it left there."""

    name: str
    version: Command
    prepare: Callable[[Sequence[Endpoint], Path], Command]
    read: Callable[[Sequence[Endpoint], Path, Sample], dict[str, Told]]
    service: Callable[[Path], Command] | None = None  # runs before the clock starts, as a daemon does
    guesses: bool = False  # concludes silence from how fast others answered
    sleeps: bool = False  # nearly all of its time: its runs may go side by side


@dataclass(frozen=True)
class Score:
    """How much of what is wrong a tool named."""

    right: int
    false_passes: int
    wrong: dict[str, str] = field(default_factory=dict)  # kind -> what was said instead, once each


def score(endpoints: Sequence[Endpoint], told: dict[str, Told]) -> Score:
    """Right: the fault named, or nothing wrong said of a good one. False pass: a fault, and nothing wrong said."""
    right = false_passes = 0
    wrong: dict[str, str] = {}
    for one in endpoints:
        said, causes = told.get(one.host, NOTHING), RIGHT[one.kind]
        false_passes += said.passed and causes is not None
        if said == PASSED if causes is None else not said.passed and said.cause in causes:
            right += 1
        else:
            wrong[str(one.kind)] = "passed" if said.passed else said.cause or "no cause"
    return Score(right=right, false_passes=false_passes, wrong=wrong)


def environment(folder: Path) -> dict[str, str]:
    """What every tool gets: nothing of the caller's proxies, stores and locales."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": f"{Path(sys.executable).parent}:{path}", "HOME": str(folder), "LANG": "C.UTF-8", **kept}
