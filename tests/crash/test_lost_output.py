"""Where output cannot go, the run goes on, the rest is written, and the exit code never becomes a false 0."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from builders import half_answered as half

FILES = ["report.html", "run.json"]


def names(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir())


def shell(command: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """`command` with "$@" for preflight and its arguments."""
    return subprocess.run(
        ["bash", "-c", command, "bash", *half.COMMAND, *argv],
        capture_output=True,
        text=True,
        timeout=half.PATIENCE_S,
        check=False,
    )


@pytest.fixture
def config(tmp_path):
    with half.environment(tmp_path, answering=3, silent=0) as path:
        yield path


@pytest.fixture
def failing(config):
    """The same, and one target that refuses."""
    text = config.read_text().replace("[limits]", '[[dependency]]\nname = "gone"\nurl = "tcp://127.0.0.1:1"\n[limits]')
    config.write_text(text)
    return config


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param('"$@" | head -1; exit ${PIPESTATUS[0]}', 0, id="the reader leaves"),
        pytest.param('"$@" 2>&1 | head -1; exit ${PIPESTATUS[0]}', 0, id="the reader of both leaves"),
        pytest.param('"$@" | true; exit ${PIPESTATUS[0]}', 0, id="nobody reads"),
        pytest.param('"$@" >&-', 0, id="stdout closed"),
        pytest.param('"$@" 2>&-', 0, id="stderr closed"),
        pytest.param('"$@" <&- >&- 2>&-', 0, id="everything closed"),
        pytest.param('"$@" 2>/dev/full', 0, id="stderr on a full disk"),
        pytest.param('"$@" >/dev/full', 2, id="stdout on a full disk"),
        pytest.param('"$@" >/dev/full 2>/dev/full', 2, id="both on a full disk"),
    ],
)
def test_reports_are_on_disk_wherever_stdout_goes(config, tmp_path, command: str, code: int):
    out = tmp_path / "out"
    done = shell(command, *half.run_arguments(config, out))
    assert done.returncode == code, done.stderr
    assert names(out) == FILES
    assert json.loads((out / "run.json").read_text())["exit_code"] == 0
    assert "Traceback" not in done.stderr
    assert "broke" not in done.stderr


@pytest.mark.parametrize("command", ['"$@" >/dev/full', '"$@" >&-', '"$@" | true; exit ${PIPESTATUS[0]}'])
def test_a_failed_run_stays_failed_wherever_stdout_goes(failing, tmp_path, command: str):
    done = shell(command, *half.run_arguments(failing, tmp_path / "out"))
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("command", "code"),
    [('"$@" >&-', 2), ('"$@" >/dev/full', 2), ('"$@" | head -1 >/dev/null; exit ${PIPESTATUS[0]}', 0)],
)
def test_a_report_that_was_to_go_to_stdout_alone(config, tmp_path, command: str, code: int):
    done = shell(command, *half.run_arguments(config, tmp_path / "unused", "--format", "json", "--out", "-"))
    assert done.returncode == code
    assert "stdout" in done.stderr or code == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("argv", [["explain", "--list"], ["checks", "list"], ["demo", "--list-faults"], ["--help"]])
def test_commands_that_only_print_end_quietly_when_the_reader_leaves(argv: list[str]):
    done = shell('"$@" | head -1; exit ${PIPESTATUS[0]}', *argv)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pipe_that_does_not_block_gets_everything(tmp_path):
    """Runners that share their pipe with Node leave O_NONBLOCK on it; the report is larger than a pipe holds."""
    saved = Path(__file__).parents[2] / "reports" / "examples" / "failing.run.json"
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with half.start("report", str(saved), "--format", "json", "--out", "-", stdout=writing) as child:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            select.select([pipe], [], [])
            child_blocked = half.until(lambda: _waits(child.pid), child)
            got = pipe.read()
    assert child_blocked
    assert child.returncode == 1
    assert got == saved.read_bytes()


def _waits(pid: int) -> bool:
    """It sleeps, since nothing more fits."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_a_terminal_without_our_characters_still_gets_the_verdict(config, tmp_path):
    done = half.finish(*half.run_arguments(config, tmp_path / "out"), env={"PYTHONIOENCODING": "ascii", "PATH": ""})
    assert done.returncode == 0
    assert "exit 0" in done.stdout


def test_one_report_that_cannot_be_written_costs_neither_the_others_nor_the_verdict(config, tmp_path):
    out = tmp_path / "out"
    (out / "report.html").mkdir(parents=True)
    done = half.finish(*half.run_arguments(config, out, "--format", "console,html,json,markdown"))
    assert done.returncode == 2
    assert "exit 0" in done.stdout, "the verdict itself"
    assert names(out) == ["report.html", "report.md", "run.json"]
    told = done.stderr.splitlines()[-3:]
    assert told[0] == f"{out}/report.html: not written: Is a directory (a folder has that name: move it away)"
    assert f"preflight report {out}/run.json --format html" in told[1]
    assert "exit 2 instead of 0" in told[2]


def test_a_failed_run_whose_report_cannot_be_written_is_still_failed(failing, tmp_path):
    out = tmp_path / "out"
    (out / "report.html").mkdir(parents=True)
    done = half.finish(*half.run_arguments(failing, out))
    assert done.returncode == 1
    assert "instead of" not in done.stderr


def test_a_run_whose_run_json_cannot_be_written_stays_in_its_journal(config, tmp_path):
    out = tmp_path / "out"
    (out / "run.json").mkdir(parents=True)
    done = half.finish(*half.run_arguments(config, out, "--format", "json"))
    assert done.returncode == 2
    journal = half.journal_in(out)
    assert f"preflight judge {journal} --out" in done.stderr
    code, run = half.judged(journal, tmp_path / "judged")
    assert (code, run["interrupted"], run["counts"]["pass"]) == (0, False, 3)


def test_a_report_command_that_cannot_write_says_so(config, tmp_path):
    out = tmp_path / "out"
    assert half.finish(*half.run_arguments(config, out, "--format", "json")).returncode == 0
    (tmp_path / "other" / "junit.xml").mkdir(parents=True)
    argv = ("report", str(out / "run.json"), "--format", "junit,markdown", "--out", str(tmp_path / "other"))
    done = half.finish(*argv)
    assert done.returncode == 2
    assert names(tmp_path / "other") == ["junit.xml", "report.md"]
    assert "junit.xml: not written" in done.stderr


def _stopped_when(config: Path, out: Path, change) -> tuple[int, str]:
    """A run whose surroundings change after its observations; then it is asked to stop. Exit code and stderr."""
    child = half.start(*half.run_arguments(config, out), stderr=subprocess.PIPE)
    half.until(half.seen_at_least(out, 3), child)
    change()
    code = half.kill(child, signal.SIGTERM)
    assert child.stderr is not None
    with child.stderr:
        return code, child.stderr.read().decode()


def test_a_folder_that_vanishes_in_mid_run_is_made_again(tmp_path):
    out = tmp_path / "deep" / "out"
    with half.environment(tmp_path, answering=3, silent=1) as config:
        code, told = _stopped_when(config, out, lambda: shutil.rmtree(out.parent))
    assert code == 130
    assert names(out) == FILES
    assert told.count("the journal cannot be written") == 1
    assert json.loads((out / "run.json").read_text())["counts"]["pass"] == 3


def test_a_folder_that_becomes_a_file_in_mid_run_leaves_the_verdict(tmp_path):
    out = tmp_path / "out"

    def change() -> None:
        shutil.rmtree(out)
        out.write_text("in the way")

    with half.environment(tmp_path, answering=3, silent=1) as config:
        code, told = _stopped_when(config, out, change)
    assert code == 130
    assert out.read_text() == "in the way"
    assert "run.json: not written: Not a directory (part of the path is a file)" in told
    assert "nothing of this run is on disk" in told
    assert "Traceback" not in told


def test_a_former_report_is_kept_whole_and_called_old_when_the_new_one_fails(config, tmp_path):
    """The descriptor limit makes every write beyond a size fail, as a quota would."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text("former")
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192));"
        "from preflight.cli.main import main; main(sys.argv[1:])"
    )
    argv = half.run_arguments(config, out, "--format", "console,json")
    done = subprocess.run(
        [sys.executable, "-P", "-c", limited, *argv], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert (out / "run.json").read_text() == "former"
    assert names(out) == ["run.json"], "no litter"
    assert "run.json: not written: File too large; what is there is older than this run" in done.stderr
    assert "exit 0" in done.stdout


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_output_folder_that_is_a_file_is_known_before_anything_is_sent(config, tmp_path, place: str):
    (tmp_path / "file").write_text("x")
    done = half.finish(*half.run_arguments(config, tmp_path / place))
    assert done.returncode == 2
    assert f"--out {tmp_path / place}: cannot be written" in done.stderr
    assert "looking at" not in done.stderr
