"""Runs the commands that the stand-in of the Resource Manager takes, in a program that whoever serves the lab names.

Nothing is run without that: a lab that runs what comes over the network is for networks of one's own.
"""

import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, Final

from preflight.lab.services.arm import Running, Start

_SHELL: Final = ("sh", "-s")


class _Process:
    """One command: a program that reads its script."""

    def __init__(self, argv: Sequence[str], text: str) -> None:
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        script = tempfile.TemporaryFile()  # noqa: SIM115 - the process holds it
        script.write(text.encode())
        script.seek(0)
        self._process = subprocess.Popen(  # noqa: S603 - that is what it is for
            list(argv), stdin=script, stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True
        )
        script.close()
        self._ended: tuple[int, bytes] | None = None

    def ended(self) -> tuple[int, bytes] | None:
        """Exit code and output; None while it runs."""
        if self._ended is None and (code := self._process.poll()) is not None:
            self._output.seek(0)
            self._ended = (code, self._output.read())
            self._output.close()
        return self._ended


def runner(program: str) -> Start:
    """Runs commands with this program, which reads a script as `sh -s` does: "kubectl exec -i POD -- sh -s"."""
    argv = shlex.split(program) or list(_SHELL)

    def start(command: str, files: Mapping[str, bytes]) -> Running:
        return _Process(argv, _script(command, files))

    return start


def _script(command: str, files: Mapping[str, bytes]) -> str:
    """`sh FILE` for a file that came along is that file; AKS puts the files into the command's folder."""
    words = shlex.split(command)
    if len(words) == 2 and words[0] == "sh" and words[1] in files:
        return files[words[1]].decode("utf-8", "replace")
    return command
