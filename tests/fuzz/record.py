"""The record of all runs, added up for each target and commit: executions, coverage, slowest input, memory."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec

FILE = Path(__file__).resolve().parent / "record.json"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one target, or several of them added up."""

    target: str
    executions: int
    seconds: float
    cpu_seconds: float  # of the worker, its start included; on a busy machine much less than `seconds`
    edges: int  # counters that were reached: edges of the instrumented code
    features: int
    new_inputs: int  # that reached something new
    slowest_cpu_ms: float
    slowest_bytes: int
    peak_rss_mb: int
    findings: tuple[str, ...] = ()  # names of the inputs that stopped a run
    date: str
    commit: str
    version: str  # of preflight
    atheris: str
    command: str


def added(one: Outcome, other: Outcome) -> Outcome:
    """Both together; `other` is the later one."""
    slowest = max((one, other), key=lambda each: each.slowest_cpu_ms)
    return msgspec.structs.replace(
        other,
        executions=one.executions + other.executions,
        seconds=round(one.seconds + other.seconds, 1),
        cpu_seconds=round(one.cpu_seconds + other.cpu_seconds, 1),
        edges=max(one.edges, other.edges),
        features=max(one.features, other.features),
        new_inputs=one.new_inputs + other.new_inputs,
        slowest_cpu_ms=slowest.slowest_cpu_ms,
        slowest_bytes=slowest.slowest_bytes,
        peak_rss_mb=max(one.peak_rss_mb, other.peak_rss_mb),
        findings=(*one.findings, *other.findings),
    )


def read(file: Path = FILE) -> list[Outcome]:
    """Every entry; none when there is no record yet."""
    return msgspec.json.decode(file.read_bytes(), type=list[Outcome]) if file.is_file() else []


def write(outcome: Outcome, file: Path = FILE) -> None:
    """Adds a run to the entry of its target and commit."""
    kept, same = [], None
    for entry in read(file):
        if (entry.target, entry.commit) == (outcome.target, outcome.commit):
            same = entry
        else:
            kept.append(entry)
    kept.append(added(same, outcome) if same else outcome)
    kept.sort(key=lambda entry: (entry.target, entry.date))
    file.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


def totals(entries: list[Outcome]) -> dict[str, Outcome]:
    """Everything of a target together, in order of name."""
    found: dict[str, Outcome] = {}
    for entry in sorted(entries, key=lambda one: one.date):
        found[entry.target] = added(found[entry.target], entry) if entry.target in found else entry
    return dict(sorted(found.items()))


def today() -> str:
    """The date, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def commit() -> str:
    """The commit that runs, with a plus when preflight/ differs from it."""
    root = FILE.parent.parent.parent
    git = ["git", "-C", str(root)]
    told = subprocess.run([*git, "rev-parse", "--short=9", "HEAD"], capture_output=True, text=True, check=False)
    if told.returncode:
        return "unknown"
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "preflight"], check=False).returncode
    return told.stdout.strip() + ("+" if changed else "")


def summary(entries: list[Outcome]) -> str:
    """A table for a terminal."""
    lines = [f"{'target':<20}{'executions':>12}{'per CPU s':>10}{'edges':>7}{'slowest ms':>12}{'RSS MB':>8}  findings"]
    for name, one in totals(entries).items():
        rate = one.executions / one.cpu_seconds if one.cpu_seconds else 0
        told = ", ".join(one.findings) or "-"
        counts = f"{name:<20}{one.executions:>12,}{rate:>10,.0f}{one.edges:>7}"
        lines.append(f"{counts}{one.slowest_cpu_ms:>12,.1f}{one.peak_rss_mb:>8}  {told}")
    lines.append(f"{'all':<20}{sum(one.executions for one in entries):>12,}")
    return "\n".join(lines)
