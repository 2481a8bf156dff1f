"""`preflight checks`: the catalogue, as its readers and its writers see it."""

import json

import pytest

from preflight import catalogue

CATALOGUE = catalogue.load()


def test_list_shows_every_requirement_in_80_columns(preflight):
    code, out, _ = preflight("checks", "list")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for requirement in CATALOGUE.requirements:
        assert requirement.id in out
    assert CATALOGUE.version in out


def test_list_as_json_is_the_whole_catalogue(preflight):
    _, out, _ = preflight("checks", "list", "--format", "json")
    assert [one["id"] for one in json.loads(out)["requirements"]] == [one.id for one in CATALOGUE.requirements]


@pytest.mark.parametrize("requirement", CATALOGUE.requirements, ids=lambda one: one.id)
def test_show_tells_source_and_what_breaks(preflight, requirement):
    code, out, _ = preflight("checks", "show", requirement.id)
    assert code == 0
    flat = " ".join(out.split())
    assert requirement.breaks in flat
    assert requirement.source in flat
    assert requirement.reviewed in flat


def test_show_of_a_dependency_shows_how_all_of_them_are_checked(preflight):
    code, out, _ = preflight("checks", "show", "dependency.features")
    assert code == 0
    assert out.startswith("dependency")


def test_show_of_something_unknown_says_what_was_meant(preflight):
    code, _, err = preflight("checks", "show", "mcr.reech")
    assert code == 2
    assert "did you mean mcr.reach?" in err


def test_validate_accepts_ours(preflight):
    code, out, _ = preflight("checks", "validate")
    assert code == 0
    assert f"{len(CATALOGUE.requirements)} requirements, 3 clouds" in out


def test_validate_accepts_an_override_and_says_how_many(preflight, tmp_path):
    (tmp_path / "own.toml").write_text('[[requirement]]\nid = "mcr.reach"\ntitle = "Ours"\n')
    assert preflight("checks", "validate", str(tmp_path))[0] == 0
    assert "Ours" in preflight("checks", "list", "--checks", str(tmp_path))[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "the catalogue would be empty"),
        ('[[requirement]]\nid = "x.y"\n', "x.y.title: is missing"),
        ('[[requirement]]\nid = "mcr.reach"\nfoo = 1\n', "mcr.reach.foo: is not a key"),
        ('[[requirement]]\nid = "mcr.reach"\nsource = ""\n', "name the document and its date"),
        ('[[requirement]]\nid = "mcr.reach"\ntarget = "https://{moon}/v2/"\n', "{moon} is not known"),
    ],
)
def test_validate_refuses_with_file_and_key_and_exit_2(preflight, tmp_path, content, said):
    if content is not None:
        (tmp_path / "own.toml").write_text(content)
    code, out, err = preflight("checks", "validate", str(tmp_path))
    assert code == 2
    assert out == ""
    assert said in err
    assert str(tmp_path) in err
