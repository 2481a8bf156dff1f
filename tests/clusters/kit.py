"""The test cluster of a folder with `up`, `env`, `fw`, `load` and `node-exec` (CLUSTER_KIT): places, firewall, processes."""

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
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

    def load(self, image: Path) -> None:
        """Import an image on all nodes."""
        self._run("load", str(image))

    def on_workstation(self, *argv: str) -> list[str]:
        """The command line that runs something with the nodes' DNS."""
        return [str(self.folder / "node-exec"), "workstation", *argv]

    def in_azure(self, *argv: str) -> list[str]:
        """The command line that runs something in the stand-in network."""
        return ["ip", "netns", "exec", self.settings["AZURE_NS"], *argv]

    def in_network_of(self, node: str, *argv: str) -> list[str]:
        """The command line that runs something in a node's network, and ends with its process."""
        init = Path(self.settings["CLUSTER_HOME"], "run", f"{node}-init.pid").read_text().split()[0]
        return ["nsenter", "-t", init, "-n", "--", *argv]

    def address_of(self, name: str) -> str:
        """What the nodes' DNS says."""
        asked = subprocess.run(
            self.on_workstation("getent", "ahostsv4", name), capture_output=True, text=True, timeout=30, check=True
        )
        return asked.stdout.split()[0]

    def kill_api_server(self) -> None:
        """At once, as a crash would; `up` starts it again."""
        os.kill(self._process("kube-apiserver"), signal.SIGKILL)

    @contextlib.contextmanager
    def paused_kubelet(self, node: str) -> Iterator[None]:
        """The node's kubelet does nothing inside the block."""
        kubelet = self._process(f"{node}-kubelet")
        os.kill(kubelet, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(kubelet, signal.SIGCONT)

    def _process(self, name: str) -> int:
        """The program itself: the file names the nsenter that waits for it."""
        waits = Path(self.settings["CLUSTER_HOME"], "run", f"{name}.pid").read_text().split()[0]
        return int(Path(f"/proc/{waits}/task/{waits}/children").read_text().split()[0])


def _exports(text: str) -> dict[str, str]:
    """`export NAME=value` lines."""
    words = (shlex.split(line)[1] for line in text.splitlines() if line.startswith("export "))
    return {name: value for name, _, value in (word.partition("=") for word in words)}
