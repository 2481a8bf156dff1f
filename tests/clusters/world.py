"""preflight, run against a cluster as a user runs it, and what it leaves there. Works with any KUBECONFIG."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from clusters.kit import Kit

MANAGED = "app.kubernetes.io/managed-by=preflight"
ROOT = Path(__file__).resolve().parents[2]


def environ() -> dict[str, str]:
    """For a process of ours: this checkout unless a wheel is tested, and nobody's proxy."""
    plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return plain | ({"PYTHONPATH": str(ROOT)} if "PREFLIGHT_DIST" not in os.environ else {})


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """One run that came to its end."""

    code: int
    err: str
    run: dict[str, Any]
    seconds: float

    @property
    def findings(self) -> dict[str, set[str]]:
        """Cause -> vantages of all its findings."""
        found: dict[str, set[str]] = {}
        for one in self.run["findings"]:
            found.setdefault(one["cause"], set()).update(one["vantages"])
        return found

    @property
    def required(self) -> dict[str, set[str]]:
        """Those that keep the run from passing."""
        keep = {one["cause"] for one in self.run["findings"] if one["severity"] == "required"}
        return {cause: where for cause, where in self.findings.items() if cause in keep}

    @property
    def vantages(self) -> dict[str, dict[str, Any]]:
        """Name -> facts."""
        return {one["vantage"]: one for one in self.run["vantages"]}

    def statuses(self, vantage: str) -> set[str]:
        """Of what decides there."""
        return {one["status"] for one in self.run["verdicts"] if one["vantage"] == vantage and one["decides"]}

    def why(self, cause: str) -> str:
        """The finding's evidence."""
        return "\n".join(line for one in self.run["findings"] if one["cause"] == cause for line in one["why"])


class World:
    """The cluster, the image, and an environment that fits."""

    def __init__(self, config: Path, environ: dict[str, str], image: str, kit: Kit | None, work: Path) -> None:
        self.config, self.environ, self.image, self.kit, self.work = config, environ, image, kit, work
        self.kubeconfig = os.environ["KUBECONFIG"]
        self._number = 0

    def command(self, *argv: str) -> list[str]:
        """preflight at the workstation."""
        plain = [sys.executable, "-P", "-m", "preflight", *argv]
        return self.kit.on_workstation(*plain) if self.kit else plain

    def call(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.command(*argv), env=self._env(), capture_output=True, text=True, timeout=400, check=False
        )

    def start(self, out: Path, *argv: str) -> subprocess.Popen[str]:
        """A run that goes on beside the test; end it."""
        return subprocess.Popen(
            self.command(*self._argv(out, argv)),
            env=self._env(),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def run(self, *argv: str) -> Finished:
        """A run in every place, with what the test says besides."""
        out = self.out()
        begin = time.monotonic()
        done = self.call(*self._argv(out, argv))
        written = out / "run.json"
        assert written.is_file(), f"exit {done.returncode}: {done.stderr}"
        return Finished(
            code=done.returncode, err=done.stderr, run=json.loads(written.read_text()), seconds=time.monotonic() - begin
        )

    def out(self) -> Path:
        """A new folder for a report."""
        self._number += 1
        return self.work / f"out{self._number}"

    def _argv(self, out: Path, argv: tuple[str, ...]) -> tuple[str, ...]:
        image = () if "--probe-image" in argv else ("--probe-image", self.image)
        cluster = () if "--kubeconfig" in argv else ("--kubeconfig", self.kubeconfig)
        return ("run", "--config", str(self.config), *cluster, *image, "--out", str(out), "--format", "json", *argv)

    def _env(self) -> dict[str, str]:
        return environ() | self.environ

    def kubectl(self, *argv: str, stdin: str | None = None) -> str:
        """kubectl as the administrator; raises when it fails."""
        command = self.kubectl_command(*argv)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def kubectl_command(self, *argv: str) -> list[str]:
        """The command line."""
        return [os.environ.get("KUBECTL", "kubectl"), "--kubeconfig", self.kubeconfig, *argv]

    def left(self) -> list[str]:
        """Every object that carries our label."""
        kinds = "namespaces,jobs,pods,configmaps,secrets"
        return self.kubectl("get", kinds, "-A", "-l", MANAGED, "-o", "name").split()

    def gone(self, limit_s: float = 60) -> list[str]:
        """What is left once what is going has gone."""
        ends = time.monotonic() + limit_s
        while (left := self.left()) and time.monotonic() < ends:
            time.sleep(1)
        return left

    def wait_for_probe(self, limit_s: float = 60) -> None:
        """Until a pod of ours runs."""
        ends = time.monotonic() + limit_s
        while time.monotonic() < ends:
            phases = self.kubectl("get", "pods", "-A", "-l", MANAGED, "-o", "jsonpath={.items[*].status.phase}")
            if "Running" in phases:
                return
            time.sleep(0.3)
        raise AssertionError("no probe ran")
