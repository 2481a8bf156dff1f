"""Where the rest of the time goes: preflight under cProfile over 1,000 healthy endpoints, as text."""

import pstats
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.measure import run
from bench.peers import PREFLIGHT
from bench.peers.base import environment
from bench.world import Endpoint

_PACKAGE = re.compile(r"site-packages/([^/.]+)|/(preflight/[a-z_]+)|/python3\.\d+/(\w+)")


def profile(endpoints: Sequence[Endpoint], work: Path) -> str:
    """The time within each package, then within single functions. The profiler itself slows Python code, not C."""
    folder = work / "profile"
    folder.mkdir()
    command = PREFLIGHT.prepare(endpoints, folder)
    saved = folder / "profile.out"
    argv = (sys.executable, "-m", "cProfile", "-o", str(saved), *command.argv)
    sample = run(argv, folder=folder, env=environment(folder))
    if not saved.exists():
        raise SystemExit(f"bench: no profile: {sample.stderr[-500:]}")
    stats = pstats.Stats(str(saved)).stats  # type: ignore[attr-defined]
    own, calls = Counter[str](), Counter[str]()
    functions: list[tuple[float, int, str]] = []
    for (file, line, name), (_, count, seconds, _, _) in stats.items():
        package = _package(file, name)
        own[package] += seconds
        calls[package] += count
        functions.append((seconds, count, f"{package}: {name}" + (f", line {line}" if line else "")))
    total = sum(own.values())
    lines = [f"{len(endpoints)} healthy endpoints, default reports, under cProfile: {total:.1f} s", ""]
    lines += [
        "seconds  share      calls  within",
        *(_row(own[key], total, calls[key], key) for key, _ in own.most_common(30)),
    ]
    lines += ["", "seconds  share      calls  function"]
    lines += [_row(seconds, total, count, name) for seconds, count, name in sorted(functions, reverse=True)[:40]]
    return "\n".join(lines) + "\n"


def _package(file: str, name: str) -> str:
    found = _PACKAGE.search(file)
    if found:
        return next(group for group in found.groups() if group).replace("/", ".")
    return f"C: {name}" if file == "~" else Path(file).stem


def _row(seconds: float, total: float, calls: int, name: str) -> str:
    return f"{seconds:7.2f} {100 * seconds / total:5.1f} % {calls:9} {name[:100]}"
