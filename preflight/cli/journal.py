"""Writes a run's journal while it goes on, so that a kill loses nothing that was observed. Never ends or delays a run.

Lines are handed to the kernel one by one, by a thread of their own: a disk that stalls must not hold up a measurement.
They are not synced: they outlive the process, not a power cut.
"""

import codecs
import contextlib
import itertools
import os
import queue
import shlex
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from preflight import journal
from preflight.cli import files
from preflight.model.journal import Begin, End, Heard, Line, Seen
from preflight.model.observation import Observation, VantageFacts
from preflight.render import text

_GLOB: Final = "run-*.journal.jsonl"
_PIECE: Final = 1024 * 1024
_PATIENCE_S: Final = 10.0  # for a disk that stalls, when the run is over
_GONE: Final = OSError(0, "somebody removed it")


class Journal:
    """One run's journal in `folder`; without a folder (reports go nowhere but to stdout) there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._handle = -1
        self._lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._work, name="preflight-journal", daemon=True)
        self._zero = time.perf_counter()
        self._refused = False
        self._ended = False

    def begin(self, begin: Begin) -> None:
        """Put the first line on disk, whole or not at all, and name the journals that earlier runs left."""
        if self._folder is None:
            return
        _tell_of_earlier(self._folder)
        path = _unused(self._folder, begin.run_id)
        try:
            self._handle, beside = files.create(self._folder)
            try:
                for part in _shown(begin):
                    files.write(self._handle, part)
                beside.replace(path)
            except OSError:
                with contextlib.suppress(OSError):
                    beside.unlink()
                raise
        except OSError as error:
            self._refuse(path, error)
        else:
            self._path = path
            self._writer.start()

    def add(self, vantage: str, item: VantageFacts | Observation) -> None:
        """One thing that was heard."""
        if self._path is not None:
            at_ms = round((time.perf_counter() - self._zero) * 1000, 3)
            if isinstance(item, Observation):
                self._lines.put(Seen(at_ms=at_ms, vantage=vantage, observation=item))
            else:
                self._lines.put(Heard(at_ms=at_ms, vantage=vantage, facts=item))

    def end(self, end: End) -> None:
        """The closing line: from now on only reports are missing."""
        if self._path is not None and not self._ended:
            self._lines.put(end)
        self.close()

    def close(self) -> None:
        """Write what is waiting, and stop; what is on disk stays."""
        if self._path is None or self._ended:
            return
        self._ended = True
        self._lines.put(None)
        self._writer.join(_PATIENCE_S)
        if self._writer.is_alive():
            self._refuse(self._path, OSError(0, f"the disk did not answer for {_PATIENCE_S:.0f} s"))

    def discard(self) -> None:
        """Remove it: the reports are on disk."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def release(self) -> None:
        """Write what is waiting and let go of the file; from now on other runs may name it."""
        self.close()
        if self._handle >= 0 and not self._writer.is_alive():
            os.close(self._handle)
            self._handle = -1

    @property
    def kept(self) -> Path | None:
        """Where it is, unless it was never there or is gone."""
        return self._path if self._path is not None and self._path.is_file() else None

    @property
    def whole(self) -> bool:
        """Whether everything that was observed is in it."""
        return self._ended and not self._refused

    def _work(self) -> None:
        assert self._path is not None
        while (line := self._lines.get()) is not None:
            if self._refused:
                continue
            try:
                if not os.fstat(self._handle).st_nlink:
                    raise _GONE
                for part in _shown(line):
                    files.write(self._handle, part)
            except OSError as error:
                self._refuse(self._path, error)

    def _refuse(self, path: Path, error: OSError) -> None:
        """Said once; the run goes on without."""
        self._refused = True
        click.echo(
            f"{path}: the journal cannot be written: {error.strerror}\n"
            "  the run goes on; should it be killed, what it sees from now on is lost",
            err=True,
        )


def _unused(folder: Path, run_id: str) -> Path:
    """`collect` may be given the same run twice, and what the first one left is not replaced."""
    names = itertools.chain([run_id], (f"{run_id}-{number}" for number in itertools.count(2)))
    return next(path for path in (folder / _GLOB.replace("*", name) for name in names) if not path.exists())


def _shown(line: Line) -> Iterator[bytes]:
    """As in run.json: hostile text of the network is escaped, so that the file may be looked at in a terminal.

    In pieces, usually one: the plan of a thousand places is long.
    """
    encoded, decoder = journal.encode(line), codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(encoded), _PIECE):
        yield text.escape_json(decoder.decode(encoded[at : at + _PIECE])).encode()


def command(path: Path) -> str:
    """How to judge a journal, into a folder of its own, so that no later report is replaced."""
    out = path.with_name(path.name.removesuffix(".journal.jsonl"))
    return f"preflight judge {shlex.quote(str(path))} --out {shlex.quote(str(out))}"


def _tell_of_earlier(folder: Path) -> None:
    """For what earlier runs left, however many there are: the newest with its command, on a line to copy."""
    left = [path for path in folder.glob(_GLOB) if not files.in_use(path)]
    if left:
        more = f" (and {len(left) - 1} more {_GLOB} there)" if len(left) > 1 else ""
        newest = max(left, key=_changed)
        click.echo(
            f"an earlier run ended without its reports{more}; see what it saw, or delete it:\n  {command(newest)}",
            err=True,
        )


def _changed(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0
