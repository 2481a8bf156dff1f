"""Changes that keep a structure: JSON stays JSON, DER keeps its lengths, TOML stays TOML. Random bytes rarely do.

A mutator is called as `mutate(data, most, rng, raw)`; `raw(data, most)` is the fuzzer's own, blind mutation, which
stays one of the moves of each.
"""

import json
import random
import tomllib
from collections.abc import Callable
from typing import Any

from preflight.vantages.protocol import SENTINEL

Raw = Callable[[bytes, int], bytes]
Mutator = Callable[[bytes, int, random.Random, Raw], bytes]

_SCALARS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    -(2**63),
    10**30,
    1e308,
    -0.0,
    1.5,
    "",
    "a",
    "0",
    "\x1b[2J\x07",
    "\u202e\u2066",
    "\ufeff",
    "\ud800",
    "]]>",
    "<script>alert(1)</script>",
    "\"'`|*_[]()#",
    "{{7*7}}",
    "${x}",
    "%00",
    "::1",
    "10.0.0.1",
    "10.0.0.1:99999999",
    "[::1",
    "https://[",
    "https://user:pw@h/",
    "http://a:b:c",
    "a" * 300,
    ".",
    "..",
    "-",
    "2026-11-22T10:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "²",
    "xn--",
    "ß.example",
    "pod/user1",
    "node/user1",
    "workstation",
    "answer",
    "timeout",
    "NXDOMAIN",
    "ok",
    "unverified",
    "connected",
    "error",
    [],
    {},
)


def as_json(data: bytes, most: int, rng: random.Random, raw: Raw) -> bytes:
    """One to four changes somewhere in the document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return raw(data, most)
    if rng.random() < 0.1:
        return raw(data, most)
    changed = _changed(document, rng, raw)
    try:
        result = json.dumps(changed, ensure_ascii=rng.random() < 0.5, separators=(",", ":")).encode(
            "utf-8", "surrogatepass"
        )
    except (ValueError, RecursionError):
        return raw(data, most)
    return result if len(result) <= most else raw(data, most)


def lines(data: bytes, most: int, rng: random.Random, raw: Raw) -> bytes:
    """Lines of agents and journals: one is changed as JSON, repeated or lost."""
    every = data.split(b"\n")
    at = rng.randrange(len(every))
    move = rng.randrange(8)
    if move == 0:
        every.insert(rng.randrange(len(every)), every[at])
    elif move == 1 and len(every) > 1:
        del every[at]
    elif move == 2:
        return raw(data, most)
    else:
        before, found, payload = every[at].partition(SENTINEL)
        changed = as_json(payload if found else every[at], most, rng, raw)
        every[at] = before + found + changed if found else changed
    result = b"\n".join(every)
    return result if len(result) <= most else raw(data, most)


def toml(data: bytes, most: int, rng: random.Random, raw: Raw) -> bytes:
    """The tables are changed as values and written again; what has no form in TOML is left out."""
    if rng.random() < 0.15:
        return raw(data, most)
    try:
        changed = _changed(tomllib.loads(data.decode()) or {"a": 1}, rng, raw)
        tables = changed.items() if isinstance(changed, dict) else ()
        text = "\n".join(f"{_key(name)} = {_inline(value)}" for name, value in tables if value is not None)
    except (ValueError, RecursionError):
        return raw(data, most)
    result = text.encode("utf-8", "surrogatepass")
    return result if text and len(result) <= most else raw(data, most)


def _key(name: str) -> str:
    return json.dumps(name)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(name)} = {_inline(one)}" for name, one in value.items() if one is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(one) for one in value if one is not None) + "]"
    if value is None or isinstance(value, str | bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value))  # dates


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) below the value."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            found.append((one, key))
            waiting.append(one[key])
    return found


def _changed(document: Any, rng: random.Random, raw: Raw) -> Any:
    root = [document]
    for _ in range(rng.randint(1, 4)):
        places = _places(root, [])
        container, key = rng.choice(places)
        _MOVES[rng.randrange(len(_MOVES))](container, key, places, rng, raw)
        if not root:
            root = [{}]
    return root[0]


def _scalar(container: Any, key: Any, _places: Any, rng: random.Random, _raw: Raw) -> None:
    container[key] = json.loads(json.dumps(rng.choice(_SCALARS)))


def _text(container: Any, key: Any, _places: Any, _rng: random.Random, raw: Raw) -> None:
    value = container[key]
    if isinstance(value, str):
        container[key] = raw(value.encode("utf-8", "replace"), len(value) + 64).decode("utf-8", "replace")
    elif isinstance(value, int) and not isinstance(value, bool):
        container[key] = value + _rng.choice((-1, 1, 2**32, -value))


def _other(container: Any, key: Any, places: Any, rng: random.Random, _raw: Raw) -> None:
    other, name = rng.choice(places)
    container[key] = json.loads(json.dumps(other[name], default=str))


def _lost(container: Any, key: Any, _places: Any, _rng: random.Random, _raw: Raw) -> None:
    del container[key]


def _again(container: Any, key: Any, _places: Any, rng: random.Random, _raw: Raw) -> None:
    value = json.loads(json.dumps(container[key], default=str))
    if isinstance(container, list):
        container[key:key] = [value] * rng.choice((1, 2, 17))
    else:
        container[f"{key}{rng.choice(('', '2', ' ', chr(0x202E)))}"] = value


_MOVES = (_scalar, _text, _text, _other, _lost, _again)


def der(data: bytes, most: int, rng: random.Random, raw: Raw) -> bytes:
    """One to three changes in the tree of tags; lengths are right again afterwards, or on purpose not."""
    skip = 0 if data[:1] == b"\x30" else 1  # a choice may stand in front of the certificate
    nodes = _tree(data[skip:], 0)
    if nodes is None or not nodes or rng.random() < 0.15:
        return raw(data, most)
    for _ in range(rng.randint(1, 3)):
        _touch(nodes, rng, raw)
    head = bytes([rng.randrange(256)]) if skip and rng.random() < 0.3 else data[:skip]
    result = head + b"".join(map(_encoded, nodes))
    return result if len(result) <= most else raw(data, most)


class _Node:
    """A tag with its bytes, or with what is below it."""

    __slots__ = ("below", "tag", "value")

    def __init__(self, tag: int, value: bytes, below: "list[_Node] | None") -> None:
        self.tag = tag
        self.value = value
        self.below = below


def _tree(data: bytes, depth: int) -> list[_Node] | None:
    """Nodes of DER, None where it is none."""
    nodes, at = [], 0
    while at < len(data):
        if len(data) < at + 2:
            return None
        tag, size, start = data[at], data[at + 1], at + 2
        if size & 0x80:
            more = size & 0x7F
            size, start = int.from_bytes(data[start : start + more], "big"), start + more
            if not 1 <= more <= 3:
                return None
        if start + size > len(data):
            return None
        value = data[start : start + size]
        nested = depth < 12 and (tag & 0x20 or tag in (3, 4))
        offset = 1 if tag == 3 and value[:1] == b"\x00" else 0  # unused bits of a bit string
        below = _tree(value[offset:], depth + 1) if nested and len(value) > offset + 1 else None
        nodes.append(_Node(tag, value[:offset] if below else value, below or None))
        at = start + size
    return nodes


def _encoded(node: _Node) -> bytes:
    value = node.value + b"".join(map(_encoded, node.below)) if node.below is not None else node.value
    size = len(value)
    if size < 128:
        length = bytes([size])
    else:
        counted = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(counted)]) + counted
    return bytes([node.tag]) + length + value


def _touch(nodes: list[_Node], rng: random.Random, raw: Raw) -> None:
    siblings, lists = nodes, [nodes]
    while lists:
        siblings = lists.pop()
        deeper = [node.below for node in siblings if node.below]
        if not deeper or (siblings is not nodes and rng.random() < 0.25):
            break
        lists = [rng.choice(deeper)]
    if not siblings:
        return
    at = rng.randrange(len(siblings))
    node = siblings[at]
    match rng.randrange(6):
        case 0:
            node.tag = rng.choice((1, 2, 3, 4, 5, 6, 12, 19, 22, 23, 24, 28, 30, 48, 49, 0x80, 0x82, 0x86, 0x87, 0xA0))
        case 1:
            del siblings[at]
        case 2:
            siblings[at:at] = [node] * rng.choice((1, 1, 2, 120))
        case 3:
            siblings[at] = rng.choice(siblings)
        case _:
            if node.below is None:
                node.value = raw(node.value, len(node.value) + 64)


MUTATORS: dict[str, Mutator] = {"json": as_json, "lines": lines, "toml": toml, "der": der}
