"""`python bench/scale.py reports|nodes [N]`: what a run of N places takes; writes docs/scale.md's figures to stdout.

`reports` judges and renders a run of N places, each of which saw what a node or a pod of the demo did; `nodes` runs
`preflight run --all-nodes` against the stand-in cluster with N nodes, whose pods give the log of a real agent.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
CHROMIUM = os.environ.get("PREFLIGHT_CHROMIUM", "/usr/bin/chromium")
FAULT = "mcr.layers=tls.reset-after-hello"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("reports", "nodes"))
    parser.add_argument("number", nargs="?", type=int, default=1000, metavar="N")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there, and leave it")
    asked = parser.parse_args()
    with _folder(asked.keep) as work:
        (reports if asked.what == "reports" else nodes)(asked.number, work)


def reports(number: int, work: Path) -> None:
    """A journal of that many places, judged and rendered by a process of its own; the page opened in Chromium."""
    journal = write_journal(number, work)
    told("journal", f"{size(journal)}")
    for format_ in ("json", "html", "console", "junit", "markdown"):
        out = work / format_
        seconds, peak = measured(work, "judge", journal, "--format", format_, "--out", out)
        (made,) = [path for path in out.iterdir() if path.is_file()] if out.is_dir() else [None]
        told(f"judge + {format_}", f"{seconds:.1f} s of CPU, {peak:.0f} MB at most{f', {size(made)}' if made else ''}")
    seconds, peak = measured(work, "report", work / "json" / "run.json", "--format", "html", "--out", work / "again")
    told("report of the saved run, html", f"{seconds:.1f} s of CPU, {peak:.0f} MB at most")
    told("opened in Chromium", f"{opened(work / 'html' / 'report.html'):.2f} s")


def write_journal(number: int, work: Path) -> Path:
    """As a run leaves it: the facts and observations of the demo's node and pod, at every place."""
    from builders import crowd

    from preflight import journal
    from preflight.judge import evidence_of
    from preflight.model.journal import Begin, End, Heard, Seen
    from preflight.render import json as saved

    runs = {}
    for name, fault in (("good", ()), ("bad", ("--fault", FAULT))):
        measured(work, "demo", *fault, "--format", "json", "--out", work / name, fails=bool(fault))
        runs[name] = saved.parse((work / name / "run.json").read_bytes(), name)
    names = crowd.nodes(number)
    odd = {names[at]: runs["bad"] for at in (3, 4, -2)}
    seen = evidence_of(crowd.run(runs["good"], names, odd))
    begin = Begin(
        tool_version="bench", run_id=seen.run_id, started=seen.started, environment=seen.environment, plan=seen.plan
    )
    path = work / "run-bench.journal.jsonl"
    with path.open("wb") as out:
        out.write(journal.encode(begin))
        out.writelines(journal.encode(Heard(at_ms=1.0, vantage=one.vantage, facts=one)) for one in seen.vantages)
        out.writelines(
            journal.encode(Seen(at_ms=2.0, vantage=one.vantage, observation=one)) for one in seen.observations
        )
        out.write(journal.encode(End(finished=seen.finished, duration_ms=seen.duration_ms)))
    told("places, checks, observations", f"{len(names)}, {len(seen.plan.checks)}, {len(seen.observations)}")
    return path


def nodes(number: int, work: Path) -> None:
    """A whole run with the nodes and pods of that many nodes."""
    from clusters import thousand

    found = thousand.run(number, work)
    jobs = found.calls["create jobs"] - 1  # the first one starts nothing
    told("nodes, Jobs", f"{number}, {jobs}")
    told("exit code, observations", f"{found.code}, {len(found.run['observations'])}")
    told("time", f"{found.seconds:.1f} s")
    told("memory of the command line", f"{found.peak_mb:.0f} MB at most")
    told("calls to the API server", f"{sum(found.calls.values())}, {sum(found.calls.values()) / jobs:.2f} for each Job")
    for call, count in found.calls.most_common():
        told(f"  {call}", str(count))
    told("most Jobs being created at once", str(found.at_once))


def measured(work: Path, *argv: object, fails: bool = True) -> tuple[float, float]:
    """Seconds of CPU and megabytes (GNU time: user time, maximum resident set) of one preflight."""
    figures = work / "time"
    command = ["/usr/bin/time", "-o", str(figures), "-f", "%U %M", sys.executable, "-P", "-m", "preflight"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *map(str, argv)], env=env, capture_output=True, text=True, check=False)
    if done.returncode not in ((0, 1) if fails else (0,)):
        raise SystemExit(f"{argv}: exit {done.returncode}\n{done.stderr}")
    seconds, kilobytes = figures.read_text().split()[-2:]
    return float(seconds), int(kilobytes) / 1024


def opened(page: Path) -> float:
    """Seconds from the address to the end of the page's load and its first layout, browser running."""
    from playwright.sync_api import sync_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=[*sandbox, "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1200, "height": 900})
        begin = time.monotonic()
        tab.goto(page.as_uri())
        tab.evaluate("document.body.offsetHeight")
        took = time.monotonic() - begin
        browser.close()
    return took


def size(path: Path) -> str:
    """In megabytes."""
    return f"{path.stat().st_size / 1e6:.2f} MB"


def told(what: str, figure: str) -> None:
    """One line."""
    print(f"{what:<34} {figure}", flush=True)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    work = Path(tempfile.mkdtemp(prefix="preflight-scale-"))
    try:
        yield work
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
