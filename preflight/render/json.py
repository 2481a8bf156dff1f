"""run.json: the canonical form of a run, and the way back. The text is safe to show in a terminal.

Reading is strict about the schema version, and says where a broken file breaks. A run of many places is written and
read in pieces, an entry of a list on each line, so that neither takes a multiple of it in memory.
"""

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from preflight.failures import UsageFailure
from preflight.model.observation import Observation
from preflight.model.plan import Check, Plan
from preflight.model.run import SCHEMA_VERSION, Run, Verdict
from preflight.model.sharing import Shared
from preflight.render import text

MAX_BYTES = 1024 * 1024 * 1024
INDENTED = 2_000  # verdicts; a run with more is written without indentation
# As `parts` writes long lists, with an entry on each line that follows; in the order of `parse_lines`.
_LISTS: dict[bytes, tuple[str, type[msgspec.Struct]]] = {
    b'"observations":[\n': ("an observation", Observation),
    b'"checks":[\n': ("a check of the plan", Check),
    b'"verdicts":[\n': ("a verdict", Verdict),
}
_AT_ONCE = 200  # entries of a list that are encoded together
_T = TypeVar("_T")
_BYTE = re.compile(r"\(byte (\d+)\)")


class _Head(msgspec.Struct, frozen=True):
    """What is read before anything else."""

    schema_version: int


def render(run: Run) -> str:
    """One document, keys in the order of the schema, closed by a line feed; indented by two while a person reads it."""
    return "".join(parts(run))


def parts(run: Run) -> Iterator[str]:
    """The document in pieces."""
    if len(run.verdicts) <= INDENTED:
        encoded = msgspec.json.format(msgspec.json.encode(run, order="deterministic"), indent=2).decode()
        yield text.escape_json(encoded)
    else:
        yield from map(text.escape_json, _value(run))
    yield "\n"


def _value(value: Any) -> Iterator[str]:
    """Documents key by key and lists a few entries at a time, everything else at once."""
    if isinstance(value, (Run, Plan)):
        for at, name in enumerate(value.__struct_fields__):
            yield f'{"," if at else "{"}\n"{name}":'
            yield from _value(getattr(value, name))
        yield "\n}"
    elif isinstance(value, tuple) and len(value) > _AT_ONCE:
        for at in range(0, len(value), _AT_ONCE):
            yield "," if at else "["
            yield "".join(_lines(value[at : at + _AT_ONCE]))
        yield "\n]"
    else:
        yield _encoded(value)


def _lines(entries: Iterable[Any]) -> Iterator[str]:
    for at, entry in enumerate(entries):
        yield f"{',' if at else ''}\n{_encoded(entry)}"


def _encoded(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def parse(data: bytes, source: str) -> Run:
    """The run that `data` holds; `source` is its name in messages.

    Raises:
        UsageFailure: not a run, broken, truncated, larger than `MAX_BYTES`, or of a newer schema.
    """
    if len(data) > MAX_BYTES:
        raise UsageFailure(f"{source}: larger than {MAX_BYTES // 1024 // 1024} MB; this is no run file of preflight")
    return parse_lines(io.BytesIO(data), source)


def parse_lines(lines: Iterable[bytes], source: str) -> Run:
    """The same line by line: entries of long lists that stand on lines of their own are never together as text."""
    rest, shared, inside, wrong = bytearray(), Shared(), b"", None
    found: dict[bytes, list[Any]] = {name: [] for name in _LISTS}
    for line in lines:
        if inside and line.rstrip(b",\n") != b"]":
            rest += b"\n"  # so that other lines keep their numbers
            what, kind = _LISTS[inside]
            try:
                found[inside].append(shared.of(_decode(line.strip().removesuffix(b","), f"{source}: {what}", kind)))
            except UsageFailure as failure:  # told when it is known that the version is not to blame
                wrong = wrong or failure
        else:
            inside = line if line in _LISTS else b""
            rest += line
    data = bytes(rest)
    del rest
    _check_version(_decode(data, source, _Head).schema_version, source)
    run = _decode(data, source, Run)
    if wrong is not None:
        raise wrong
    observations, checks, verdicts = (tuple(entries) for entries in found.values())
    return msgspec.structs.replace(
        run,
        observations=observations or run.observations,
        plan=msgspec.structs.replace(run.plan, checks=checks or run.plan.checks),
        verdicts=verdicts or run.verdicts,
    )


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
