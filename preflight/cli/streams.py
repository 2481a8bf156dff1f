"""Standard output and error that cannot break a run: what they refuse is remembered, and raised nowhere.

The reader of a pipe leaves (`| head`), the disk behind `> file` is full, a service starts us with closed descriptors: a
run goes on to its reports all the same, and `main` asks at the end what was lost.
"""

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Outlet(io.FileIO):
    """A descriptor that takes everything; `lost` is the first error, after which nothing more is written."""

    def __init__(self, number: int, *, absent: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self.absent = absent  # it was closed when we were started
        self.lost: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """As a FileIO, but it waits where the descriptor is non-blocking, and never raises."""
        size = memoryview(data).nbytes
        if self.lost is not None:
            return size
        try:
            while (written := self._write(data)) is None:
                select.select([], [self], [])
        except OSError as error:
            self.lost = error
            return size
        return written

    def _write(self, data: "ReadableBuffer") -> int | None:
        """None where a non-blocking descriptor takes nothing at the moment; typeshed does not tell."""
        return super().write(data)


def install() -> None:
    """Put outlets behind the interpreter's own streams; what a test or an embedding program put there stays."""
    absent = _open_missing()
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, for the whole process
    if sys.stdout is sys.__stdout__:
        sys.stdout = _stream(sys.stdout, 1, absent=1 in absent)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(sys.stderr, 2, absent=2 in absent)


def stdout_is_closed() -> bool:
    """Whether we were started without standard output."""
    outlet = _outlet(sys.stdout)
    return outlet is not None and outlet.absent


def stdout_is_lost() -> bool:
    """Whether anything that was written there is known not to have arrived."""
    outlet = _outlet(sys.stdout)
    return outlet is not None and outlet.lost is not None


def stdout_loss() -> OSError | None:
    """What standard output refused; None as well where its reader had seen enough."""
    sys.stdout.flush()
    outlet = _outlet(sys.stdout)
    return outlet.lost if outlet is not None and outlet.lost and outlet.lost.errno != errno.EPIPE else None


def _open_missing() -> set[int]:
    """Open closed standard descriptors on /dev/null, before a socket or a report takes their numbers."""
    missing = set()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
            missing.add(number)
    return missing


def _stream(former: TextIO | None, number: int, *, absent: bool) -> io.TextIOWrapper:
    """Same encoding as before; a character that it does not have becomes "?" instead of an exception."""
    outlet = Outlet(number, absent=absent)
    encoding = former.encoding if former is not None else "utf-8"
    lines = number == 2 or outlet.isatty()
    return io.TextIOWrapper(io.BufferedWriter(outlet), encoding=encoding, errors="replace", line_buffering=lines)


def _outlet(stream: TextIO) -> Outlet | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, Outlet) else None
