"""A `preflight.toml` in the making: tables, certificates to write beside it, and what was understood. No I/O."""

from typing import Any

import msgspec


class Draft(msgspec.Struct, kw_only=True):
    """Grows while outputs are read and answers given."""

    tables: dict[str, Any] = {}
    certificates: dict[str, str] = {}  # file name -> PEM
    understood: list[str] = []
    notes: list[str] = []  # what the reader has to do by hand

    def put(self, table: str, /, **values: Any) -> None:
        """Set keys of a table; what is None or empty is not known and changes nothing."""
        known = {name: value for name, value in values.items() if value not in (None, "", [], ())}
        if known:
            self.tables[table] = {**self.tables.get(table, {}), **known}

    def put_absent(self, table: str, /, **values: Any) -> None:
        """Set keys that have no value yet."""
        given = self.tables.get(table, {})
        self.put(table, **{key: value for key, value in values.items() if key not in given})

    def element(self, table: str, key: str, /, **values: Any) -> None:
        """Add or complete an element of a list of tables; `key` is the one that names it."""
        known = {name: value for name, value in values.items() if value not in (None, "", [], ())}
        elements = self.tables.setdefault(table, [])
        for number, element in enumerate(elements):
            if element[key] == known[key]:
                elements[number] = {**element, **known}
                return
        elements.append(known)

    def say(self, text: str) -> None:
        """One thing that was understood."""
        self.understood.append(text)

    def note(self, text: str) -> None:
        """One thing left to do."""
        self.notes.append(text)


def text(value: object) -> str | None:
    """A text of somebody's JSON that can be printed, or nothing."""
    plain = value.strip() if isinstance(value, str) else ""
    return plain if plain and plain.isprintable() else None


def table(value: object) -> dict[str, Any]:
    """A table of somebody's JSON, or an empty one."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[dict[str, Any]]:
    """The tables in a list of somebody's JSON."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def last(resource_id: object) -> str | None:
    """The name at the end of a resource id."""
    return (text(resource_id) or "").rstrip("/").rpartition("/")[2] or None


def denied(document: dict[str, Any]) -> bool:
    """Whether public network access is disabled, in the spellings of the services."""
    value = document.get("publicNetworkAccess", document.get("public_network_access"))
    return isinstance(value, str) and value.lower() in ("disabled", "securedbyperimeter")
