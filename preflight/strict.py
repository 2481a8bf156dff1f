"""Turns plain data (TOML) into frozen structs, strictly, and collects every mistake instead of stopping at the first.

Knows types and keys, not what the values mean: that comes in as rules. No I/O.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin
from urllib.parse import urlsplit

import msgspec

Fault = tuple[str, str]  # what was found ("is a URL"), and what would be right
Rule = Callable[[Any], Fault | None]

_INDEX = re.compile(r"\[[^\]]*\]")
_WORD = re.compile(r"\S+")
_SCHEME = re.compile(r"\w+")
_SECRET_QUERY = re.compile(
    r"([?&;](?:sig|signature|code|key|api[-_]?key|token|access_token|password|secret|subscription-key)=)[^&;\s\"]+",
    re.IGNORECASE,
)
_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table"}


class _Bad:
    """The value of a key that has been reported."""


BAD: Final = _Bad()


def masked(text: str) -> str:
    """The text without passwords in URLs and without secret query parameters."""
    return _SECRET_QUERY.sub(r"\1***", _WORD.sub(_without_userinfo, text))


def _without_userinfo(word: re.Match[str]) -> str:
    """Up to the last at sign: passwords may hold any character, so rather too much than too little.

    Without a scheme only where the text begins. Searched for, since one pattern for it would begin anew at each "://".
    """
    head, found, rest = word[0].partition("://")
    last = word[0].rpartition("@")[2]
    if word.start() == 0 and "@" in word[0] and not (found and _SCHEME.fullmatch(head)):
        return f"***@{last}"
    return f"{head}://***@{last}" if "@" in rest else word[0]


def shown(value: object) -> str:
    """A value as a message may print it: quoted, without secrets and control characters, at most 80 characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = json.dumps(masked(value), ensure_ascii=False) if isinstance(value, str) else masked(str(value))
    safe = printable(text)
    return safe if len(safe) <= 80 else f"{safe[:76]}…{safe[-1] if isinstance(value, str) else ''}"


def url_host(url: str) -> str:
    """The host of a URL, lower case; empty when there is none or when it is no URL at all."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def printable(text: str) -> str:
    """The text without characters that a terminal would act on."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably meant."""
    close = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return close[0] if close else None


def plain_key(key: str) -> str:
    """`storage[stmlprod].blob` -> `storage.blob`."""
    return _INDEX.sub("", key)


class Reader:
    """Converts data of one file; `problems` holds what is wrong, each as "place: found", newline, what is right."""

    def __init__(
        self,
        place: Callable[[str], str],
        *,
        rules: Mapping[str, Rule] | None = None,
        names: Mapping[str, str] | None = None,
        moved: Mapping[str, str] | None = None,
    ) -> None:
        """A reader without problems yet.

        Args:
            place: the text before a problem, for a key.
            rules: key -> rule for its values.
            names: list of tables -> the field that names an element (`storage` -> `account`).
            moved: what to say for keys that people write in the wrong table; "KEY?" for one that is missing.
        """
        self._place = place
        self._rules = rules or {}
        self._names = names or {}
        self._moved = moved or {}
        self.problems: list[str] = []
        self.keys: list[str] = []

    def report(self, key: str, found: str, right: str) -> None:
        """One more mistake."""
        self.problems.append(f"{printable(self._place(key)[:300])}: {printable(found)}\n  {printable(masked(right))}")
        self.keys.append(key)

    def spoilt(self, key: str) -> bool:
        """Whether something at or below this key has been reported."""
        return any(reported == key or reported.startswith((f"{key}.", f"{key}[")) for reported in self.keys)

    def struct(self, kind: type[Any], data: object, key: str = "") -> Any:
        """A struct from a table. Keys with mistakes get their default; BAD when a key without default has one."""
        if not isinstance(data, Mapping):
            return self._wrong_type(key, data, "a table")
        fields = msgspec.structs.fields(kind)
        self._unknown(key, data, [field.name for field in fields])
        values = {}
        for field in fields:
            at = f"{key}.{field.name}" if key else field.name
            if field.name in data:
                value = self.value(field.type, data[field.name], at)
                if value is BAD and not field.required:
                    continue
                values[field.name] = value
            elif field.required:
                self.report(at, "is missing", self._moved.get(f"{plain_key(at)}?", "this key is required"))
                values[field.name] = BAD
        return BAD if BAD in values.values() else kind(**values)

    def value(self, kind: Any, data: object, key: str) -> Any:
        """A value of the type, after its rule; BAD when it was reported."""
        value = self._typed(kind, data, key)
        rule = self._rules.get(plain_key(key))
        if value is BAD or rule is None:
            return value
        for element in value if isinstance(value, tuple) else (value,):
            fault = rule(element)
            if fault:
                self.report(key, f"{shown(element)} {fault[0]}", fault[1])
                return BAD
        return value

    def _typed(self, kind: Any, data: object, key: str) -> Any:
        if get_origin(kind) in (Union, UnionType):
            (kind,) = (option for option in get_args(kind) if option is not NoneType)
        if get_origin(kind) is tuple:
            return self._sequence(get_args(kind)[0], data, key)
        if get_origin(kind) is dict:
            return self._mapping(get_args(kind)[1], data, key)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self.struct(kind, data, key)
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return self._choice(kind, data, key)
        return self._scalar(kind, data, key)

    def _scalar(self, kind: type, data: object, key: str) -> Any:
        if kind is float and isinstance(data, int) and not isinstance(data, bool):
            return float(data)
        if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
            return self._wrong_type(key, data, _WORDS[kind])
        if isinstance(data, str) and not data.replace("\n", "").isprintable():
            self.report(key, f"{shown(data)} holds characters that cannot be printed", "give plain text")
            return BAD
        return data

    def _choice(self, kind: type[StrEnum], data: object, key: str) -> Any:
        allowed = [member.value for member in kind]
        if isinstance(data, str) and data in allowed:
            return kind(data)
        hint = nearest(data, allowed) if isinstance(data, str) else None
        same = next((word for word in allowed if isinstance(data, str) and word.lower() == data.lower()), hint)
        meant = f'did you mean "{same}"? ' if same else ""
        self.report(key, f"{shown(data)} is not one of the values", f"{meant}allowed: {', '.join(allowed)}")
        return BAD

    def _sequence(self, kind: Any, data: object, key: str) -> Any:
        if not isinstance(data, list | tuple):
            return self._wrong_type(key, data, "a list")
        tables = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        values = [
            self._typed(kind, element, self._element_key(key, element, number) if tables else key)
            for number, element in enumerate(data, start=1)
        ]
        good = tuple(value for value in values if value is not BAD)
        return good if tables or len(good) == len(values) else BAD

    def _element_key(self, key: str, element: object, number: int) -> str:
        name = element.get(self._names.get(key, "")) if isinstance(element, Mapping) else None
        usable = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,63}", name)
        return f"{key}[{name}]" if usable else f"{key}[#{number}]"

    def _mapping(self, kind: Any, data: object, key: str) -> Any:
        if not isinstance(data, Mapping):
            return self._wrong_type(key, data, "a table")
        values = {str(name): self._typed(kind, value, f"{key}.{name}") for name, value in data.items()}
        return {name: value for name, value in values.items() if value is not BAD}

    def _unknown(self, key: str, data: Mapping[Any, Any], known: Sequence[str]) -> None:
        for name in data:
            if name in known:
                continue
            at = f"{key}.{name}" if key else str(name)
            meant = nearest(str(name), known)
            right = self._moved.get(plain_key(at)) or (
                f"did you mean {meant}?" if meant else f"known here: {', '.join(known)}"
            )
            self.report(at, "is not a key that is known here", right)

    def _wrong_type(self, key: str, data: object, wanted: str) -> Any:
        found = _WORDS.get(type(data), type(data).__name__)
        value = "" if isinstance(data, list | dict) else f"{shown(data)} "
        example = {"text": 'put it in quotes: "…"', "true or false": "give true or false, without quotes"}
        self.report(key, f"{value}is {found}, not {wanted}", example.get(wanted, f"give {wanted}"))
        return BAD
