"""preflight, run against a cluster as a user runs it, and what it leaves there. Works with any KUBECONFIG."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from clusters.kit import Kit

MANAGED = "app.kubernetes.io/managed-by=preflight"
RUN = "app.kubernetes.io/instance"
# Every kind that a run, or what it prints for others to apply, could make.
NAMESPACED = "jobs,cronjobs,pods,configmaps,secrets,serviceaccounts,services,networkpolicies,roles,rolebindings"
KINDS = f"namespaces,{NAMESPACED},clusterroles,clusterrolebindings"
APART_S = 2.0  # between the starts of runs side by side: two cores are not to be the cause of findings
_NO_PULLS = ("--skip", "mcr.pull", "--skip", "acr.pull*")  # their tests ask for them; others need not wait
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

    def reasons(self, vantage: str) -> str:
        """Of all verdicts there."""
        return "\n".join(one["reason"] for one in self.run["verdicts"] if one["vantage"] == vantage)

    def why(self, cause: str) -> str:
        """The finding's evidence."""
        return "\n".join(line for one in self.run["findings"] if one["cause"] == cause for line in one["why"])


class World:
    """The cluster, the image, and an environment that fits.

    Runs go into one namespace of the suite unless they name another or ask for their own, whose removal takes a
    cluster ten seconds and more.
    """

    def __init__(
        self, config: Path, environ: dict[str, str], image: str, kit: Kit | None, work: Path, namespace: str
    ) -> None:
        self.config, self.environ, self.image, self.kit, self.work = config, environ, image, kit, work
        self.namespace = namespace
        self.kubeconfig = os.environ["KUBECONFIG"]
        self.spared = ""  # a run whose objects are to go by themselves
        self._numbers = itertools.count(1)

    def command(self, *argv: str) -> list[str]:
        """preflight at the workstation."""
        plain = [sys.executable, "-P", "-m", "preflight", *argv]
        return self.kit.on_workstation(*plain) if self.kit else plain

    def call(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.command(*argv), env=self._env(), capture_output=True, text=True, timeout=400, check=False
        )

    def start(self, out: Path, *argv: str, own_namespace: bool = False) -> subprocess.Popen[str]:
        """A run that goes on beside the test; end it."""
        return subprocess.Popen(
            self.command(*self._argv(out, argv, own_namespace)),
            env=self._env(),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def run(self, *argv: str, own_namespace: bool = False) -> Finished:
        """A run in every place, with what the test says besides."""
        out = self.out()
        begin = time.monotonic()
        done = self.call(*self._argv(out, argv, own_namespace))
        written = out / "run.json"
        assert written.is_file(), f"exit {done.returncode}: {done.stderr}"
        return Finished(
            code=done.returncode, err=done.stderr, run=json.loads(written.read_text()), seconds=time.monotonic() - begin
        )

    def run_all(self, argvs: Sequence[Sequence[str]]) -> list[Finished]:
        """Several runs side by side, a little apart: a kubelet of 1.20 keeps a pod without its image for a minute."""

        def late(number: int) -> Finished:
            time.sleep(number * APART_S)
            return self.run(*argvs[number])

        with ThreadPoolExecutor(len(argvs)) as pool:
            return list(pool.map(late, range(len(argvs))))

    def out(self) -> Path:
        """A new folder for a report."""
        return self.work / f"out{next(self._numbers)}"

    def _argv(self, out: Path, argv: tuple[str, ...], own_namespace: bool) -> tuple[str, ...]:
        image = () if {"--probe-image", "--via"} & set(argv) else ("--probe-image", self.image)
        cluster = () if "--kubeconfig" in argv else ("--kubeconfig", self.kubeconfig)
        where = () if own_namespace or {"--namespace", "--via"} & set(argv) else ("--namespace", self.namespace)
        quiet = () if {"--push-nonce", "--only"} & set(argv) else _NO_PULLS
        shape = ("--out", str(out), "--format", "json")
        return ("run", "--config", str(self.config), *cluster, *image, *where, *quiet, *shape, *argv)

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
        return self.kubectl("get", KINDS, "-A", "-l", self._ours, "-o", "name").split()

    @property
    def _ours(self) -> str:
        return f"{MANAGED},{RUN}!={self.spared}" if self.spared else MANAGED

    def left_in(self, namespace: str) -> list[str]:
        """The same in one namespace, whatever is spared."""
        return self.kubectl("get", NAMESPACED, "-n", namespace, "-l", MANAGED, "-o", "name").split()

    def gone(self, limit_s: float = 150) -> list[str]:
        """What is left once what is going has gone: a kubelet of 1.20 may keep an ended pod until its next full sync."""
        self._until(lambda: not self.left(), limit_s)
        return self.left()

    def pods(self, field: str = "status.phase", namespace: str = "") -> list[str]:
        """One field of each probe's pod."""
        where = ("-n", namespace) if namespace else ("-A",)
        return self.kubectl("get", "pods", *where, "-l", self._ours, "-o", f"jsonpath={{.items[*].{field}}}").split()

    def wait_for_probe(self, limit_s: float = 60) -> None:
        """Until a pod of ours runs."""
        self.wait_for(lambda: "Running" in self.pods(), "a running probe", limit_s)

    def wait_for(self, condition: Callable[[], bool], what: str, limit_s: float = 60) -> None:
        """Until it is so; fails when it does not become so."""
        assert self._until(condition, limit_s), f"not within {limit_s} s: {what}"

    def _until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        ends = time.monotonic() + limit_s
        while not (met := condition()) and time.monotonic() < ends:
            time.sleep(0.3)
        return met
