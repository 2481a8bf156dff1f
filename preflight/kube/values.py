"""What an API server's objects hold, taken as what it should be or as nothing: parsed, not trusted, bounded. Pure."""

from typing import Any, Final

Json = dict[str, Any]
MOST_TEXT: Final = 317  # a label's key: 253 of the prefix, a slash, 63 of the name


def table(value: object, key: str = "") -> Json:
    """The table, or the table under a key of it; an empty one for anything else."""
    found = table(value).get(key) if key else value
    return found if isinstance(found, dict) else {}


def tables(value: object, most: int = 1_000) -> list[Json]:
    """The tables of a list, at most so many."""
    return [one for one in value[:most] if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object, most: int = MOST_TEXT) -> str:
    """A line of printable characters; empty for what is not text."""
    if not isinstance(value, str):
        return ""
    return "".join(char if char.isprintable() else "?" for char in value[:most])


def texts(value: object, most: int = 100) -> tuple[str, ...]:
    """The texts of a list, at most so many."""
    return tuple(text(one) for one in value[:most] if isinstance(one, str)) if isinstance(value, list) else ()


def labels(value: object, most: int = 100) -> dict[str, str]:
    """Labels of an object, at most so many."""
    pairs = [(text(key), text(one)) for key, one in table(value).items() if isinstance(one, str)]
    return dict(sorted(pairs)[:most])


def items(listed: object) -> list[Json]:
    """The objects of a list's answer."""
    return tables(table(listed).get("items"), most=1_000_000)
