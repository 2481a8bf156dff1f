"""The catalogue as it is: complete, sourced, in order, and its documents do not drift."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from preflight import catalogue, resources
from preflight.catalogue.conditions import CONDITIONS
from preflight.catalogue.places import EACH, PLACES
from preflight.catalogue.verify import ROLES
from preflight.model.vocabulary import Phase, ProbeName, Severity

CATALOGUE = catalogue.load()
BY_ID = {requirement.id: requirement for requirement in CATALOGUE.requirements}
ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = resources.folder("reports") / "schema"


def test_the_groups_stand_in_the_documented_order():
    groups = list(dict.fromkeys(requirement.id.partition(".")[0] for requirement in CATALOGUE.requirements))
    assert groups == [
        "api-server",
        "in-cluster",
        "cluster-dns",
        "aks-egress",
        "mcr",
        "bootstrap",
        "acr",
        "storage",
        "entra",
        "workspace",
        "telemetry",
        "endpoint",
        "router",
        "peers",
        "dependency",
    ]


def test_the_version_is_the_month_of_the_newest_review_and_a_digest():
    assert re.fullmatch(r"20\d\d\.\d\d\+[0-9a-f]{8}", CATALOGUE.version)
    newest = max(requirement.reviewed for requirement in CATALOGUE.requirements)
    assert CATALOGUE.version.startswith(newest[:7].replace("-", "."))


@pytest.mark.parametrize("requirement", CATALOGUE.requirements, ids=lambda one: one.id)
def test_every_requirement_says_what_breaks_and_who_says_so(requirement):
    assert requirement.breaks.endswith(".")
    assert not requirement.title.endswith(".")
    assert len(requirement.title) <= 40, "fits the console"
    assert re.search(r"learn\.microsoft\.com|github\.com|kubernetes\.io|AgentBaker", requirement.source)


def test_telemetry_and_aks_egress_never_fail_a_run():
    for requirement in CATALOGUE.requirements:
        if requirement.id.startswith(("telemetry.", "aks-egress.", "router.")):
            assert requirement.severity is Severity.RECOMMENDED


def test_only_the_api_server_is_verified_against_the_clusters_own_ca_and_expects_alpn():
    for requirement in CATALOGUE.requirements:
        assert (requirement.trust == "cluster-ca") is requirement.id.startswith("api-server.")
        assert (requirement.trust == "pods-ca") is requirement.id.startswith("in-cluster.")
        assert bool(requirement.expect.alpn) is (requirement.id == "api-server.reach")


def test_every_probe_has_roles_and_every_role_an_owner():
    assert set(ROLES) == set(ProbeName)
    owned = {(one.probe, text.partition(".")[0]) for one in CATALOGUE.requirements for text in one.judges}
    for probe in set(ProbeName) - {ProbeName.TCP}:
        assert {role for owner, role in owned if owner is probe} == set(ROLES[probe])


def test_every_phase_before_the_canary_has_requirements():
    assert {requirement.phase for requirement in CATALOGUE.requirements} == set(Phase) - {Phase.CANARY}


def test_every_condition_and_every_list_is_used_or_can_be_named():
    used = {condition.removeprefix("not ") for one in CATALOGUE.requirements for condition in one.when}
    assert used <= {*CONDITIONS, *(name for name in used if name.startswith("given "))}
    assert {one.each for one in CATALOGUE.requirements if one.each} == set(EACH)
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", name) for name in PLACES)


def test_three_clouds_are_known_and_each_names_its_source():
    clouds = catalogue.load_clouds()
    assert list(clouds) == ["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"]
    assert clouds["AzureCloud"].acr == "azurecr.io"
    assert clouds["AzureUSGovernment"].storage == "core.usgovcloudapi.net"
    assert clouds["AzureChinaCloud"].azureml == "api.ml.azure.cn"
    assert all(cloud.source and cloud.reviewed and cloud.issuers for cloud in clouds.values())


@pytest.mark.parametrize("path", sorted(resources.folder("checks").glob("*.toml")), ids=lambda path: path.name)
def test_every_file_of_the_catalogue_satisfies_the_published_schema(path):
    schema = json.loads((SCHEMAS / "catalogue.schema.json").read_text())
    jsonschema.validate(tomllib.loads(path.read_text()), schema)


def test_the_published_schemas_are_schemas_and_closed():
    for name in ("catalogue", "environment"):
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        for definition in schema["$defs"].values():
            if definition.get("properties"):
                assert definition["additionalProperties"] is False
                assert all("description" in entry for entry in definition["properties"].values())


def test_the_published_schema_of_the_environment_agrees_with_the_loader():
    schema = json.loads((SCHEMAS / "environment.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    whole = tomllib.loads((Path(__file__).parents[1] / "environment" / "whole.toml").read_text())
    assert validator.is_valid(whole)
    assert not validator.is_valid({**whole, "surprise": 1})
    assert not validator.is_valid({**whole, "schema_version": 2})
    assert not validator.is_valid({**whole, "environment": {"region": "West Europe"}})
    assert validator.is_valid(
        {"schema_version": 1, "dependency": [{"name": "a", "url": "https://a/", "expect": [401]}]}
    )


@pytest.mark.skipif(not (ROOT / "tools/generate_docs.py").is_file(), reason="the generator is not part of the wheel")
def test_generated_documents_do_not_drift():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/generate_docs.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
