"""Demos killed at random leave what they had observed: a short round of `tools/soak_kill.py` for every change."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

TOOL = Path(__file__).parents[2] / "tools" / "soak_kill.py"


def test_twenty_demos_killed_at_random_lose_nothing_and_leave_nothing():
    done = subprocess.run(
        [sys.executable, "-P", str(TOOL), "--runs", "20", "--seed", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "violations: 0" in done.stdout
