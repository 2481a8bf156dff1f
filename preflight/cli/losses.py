"""What to say when reports could not be written: which, why, what is left, and what to do. Writes nothing itself."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from preflight.cli import files, journal
from preflight.render.formats import FILES, Format

_FORMATS = {file: name for name, file in FILES.items()}


def told(
    lost: Mapping[Path, OSError], written: Sequence[Path], kept: Path | None, verdict: int, code: int
) -> list[str]:
    """Lines for stderr, the remedy last but for the exit code."""
    lines = [_loss(path, error) for path, error in lost.items()]
    lines.append(f"  {_remedy(list(lost), written, kept)}")
    if code != verdict:
        lines.append(f"preflight: exit {code} instead of {verdict}, because a report that was asked for is missing")
    return lines


def _loss(path: Path, error: OSError) -> str:
    why = files.advice(error)
    former = "; what is there is older than this run" if path.is_file() else ""
    return f"{path}: not written: {error.strerror}{f' ({why})' if why else ''}{former}"


def _remedy(lost: Sequence[Path], written: Sequence[Path], kept: Path | None) -> str:
    """From what is on disk the missing reports can be made later."""
    wanted = ",".join(_FORMATS[path.name] for path in lost)
    for path in written:
        if path.name == FILES[Format.JSON]:
            return f"then: preflight report {shlex.quote(str(path))} --format {wanted}, or with --out DIR elsewhere"
    if kept is not None:
        return f"the run is kept: {journal.command(kept)}, or with --out DIR elsewhere"
    return "nothing of this run is on disk but what is listed above; repeat it with --out DIR elsewhere"
