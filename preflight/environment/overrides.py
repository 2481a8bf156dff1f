"""Lays environment variables and `--set` flags over the tables of the file, and remembers who said what. Pure."""

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from preflight.environment.shape import File
from preflight.strict import nearest

PREFIX: Final = "PREFLIGHT_"
_TABLES: Final = {
    field.name: field.type
    for field in msgspec.structs.fields(File)
    if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
}
_TRUE: Final = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """One value from outside the file."""

    key: str  # "environment.region"
    text: str
    source: str  # "environment variable PREFLIGHT_ENVIRONMENT_REGION", "--set environment.region"


def from_variables(environ: Mapping[str, str], secret_names: frozenset[str]) -> tuple[list[Override], list[str]]:
    """Overrides from `PREFLIGHT_<TABLE>_<KEY>`, and problems of variables whose key no table has.

    Variables that hold a credential named in the file are none of ours, and no value is ever in a problem.
    """
    overrides, problems = [], []
    for name in sorted(environ):
        table = next((table for table in _TABLES if name.startswith(f"{PREFIX}{table.upper()}_")), None)
        if table is None or name in secret_names:
            continue
        key = name.removeprefix(f"{PREFIX}{table.upper()}_").lower()
        known = [field.name for field in msgspec.structs.fields(_TABLES[table])]
        if key in known:
            overrides.append(Override(key=f"{table}.{key}", text=environ[name], source=f"environment variable {name}"))
        elif table != "credentials":
            meant = nearest(key, known)
            right = f"did you mean {PREFIX}{table.upper()}_{meant.upper()}?" if meant else f"[{table}] has no such key"
            problems.append(f"environment variable {name}: is not a key that is known\n  {right}")
    return overrides, problems


def from_flags(flags: Mapping[str, str]) -> list[Override]:
    """Overrides from `--set table.key=value`."""
    return [Override(key=key, text=text, source=f"--set {key}") for key, text in flags.items()]


def lay_over(
    data: dict[str, Any], overrides: list[Override], report: Callable[[str, str], None]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The tables with the overrides in them, and key -> source. `report` takes a problem's place and what is right."""
    tables = {name: dict(table) if isinstance(table, dict) else table for name, table in data.items()}
    sources: dict[str, str] = {}
    for override in overrides:
        table, _, key = override.key.partition(".")
        path = key.split(".")
        kind = _kind(table, path)
        if kind is None:
            report(override.source, _meant(table, path[0]))
            continue
        if _put(tables, [table, *path], _converted(kind, override.text)):
            sources[override.key] = override.source
    return tables, sources


def _put(tables: dict[str, Any], path: list[str], value: Any) -> bool:
    """Set one value, copying the tables on the way; False where the file has something else than a table there."""
    place = tables
    for part in path[:-1]:
        inner = place.get(part, {})
        if not isinstance(inner, dict):
            return False
        place[part] = dict(inner)
        place = place[part]
    place[path[-1]] = value
    return True


def _kind(table: str, path: list[str]) -> Any:
    """The type of a key; None when it cannot be overridden."""
    kind: Any = _TABLES.get(table)
    for part in path:
        fields = {field.name: field.type for field in msgspec.structs.fields(kind)} if _is_struct(kind) else {}
        kind = _bare(fields.get(part))
    return None if _is_struct(kind) or get_origin(kind) is dict else kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _bare(kind: Any) -> Any:
    """`str | None` -> `str`."""
    return get_args(kind)[0] if get_origin(kind) in (Union, UnionType) else kind


def _meant(table: str, key: str) -> str:
    if table not in _TABLES:
        hint = nearest(table, _TABLES)
        return f"did you mean {hint}.{key}?" if hint and key else f"give TABLE.KEY=VALUE; tables: {', '.join(_TABLES)}"
    known = [field.name for field in msgspec.structs.fields(_TABLES[table])]
    hint = nearest(key, known)
    return f"did you mean {table}.{hint}?" if hint else f"keys of [{table}]: {', '.join(known)}"


def _converted(kind: Any, text: str) -> Any:
    """The text as the type wants it; what does not fit stays text, so that the ordinary message names it."""
    if kind is bool:
        return _TRUE.get(text.strip().lower(), text)
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text
