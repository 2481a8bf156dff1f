"""The unmodified command line in the workstation namespace, and what a scenario says about its surroundings."""

import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bed.azure import DNS, Azure
from bed.namespaces import BedError, Namespace
from bed.tables import merged, without, written
from preflight.model.run import Run

if TYPE_CHECKING:
    import subprocess

STAND_IN = ("--stand-in", "node,pod")
RESOLV_CONF = f"nameserver {DNS}\noptions timeout:1 attempts:2\n"
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
# Silence is known after one cap: everything is on this machine, where an answer takes milliseconds.
LIMITS = {"limits": {"connect_cap_s": 1.5, "answer_cap_s": 2.5, "check_deadline_s": 15.0}}
# The program's own limits: nothing waits for them where nothing is silent, and a busy machine is not taken for silence.
PATIENT = {"limits": {"connect_cap_s": 3.0, "answer_cap_s": 10.0, "check_deadline_s": 30.0}}
_KEPT = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")
_TIMEOUT = 120  # seconds


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One finished run."""

    code: int
    run: Run
    errors: str


class Workstation:
    """What the program finds there: variables, files, preflight.toml. Actions change it, `reset` takes that back."""

    def __init__(self, namespace: Namespace, azure: Azure) -> None:
        self._namespace, self._azure = namespace, azure
        self.reset()

    def reset(self) -> None:
        """As in the healthy world."""
        self.variables: dict[str, str] = {}
        self.settings: dict[str, Any] = LIMITS
        self.omitted: tuple[str, ...] = ()
        self.authorities: list[str] = []  # PEM, appended to environment.ca_file
        self.arguments: tuple[str, ...] = STAND_IN
        self._namespace.write_etc("resolv.conf", RESOLV_CONF)
        self._namespace.write_etc("hosts", HOSTS)

    def write_etc(self, name: str, text: str) -> None:
        """A file of /etc until the next reset: resolv.conf or hosts."""
        self._namespace.write_etc(name, text)

    def add_hosts(self, lines: Sequence[str]) -> None:
        """More lines of /etc/hosts until the next reset."""
        self.write_etc("hosts", HOSTS + "".join(f"{line}\n" for line in lines))

    def prepare(self, folder: Path) -> Path:
        """preflight.toml with its authorities in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        path = self._azure.write_environment(folder)
        data = tomllib.loads(path.read_text())
        path.write_text(written(merged(without(data, self.omitted), self.settings)))
        with (folder / "ca.pem").open("a") as file:
            file.writelines(self.authorities)
        return path

    def environ(self) -> dict[str, str]:
        """Nothing of the tester's own but where programs are, the secrets, and what the scenario sets."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, **self._azure.secrets, **self.variables}

    def run(self, folder: Path) -> Seen:
        """`preflight run` to its end; raises `BedError` when there is no run.json."""
        config = self.prepare(folder)
        done = self._start(
            "run", "--config", str(config), *self.arguments, "--format", "json", "--out", str(folder / "out")
        )
        report = folder / "out" / "run.json"
        if not report.exists():
            raise BedError(f"preflight exited with {done.returncode} and wrote no run.json\n{done.stdout}{done.stderr}")
        return Seen(code=done.returncode, run=msgspec.json.decode(report.read_bytes(), type=Run), errors=done.stderr)

    def _start(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        # `env` sets the variables for preflight alone: libfaketime must not meet what puts it into the namespace.
        environ = [f"{name}={value}" for name, value in self.environ().items()]
        command = ("env", "-i", *environ, sys.executable, "-P", "-m", "preflight", *arguments)
        return self._namespace.run(*command, timeout=_TIMEOUT, check=False)
