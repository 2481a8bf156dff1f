"""TOML tables as data: laid over one another, and written. For preflight.toml variants; knows no key."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `below`; tables are merged, everything else (lists too) is replaced."""
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(value, Mapping) and isinstance(old, Mapping) else value
    return both


def without(data: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The tables without `table` or `table.key`."""
    left = dict(data)
    for dotted in keys:
        head, _, rest = dotted.partition(".")
        if rest and isinstance(left.get(head), Mapping):
            left[head] = without(left[head], (rest,))
        else:
            left.pop(head, None)
    return left


def written(data: Mapping[str, Any]) -> str:
    """A TOML document: one key a line, tables within tables inline."""
    plain = [f"{json.dumps(key)} = {_value(value)}" for key, value in data.items() if not isinstance(value, Mapping)]
    tables = [
        "\n".join(
            (f"\n[{json.dumps(name)}]", *(f"{json.dumps(key)} = {_value(value)}" for key, value in table.items()))
        )
        for name, table in data.items()
        if isinstance(table, Mapping)
    ]
    return "\n".join((*plain, *tables, ""))


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)  # texts, numbers and booleans are written alike in JSON and TOML
