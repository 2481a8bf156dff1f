"""run.json: the canonical form of a run, and the way back. The text is safe to show in a terminal.

Reading is strict about the schema version, and says where a broken file breaks.
"""

import re
from typing import TypeVar

import msgspec

from preflight.failures import UsageFailure
from preflight.model.run import SCHEMA_VERSION, Run
from preflight.render import text

MAX_BYTES = 256 * 1024 * 1024
_T = TypeVar("_T")
_BYTE = re.compile(r"\(byte (\d+)\)")


class _Head(msgspec.Struct, frozen=True):
    """What is read before anything else."""

    schema_version: int


def render(run: Run) -> str:
    """One document, keys in the order of the schema, indented by two, closed by a line feed."""
    encoded = msgspec.json.format(msgspec.json.encode(run, order="deterministic"), indent=2).decode()
    return text.escape_json(encoded) + "\n"


def parse(data: bytes, source: str) -> Run:
    """The run that `data` holds; `source` is its name in messages.

    Raises:
        UsageFailure: not a run, broken, truncated, larger than `MAX_BYTES`, or of a newer schema.
    """
    if len(data) > MAX_BYTES:
        raise UsageFailure(f"{source}: larger than {MAX_BYTES // 1024 // 1024} MB; this is no run file of preflight")
    _check_version(_decode(data, source, _Head).schema_version, source)
    return _decode(data, source, Run)


def _check_version(version: int, source: str) -> None:
    if version > SCHEMA_VERSION:
        raise UsageFailure(
            f"{source}: schema_version: {version} is of a newer preflight; this one reads up to {SCHEMA_VERSION}"
            "\n  update preflight, or use the version that wrote the file"
        )
    if version < 1:
        raise UsageFailure(f"{source}: schema_version: {version} does not exist; the first is 1")


def _decode(data: bytes, source: str, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise UsageFailure(f"{source}: not a run of preflight: {error}") from error
    except RecursionError as error:
        raise UsageFailure(f"{source}: not a run of preflight: nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageFailure(f"{source}: {_position(data, str(error))}: {error}") from error


def _position(data: bytes, message: str) -> str:
    """Line and column of the error; a file that just ends is broken at its end."""
    found = _BYTE.search(message)
    before = data[: int(found[1])] if found else data
    return f"line {before.count(10) + 1}, column {len(before) - before.rfind(10)}"
