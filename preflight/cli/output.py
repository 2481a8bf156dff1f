"""Where reports go: files replaced atomically in a folder, one format to stdout, nothing else ever on stdout."""

import functools
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from preflight.cli import files, losses, streams
from preflight.failures import MissingExtra, UsageFailure
from preflight.judge.exitcode import with_reports
from preflight.model.run import Run
from preflight.render import formats
from preflight.render import text as words

DEFAULT_FOLDER = "preflight-out"
_NAMES = [str(name) for name in formats.Format]


class Formats(click.ParamType[tuple[formats.Format, ...]]):
    """`--format console,html`: several at once, closed by the enum."""

    name = "FORMAT[,FORMAT...]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[formats.Format, ...]:
        """Each word once, in the order given."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        unknown = [word for word in words if word not in _NAMES]
        if unknown or not words:
            self.fail(f"{', '.join(unknown) or 'nothing'} is not among {', '.join(_NAMES)}", param, ctx)
        return tuple(dict.fromkeys(formats.Format(word) for word in words))


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--format` and `--out`, with `-v` and `--short` for the console."""
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Show the checks that passed, too."),
        click.option("--short", is_flag=True, help="Console: only the summary, to paste into a chat."),
        click.option(
            "--out",
            metavar="DIR|-",
            default=DEFAULT_FOLDER,
            show_default=True,
            help="Folder for the reports; - writes the one format to stdout.",
        ),
        click.option(
            "--format",
            "wanted",
            type=Formats(),
            default="console,json,html",
            show_default=True,
            help=f"Of {', '.join(_NAMES)}; several with commas.",
        ),
    ):
        command = option(command)
    return command


class Written(NamedTuple):
    """What became of the reports."""

    code: int  # exit code of the process
    saved: bool  # nothing is missing, or what is missing can be made from the run.json that is there


class Output:
    """One command's reports. Made before the run, so that an unwritable folder is known before a packet is sent."""

    def __init__(
        self, wanted: Sequence[formats.Format], out: str, *, verbose: bool = False, short: bool = False
    ) -> None:
        self._wanted, self._verbose, self._short = tuple(wanted), verbose, short
        self._folder = None if out == "-" else Path(out)
        _check_extras(self._wanted)
        if self._folder is None:
            _check_stdout(self._wanted)
        if self.folder is not None:
            _check_writable(self.folder)

    @property
    def folder(self) -> Path | None:
        """Where files are written; None when everything goes to stdout."""
        return self._folder if any(name != formats.Format.CONSOLE for name in self._wanted) else None

    def write(self, run: Run, journal: Path | None = None) -> Written:
        """Write every wanted format, files first.

        A report that cannot be written costs neither the others nor the verdict; `journal` is what is left to judge
        then.
        """
        written, lost = self._files(run)
        for name in self._wanted:
            if self._folder is None or name is formats.Format.CONSOLE:
                for part in (self._console(run),) if name is formats.Format.CONSOLE else formats.parts(name, run):
                    click.echo(part, nl=False)
        hints = [f"preflight explain {run.findings[0].cause}"] if run.findings else []
        hints += [f"reports: {', '.join(map(str, written))}"] if written else []
        if hints:
            click.echo(words.line(" · ".join(hints)), err=True)
        if formats.Format.CONSOLE not in self._wanted:
            click.echo(words.line(f"preflight: {run.headline} (exit {run.exit_code})"), err=True)
        code = with_reports(run.exit_code, lost=bool(lost))
        if lost:
            click.echo("\n".join(losses.told(lost, written, journal, run.exit_code, code)), err=True)
        saved = not lost or any(path.name == formats.FILES[formats.Format.JSON] for path in written)
        return Written(code, saved)

    def _files(self, run: Run) -> tuple[list[Path], dict[Path, OSError]]:
        written: list[Path] = []
        lost: dict[Path, OSError] = {}
        for name in self._wanted:
            if self._folder is not None and name is not formats.Format.CONSOLE:
                path = self._folder / formats.FILES[name]
                try:
                    files.replace_in_parts(path, functools.partial(formats.parts, name, run))
                    written.append(path)
                except OSError as error:
                    lost[path] = error
        return written, lost

    def _console(self, run: Run) -> str:
        from preflight.render import console  # noqa: PLC0415 - only when shown

        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        width = min(100, shutil.get_terminal_size((80, 24)).columns) if sys.stdout.isatty() else 80
        return console.render(run, width=max(60, width), color=color, verbose=self._verbose, short=self._short)


def _check_extras(wanted: Sequence[formats.Format]) -> None:
    if formats.Format.HTML in wanted:
        try:
            import jinja2  # noqa: F401, PLC0415 - an optional part
        except ModuleNotFoundError as missing:
            raise MissingExtra("report", "the HTML report") from missing


def _check_stdout(wanted: Sequence[formats.Format]) -> None:
    if len(wanted) != 1:
        raise UsageFailure("--out -: stdout takes one format\n  give one, for example --format json --out -")
    if streams.stdout_is_closed():
        raise UsageFailure("--out -: stdout is closed\n  give a folder, with --out DIR")


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.sweep(folder)
        handle, path = files.create(folder)
        os.close(handle)
        path.unlink()
    except OSError as error:
        why = files.advice(error)
        raise UsageFailure(
            f"--out {folder}: cannot be written: {error.strerror}{f' ({why})' if why else ''}"
            "\n  give a folder that can, with --out DIR"
        ) from error
