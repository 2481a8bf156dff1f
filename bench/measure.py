"""One command as a whole process tree: wall and CPU seconds, peak memory, what it printed. Judges nothing."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One run. `peak_mb` is the largest single process of the tree (ru_maxrss), not their sum."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    code: int
    stdout: str
    stderr: str


def run(argv: Sequence[str], *, folder: Path, env: Mapping[str, str], stdin: str = "", limit_s: float = 900) -> Sample:
    """Runs it to its end in `folder`. CPU is that of the process and of all its children that it waited for.

    GNU time stands between, because a child starts out with its parent's peak, and this process is large.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        out, err, peak, given = (Path(scratch) / name for name in ("out", "err", "peak", "in"))
        given.write_text(stdin)
        with given.open("rb") as source, out.open("wb") as stdout, err.open("wb") as stderr:
            begin = time.perf_counter()
            process = subprocess.Popen(
                ["/usr/bin/time", "-q", "-f", "%M", "-o", str(peak), "--", *argv],
                stdin=source,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env=dict(env),
                start_new_session=True,
            )
            guard = threading.Timer(limit_s, _kill, (process.pid,))
            guard.start()
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                _kill(process.pid)
                raise
            finally:
                guard.cancel()
            wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        return Sample(
            wall_s=wall,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_mb=int(peak.read_text().split()[-1]) / 1024,
            code=process.returncode,
            stdout=out.read_text(errors="replace"),
            stderr=err.read_text(errors="replace"),
        )


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
