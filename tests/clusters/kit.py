"""The test cluster of a folder with `up`, `env`, `fw` and `node-exec` (CLUSTER_KIT): places, firewall, processes."""

import os
import shlex
import signal
import subprocess
from pathlib import Path


class Kit:
    """Commands of the kit; every one raises when it fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = _exports(self._run("env"))

    def _run(self, command: str, *argv: str) -> str:
        done = subprocess.run(
            [str(self.folder / command), *argv], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{command} {argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def up(self, *argv: str) -> None:
        """Start what is missing, or change names and trust of what runs."""
        self._run("up", *argv)

    def fw(self, *argv: str) -> None:
        """One rule of the firewall."""
        self._run("fw", *argv)

    def snat(self, mode: str) -> None:
        """`on`: pods leave behind their node's address; `off`: with their own."""
        self._run("snat", mode)

    def on_workstation(self, *argv: str) -> list[str]:
        """The command line that runs something with the nodes' DNS."""
        return [str(self.folder / "node-exec"), "workstation", *argv]

    def in_azure(self, *argv: str) -> list[str]:
        """The command line that runs something in the stand-in network."""
        return ["ip", "netns", "exec", self.settings["AZURE_NS"], *argv]

    def address_of(self, name: str) -> str:
        """What the nodes' DNS says."""
        asked = subprocess.run(
            self.on_workstation("getent", "ahostsv4", name), capture_output=True, text=True, timeout=30, check=True
        )
        return asked.stdout.split()[0]

    def kill_api_server(self) -> None:
        """At once, as a crash would; `up` starts it again."""
        pid = Path(self.settings["CLUSTER_HOME"], "run", "kube-apiserver.pid").read_text().split()[0]
        os.kill(int(pid), signal.SIGKILL)


def _exports(text: str) -> dict[str, str]:
    """`export NAME=value` lines."""
    words = (shlex.split(line)[1] for line in text.splitlines() if line.startswith("export "))
    return {name: value for name, _, value in (word.partition("=") for word in words)}
