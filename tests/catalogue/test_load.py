"""Folders of one's own: adding, overriding, and every mistake with file and key."""

import pytest

from preflight import catalogue
from preflight.failures import Problems, UsageFailure
from preflight.model.vocabulary import Severity

GOOD = {
    "id": '"own.reach"',
    "title": '"Own service accepts connections"',
    "phase": '"serve"',
    "severity": '"required"',
    "decides": '["pod"]',
    "probe": '"http"',
    "target": '"https://own.{environment.region}.contoso.com/"',
    "judges": '["origin"]',
    "breaks": '"Nothing works."',
    "source": '"Own handbook (2026)"',
    "reviewed": '"2026-11-01"',
}


def text(**changes: str | None) -> str:
    keys = GOOD | changes
    return (
        "[[requirement]]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items() if value is not None) + "\n"
    )


def problems(folder) -> list[str]:
    with pytest.raises(Problems) as failure:
        catalogue.load([folder])
    return list(failure.value.problems)


def test_a_folder_adds_requirements_after_ours(tmp_path):
    (tmp_path / "own.toml").write_text(text())
    loaded = catalogue.load([tmp_path])
    assert loaded.requirements[-1].id == "own.reach"
    assert loaded.version != catalogue.load().version


def test_a_folder_overrides_single_keys_of_a_requirement_which_keeps_its_place(tmp_path):
    (tmp_path / "own.toml").write_text('[[requirement]]\nid = "telemetry.reach"\nseverity = "required"\n')
    ours, loaded = catalogue.load().requirements, catalogue.load([tmp_path]).requirements
    assert [one.id for one in loaded] == [one.id for one in ours]
    changed = next(one for one in loaded if one.id == "telemetry.reach")
    assert changed.severity is Severity.REQUIRED
    assert changed.source == next(one for one in ours if one.id == "telemetry.reach").source


def test_a_later_folder_wins(tmp_path):
    for name, title in (("a", "One"), ("b", "Two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.toml").write_text(f'[[requirement]]\nid = "mcr.reach"\ntitle = "{title}"\n')
    loaded = catalogue.load([tmp_path / "a", tmp_path / "b"])
    assert next(one.title for one in loaded.requirements if one.id == "mcr.reach") == "Two"


WRONG = [
    ({"titel": '"x"', "title": None}, "titel", "is not a key", "did you mean title?"),
    ({"title": None}, "title", "is missing", "required"),
    ({"title": '""'}, "title", "is empty", "good state"),
    ({"source": '""'}, "source", "is empty", "name the document"),
    ({"source": None}, "source", "is missing", "required"),
    ({"breaks": '" "'}, "breaks", "is empty", "one sentence"),
    ({"reviewed": '"soon"'}, "reviewed", "is not a date", "YYYY-MM-DD"),
    ({"reviewed": "2026-11-01"}, "reviewed", "not text", "quotes"),
    ({"phase": '"serving"'}, "phase", "not one of the values", 'did you mean "serve"?'),
    ({"severity": '"high"'}, "severity", "not one of the values", "required, recommended"),
    ({"probe": '"htp"'}, "probe", "not one of the values", 'did you mean "http"?'),
    ({"decides": "[]"}, "decides", "is empty", "workstation, node, pod"),
    ({"decides": '["pods"]'}, "decides", "not one of the values", 'did you mean "pod"?'),
    ({"informs": '["pod"]'}, "informs", "decides already", "either decides or informs"),
    ({"judges": "[]"}, "judges", "is empty", "origin.dns"),
    ({"judges": '["layer"]'}, "judges", "has no role", "roles: origin"),
    ({"judges": '["origin.quic"]'}, "judges", "is not a stage", "dns, proxy, tcp, tls, http"),
    ({"target": '"own.contoso.com"'}, "target", "is not a URL", "https://"),
    ({"target": '"ftp://own.contoso.com/"'}, "target", "is not a URL", "https://"),
    ({"target": '"https://{acr}/"'}, "target", "{acr} is not known", "known:"),
    (
        {"target": '"https://{registry.login_sever}/"'},
        "target",
        "is not known",
        "did you mean {registry.login_server}?",
    ),
    ({"target": '"https://{storage.account}.x/"'}, "target", "is not known", 'each = "storage"'),
    ({"target": '"https://{cloud.acr/"'}, "target", "without its partner", "placeholders"),
    ({"each": '"storages"'}, "each", "not a list that is known", "storage"),
    ({"when": '["token-auth"]'}, "when", "not a condition", 'did you mean "token-authentication"?'),
    ({"when": '["given registry.nme"]'}, "when", "not a condition", "known:"),
    ({"trust": '"none"'}, "trust", "is not known", "cluster-ca"),
    ({"secrets": '["registry_pass"]'}, "secrets", "not a credential", "registry_password"),
    ({"after": '["mcr.reech"]'}, "after", "not a requirement", "did you mean mcr.reach?"),
    ({"after": '["mcr.reach"]'}, "after", "has another target", "one target"),
    ({"after": '["own.reach"]'}, "after", "own.reach → own.reach", "take one of them out"),
    ({"expect": '{ statuses = ["2xx"] }'}, "expect.statuses", "neither a status nor a range", "200-399"),
    ({"expect": '{ link = "registry" }'}, "expect.link", "not an expectation", "registry.link"),
    ({"expect": '{ alpn = ["h3"] }'}, "expect.alpn", "is not offered", "http/1.1"),
    ({"expect": '{ any_issuer = true, issuers = ["X"] }'}, "expect.any_issuer", "contradicts", "one of the two"),
    ({"expect": '{ status = ["200"] }'}, "expect.status", "is not a key", "did you mean statuses?"),
    ({"params": '{ a = "{nothing}" }'}, "params.a", "is not known", "known:"),
    ({"opens": '["*.{nothing}:443"]'}, "opens", "is not known", "known:"),
]


@pytest.mark.parametrize(("changes", "key", "found", "right"), WRONG)
def test_every_mistake_names_file_key_what_was_found_and_what_is_right(tmp_path, changes, key, found, right):
    (tmp_path / "own.toml").write_text(text(**changes))
    matching = [one for one in problems(tmp_path) if one.startswith(f"{tmp_path}/own.toml: own.reach.{key}: ")]
    assert any(found in one.split("\n")[0] and right in one.split("\n")[1] for one in matching), problems(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "said"), [('"Own Reach"', "is not an id"), ('"own..reach"', "is not an id"), ("7", "is missing")]
)
def test_an_id_that_is_none_is_refused(tmp_path, wrong, said):
    (tmp_path / "own.toml").write_text(text(id=wrong))
    assert any(said in one for one in problems(tmp_path))


def test_an_id_that_stands_twice_in_one_folder_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text(text())
    (tmp_path / "b.toml").write_text(text())
    (problem,) = problems(tmp_path)
    assert "b.toml: own.reach: this id is already in" in problem
    assert "a.toml" in problem


def test_two_owners_of_one_slice_are_refused(tmp_path):
    (tmp_path / "a.toml").write_text(text() + text(id='"own.tcp"', judges='["origin.tcp"]'))
    (problem,) = problems(tmp_path)
    assert "own.tcp.judges: origin.tcp is already owned by own.reach" in problem


def test_a_circle_is_shown_whole(tmp_path):
    (tmp_path / "a.toml").write_text(
        text(after='["own.b"]', judges='["origin.dns"]')
        + text(id='"own.b"', after='["own.c"]', judges='["origin.tcp"]')
        + text(id='"own.c"', after='["own.reach"]', judges='["origin.tls"]')
    )
    assert any("own.reach → own.b → own.c → own.reach" in one for one in problems(tmp_path))


def test_a_mistake_in_an_override_names_the_overriding_file(tmp_path):
    (tmp_path / "own.toml").write_text('[[requirement]]\nid = "mcr.reach"\nseverity = "high"\n')
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"{tmp_path}/own.toml: mcr.reach.severity: ")


def test_all_mistakes_of_all_files_are_reported_together(tmp_path):
    (tmp_path / "a.toml").write_text(text(source=None) + "[[requirment]]\n")
    (tmp_path / "b.toml").write_text(text(id='"own.b"', probe='"x"'))
    assert len(problems(tmp_path)) == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.toml", b"[[requirement\n", "is not valid TOML"),
        ("a.toml", b"\xff\xfe", "is not UTF-8"),
        ("a.txt", b"", "catalogue would be empty"),
    ],
)
def test_a_folder_that_cannot_be_read_says_why(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageFailure, match=said):
        catalogue.load([tmp_path])


def test_a_folder_that_is_none_says_so(tmp_path):
    with pytest.raises(UsageFailure, match="no such folder"):
        catalogue.load([tmp_path / "none"])


def test_a_table_instead_of_a_list_is_told_about_its_brackets(tmp_path):
    (tmp_path / "a.toml").write_text('[requirement]\nid = "x"\n')
    assert any("two brackets" in one for one in problems(tmp_path))


def test_a_folder_brings_clouds(tmp_path):
    (tmp_path / "clouds.toml").write_text(_cloud("Moon", arm='"management.moon"'))
    assert catalogue.load_clouds([tmp_path])["Moon"].arm == "management.moon"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[clouds.Moon]\narm = "x"\n', "clouds.Moon.entra: is missing"),
        ('[cloud.Moon]\narm = "x"\n', "cloud: is not a key"),
        ("clouds = 1\n", "clouds: is not a table"),
    ],
)
def test_mistakes_in_clouds_name_file_and_key(tmp_path, content, said):
    (tmp_path / "clouds.toml").write_text(content)
    with pytest.raises(Problems, match=said):
        catalogue.load_clouds([tmp_path])


def test_a_suffix_with_a_leading_dot_is_refused(tmp_path):
    (tmp_path / "clouds.toml").write_text(_cloud("Moon", acr='".azurecr.moon"'))
    with pytest.raises(Problems, match="starts with a dot"):
        catalogue.load_clouds([tmp_path])


def _cloud(name: str, **changes: str) -> str:
    keys = (
        "api_server api_server_private api_server_vnet arm entra acr storage azureml experiments kusto"
        " kusto_ingest cloudapp source reviewed"
    )
    values = dict.fromkeys(keys.split(), '"x"') | changes
    return f"[clouds.{name}]\n" + "\n".join(f"{key} = {value}" for key, value in values.items())
