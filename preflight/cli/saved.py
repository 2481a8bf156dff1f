"""Reads the run file that `report` and `judge` are given."""

from pathlib import Path

from preflight.failures import UsageFailure
from preflight.model.run import Run

MAX_RUN_FILE = 256 * 1024 * 1024


def read(path: Path) -> Run:
    """The saved run; `-` is never accepted here, so that messages can name the file."""
    from preflight.render import json  # noqa: PLC0415 - keeps --help quick

    try:
        if path.stat().st_size > MAX_RUN_FILE:
            raise UsageFailure(
                f"{path}: larger than {MAX_RUN_FILE // 1024 // 1024} MB; this is no run file of preflight"
            )
        return json.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageFailure(f"{path}: cannot be read: {error.strerror}") from error
