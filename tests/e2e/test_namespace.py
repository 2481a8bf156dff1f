"""The embedded Azure on port 443 with its real names, and the unmodified engine, inside a network namespace of its own.

Needs root (or a user namespace) and iproute2; fails without them.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from builders.namespaced import SERVED

pytestmark = pytest.mark.e2e

SCRIPT = SERVED + (
    '"$PYTHON" -P -m preflight run --config "$DIR/preflight.toml" --stand-in node,pod --format json --out "$DIR/out"'
)


def run(folder: Path, *faults: str) -> tuple[int, dict]:
    fault = " ".join(f"--fault {one}" for one in faults)
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", SCRIPT],
        env={"DIR": str(folder), "PYTHON": sys.executable, "OPTIONS": fault, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    path = folder / "out" / "run.json"
    assert path.exists(), done.stderr
    return done.returncode, json.loads(path.read_text())


def test_the_healthy_azure_passes_on_real_names_and_ports(tmp_path):
    code, report = run(tmp_path)
    bad = [verdict for verdict in report["verdicts"] if verdict["status"] not in {"pass", "skipped", "warn"}]
    assert (code, bad) == (0, [])
    assert {verdict["vantage"] for verdict in report["verdicts"] if verdict["status"] == "pass"} == {"workstation"}


def test_connections_went_to_the_real_addresses_on_port_443(tmp_path):
    _, report = run(tmp_path)
    connections = [tcp for seen in report["observations"] for hop in seen["hops"] for tcp in hop["connections"]]
    assert connections
    assert all(connection["tcp"]["mapped_to"] is None for connection in connections)
    assert 443 in {connection["tcp"]["port"] for connection in connections}


def test_the_first_line_says_that_the_workstation_stands_in(tmp_path):
    _, report = run(tmp_path)
    assert "workstation" in report["banner"]


@pytest.mark.parametrize(
    ("requirement", "cause"),
    [
        ("mcr.layers", "tls.reset-after-hello"),
        ("storage.blob.resolve", "dns.privatelink-record-missing"),
        ("acr.reach", "registry.denied-by-network"),
        ("endpoint.reach", "tcp.refused"),
    ],
)
def test_a_fault_is_named(tmp_path, requirement: str, cause: str):
    code, report = run(tmp_path, f"{requirement}={cause}")
    assert code == 1
    failed = [(one["requirement"], one["cause"]) for one in report["verdicts"] if one["status"] == "fail"]
    assert (requirement, cause) in failed
