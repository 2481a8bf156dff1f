"""One child program of a part: started, waited for, ended. Knows no program in particular."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bed.namespaces import BedError, Namespace, end

if TYPE_CHECKING:
    import subprocess


class Program:
    """Starts in a namespace; `wait()` returns when all its ports are bound. Start it from the main thread."""

    def __init__(self, namespace: Namespace, name: str, *ports: int, udp: bool = False) -> None:
        self._namespace, self._name, self._ports, self._udp = namespace, name, ports, udp
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        """Start it; its output is in the namespace's log folder."""
        if shutil.which(command[0]) is None:
            raise BedError(f"not installed: {command[0]} (tests/bed/install.py does it)")
        self._process = self._namespace.spawn(*command, log=self._name, env=env, cwd=cwd)

    def wait(self) -> None:
        """Return when it listens; raises `BedError` with the end of its log when it does not."""
        assert self._process is not None
        try:
            for port in self._ports:
                self._namespace.wait_listening(port, self._process, udp=self._udp)
        except BedError as error:
            log = (self._namespace.logs / f"{self._name}.log").read_text(errors="replace")[-2000:]
            raise BedError(f"{error}\n{log}") from error

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            end(self._process, patience=1)
            self._process = None


def as_user(namespace: Namespace, user: str, *command: str) -> list[str]:
    """The command as that user of the machine, still ending with this process: setpriv renews what a change clears.

    In a user namespace nobody but its root exists, so that the program gets one more, in which it is somebody.
    """
    mapped = Path("/proc/self/uid_map").read_text().split()
    if int(mapped[2]) > 1:
        return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--pdeathsig=KILL", *command]
    numbers = namespace.run("id", "-u", user).stdout.strip(), namespace.run("id", "-g", user).stdout.strip()
    return ["unshare", "--user", f"--map-user={numbers[0]}", f"--map-group={numbers[1]}", *command]
