"""The shell probe on real names and ports: what curl, dig and openssl say is judged as what the engine's probes say.

And `--via command-invoke` from the command line, where a lab on real addresses starts the pod. In its own namespace.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders.namespaced import SERVED

from preflight.lab import deployment as at

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
NETWORK = """OPTIONS='--control "$DIR/control" --commands "sh -s"'\n""" + SERVED
SHELLED = NETWORK + '"$PYTHON" -P -m builders.shelled "$DIR/preflight.toml" "$DIR/control" dash -s -- $FAULTS'
INVOKED = NETWORK + (
    '"$PYTHON" -P -m preflight lab fault storage.blob.reach=tls.intercepted --control "$DIR/control" >/dev/null\n'
    '"$PYTHON" -P -m preflight run --config "$DIR/preflight.toml" --vantage workstation,pod'
    ' --via command-invoke "$CLUSTER" --format json --out "$DIR/out" || true\n'
)
FAULTS = [
    f"storage.blob.{place}={cause}"
    for place, causes in {
        "resolve": (
            "dns.nxdomain", "dns.nodata", "dns.servfail", "dns.refused", "dns.timeout", "dns.malformed", "dns.sinkhole",
            "dns.privatelink-record-missing", "dns.privatelink-public-answer",
        ),
        "reach": (
            "tcp.refused", "tcp.timeout", "tls.reset-after-hello", "tls.closed", "tls.timeout", "tls.not-tls",
            "tls.alert", "tls.version", "tls.expired", "tls.not-yet-valid", "tls.wrong-name", "tls.intercepted",
            "tls.incomplete-chain",
        ),
        "read": (
            "http.timeout", "http.reset", "http.malformed", "http.block-page", "http.unexpected-status",
            "storage.throttled", "storage.unavailable", "storage.denied-by-network",
        ),
    }.items()
    for cause in causes
]  # fmt: skip


def inside(script: str, folder: Path, **more: str) -> str:
    search = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    path = f"{folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", script],
        env={"DIR": str(folder), "PYTHON": sys.executable, "PATH": path, "PYTHONPATH": search, **more},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    """Fault -> requirement -> status and cause; "" is the healthy Azure."""
    return json.loads(inside(SHELLED, tmp_path_factory.mktemp("shelled"), FAULTS=" ".join(FAULTS)))


def test_a_healthy_azure_passes_as_far_as_a_shell_can_see(judged: dict):
    assert {status for status, _ in judged[""].values()} == {"pass", "unknown"}
    assert {cause for _, cause in judged[""].values()} == {"", "vantage.limited"}
    for name in (
        "api-server.reach",
        "acr.reach",
        "storage.blob.reach",
        "entra.reach",
        "workspace.reach",
        "endpoint.answer",
    ):
        assert judged[""][name] == ["pass", ""]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_shell_probe_names_the_cause(judged: dict, fault: str):
    requirement, _, cause = fault.partition("=")
    assert judged[fault][requirement] == ["fail", cause]


def test_a_pod_that_azure_starts_names_what_is_in_its_way(tmp_path: Path):
    programs = tmp_path / "bin"
    programs.mkdir()
    az = programs / "az"
    az.write_text(f'#!/bin/sh\necho \'{{"accessToken": "{at.ARM_TOKEN}", "expires_on": 4070908800}}\'\n')
    az.chmod(0o755)
    inside(INVOKED, tmp_path, CLUSTER=f"{at.SUBSCRIPTION}/{at.GROUP}/{at.CLUSTER}", HOME=str(tmp_path))
    run = json.loads((tmp_path / "out/run.json").read_text())
    there = next(one for one in run["vantages"] if one["vantage"] == "pod/aks-command")
    assert there["complete"], there["error"]
    found = {one["cause"]: one["vantages"] for one in run["findings"] if one["severity"] == "required"}
    assert found["tls.intercepted"] == ["pod/aks-command"]
    verdicts = {one["requirement"]: one["status"] for one in run["verdicts"] if one["vantage"] == "pod/aks-command"}
    assert verdicts["storage.table.reach"] == "pass"
