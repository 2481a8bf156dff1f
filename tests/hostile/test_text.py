"""Hostile text in every field that a report shows, in every format: it is shown, and does nothing."""

import csv
import io
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import msgspec
import pytest
from builders.example_runs import EXAMPLES
from hostile_shared.text import ATTRIBUTE, PAYLOADS, TAG, filled, places, poisoned
from markdown_it import MarkdownIt

from preflight.cli import plan_text, progress
from preflight.failures import UsageFailure
from preflight.model.plan import VantagePlan
from preflight.probes import local
from preflight.render import console, html, json, junit, markdown

FAILING = EXAMPLES["failing"]()
ALL = "\n".join(PAYLOADS[name] for name in PAYLOADS if name not in {"long", "many words", "combining", "surrogate"})
OURS = re.compile(r"\x1b\[[0-9;]*m")
FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
XML_TAGS = {
    *("testsuites", "testsuite", "properties", "property"),
    *("testcase", "failure", "error", "skipped", "system-out"),
}


class _Page(HTMLParser):
    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def acts(shown: str) -> list[str]:
    """Characters that do something to whoever looks at the text."""
    return [
        char
        for char in set(shown)
        if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    ]


def _html_is_inert(run) -> None:
    page = _Page(html.render(run))
    assert TAG not in page.tags
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert not [name for name, _ in page.attributes if name == ATTRIBUTE or name.startswith("on")]
    assert not [
        value for name, value in page.attributes if name in {"href", "src"} and value[:1] != "#" and value != "data:,"
    ]


def _junit_is_inert(run) -> None:
    root = ET.fromstring(junit.render(run))
    assert {element.tag for element in root.iter()} <= XML_TAGS
    assert not [name for element in root.iter() for name in element.attrib if name == ATTRIBUTE]


def _markdown_is_inert(run) -> None:
    shown = markdown.render(run)
    assert len(shown) <= markdown.LIMIT
    page = _Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(shown))
    assert TAG not in page.tags
    assert not {"a", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name == ATTRIBUTE or name.startswith("on")]
    assert acts(shown.replace("\u200b", "")) == []  # the gap that parts mentions is ours


def _console_is_inert(run) -> None:
    for how in ({}, {"verbose": True}, {"short": True}):
        assert acts(console.render(run, **how)) == []
    coloured = console.render(run, color=True)
    assert "199m" not in coloured.replace("[38;5;199m", "")
    assert acts(OURS.sub("", coloured)) == []


def _json_is_inert(run) -> None:
    shown = json.render(run)
    assert acts(shown) == []
    try:
        again = json.parse(shown.encode(), "run.json")
    except UsageFailure as failure:  # names of vantages, which commands are made of, are held to a pattern
        refused = str(failure)
    else:
        refused = ""
        assert again == run
    assert not refused or "matching regex" in refused


def _plan_is_inert(run) -> None:
    for text in (
        plan_text.as_table(run.plan, ALL),
        plan_text.as_json(run.plan, ALL),
        plan_text.as_markdown(run.plan, ALL),
    ):
        assert acts(text.replace("\u200b", "")) == []
    page = _Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(plan_text.as_markdown(run.plan, ALL)))
    assert not {TAG, "a", "img"} & set(page.tags)
    for row in csv.reader(io.StringIO(plan_text.as_csv(run.plan, ALL), newline="")):
        assert len(row) == 10
        assert not [cell for cell in row if FORMULA.match(cell)]


FORMATS = {
    "html": _html_is_inert,
    "junit": _junit_is_inert,
    "markdown": _markdown_is_inert,
    "console": _console_is_inert,
    "json": _json_is_inert,
}
ENCODED = ("json", "html")  # no run that was read or observed can hold a lone surrogate: see the tests at the end


@pytest.mark.parametrize(
    ("name", "payload"),
    [(name, payload) for name in FORMATS for payload in PAYLOADS if payload != "surrogate" or name not in ENCODED],
)
def test_a_run_of_nothing_but_this_text_is_shown_and_does_nothing(name, payload):
    FORMATS[name](filled(PAYLOADS[payload]))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("kind", "field"), places(), ids=lambda one: getattr(one, "__name__", one))
def test_a_field_of_hostile_text_in_a_usual_run_does_nothing(name, kind, field):
    FORMATS[name](poisoned(FAILING, kind, field, ALL))


def test_the_walk_finds_the_fields_that_servers_fill():
    found = {(kind.__name__, field) for kind, field in places()}
    assert {
        ("HttpFacts", "body"), ("HttpFacts", "headers"), ("Certificate", "issuer"), ("Certificate", "sans"),
        ("DnsAnswer", "chain"), ("Hop", "service"), ("VantageFacts", "error"), ("Finding", "why"), ("Query", "text"),
        ("Run", "notices"), ("Observation", "tool_error"), ("Verdict", "reason"), ("ProxyFacts", "url"),
    } <= found  # fmt: skip
    assert len(found) > 100


@pytest.mark.parametrize("payload", [one for one in PAYLOADS if one != "surrogate"])
def test_a_plan_of_hostile_text_does_nothing_in_any_format(payload):
    run = filled(PAYLOADS[payload])
    opens = tuple(msgspec.structs.replace(check, opens=("a.example:443",)) for check in run.plan.checks)
    plan = msgspec.structs.replace(run.plan, checks=opens)
    _plan_is_inert(msgspec.structs.replace(run, plan=plan))


def test_what_an_agent_says_moves_no_cursor_while_it_runs(capsys):
    facts = msgspec.structs.replace(FAILING.vantages[0], error=ALL)
    with progress.shown({"node/x": 1}) as report:
        report("node/x", facts)
    assert acts(capsys.readouterr().err) == []


def _preflight(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "preflight", *arguments], input=stdin, capture_output=True, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("key", ["status", "severity", "cause", "phase"])
def test_a_broken_run_file_is_told_without_its_controls(key, tmp_path):
    document = msgspec.json.decode(json.render(FAILING).encode())
    document["verdicts"][0][key] = "\x1b[2J\x1b]0;evil\x07\u202e" if key != "cause" else ["\x1b[2J"]
    path = tmp_path / "run.json"
    path.write_bytes(msgspec.json.encode(document))
    code, out, err = _preflight("report", str(path), "--format", "console")
    assert (code, out, acts(err)) == (2, "", [])


def test_a_run_files_headline_and_cause_are_told_without_their_controls(tmp_path):
    finding = msgspec.structs.replace(FAILING.findings[0], cause=ALL)
    path = tmp_path / "run.json"
    path.write_text(json.render(msgspec.structs.replace(FAILING, headline=ALL, findings=(finding,))))
    for wanted in ("markdown", "console"):
        code, out, err = _preflight("report", str(path), "--format", wanted, "--out", "-")
        assert (code, acts(err), acts(out.replace("\u200b", ""))) == (1, [], [])


@pytest.mark.parametrize("escape", [r"\ud800", r"\udfff x", r"\ud800\ud800"])
def test_a_lone_surrogate_in_a_run_file_is_refused_or_shown(escape, tmp_path):
    text = json.render(FAILING).replace(msgspec.json.encode(FAILING.headline).decode(), f'"{escape}"')
    path = tmp_path / "run.json"
    path.write_text(text)
    code, out, err = _preflight("report", str(path), "--format", "console", "--out", "-")
    assert code in {1, 2}
    assert acts(out + err) == []
    assert "Traceback" not in err


def test_a_variable_that_is_no_text_can_be_carried():
    facts = local.look(
        VantagePlan(run_id="r", vantage="workstation", tasks=()), environ={"HTTPS_PROXY": "http://p\udcff:1"}
    )
    assert b"http://p?:1" in msgspec.json.encode(facts)
