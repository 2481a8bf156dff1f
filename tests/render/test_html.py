"""The page as a document: bounded, self-contained, escaped, complete."""

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser

import msgspec
import pytest
from builders.example_runs import EXAMPLES
from builders.extreme_runs import EVIL, hostile, large

from preflight.model.observation import Repeat
from preflight.model.vocabulary import Status
from preflight.render import html

VOID = {"meta", "link", "input", "br", "img", "hr"}


class Page(HTMLParser):
    """Elements, attributes, ids and text; fails on tags that do not close."""

    def __init__(self, document):
        super().__init__()
        self.tags, self.attributes, self.ids, self.links, self.open = Counter(), Counter(), [], [], []
        self.inline = {"style": "", "script": ""}
        self.words = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes[name] += 1
            if name == "id":
                self.ids.append(value)
            if name in {"href", "src"}:
                self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] in self.inline:
            self.inline[self.open[-1]] += data


PAGES = {name: html.render(make()) for name, make in EXAMPLES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_it_is_well_formed_and_every_inner_link_leads_somewhere(name):
    page = Page(PAGES[name])
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


@pytest.mark.parametrize("name", PAGES)
def test_it_refers_to_nothing_outside(name):
    page = Page(PAGES[name])
    assert {link for link in page.links if not link.startswith("#")} == {"data:,"}
    assert not re.search(r"url\(|@import", page.inline["style"])


@pytest.mark.parametrize("name", PAGES)
def test_the_policy_allows_exactly_this_style_and_this_script(name):
    page = Page(PAGES[name])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', PAGES[name])[1].replace("&#39;", "'")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.inline[kind].encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert page.tags["style"] == page.tags["script"] == 1
    assert not [name for name in page.attributes if name == "style" or name.startswith("on")]


def test_hostile_text_adds_no_element_and_no_attribute():
    harmless = Page(html.render(_tamed(hostile())))
    evil = Page(PAGES["hostile"])
    assert evil.tags == harmless.tags
    assert evil.attributes == harmless.attributes
    assert evil.links == harmless.links
    assert PAGES["hostile"].replace("\n", "").replace("\t", "").isprintable()


def _tamed(run):
    """The same run with the same lines, of harmless words."""
    encoded = msgspec.json.encode(run).decode()
    evil = msgspec.json.encode(EVIL).decode()[1:-1]
    return msgspec.json.decode(encoded.replace(evil, "harmless\\nwords").encode(), type=type(run))


def test_the_parts_stand_in_the_order_of_their_weight():
    page = PAGES["failing"]
    places = [
        page.index(f'id="{name}"') for name in ("change", "map", "matrix", "evidence", "untested", "left-out", "about")
    ]
    assert places == sorted(places)
    assert page.index("<h1>") < places[0]


def test_every_verdict_is_in_the_page():
    run = EXAMPLES["failing"]()
    words = " ".join(Page(PAGES["failing"]).words)
    for verdict in run.verdicts:
        assert verdict.requirement in words
        if verdict.status not in {Status.PASS, Status.SKIPPED}:
            assert verdict.reason in words


def test_cells_say_the_cause_in_words_beside_the_glyph():
    cell = re.search(
        r'<td role="cell" class="fail"[^>]*data-from="node/user1"><details.*?</details>', PAGES["failing"], re.DOTALL
    )[0]
    glyph, said = '<span class="g" aria-hidden="true">✗</span>', '<span class="vh">failed: </span>'
    assert f'{glyph}{said}<span class="w">tls.reset-after-hello</span>' in cell
    assert 'href="#e' in cell


def test_a_foreign_issuer_is_marked_and_the_expected_one_named():
    assert "✗ foreign issuer: expected Microsoft or DigiCert" in PAGES["failing"]
    assert "foreign issuer" not in PAGES["healthy"]


def test_every_picture_has_its_text():
    pictures = re.findall(r"<svg .*?</svg>", PAGES["failing"], re.DOTALL)
    assert len(pictures) > 10
    for picture in pictures:
        title, described = re.search(r'aria-labelledby="(\S+) (\S+)"', picture).groups()
        assert re.search(rf'<title id="{title}">[^<]+</title><desc id="{described}">[^<]+</desc>', picture)


def test_the_map_breaks_at_the_layer_where_it_broke():
    drawn = re.search(r'<svg class="map".*?</svg>', PAGES["failing"], re.DOTALL)[0]
    assert "Microsoft registry failed at TLS (tls.reset-after-hello)" in drawn
    assert "Blob storage failed at name (dns.privatelink-public-answer)" in drawn
    assert 'class="cross"' in drawn
    assert 'class="cross"' not in re.search(r'<svg class="map".*?</svg>', PAGES["healthy"], re.DOTALL)[0]


def test_what_a_secret_could_be_is_shown_as_its_source_only():
    assert "environment variable PREFLIGHT_SAS" in PAGES["healthy"]


@pytest.mark.parametrize("failing", [0, 200, 1200])
def test_a_very_large_run_stays_below_a_megabyte(failing):
    run = large(200, 6)
    if failing:
        run = msgspec.structs.replace(
            run,
            verdicts=tuple(
                msgspec.structs.replace(one, status=Status.FAIL, cause="http.timeout")
                if at % 6 == 1 or failing == 1200
                else one
                for at, one in enumerate(run.verdicts)
            ),
        )
    assert len(html.render(run).encode()) < 1_000_000


def test_rendering_twice_gives_the_same_bytes():
    assert html.render(EXAMPLES["failing"]()) == PAGES["failing"]


def test_the_second_try_of_what_failed_in_a_crowd_stands_beside_the_first():
    run = EXAMPLES["failing"]()
    one = next(seen for seen in run.observations if seen.vantage == "node/user1" and "mcr" in seen.task)
    again = Repeat(started=one.started, duration_ms=5.0, hops=one.hops[:1], finished=True)
    told = tuple(msgspec.structs.replace(seen, alone=again) if seen is one else seen for seen in run.observations)
    page = html.render(msgspec.structs.replace(run, observations=told))
    assert "node/user1, again alone" in page
    assert "again alone" not in html.render(run)
