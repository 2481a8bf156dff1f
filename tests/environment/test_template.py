"""What `preflight init` writes is what would be read."""

import tomllib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.environment import template
from preflight.environment.shape import File
from preflight.environment.template import TABLES, render, value

WHOLE = tomllib.loads((Path(__file__).parent / "whole.toml").read_text())


def test_what_is_given_is_read_back_unchanged():
    listed = {table.name for table in TABLES}
    data = {name: table for name, table in WHOLE.items() if name in listed}
    assert tomllib.loads(render(data)) == {"schema_version": 1, **data}


def test_without_anything_given_all_keys_are_comments():
    data = tomllib.loads(render({}))
    assert {name: table for name, table in data.items() if table} == {"schema_version": 1}


def test_the_template_shows_every_key_of_its_tables():
    import msgspec

    fields = {field.name: field.type for field in msgspec.structs.fields(File)}
    for table in TABLES:
        kind = fields[table.name]
        struct = kind.__args__[0] if table.many else kind
        assert [key.name for key in table.keys] == list(struct.__struct_fields__) or set(struct.__struct_fields__) == {
            key.name for key in table.keys
        }, table.name


def test_the_commented_examples_are_valid_together():
    lines = [line.removeprefix("# ") if _is_example(line) else line for line in render({}).splitlines()]
    data = tomllib.loads("\n".join(lines))
    assert data["storage"][0]["account"] == "stmlprod"
    assert data["dependency"][0]["expect"] == ["200-399"]


def _is_example(line: str) -> bool:
    return line.startswith("# [[") or (line.startswith("# ") and " = " in line and not line.startswith("# Where"))


@settings(deadline=None)
@given(st.text(max_size=40).filter(lambda text: text.isprintable()))
def test_any_text_is_written_as_toml_reads_it(text):
    assert tomllib.loads(f"key = {value(text)}") == {"key": text}


def test_values_of_every_kind_are_written_as_toml_reads_them():
    given = {"a": True, "b": 2, "c": ["x", "y"], "d": {"env": "NAME"}, "e": 'quo"te\\'}
    assert tomllib.loads(f"key = {template.value(given)}") == {"key": given}
