"""Reads WWW-Authenticate (RFC 9110, 11.6.1). Hostile text: bounded, never raising, never trusted as it is."""

import re
from collections.abc import Iterable

import msgspec

_LENGTH, _CHALLENGES, _PARAMETERS = 4096, 16, 32
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110's word for a word
_SCHEME = re.compile(_TOKEN)
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', re.DOTALL)
_SEPARATORS = re.compile(r"[\s,]*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """One challenge: scheme and parameter names in lower case, quoted strings unquoted."""

    scheme: str
    parameters: dict[str, str]


def parse(values: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of all headers, in order; what is not understood is left out."""
    found: list[Challenge] = []
    for value in values:
        found.extend(_parse_one(value[:_LENGTH]))
    return tuple(found[:_CHALLENGES])


def of_scheme(challenges: Iterable[Challenge], scheme: str) -> Challenge | None:
    """The first challenge of that scheme."""
    return next((challenge for challenge in challenges if challenge.scheme == scheme), None)


def _parse_one(value: str) -> list[Challenge]:
    found: list[Challenge] = []
    position = _skip(value, 0)
    while position < len(value) and len(found) <= _CHALLENGES:
        if parameter := _PARAMETER.match(value, position):
            _add(found, parameter)
            position = parameter.end()
        elif scheme := _SCHEME.match(value, position):
            found.append(Challenge(scheme=scheme[0].lower(), parameters={}))
            position = scheme.end()
        else:
            position += 1
        position = _skip(value, position)
    return found


def _skip(value: str, position: int) -> int:
    match = _SEPARATORS.match(value, position)
    return match.end() if match else position


def _add(found: list[Challenge], parameter: re.Match[str]) -> None:
    """The first of repeated parameters counts: a second one may be smuggled."""
    if not found or len(found[-1].parameters) >= _PARAMETERS:
        return
    quoted = parameter[2]
    text = parameter[3] if quoted is None else _ESCAPED.sub(r"\1", quoted)
    found[-1].parameters.setdefault(parameter[1].lower(), text)
