"""Where reports go: files replaced atomically in a folder, one format to stdout, nothing else ever on stdout."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from preflight.failures import MissingExtra, UsageFailure
from preflight.model.run import Run
from preflight.render import formats

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


class Output:
    """One command's reports. Made before the run, so that an unwritable folder is known before a packet is sent."""

    def __init__(
        self, wanted: Sequence[formats.Format], out: str, *, verbose: bool = False, short: bool = False
    ) -> None:
        self._wanted, self._verbose, self._short = tuple(wanted), verbose, short
        self._folder = None if out == "-" else Path(out)
        _check_extras(self._wanted)
        if self._folder is None and len(self._wanted) != 1:
            raise UsageFailure("--out -: stdout takes one format\n  give one, for example --format json --out -")
        if self._folder is not None and any(
            name in formats.FILES for name in self._wanted if name != formats.Format.CONSOLE
        ):
            _check_writable(self._folder)

    def write(self, run: Run) -> None:
        """Write every wanted format; the console's text, or the one format of `--out -`, goes to stdout."""
        written = []
        for name in self._wanted:
            text = self._console(run) if name is formats.Format.CONSOLE else formats.renderer(name)(run)
            if self._folder is None or name is formats.Format.CONSOLE:
                click.echo(text, nl=not text.endswith("\n"))
            else:
                written.append(_replace(self._folder / formats.FILES[name], text))
        hints = [f"preflight explain {run.findings[0].cause}"] if run.findings else []
        hints += [f"reports: {', '.join(map(str, written))}"] if written else []
        if hints:
            click.echo(" · ".join(hints), err=True)
        if formats.Format.CONSOLE not in self._wanted:
            click.echo(f"preflight: {run.headline} (exit {run.exit_code})", err=True)

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


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".preflight-"):
            pass
    except OSError as error:
        raise UsageFailure(
            f"--out {folder}: cannot be written: {error.strerror}\n  give a folder that can, with --out DIR"
        ) from error


def _replace(path: Path, text: str) -> Path:
    """Write beside, then rename: a reader sees the old report or the new one, never half of one."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except OSError as error:
        Path(beside).unlink(missing_ok=True)
        raise UsageFailure(f"{path}: cannot be written: {error.strerror}") from error
    return path
