"""Markdown of a cause page as text for a terminal. Pure; knows only the Markdown that our own pages use."""

import re
import textwrap
from collections.abc import Iterator

_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_BULLET = re.compile(r"^(- |\d+\. )")
_CODE = re.compile(r"`[^`]+`")
_STRESS = re.compile(r"(`[^`]+`)|\*{1,2}([^*`]+)\*{1,2}")
_GLUE = "\x00"  # stands for a space that must not become a line break


def to_terminal(markdown: str, *, width: int = 80) -> str:
    """The page wrapped at `width` columns: headings flush left, text below them indented, code untouched."""
    text = ""
    in_list = False
    for lines in _blocks(markdown):
        item = _BULLET.match(lines[0]) is not None
        text += ("\n" if in_list and item else "\n\n" if text else "") + _block(lines, width)
        in_list = item
    return text + "\n"


def _blocks(markdown: str) -> Iterator[list[str]]:
    """Runs of lines: a heading, a paragraph, a list item with its continuation, a code block with its fences."""
    run: list[str] = []
    fenced = False
    for line in markdown.splitlines():
        fence = line.lstrip().startswith("```")
        starts = not fenced and (fence or line.startswith("#") or _BULLET.match(line) is not None)
        if run and (starts or (not line.strip() and not fenced)):
            yield run
            run = []
        if line.strip() or fenced:
            run.append(line)
        fenced ^= fence
        if fence and not fenced:
            yield run
            run = []
    if run:
        yield run


def _block(lines: list[str], width: int) -> str:
    first = lines[0]
    if first.startswith("#"):
        return first.lstrip("# ")
    if first.lstrip().startswith("```"):
        return "\n".join(f"      {line}".rstrip() for line in textwrap.dedent("\n".join(lines[1:-1])).splitlines())
    bullet = _BULLET.match(first)
    indent = "  " + " " * (len(bullet.group(1)) if bullet else 0)
    filled = textwrap.fill(
        _plain(" ".join(line.strip() for line in lines), room=width - len(indent) - 1),  # a full stop may follow
        width=width,
        initial_indent="  ",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace(_GLUE, " ")


def _plain(text: str, *, room: int) -> str:
    """Inline Markdown without its marks; a link keeps its text, because the other pages are `preflight explain TEXT`.

    Commands stay on one line where they fit into `room`, so that they can be copied.
    """

    def whole(code: re.Match[str]) -> str:
        bare = code.group().strip("`")
        return bare.replace(" ", _GLUE) if len(bare) <= room else bare

    return _CODE.sub(whole, _STRESS.sub(r"\1\2", _LINK.sub(r"\1", text)))
