"""scenarios.toml and worlds.toml: strict, and every mistake is said with its place."""

import pytest
from bed import page, tables
from bed.actions import ACTIONS
from bed.scenario import ScenarioError, load, scenarios, worlds

GOOD = """
[[scenario]]
name = "one"
what = "Something is broken."
breaks = [{ kind = "nft", rules = ["drop"] }]
exit = 1
fail = { "acr.reach" = "tcp.timeout" }
owners = ["network"]
"""


def read(tmp_path, text):
    file = tmp_path / "scenarios.toml"
    file.write_text(text)
    return load(file, "scenario")


def test_the_files_of_the_project_are_sound():
    broken, healthy = scenarios(), worlds()
    names = [one.name for one in (*broken, *healthy)]
    assert len(names) == len(set(names))
    assert all(one.row.what.endswith(".") for one in (*broken, *healthy))
    assert all(one.row.exit != 1 and not one.row.fail for one in healthy)


def test_a_good_scenario_has_its_actions_with_their_shapes(tmp_path):
    (one,) = read(tmp_path, GOOD)
    ((kind, action),) = one.actions
    assert (kind, action.rules, action.chain) == ("nft", ("drop",), "deny")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("tcp.timeout", "tcp.timout", ("scenario[one].fail.acr.reach", "did you mean tcp.timeout?")),
        ('kind = "nft"', 'kind = "ntf"', ("scenario[one].breaks[#1].kind", "did you mean nft?")),
        ('rules = ["drop"]', 'rule = ["drop"]', ("scenario[one].breaks[#1].rule", "did you mean rules?")),
        ("network", "networks", ("scenario[one].owners", 'did you mean "network"?')),
        ("exit = 1", "exit = 0", ("scenario[one].exit", "1 goes with a failed requirement")),
        ('owners = ["network"]', "", ("scenario[one].owners", "is missing")),
        ('what = "Something is broken."', "", ("scenario[one].what", "is missing")),
        ("[[scenario]]", "[[senario]]", ("senario", "give [[scenario]]")),
        ('name = "one"', "name =", ("scenarios.toml", "Invalid value")),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path, old, new, said):
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert all(words in str(caught.value) for words in said)


def test_every_mistake_is_said_at_once(tmp_path):
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, GOOD.replace("tcp.timeout", "no.cause") + GOOD.replace("network", "nobody"))
    assert "no.cause" in str(caught.value)
    assert "nobody" in str(caught.value)


def test_a_name_stands_once(tmp_path):
    with pytest.raises(ScenarioError, match="twice"):
        read(tmp_path, GOOD + GOOD)


def test_every_kind_of_action_says_what_it_is():
    assert all(kind.shape.__doc__ for kind in ACTIONS.values())


def test_tables_are_laid_over_one_another_and_written_as_they_were():
    import tomllib

    below = {"schema_version": 1, "registry": {"name": "a", "replicas": ["x"]}, "storage": [{"account": "s"}]}
    above = {"registry": {"replicas": [], "data_endpoints": True}, "storage": [], "limits": {"cap": 1.5}}
    both = tables.merged(below, above)
    assert both["registry"] == {"name": "a", "replicas": [], "data_endpoints": True}
    assert tomllib.loads(tables.written(both)) == both
    assert tables.without(both, ["registry.name", "limits"]).keys() == {"schema_version", "registry", "storage"}
    assert below["registry"]["replicas"] == ["x"]


def test_the_page_lists_every_scenario_as_it_is_now():
    broken, healthy = scenarios(), worlds()
    text = page.PAGE.read_text()
    assert page.render(broken, healthy, page.kept(text, broken, healthy)) == text
