"""Reads the run that `report` and `judge` are given: a run.json, or the journal of a run that was killed."""

from pathlib import Path

import click

from preflight import files
from preflight.failures import UsageFailure
from preflight.model.run import Evidence, Run

MAX_RUN_FILE = 1024 * 1024 * 1024  # bytes: about seven thousand places
MAX_LINE = 256 * 1024 * 1024  # of which one line, as a plan or a file without line ends has it


def run(path: Path) -> Run:
    """The run as it was judged; a journal holds no verdict yet and is judged now."""
    from preflight.judge import judge  # noqa: PLC0415 - keeps --help quick

    saved = _read(path)
    return saved if isinstance(saved, Run) else judge(saved)


def evidence(path: Path, *, strict: bool) -> Evidence:
    """What the run was judged from, or will be; `strict` in addition to the run's own."""
    import msgspec  # noqa: PLC0415 - keeps --help quick

    from preflight.judge import evidence_of  # noqa: PLC0415

    saved = _read(path)
    found = evidence_of(saved) if isinstance(saved, Run) else saved
    return msgspec.structs.replace(found, strict=strict or found.strict)


def _read(path: Path) -> Run | Evidence:
    """By content, not by name; `-` is never accepted here, so that messages can name the file."""
    from preflight import journal  # noqa: PLC0415 - keeps --help quick
    from preflight.render import json  # noqa: PLC0415

    try:
        with path.open("rb") as file:
            head = file.read(journal.MARK_BYTES)
            if journal.is_journal(head):
                found = journal.read_lines(files.lines(head, file, MAX_RUN_FILE, MAX_LINE), str(path))
                click.echo(f"{path}: {found.summary}", err=True)
                return found.evidence
            return json.parse_lines(files.lines(head, file, MAX_RUN_FILE, MAX_LINE), str(path))
    except files.TooLarge as error:
        raise UsageFailure(
            f"{path}: larger than {MAX_RUN_FILE // 1024 // 1024} MB, or one line of it than"
            f" {MAX_LINE // 1024 // 1024} MB; this is no run file of preflight"
        ) from error
    except OSError as error:
        raise UsageFailure(f"{path}: cannot be read: {error.strerror}") from error
