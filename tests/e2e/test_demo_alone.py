"""The demo on a machine without a network, and beside programs that listen where its pods would.

Needs root (or a user namespace) and iproute2; fails without them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

SCRIPT = r"""
set -eu
ip link set lo up
if [ "$PORT" ]; then
  "$PYTHON" -m http.server "$PORT" > /dev/null 2>&1 &
  server=$!
  trap 'kill $server' EXIT
  while ! "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $PORT))" 2> /dev/null; do sleep 0.1; done
fi
"$PYTHON" -P -m preflight demo --format json --out "$DIR"
"""


@pytest.mark.parametrize(("port", "left_out"), [("", set()), ("8000", {"peers.router"})])
def test_the_demo_passes_alone(tmp_path: Path, port: str, left_out: set[str]):
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", SCRIPT],
        env={**os.environ, "DIR": str(tmp_path), "PYTHON": sys.executable, "PORT": port},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "run.json").read_text())
    assert {one["status"] for one in run["verdicts"] if one["decides"]} <= {"pass", "skipped"}
    named = {one["requirement"] for one in run["plan"]["left_out"] if one["requirement"].startswith("peers.")}
    assert named == left_out
