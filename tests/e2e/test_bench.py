"""The bench still works: six endpoints, one round, preflight and curl, in namespaces of its own. It times nothing.

As root, or in a user namespace; installs its Debian packages as root and fails without them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


def command(out: Path) -> list[str]:
    return [sys.executable, "-m", "bench", "--small", "--out", str(out)]


def environment() -> dict[str, str]:
    """Without the caller's import path: preflight is the installed one, bench the checkout's (the working folder)."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}


def members(namespace: str) -> list[str]:
    """The names of the processes in a process namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "ns" / "pid").readlink()) == namespace:
                found.append((process / "comm").read_text().strip())
        except OSError:
            continue
    return found


def inside(process: int) -> str:
    """The process namespace below a process, when it is another than ours; empty until there is one."""
    try:
        namespace = str(Path(f"/proc/{process}/ns/pid").readlink())
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return ""
    if namespace != str(Path("/proc/self/ns/pid").readlink()):
        return namespace
    return next(filter(None, (inside(int(child)) for child in children)), "")


def test_preflight_and_curl_are_measured_and_judged(tmp_path):
    done = subprocess.run(
        command(tmp_path), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    table = json.loads((tmp_path / "results.json").read_text())["tables"]["small"]
    assert [score["right"] for score in table["preflight"]["scores"]] == [6]
    assert [score["false_passes"] for row in table.values() for score in row["scores"]] == [0, 0]
    assert all(run["wall_s"] > 0 and run["peak_mb"] > 1 for row in table.values() for run in row["runs"])
    assert "| preflight | 1 |" in (tmp_path / "results.md").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_bench_that_is_ended_leaves_no_process_no_mount_and_no_device(tmp_path, number):
    mounts = Path("/proc/self/mounts").read_text()
    running = subprocess.Popen(
        command(tmp_path), cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        while "haproxy" not in members(namespace := inside(running.pid)):
            assert running.poll() is None, running.stderr and running.stderr.read()
            time.sleep(0.05)
    finally:
        running.send_signal(number)
        running.communicate(timeout=60)
    left = time.monotonic() + 30
    while (still := members(namespace)) and time.monotonic() < left:
        time.sleep(0.05)
    assert (still, list(tmp_path.iterdir())) == ([], [])
    assert Path("/proc/self/mounts").read_text() == mounts
    assert not list(Path("/sys/class/net").glob("bench*"))
