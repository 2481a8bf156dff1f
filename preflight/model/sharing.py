"""Keeps equal parts of observations once: a thousand places are shown the same names, headers and certificates.

A value stays what it is; only what it is made of is shared. Nothing is ever dropped or changed.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from preflight.model.observation import Certificate

_S = TypeVar("_S", bound=msgspec.Struct)


class Shared:
    """The parts seen so far, of one run. What it knows lives as long as it does."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}
        self._dicts: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        self._fields: dict[type, tuple[str, ...]] = {}

    def of(self, value: _S) -> _S:
        """The same value, made of parts that others have too."""
        for name in self._names(type(value)):
            part = getattr(value, name)
            kind = type(part)
            if kind is str:
                same = self._known.setdefault(part, part)
            elif kind is tuple:
                same = self._tuple(part)
            elif kind is dict:
                same = self._dict(part)
            elif isinstance(part, msgspec.Struct):
                same = self.of(part)
            else:
                continue
            if same is not part:
                msgspec.structs.force_setattr(value, name, same)  # equal, so nobody can tell
        return value

    def each(self, values: Iterable[msgspec.Struct]) -> None:
        """The same for many."""
        for value in values:
            self.of(value)

    def _tuple(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        """Texts, pairs of texts and certificates as a whole; of others each."""
        if not value:
            return value
        if isinstance(value[0], msgspec.Struct) and not isinstance(value[0], Certificate):
            for one in value:
                self.of(one)
            return value
        known = self._known.get(value)
        if known is None:
            known = tuple(map(self._part, value))
            self._known[known] = known
        return known

    def _dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        """Facts of a service, mostly none; of anything else than texts each is its own."""
        if not all(type(part) is str for pair in value.items() for part in pair):
            return value
        return self._dicts.setdefault(tuple(value.items()), value)

    def _part(self, value: Any) -> Any:
        if isinstance(value, Certificate):
            return self._known.setdefault(value, self.of(value))
        return self._tuple(value) if type(value) is tuple else self._known.setdefault(value, value)

    def _names(self, kind: type) -> tuple[str, ...]:
        """Fields that may hold something worth sharing."""
        if kind not in self._fields:
            self._fields[kind] = tuple(
                field.name for field in msgspec.structs.fields(kind) if field.type not in (float, int, bool)
            )
        return self._fields[kind]
