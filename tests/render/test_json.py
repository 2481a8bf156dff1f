"""run.json comes back as it went; what is not a run says where it breaks."""

import json as stdlib

import jsonschema
import pytest
from builders.example_runs import EXAMPLES

from preflight.failures import UsageFailure
from preflight.render import json
from preflight.resources import folder


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_run_survives_the_way_out_and_back(name):
    run = EXAMPLES[name]()
    document = json.render(run)
    assert json.parse(document.encode(), "run.json") == run
    assert json.render(json.parse(document.encode(), "run.json")) == document
    assert document.endswith("}\n")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_run_is_valid_against_its_published_schema(name):
    schema = stdlib.loads((folder("reports") / "schema" / "run.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(stdlib.loads(json.render(EXAMPLES[name]())), schema)


def test_every_verdict_names_what_other_tools_read():
    document = stdlib.loads(json.render(EXAMPLES["failing"]()))
    keys = {"check", "requirement", "vantage", "target", "status", "cause", "owner"}
    assert all(keys <= set(verdict) for verdict in document["verdicts"])
    assert {verdict["cause"] for verdict in document["verdicts"] if verdict["status"] in {"pass", "blocked"}} == {None}


def test_it_is_safe_to_look_at_in_a_terminal():
    shown = json.render(EXAMPLES["hostile"]()).replace("\n", "")
    assert shown.isprintable()
    assert "\\u202e" in shown


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "run.json: line 1, column 1: Input data was truncated"),
        (b'{\n "schema_version": 1,\n "tool"', "run.json: line 3, column 8: Input data was truncated"),
        (b'{"schema_version": 1 "x"}', "run.json: line 1, column 22: JSON is malformed"),
        (b"\xff\xfe{}", "run.json: line 1, column 1: JSON is malformed"),
        (b"[]", "run.json: not a run of preflight: Expected `object`, got `array`"),
        (b'{"a": 1}', "run.json: not a run of preflight: Object missing required field `schema_version`"),
        (b'{"schema_version": 1}', "run.json: not a run of preflight: Object missing required field `tool`"),
        (
            b'{"schema_version": 2, "new": true}',
            "run.json: schema_version: 2 is of a newer preflight; this one reads up to 1",
        ),
        (b'{"schema_version": 0}', "run.json: schema_version: 0 does not exist"),
        (
            b'{"schema_version": "1"}',
            "run.json: not a run of preflight: Expected `int`, got `str` - at `$.schema_version`",
        ),
        (b'{"schema_version": 1, "environment": {"a":' + b"[" * 200_000, "run.json: "),
    ],
)
def test_what_is_no_run_is_refused_with_its_place(data, message):
    with pytest.raises(UsageFailure) as refused:
        json.parse(data, "run.json")
    assert str(refused.value).startswith(message)


def test_a_wrong_value_is_named_by_its_path():
    document = json.render(EXAMPLES["healthy"]()).replace('"status": "pass"', '"status": "fine"', 1)
    with pytest.raises(UsageFailure, match=r"Invalid enum value 'fine' - at `\$\.verdicts\[0\]\.status`"):
        json.parse(document.encode(), "run.json")
