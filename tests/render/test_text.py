"""Text from the network is shown, never obeyed."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.render import text

OBEYED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
ANYTHING = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31m", "[U+001B][31m"),
        ("\x9b31m", "[U+009B]31m"),
        ("a\u202eb", "a[U+202E]b"),
        ("a\u200bb", "a[U+200B]b"),
        ("\x00\x7f", "[U+0000][U+007F]"),
        ("\ud800", "[U+D800]"),
        ("\U000e0041", "[U+E0041]"),
        ("\uffff", "[U+FFFF]"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_dangerous_characters_are_shown_as_their_code_points(raw, shown):
    assert text.clean(raw) == shown


def test_a_line_stays_one_line():
    assert text.line("a\r\nb\u2028c\td\v e") == "a b c d e"


@given(ANYTHING)
def test_nothing_that_a_terminal_obeys_survives(raw):
    shown = text.line(raw)
    assert not [char for char in shown if unicodedata.category(char) in OBEYED]
    shown.encode()


@given(ANYTHING, st.integers(4, 60))
def test_wrapped_lines_fit_and_lose_nothing(raw, columns):
    lines = text.wrap(raw, columns)
    assert all(text.width(one) <= columns for one in lines)
    assert "".join("".join(lines).split()) == "".join(text.line(raw).split())


@given(ANYTHING, st.integers(1, 40))
def test_padding_gives_exactly_the_width(raw, columns):
    shown = text.pad(text.line(raw), columns)
    assert text.width(shown) == columns


@given(st.dictionaries(st.text(), st.text()))
def test_escaping_json_keeps_its_values(values):
    document = json.dumps(values, ensure_ascii=False)
    escaped = text.escape_json(document)
    assert json.loads(escaped) == values
    assert not [char for char in escaped if unicodedata.category(char) in OBEYED]


def test_long_names_break_after_a_separator():
    assert text.wrap("stmlprod.privatelink.blob.core.windows.net", 24) == [
        "stmlprod.privatelink.",
        "blob.core.windows.net",
    ]
