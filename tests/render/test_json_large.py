"""A run of many places is written in pieces, an observation on each line, and read back the same; errors are found."""

import json as stdlib

import msgspec
import pytest
from builders import crowd
from builders.example_runs import EXAMPLES

from preflight.failures import UsageFailure
from preflight.model.sharing import Shared
from preflight.render import json


@pytest.fixture(scope="module")
def run():
    names = crowd.pools(30)
    return crowd.run(EXAMPLES["healthy"](), names, {names[4]: EXAMPLES["failing"]()})


@pytest.fixture(scope="module")
def text(run):
    return json.render(run)


def test_it_is_the_same_document_without_indentation(run, text):
    small = json.INDENTED
    try:
        json.INDENTED = 10**9
        indented = json.render(run)
    finally:
        json.INDENTED = small
    assert stdlib.loads(text) == stdlib.loads(indented)
    assert len(text) < len(indented) * 0.7
    assert list(stdlib.loads(text)) == list(stdlib.loads(indented))


def test_every_observation_and_every_verdict_has_a_line(run, text):
    lines = text.splitlines()
    first, last = lines.index('"observations":['), lines.index("],", lines.index('"observations":['))
    assert last - first - 1 == len(run.observations)
    assert all(stdlib.loads(line.removesuffix(","))["task"] for line in lines[first + 1 : last])


def test_no_piece_is_large(run):
    assert max(map(len, json.parts(run))) < len(json.render(run)) / 5


def test_it_reads_back_the_same(run, text):
    assert json.parse(text.encode(), "x") == run


def test_what_is_equal_is_held_once(text):
    read = json.parse(text.encode(), "x")
    chains = {id(one.hops[0].connections[0].tls.chain) for one in read.observations if one.task == "http:mcr-data:443"}
    assert len(chains) <= 1
    titles = {id(one.title) for one in read.verdicts if one.requirement == "mcr.layers"}
    assert len(titles) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace('"deadline_ms":', '"deadlines":', 1), "an observation"),
        (lambda text: text.replace('"headline":', '"headlines":', 1), "not a run of preflight"),
        (lambda text: text[: text.index('"observations":[') + 3000], "x: "),
        (lambda text: text[: len(text) - 400], "x: "),
        (
            lambda text: text.replace('"schema_version":1', '"schema_version":99', 1).replace('"probe":', '"prober":'),
            "schema_version: 99 is of a newer preflight",
        ),
    ],
    ids=["a bad observation", "another key", "cut in the observations", "cut at the end", "newer"],
)
def test_what_is_wrong_is_said(text, change, words):
    with pytest.raises(UsageFailure, match=words):
        json.parse(change(text).encode(), "x")


def test_a_position_counts_the_lines_of_the_file(text):
    broken = text.replace('"findings":', '"findings"!', 1)
    line = broken[: broken.index('"findings"!')].count("\n") + 1
    with pytest.raises(UsageFailure, match=f"line {line}, column"):
        json.parse(broken.encode(), "x")


def test_a_text_that_looks_like_the_list_changes_nothing(run):
    odd = msgspec.structs.replace(run, notices=('"observations":[\n]',), banner='"observations":[')
    assert json.parse(json.render(odd).encode(), "x") == odd


def test_sharing_changes_no_value(run):
    before = msgspec.json.encode(run)
    Shared().each(run.observations)
    assert msgspec.json.encode(run) == before
