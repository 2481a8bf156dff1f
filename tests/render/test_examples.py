"""The golden reports are what is rendered today, byte for byte."""

import subprocess
import sys
from pathlib import Path

import pytest
from builders.example_runs import EXAMPLES

from preflight.render import FILES, RENDERERS, Format
from preflight.resources import folder

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("kind", Format)
def test_an_example_is_as_it_was_reviewed(name, kind):
    golden = folder("reports") / "examples" / f"{name}.{FILES[kind]}"
    assert RENDERERS[kind](EXAMPLES[name]()) == golden.read_bytes().decode()


def test_the_examples_are_realistic():
    healthy, failing = EXAMPLES["healthy"](), EXAMPLES["failing"]()
    assert len(healthy.plan.vantages) == 3
    assert sum(healthy.counts.values()) > 40
    assert len({finding.owner for finding in failing.findings}) == 3
    assert {status for status, number in failing.counts.items() if number} >= {
        "fail",
        "warn",
        "blocked",
        "unknown",
        "skipped",
    }
    assert [EXAMPLES[name]().exit_code for name in ("healthy", "failing", "hostile", "partial")] == [0, 1, 1, 130]


def test_every_check_that_a_finding_names_exists():
    failing = EXAMPLES["failing"]()
    assert {check for finding in failing.findings for check in finding.checks} <= {
        one.check for one in failing.verdicts
    }
    assert all(finding.checks for finding in failing.findings)


@pytest.mark.parametrize("tool", ["generate_examples.py", "generate_run_schema.py"])
def test_the_generators_find_nothing_to_change(tool):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / tool), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
