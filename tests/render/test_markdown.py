"""Markdown for a comment: bounded, and nothing from the network is markup."""

import re

import pytest
from builders.example_runs import EXAMPLES
from builders.extreme_runs import EVIL, large
from hypothesis import given
from hypothesis import strategies as st

from preflight.render import markdown

SPANS = re.compile(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("10.20.0.4 answers", "10.20.0.4 answers"),
        ("1. a list", "1\\. a list"),
        ("- a list", "\\- a list"),
        ("# a heading", "\\# a heading"),
        ("a|b", "a\\|b"),
        ("<b>", "\\<b\\>"),
        ("[x](javascript:y)", "\\[x\\](javascript\\:y)"),
        ("@everyone", "\\@\u200beveryone"),
        ("org/repo#12", "org/repo\\#\u200b12"),
        ("www.evil.example", "www\u200b.evil.example"),
        ("https://evil.example", "https\\://evil.example"),
        ("two\nlines", "two lines"),
    ],
)
def test_sentences_are_escaped(raw, shown):
    assert markdown.prose(raw) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [("a", "`a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a|b\\|c", "`a¦b\\¦c`"), ("", ""), ("@a <b>", "`@a <b>`")],
)
def test_values_stand_in_code_spans_that_they_cannot_leave(raw, shown):
    assert markdown.code(raw) == shown


@given(st.text())
def test_a_sentence_never_holds_live_markup(raw):
    shown = markdown.prose(raw)
    assert not re.search(
        r"(?<!\\)(?:\\\\)*[*_`<>|\[\]#@]", re.sub(r"\\[*_`<>|\[\]#@~!^$&:{}+=.-]", "", shown).replace("\\\\", "")
    )


@given(st.text(min_size=1))
def test_a_value_never_ends_its_code_span(raw):
    shown = markdown.code(raw)
    if shown:
        fence = re.match("`+", shown)[0]
        inner = shown[len(fence) : -len(fence)]
        assert fence not in [run for run in re.findall("`+", inner) if len(run) == len(fence)]
        assert "|" not in shown


def test_hostile_text_makes_no_element_mention_or_row():
    shown = markdown.render(EXAMPLES["hostile"]())
    outside = SPANS.sub("", shown)
    assert set(re.findall(r"(?<!\\)<[/a-z]+", outside)) <= {
        "<details",
        "<summary",
        "</summary",
        "</details",
        "<sub",
        "</sub",
    }
    assert not re.search(r"(?<!\\)@\w", outside)
    rows = [line for line in outside.splitlines() if line.startswith("| ") and "---" not in line]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5, 6}  # by vantage, and verdicts
    assert EVIL not in shown


def test_the_verdict_comes_first_and_the_owners_follow():
    shown = markdown.render(EXAMPLES["failing"]())
    assert shown.startswith("## ❌ preflight: Not ready")
    assert shown.index("**DNS team**") < shown.index("**Network team**") < shown.index("**Identity team**")
    assert "`preflight run --only 'mcr.*'`" in shown


def test_a_very_large_run_still_fits_a_comment():
    shown = markdown.render(large())
    assert len(shown) <= markdown.LIMIT
    assert "more in the report_" in shown
    assert "1200 checks" in shown
