# ruff: noqa: E501 - long hostile texts stand on one line each
"""Texts that want to act, and runs in which they stand in every field there is, found by walking the types."""

import enum
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from preflight.model.run import Run
from preflight.model.vocabulary import Status

TAG, ATTRIBUTE = "evilelement", "evilattribute"
HTML = f"<{TAG} {ATTRIBUTE}=1 onevil=x></{TAG}><{TAG}"
PAYLOADS = {
    "HTML": HTML,
    "attribute": f"\" {ATTRIBUTE}=1 x=\" ' {ATTRIBUTE}=1 x=' ` {ATTRIBUTE}=1 onevil=1 >",
    "end of script": f"</script></style></title></textarea><!-- --><{TAG}>",
    "SVG": f"</text></svg><svg {ATTRIBUTE}=1><{TAG}/></svg>",
    "CSS": f"x;}}</style><{TAG}>{{background:url(https://evil.example)}}",
    "CDATA": f"]]><{TAG}/><![CDATA[ &lt;{TAG}&gt; &evil; &#0; %evil;",
    "template": "{{ 7*7 }}{% evil %}{# evil #}${evil}#{evil}<%= evil %>",
    "Markdown": f"[evil](https://evil.example) ![evil](https://evil.example/x.png) **evil** `evil\n# evil\n> evil\n```\n<{TAG}>\n```\n| evil |\n|---|",
    "Markdown link": f"<https://evil.example> [x]: https://evil.example\n[x] https://evil.example www.evil.example <{TAG}>",
    "terminal": "\x1b[38;5;199m\x1b]0;evil\x07\x1b]8;;https://evil.example\x1b\\\x9b2J\x08\x08\x7f\r\x0b\x0c\x00",
    "invisible": "\u202eevil\u202c\u2066\u200b\u200d\ufeff\u00ad\U000e0041\u2028\u2029\ue000\ufffe\ufdd0",
    "surrogate": "\ud800 evil \udfff",
    "formula": '=HYPERLINK("https://evil.example")\t@evil\r+evil\n-evil',
    "long": "w" * 20_000,
    "many words": "evil " * 4_000,
    "combining": "e" + "\u0301" * 2_000,
    "nothing": "",
    "white space": " \t\n ",
}  # fmt: skip


def filled(payload: str) -> Run:
    """A run of every struct and every field that the types know, each text the payload; one verdict a status."""
    run = _make(Run, payload)
    assert isinstance(run, Run)
    checks = tuple(msgspec.structs.replace(run.verdicts[0], status=status) for status in Status)
    return msgspec.structs.replace(run, schema_version=1, exit_code=1, verdicts=checks)


def _make(kind: Any, payload: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _make(next(one for one in args if one not in (types.NoneType, UnsetType)), payload)
    if origin is tuple:
        return (_make(args[0], payload),) if args[-1] is Ellipsis else tuple(_make(one, payload) for one in args)
    if origin is dict:
        return {_make(args[0], payload): _make(args[1], payload)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{name: _make(hint, payload) for name, hint in get_type_hints(kind).items()})
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    return {str: payload, int: 1, float: 1.0, bool: True, Any: {payload: [payload, {payload: payload}]}}[kind]


def places() -> list[tuple[type[msgspec.Struct], str]]:
    """Every field of the run's structs that holds text, alone or in tuples and dictionaries."""
    return [
        (kind, name) for kind in _structs(Run, set()) for name, hint in get_type_hints(kind).items() if _is_text(hint)
    ]


def _structs(kind: Any, known: set[Any]) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in known:
        known.add(kind)
        yield kind
        for hint in get_type_hints(kind).values():
            yield from _structs(hint, known)
    for one in get_args(kind):
        yield from _structs(one, known)


def _is_text(hint: Any) -> bool:
    return hint is str or any(_is_text(one) for one in get_args(hint))


def poisoned(value: Any, kind: type[msgspec.Struct], name: str, payload: str) -> Any:
    """The same run with the payload in one field, wherever that occurs; the rest keeps its meaning."""
    if isinstance(value, tuple):
        return tuple(poisoned(one, kind, name, payload) for one in value)
    if isinstance(value, dict):
        return {key: poisoned(one, kind, name, payload) for key, one in value.items()}
    if not isinstance(value, msgspec.Struct):
        return value
    changes = {}
    for field in value.__struct_fields__:
        held = getattr(value, field)
        if isinstance(value, kind) and field == name:
            changes[field] = _with(held, payload)
        elif held is not UNSET:
            changes[field] = poisoned(held, kind, name, payload)
    return msgspec.structs.replace(value, **changes)


def _with(held: Any, payload: str) -> Any:
    if held is None or isinstance(held, str):
        return payload
    if isinstance(held, dict):
        numbers = all(isinstance(one, int) for one in held.values()) and bool(held)
        other = (payload,) if any(isinstance(one, tuple) for one in held.values()) else [payload]
        words = all(isinstance(one, str) for one in held.values())
        return {payload: 1 if numbers else payload if words else other, **held}
    if isinstance(held, tuple):
        return tuple(_with(one, payload) for one in held) or held
    return held


__all__ = ["ATTRIBUTE", "PAYLOADS", "TAG", "filled", "places", "poisoned"]
