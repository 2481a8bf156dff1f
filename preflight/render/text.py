"""Makes text that came over the network harmless: for terminals, JSON, XML and Markdown. HTML is escaped by Jinja.

Nothing is dropped silently: what a reader must not be fooled by (controls, bidirectional overrides, invisible
characters) is shown as its code point: `[U+202E]`.
"""

import re
import unicodedata

# Controls (C0 without tab and line feed, DEL, C1), format characters (bidi, zero width, tags), line and paragraph
# separators, surrogates, private use, non-characters: each can move a cursor, hide or reorder text, or break a parser.
_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_NARROWEST = 1  # column that any text gets
_SPACES = {"\n", "\t"}
_ALWAYS = re.compile(r"[^\x20-\x7e]")


def _dangerous(char: str) -> bool:
    return unicodedata.category(char) in _CATEGORIES or (ord(char) & 0xFFFE) == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF


def _shown(found: re.Match[str]) -> str:
    char = found[0]
    return f"[U+{ord(char):04X}]" if char not in _SPACES and _dangerous(char) else char


def clean(text: str) -> str:
    """`text` with every character that could do something shown as its code point; line feeds and tabs stay."""
    return _ALWAYS.sub(_shown, text)


def line(text: str) -> str:
    """`clean`, on one line: all white space becomes single spaces."""
    return clean(" ".join(text.split()))


def escape_json(document: str) -> str:
    r"""A JSON document in which every dangerous character is a `\\u` escape: the same values, safe to look at."""
    return _ALWAYS.sub(_json_escape, document)


def _json_escape(found: re.Match[str]) -> str:
    char = found[0]
    if char in _SPACES or not _dangerous(char):
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def char_width(char: str) -> int:
    """Columns of one character on a terminal."""
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def width(text: str) -> int:
    """Columns of `text` on a terminal."""
    return len(text) if text.isascii() else sum(char_width(char) for char in text)


def cut(text: str, columns: int) -> str:
    """At most `columns` columns of `text`, an ellipsis where something is missing."""
    if width(text) <= columns:
        return text
    kept, used = [], 1
    for char in text:
        used += char_width(char)
        if used > columns:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` cut or filled to exactly `columns` columns; `right` aligns it to the right."""
    shown = cut(text, columns)
    space = " " * (columns - width(shown))
    return space + shown if right else shown + space


def wrap(text: str, columns: int) -> list[str]:
    """`text` on lines of at most `columns` columns, broken at spaces; longer words are broken where they must be."""
    lines, current = [], ""
    columns = max(columns, _NARROWEST)  # a long label beside it may leave nothing
    for word in line(text).split(" "):
        joined = f"{current} {word}" if current else word
        if width(joined) <= columns:
            current = joined
            continue
        if current:
            lines.append(current)
        *full, current = _pieces(word, columns)
        lines.extend(full)
    return [*lines, current] if current else lines


def _pieces(word: str, columns: int) -> list[str]:
    """A word in pieces that fit; host names and paths are broken after a separator where there is one."""
    pieces = []
    while width(word) > columns:
        at = max(_fitting(word, columns), 1)
        seam = max((word.rfind(mark, at // 2, at) + 1 for mark in "./-_,="), default=0)
        at = seam or at
        pieces.append(word[:at])
        word = word[at:]
    return [*pieces, word]


def _fitting(word: str, columns: int) -> int:
    used = 0
    for at, char in enumerate(word):
        used += char_width(char)
        if used > columns:
            return at
    return len(word)


def slug(text: str) -> str:
    """`text` as part of an HTML id: ASCII letters, digits and hyphens."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-").lower() or "x"
