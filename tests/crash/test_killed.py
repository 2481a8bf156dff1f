"""However a run is ended, what it had observed is on disk and is judged as it would have been."""

import functools
import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from builders import half_answered as half

SOFT = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def load(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())


def by_status(run: dict) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = {}
    for verdict in run["verdicts"]:
        found.setdefault(verdict["status"], set()).add(verdict["cause"])
    return found


@pytest.mark.parametrize("answering", [0, 1, 7, 40])
def test_a_killed_run_is_judged_for_exactly_what_it_had_observed(tmp_path, answering: int):
    out = tmp_path / "out"
    with half.environment(tmp_path, answering=answering, silent=3) as config:
        child = half.start(*half.run_arguments(config, out))
        journal = half.until(half.seen_at_least(out, answering), child)
        assert half.kill(child, signal.SIGKILL) == -signal.SIGKILL
    assert len(half.observed(journal)) == answering
    assert not (out / "run.json").exists()
    code, run = half.judged(journal, tmp_path / "judged")
    assert code == run["exit_code"] == 130
    assert run["interrupted"] is True
    assert {(one["vantage"], one["task"]) for one in run["observations"]} == set(half.observed(journal))
    tested = {verdict["task"]: verdict for verdict in run["verdicts"] if verdict["status"] != "skipped"}
    assert len(tested) == answering + 3
    for task, verdict in tested.items():
        expected = ("pass", None) if task.startswith("tcp:") else ("unknown", "check.interrupted")
        assert (verdict["status"], verdict["cause"]) == expected


@pytest.mark.parametrize("number", SOFT)
@pytest.mark.parametrize("answering", [0, 7])
def test_a_run_that_is_asked_to_stop_reports_what_it_saw_and_leaves_no_journal(
    tmp_path, number: signal.Signals, answering: int
):
    out = tmp_path / "out"
    with half.environment(tmp_path, answering=answering, silent=2) as config:
        child = half.start(*half.run_arguments(config, out))
        half.until(half.seen_at_least(out, answering), child)
        assert half.kill(child, number) == 130
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "run.json"]
    run = load(out)
    assert run["exit_code"] == 130
    assert run["counts"]["pass"] == answering
    assert run["counts"]["unknown"] == 2


@pytest.mark.parametrize("lines", [1, 4, 12, 30, 50])
def test_a_killed_demo_is_judged_as_the_whole_one_for_what_it_had_observed(tmp_path, whole_demo, lines: int):
    out = tmp_path / "out"
    child = half.start("demo", "--out", str(out))
    journal = half.until(half.seen_at_least(out, lines), child)
    assert journal is not None, "the demo ended first"
    half.kill(child, signal.SIGKILL)
    seen = half.observed(journal)
    assert len(seen) >= lines
    code, run = half.judged(journal, tmp_path / "judged")
    assert sorted((one["vantage"], one["task"]) for one in run["observations"]) == sorted(seen)
    for verdict in run["verdicts"]:
        whole = whole_demo[verdict["check"]]
        if verdict["status"] == "skipped" or (verdict["vantage"], verdict["task"]) in set(seen):
            assert (verdict["status"], verdict["cause"]) == (whole["status"], whole["cause"]), verdict
        else:
            assert (verdict["status"], verdict["cause"]) == ("unknown", "check.interrupted"), verdict
    assert code == (130 if run["interrupted"] else 0)


@pytest.fixture(scope="module")
def whole_demo(tmp_path_factory) -> dict[str, dict]:
    out = tmp_path_factory.mktemp("whole")
    assert half.finish("demo", "--format", "json", "--out", str(out)).returncode == 0
    return {verdict["check"]: verdict for verdict in load(out)["verdicts"]}


def test_a_run_that_is_killed_before_its_reports_are_written_is_whole_in_its_journal(tmp_path):
    out = tmp_path / "out"
    with half.environment(tmp_path, answering=60, silent=0) as config:
        child = half.start(*half.run_arguments(config, out))
        journal = half.until(lambda: _ended(out), child)
        half.kill(child, signal.SIGKILL)
    assert journal is not None, "the reports were faster than the look at the journal"
    code, run = half.judged(journal, tmp_path / "judged")
    assert (code, run["interrupted"], run["counts"]["pass"]) == (0, False, 60)


def _ended(out: Path) -> Path | None:
    journal = half.journal_in(out)
    try:
        return journal if journal is not None and b'{"line":"end"' in journal.read_bytes()[-300:] else None
    except FileNotFoundError:  # the reports are on disk, and it is removed
        return None


@pytest.mark.parametrize("part", ["temporary file", "first report"])
def test_a_kill_while_reports_are_written_leaves_whole_reports_or_a_journal(tmp_path, part: str):
    out = tmp_path / "out"
    with half.environment(tmp_path, answering=60, silent=0) as config:
        child = half.start(*half.run_arguments(config, out, "--format", "json,html,junit,markdown"))
        half.until(lambda: _ended(out), child)
        half.until(lambda: any(out.glob(".preflight-*.tmp" if part == "temporary file" else "run.json")), child)
        half.kill(child, signal.SIGKILL)
        runs = [load(out)] if (out / "run.json").exists() else []
        runs += [half.judged(journal, tmp_path / "judged")[1] for journal in out.glob(half.JOURNALS)]
        assert runs
        assert {run["exit_code"] for run in runs} == {0}
        assert half.finish(*half.run_arguments(config, out)).returncode == 0
    assert not list(out.glob(".preflight-*")), "the next run sweeps what was half-written"


def test_a_kill_before_anything_is_observed_leaves_a_folder_that_works(tmp_path):
    out = tmp_path / "out"
    with half.environment(tmp_path, answering=1, silent=0) as config:
        child = half.start(*half.run_arguments(config, out))
        half.until(out.is_dir, child)
        half.kill(child, signal.SIGKILL)
        done = half.finish(*half.run_arguments(config, out))
    assert done.returncode == 0
    assert sorted(path.name for path in out.iterdir() if path.suffix != ".jsonl") == ["report.html", "run.json"]


@pytest.mark.parametrize("number", SOFT)
def test_a_signal_during_start_up_is_exit_130_without_a_trace(tmp_path, number: signal.Signals):
    out = tmp_path / "out"
    child = half.start("demo", "--out", str(out), stderr=subprocess.PIPE)
    half.until(out.is_dir, child)
    assert half.kill(child, number) == 130
    assert child.stderr is not None
    said = child.stderr.read().decode()
    child.stderr.close()
    assert "interrupted" in said or (out / "run.json").exists()
    assert "Traceback" not in said


def test_the_next_run_names_the_journal_with_a_command_that_works(tmp_path):
    out = tmp_path / "an out"
    with half.environment(tmp_path, answering=2, silent=1) as config:
        for number in range(1, 4):
            child = half.start(*half.run_arguments(config, out))
            half.until(functools.partial(_whole, out, number), child)
            half.kill(child, signal.SIGKILL)
    with half.environment(tmp_path, answering=1, silent=0) as config:
        done = half.finish(*half.run_arguments(config, out))
    assert done.returncode == 0
    assert done.stderr.count("ended without its reports (and 2 more run-*.journal.jsonl there)") == 1
    command = re.search(r"^  preflight (judge '.*\.jsonl' --out '[^']+')$", done.stderr, re.MULTILINE)[1]
    argv = shlex.split(command)
    assert half.finish(*argv).returncode == 130
    assert load(Path(argv[-1]))["counts"]["pass"] == 2
    assert load(out)["counts"]["pass"] == 1, "judging the old run replaced nothing of the new one"


def _whole(out: Path, number: int) -> bool:
    """So many journals, each with both observations."""
    return sum(len(half.observed(one)) == 2 for one in out.glob(half.JOURNALS)) == number


def test_a_run_beside_a_living_one_does_not_call_it_dead(tmp_path):
    out = tmp_path / "out"
    with half.environment(tmp_path, answering=1, silent=1) as config:
        child = half.start(*half.run_arguments(config, out))
        half.until(half.seen_at_least(out, 1), child)
        (tmp_path / "other").mkdir()
        with half.environment(tmp_path / "other", answering=1, silent=0) as other:
            done = half.finish(*half.run_arguments(other, out))
        assert half.kill(child, signal.SIGTERM) == 130
    assert done.returncode == 0
    assert "without its reports" not in done.stderr
    assert not list(out.glob(half.JOURNALS))


def test_without_a_folder_there_is_no_journal(tmp_path):
    with half.environment(tmp_path, answering=1, silent=0) as config:
        for more in (["--format", "console"], ["--format", "json", "--out", "-"]):
            done = half.finish(*half.run_arguments(config, tmp_path / "out", *more))
            assert done.returncode == 0
    assert not (tmp_path / "out").exists()


def test_what_was_ignored_at_the_start_stays_ignored(tmp_path):
    """`nohup preflight run` survives the end of the terminal."""
    out = tmp_path / "out"
    with half.environment(tmp_path, answering=1, silent=1) as config:
        child = half.start(
            *half.run_arguments(config, out), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
        )
        half.until(half.seen_at_least(out, 1), child)
        os.kill(child.pid, signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.5)
        assert half.kill(child, signal.SIGTERM) == 130
