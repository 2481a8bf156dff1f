"""Kills demos at random moments, judges what they left, and prints what was found.

    python tools/soak_kill.py --runs 200 --seed 1

Each run is `preflight demo`, healthy or with a fault, ended by SIGKILL, SIGTERM or SIGINT: a third of them at any time
between start and end, the others when their journal has grown to a random number of lines, or their reports begin. A
violation (something observed that is lost, a verdict that the whole run does not have, a report that is not whole, an
agent or a temporary file left behind) is printed, and the exit code is 1.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from preflight import journal
from preflight.cli import files
from preflight.judge import judge

COMMAND = [sys.executable, "-P", "-m", "preflight", "demo", "--format", "console,json"]
FAULTS = ("", "mcr.layers=tls.reset-after-hello", "acr.reach=registry.denied-by-network", "entra.resolve=dns.nxdomain")
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENCE_S = 60.0
_DONE = re.compile(r"^(\S+): (\d+) of \d+ targets looked at$", re.MULTILINE)

Verdicts = dict[str, tuple[str, str | None]]  # check -> status, cause


class Whole(NamedTuple):
    """A demo that nobody killed."""

    code: int
    verdicts: Verdicts
    seconds: float
    lines: int  # of its journal: the observations, the facts of each place twice, first and last line


class Left(NamedTuple):
    """What one killed demo left."""

    code: int
    told: str
    out: Path
    scratch: Path
    agents: set[int]


def verdicts_of(run: dict[str, Any]) -> Verdicts:
    """What `run.json` says of each check."""
    return {one["check"]: (one["status"], one["cause"]) for one in run["verdicts"]}


def whole(fault: str, folder: Path) -> Whole:
    """The same demo, undisturbed."""
    begin = time.perf_counter()
    done = subprocess.run([*arguments(fault), "--out", str(folder)], capture_output=True, check=False)
    seconds = time.perf_counter() - begin
    run = json.loads((folder / "run.json").read_text())
    return Whole(done.returncode, verdicts_of(run), seconds, len(run["observations"]) + 2 * len(run["vantages"]) + 2)


def arguments(fault: str) -> list[str]:
    """The command line, but for the folder."""
    return [*COMMAND, *(["--fault", fault] if fault else [])]


def children(parent: int) -> set[int]:
    """Processes whose parent it is."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.add(int(entry.name))
    return found


def alive(pid: int) -> bool:
    """Neither gone nor merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Moment(NamedTuple):
    """When to end one demo."""

    lines: int  # of its journal; then
    after_s: float


def moment(chance: random.Random, undisturbed: Whole) -> Moment:
    """Start-up takes longest, so that time alone would hit little else."""
    if chance.random() < 1 / 3:
        return Moment(0, chance.uniform(0, 1.1) * undisturbed.seconds)
    return Moment(chance.randint(1, undisturbed.lines), chance.choice((0.0, 0.0, chance.uniform(0, 0.3))))


def lines_in(out: Path) -> int:
    """Of its journal; more than any has when the reports are there."""
    with contextlib.suppress(OSError, ValueError):
        (path,) = out.glob("run-*.journal.jsonl")
        return path.read_bytes().count(b"\n")
    return sys.maxsize if (out / "run.json").exists() else 0


def wait_for(child: subprocess.Popen[bytes], when: Moment, out: Path) -> None:
    """Until the moment, or until it has ended by itself."""
    while child.poll() is None and lines_in(out) < when.lines:
        time.sleep(0.001)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(when.after_s)


def killed(fault: str, number: signal.Signals, when: Moment, folder: Path) -> Left:
    """Start it, wait, end it."""
    out, scratch = folder / "out", folder / "tmp"
    scratch.mkdir(parents=True)
    environ = {**os.environ, "TMPDIR": str(scratch)}
    with (
        (folder / "told").open("w+") as told,
        subprocess.Popen(
            [*arguments(fault), "--out", str(out)], stdout=subprocess.DEVNULL, stderr=told, env=environ
        ) as child,
    ):
        wait_for(child, when, out)
        agents = children(child.pid)
        if child.poll() is None:
            child.send_signal(number)
        code = child.wait(PATIENCE_S)
        told.seek(0)
        return Left(code, told.read(), out, scratch, agents)


def problems(left: Left, number: signal.Signals, reference: Whole) -> Iterator[str]:
    """Everything that must not be."""
    ended = time.monotonic() + PATIENCE_S
    while any(map(alive, left.agents)) and time.monotonic() < ended:
        time.sleep(0.01)
    if any(map(alive, left.agents)):
        yield "an agent outlives its parent"
    soft = number is not signal.SIGKILL
    if soft and left.code != 130 and not left.out.exists() and "/preflight/" not in left.told:
        return  # the interpreter itself was still starting: nothing of preflight had run
    if left.code not in ({130, reference.code} if soft else {-signal.SIGKILL, reference.code}):
        yield f"exit code {left.code}: {left.told[-300:]}"
    if "Traceback" in left.told or "broke:" in left.told:
        yield f"a trace: {left.told[-300:]}"
    if soft and list(left.scratch.iterdir()):
        yield "temporary folders after a signal that can be handled"
    files.sweep(left.out)
    if list(left.out.glob(".preflight-*")):
        yield "half-written files that the next run does not sweep"


def recovered(left: Left, reference: Whole) -> tuple[str, int, list[str]]:
    """What kind of thing is left, how many observations it holds, and what is wrong with it."""
    report, journals = left.out / "run.json", list(left.out.glob("run-*.journal.jsonl"))
    if report.exists():
        run = json.loads(report.read_text())
        wrong = differences(run, reference)
        return ("partial report" if run["interrupted"] else "whole report"), len(run["observations"]), wrong
    if not journals:
        return "nothing", 0, ["observed and lost"] if _DONE.search(left.told) else []
    data = journals[0].read_bytes()
    found = journal.read(data, journals[0].name)
    run = json.loads(msgspec.json.encode(judge(found.evidence)))
    wrong = differences(run, reference) + missing(data, left.told)
    return ("whole journal" if found.ended else "cut journal"), len(found.evidence.observations), wrong


def missing(data: bytes, told: str) -> list[str]:
    """Observations that a vantage's closing line on stderr counted, and that the journal does not hold."""
    lines = [json.loads(line) for line in data.split(b"\n")[:-1]]
    held = collections.Counter(line["vantage"] for line in lines if line["line"] == "observation")
    return [
        f"{vantage}: {held[vantage]} of {count} are in the journal"
        for vantage, count in _DONE.findall(told)
        if held[vantage] < int(count)
    ]


def differences(run: dict[str, Any], reference: Whole) -> list[str]:
    """Verdicts that the whole run does not have: only "unknown, interrupted" may differ, where nothing was observed."""
    seen = {(one["vantage"], one["task"]) for one in run["observations"] if one["finished"]}
    wrong = []
    for one in run["verdicts"]:
        told, expected = (one["status"], one["cause"]), reference.verdicts[one["check"]]
        observed = one["status"] == "skipped" or (one["vantage"], one["task"]) in seen
        if told != expected and (observed or told != ("unknown", "check.interrupted")):
            wrong.append(f"{one['check']}: {told} instead of {expected}")
    return wrong


def main() -> int:
    """The table; 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)  # noqa: S311 - to be repeatable, not secret
    wrong: list[str] = []
    kinds: collections.Counter[tuple[str, str]] = collections.Counter()
    observations: list[int] = []
    with tempfile.TemporaryDirectory(prefix="soak-kill-") as text:
        folder = Path(text)
        references = {fault: whole(fault, folder / f"whole{at}") for at, fault in enumerate(FAULTS)}
        for at in range(given.runs):
            fault, number = chance.choice(FAULTS), chance.choice(SIGNALS)
            left = killed(fault, number, moment(chance, references[fault]), folder / f"run{at}")
            kind, count, lost = recovered(left, references[fault])
            kinds[number.name, kind] += 1
            observations.append(count)
            wrong += [
                f"run {at}, {number.name}, {fault}: {one}"
                for one in (*lost, *problems(left, number, references[fault]))
            ]
    show(given, kinds, observations, wrong)
    return 1 if wrong else 0


def show(
    given: argparse.Namespace, kinds: collections.Counter[tuple[str, str]], counts: list[int], wrong: list[str]
) -> None:
    """The figures."""
    print(f"{given.runs} demos killed (seed {given.seed}), {sum(counts)} observations recovered")
    for (number, kind), times in sorted(kinds.items()):
        print(f"  {number:8} {kind:15} {times:5}")
    print(f"violations: {len(wrong)}")
    for one in wrong[:50]:
        print(f"  {one}")


if __name__ == "__main__":
    sys.exit(main())
