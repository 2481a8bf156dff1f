"""A run that stops half-way by itself: some targets answer at once, the others accept and never answer.

What was observed at the moment of a kill is then known exactly, without a clock.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "preflight"]
PATIENCE_S = 60.0  # against hanging for ever; nothing is measured by it
JOURNALS = "run-*.journal.jsonl"


@contextlib.contextmanager
def environment(folder: Path, *, answering: int, silent: int) -> Iterator[Path]:
    """A preflight.toml with that many dependencies; their sockets are open as long as the block."""
    with contextlib.ExitStack() as stack:
        text = 'schema_version = 1\n[environment]\ncloud = "AzureCloud"\nregion = "westeurope"\n'
        for number in range(answering + silent):
            sock = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
            scheme = "tcp" if number < answering else "http"
            text += (
                f'[[dependency]]\nname = "d{number:04}"\nvantages = ["workstation"]\n'
                f'url = "{scheme}://127.0.0.1:{sock.getsockname()[1]}"\n'
            )
        text += "[limits]\nanswer_cap_s = 120\ncheck_deadline_s = 120\n"
        path = folder / "preflight.toml"
        path.write_text(text)
        yield path


def run_arguments(config: Path, out: Path, *more: str) -> list[str]:
    """Only the dependencies, only from here."""
    return [
        "run",
        "--config",
        str(config),
        "--vantage",
        "workstation",
        "--only",
        "dependency.*",
        "--out",
        str(out),
        *more,
    ]


def start(*argv: str, **how) -> subprocess.Popen[bytes]:
    """preflight, in a process group of its own."""
    how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **how}
    return subprocess.Popen([*COMMAND, *argv], start_new_session=True, **how)


def finish(*argv: str, **how) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *argv], capture_output=True, text=True, timeout=PATIENCE_S, check=False, **how)


def until(condition, child: subprocess.Popen[bytes] | None = None):
    """Looks as fast as it can; gives what the condition gave, or None when the child ended before."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        ended = child is not None and child.poll() is not None
        if found := condition():
            return found
        if ended:
            return None
        select.select([], [], [], 0.001)
    raise AssertionError("it did not come to that")


def journal_in(out: Path) -> Path | None:
    return next(iter(out.glob(JOURNALS)), None)


def observed(journal: Path) -> list[tuple[str, str]]:
    """(vantage, task) of every whole observation line, read without preflight."""
    found = []
    for line in journal.read_bytes().split(b"\n")[:-1]:
        data = json.loads(line)
        if data["line"] == "observation":
            found.append((data["vantage"], data["observation"]["task"]))
    return found


def seen_at_least(out: Path, number: int):
    """A condition for `until`: the journal holds that many observations."""

    def condition() -> Path | None:
        journal = journal_in(out)
        return journal if journal is not None and len(observed(journal)) >= number else None

    return condition


def kill(child: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """The child's exit code."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, number)
    return child.wait(timeout=PATIENCE_S)


def judged(journal: Path, out: Path) -> tuple[int, dict]:
    """What `preflight judge` makes of it: exit code and run."""
    done = finish("judge", str(journal), "--format", "json", "--out", str(out))
    return done.returncode, json.loads((out / "run.json").read_text())
