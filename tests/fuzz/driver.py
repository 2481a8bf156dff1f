"""Starts one worker after the other, reads libFuzzer's counts, and collects what was found. Judges nothing itself."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from fuzz import corpus, record
from fuzz.target import Target
from preflight import __version__

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / ".fuzz"  # the growing corpus, logs and fresh findings; not kept in the repository
HANG_S = 10  # one input, wall time; libFuzzer ends the run there
RSS_MB = 768
_STATUS = re.compile(r"^#(\d+)\s.*cov: (\d+) ft: (\d+)", re.MULTILINE)
_FINAL = re.compile(r"^stat::(\w+):\s+(\d+)", re.MULTILINE)
_ARTIFACT = re.compile(r"(?:crash|timeout|oom|leak)-[0-9a-f]{40}")


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How long one target may run; 0 is without limit."""

    seconds: int = 0
    executions: int = 0


def atheris() -> str:
    """The version of atheris, "" when it is not installed; it exists for CPython 3.11 to 3.14 on Linux x86_64 only."""
    try:
        return version("atheris")
    except PackageNotFoundError:
        return ""


def run(target: Target, budget: Budget, command: str) -> record.Outcome:
    """One worker until its budget is spent or something is found; the log stays in `.fuzz/logs`."""
    grown, found, logs = WORK / "corpus" / target.name, WORK / "findings" / target.name, WORK / "logs"
    for folder in (grown, found, logs):
        folder.mkdir(parents=True, exist_ok=True)
    log = logs / f"{target.name}.log"
    with tempfile.TemporaryDirectory(prefix="preflight-fuzz-") as folder:
        notes = Path(folder) / "slowest.json"
        words = Path(folder) / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words or ("\0",)))  # empty is an error
        begin, used = time.monotonic(), _children()
        with log.open("wb") as out:
            worker = [sys.executable, "-m", "fuzz.worker", target.name, *_flags(target, budget, words, found, grown)]
            environ = {**os.environ, "FUZZ_SLOWEST": str(notes), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
            done = subprocess.run(_gently(worker), stdout=out, stderr=out, env=environ, check=False, cwd=folder)
        seconds, cpu = round(time.monotonic() - begin, 1), round(_children() - used, 1)
        slowest = json.loads(notes.read_text()) if notes.is_file() else {"cpu_ms": 0.0, "input": ""}
    corpus.keep(WORK / "slowest", bytes.fromhex(slowest["input"]), target.name)
    outcome = _outcome(target, log.read_text(errors="replace"), slowest, (seconds, cpu), command)
    if done.returncode and not outcome.findings:  # a broken mutator or a killed worker must not pass for a quiet run
        return msgspec.structs.replace(outcome, findings=(f"exit code {done.returncode}",))
    return outcome


def _children() -> float:
    """CPU seconds of the processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _gently(worker: list[str]) -> list[str]:
    nice = shutil.which("nice")
    return [nice, "-n", "15", *worker] if nice else worker


def _flags(target: Target, budget: Budget, words: Path, found: Path, grown: Path) -> list[str]:
    folders = [grown, *(kept for kept in (corpus.seeds(target.name), corpus.findings(target.name)) if kept.is_dir())]
    return [
        f"-max_total_time={budget.seconds}",
        f"-runs={budget.executions or -1}",
        f"-timeout={HANG_S}",
        f"-rss_limit_mb={RSS_MB}",
        f"-max_len={target.longest}",
        f"-artifact_prefix={found}/",
        f"-dict={words}",
        "-print_final_stats=1",
        *map(str, folders),
    ]


def _escaped(word: str) -> str:
    plain = word.encode("utf-8")
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in plain)


def _outcome(target: Target, log: str, slowest: dict, times: tuple[float, float], command: str) -> record.Outcome:
    statuses, final = _STATUS.findall(log), {name: int(value) for name, value in _FINAL.findall(log)}
    edges, features = max(((int(cov), int(ft)) for _, cov, ft in statuses), default=(0, 0))
    executions = final.get("number_of_executed_units") or max((int(number) for number, *_ in statuses), default=0)
    return record.Outcome(
        target=target.name,
        executions=executions,
        seconds=times[0],
        cpu_seconds=times[1],
        edges=edges,
        features=features,
        new_inputs=final.get("new_units_added", 0),
        slowest_cpu_ms=slowest["cpu_ms"],
        slowest_bytes=len(slowest["input"]) // 2,
        peak_rss_mb=final.get("peak_rss_mb", 0),
        findings=tuple(dict.fromkeys(_ARTIFACT.findall(log))),
        date=record.today(),
        commit=record.commit(),
        version=__version__,
        atheris=atheris(),
        command=command,
    )


def failure(target: str) -> str:
    """The last traceback of a target's log, for people."""
    text = (WORK / "logs" / f"{target}.log").read_text(errors="replace")
    log = "\n".join(line for line in text.split("\n") if not line.startswith(("INFO:", "WARNING:")))
    begin = log.rfind("Traceback (most recent call last)")
    return log[begin:].partition("\n\n")[0][-3_000:] if begin >= 0 else log[-1_000:]
