"""The shell probe's lines, sorted by target and tool. Everything in them is hostile; bounded, and never an error.

A line is `@pf RUN TASK KIND` and one mark: `.` begins a line of the tool, `+` goes on with the last one.
"""

import re
from collections import defaultdict
from typing import Final

MAX_LINES: Final = 400  # of one tool for one target
MAX_TOTAL: Final = 4 * 1024 * 1024  # characters of all that is kept
_LINE = re.compile(r"@pf ([0-9a-zA-Z-]{1,64}) ([0-9]{1,4}) ([a-z])([.+])(.*)", re.DOTALL)

Section = dict[str, list[str]]  # kind of line -> what that tool said


class Heard:
    """What has come so far. Section 0 is about the place itself; its end is the script's."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._sections: defaultdict[int, Section] = defaultdict(dict)
        self._size = 0
        self.foreign = 0  # lines that are not the probe's
        self.last_foreign = ""  # what the shell itself said, most likely

    def feed(self, line: bytes) -> int | None:
        """One line; gives the number of the target that is finished with it."""
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        match = _LINE.fullmatch(text)
        if match is None or match[1] != self._run_id:
            self.foreign += bool(text.strip())
            self.last_foreign = text.strip()[:300] or self.last_foreign
            return None
        task, kind, mark, said = int(match[2]), match[3], match[4], match[5]
        if kind == "z":
            return task
        self._keep(task, kind, said, goes_on=mark == "+")
        return None

    def _keep(self, task: int, kind: str, said: str, *, goes_on: bool) -> None:
        self._size += len(said)
        lines = self._sections[task].setdefault(kind, [])
        if self._size > MAX_TOTAL or len(lines) >= MAX_LINES:
            return
        if goes_on and lines:
            lines[-1] += said
        else:
            lines.append(said)

    def section(self, task: int) -> Section:
        """What the tools said about a target; empty when nothing came."""
        return self._sections.get(task, {})
