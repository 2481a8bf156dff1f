"""Run as a script: wait until the process that holds the other end of stdin is gone, then kill what it left behind.

The kernel's own promise (PR_SET_PDEATHSIG) covers children, not what they start in the background. Everything in the
network namespaces of this bed is killed; nothing else can be in them.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

_NETNS = Path("/run/netns")
_TRIES, _PAUSE = 50, 0.02  # seconds


def left_behind() -> list[int]:
    """Processes in a namespace of this bed, but for this one."""
    ours = {Path("/proc/self/ns/net").stat().st_ino}
    for path in _NETNS.iterdir():
        with contextlib.suppress(OSError):
            ours.add(path.stat().st_ino)
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it ended, or it is somebody else's
            if process.name.isdigit() and (process / "ns/net").stat().st_ino in ours:
                found.append(int(process.name))
    return [number for number in found if number != os.getpid()]


def main() -> None:
    """Wait, then kill until nothing is left."""
    while sys.stdin.buffer.read(1):
        pass
    for _ in range(_TRIES):
        numbers = left_behind()
        if not numbers:
            return
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
