"""Everything that preflight creates or prints, against the published schemas of Kubernetes versions that AKS offers.

The schemas are those of the package kubernetes-validate; strict: a field that the API does not have is a mistake.
"""

import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from preflight.kube import objects, rights
from preflight.kube.objects import Probe, Terms
from preflight.kube.pools import Expression, Place
from preflight.model.vocabulary import VantageKind

VERSIONS = ("1.37", "1.36", "1.35", "1.34", "1.30")  # the newest, and the oldest with long-term support
CONFIG = """\
schema_version = 1
[environment]
cloud = "AzureCloud"
region = "westeurope"
[registry]
name = "acrprod"
repository = "router"
[credentials]
registry_user = { env = "U" }
registry_password = { env = "P" }
[[pool]]
name = "system"
mode = "System"
[[pool]]
name = "user1"
"""
TERMS = Terms(
    run_id="0123456789ab",
    namespace="ns",
    start_s=330,
    run_s=300,
    expires="2026-01-01T00:00:00Z",
    pull_secrets=("pull",),
)
OWNER = {"metadata": {"name": "first", "uid": "6a9b1c3e-0000-4000-8000-000000000001"}}
SUBJECT = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "u"}


def a_job(vantage: str, **more) -> dict:
    place = Place(
        vantage=vantage,
        kind=VantageKind(vantage.partition("/")[0]),
        pool="user1",
        expressions=(
            Expression(key="agentpool", operator="In", values=("user1",)),
            Expression(key="agentpool", operator="DoesNotExist"),
        ),
        tolerations=({"key": "spot", "operator": "Exists", "effect": "NoSchedule"},),
    )
    return objects.job(TERMS, Probe(place=place, image="r/p@sha256:aa", plan_map="plan", **more), owner=OWNER)


def created() -> list[dict]:
    secret = objects.secret(TERMS, "s", {"A": "eA=="}, owner=OWNER)
    return [
        objects.namespace(TERMS, (VantageKind.NODE, VantageKind.POD)),
        objects.anchor(TERMS),
        objects.plan_map(TERMS, "plan", "{}", owner=OWNER),
        secret,
        a_job("node/user1"),
        a_job("pod/user1", secret="s", variables=("A",), attempt=2),
    ]


@pytest.fixture
def printed(preflight, tmp_path: Path):
    config = tmp_path / "preflight.toml"
    config.write_text(CONFIG)

    def call(*argv: str) -> list[dict]:
        code, out, err = preflight(*argv, *(("--config", str(config)) if argv[0] == "manifests" else ()))
        assert code == 0, err
        found = list(yaml.safe_load_all(out))
        assert found
        return found

    return call


def refused(one: dict, version: str) -> str:
    """Why a schema refuses an object; empty when it does not."""
    try:
        kubernetes_validate.validate(json.loads(json.dumps(one)), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{one['kind']} {one['metadata']['name']}: {error.message}"
    return ""


def check(found: list[dict], version: str) -> None:
    assert [why for one in found if (why := refused(one, version))] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_run_creates_is_valid(version: str):
    check(created(), version)


@pytest.mark.parametrize("version", VERSIONS)
def test_printed_cron_jobs_are_valid(printed, version: str):
    found = printed("manifests", "--probe-image", "r/p:1", "--schedule", "0 6 * * *", "--pull-secret", "pull")
    assert {one["kind"] for one in found} == {"Namespace", "ConfigMap", "CronJob"}
    assert {one["apiVersion"] for one in found if one["kind"] == "CronJob"} == {"batch/v1"}
    check(found, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_printed_jobs_and_roles_are_valid(printed, version: str):
    found = printed("manifests", "--probe-image", "r/p:1")
    assert {one["kind"] for one in found} == {"Namespace", "ConfigMap", "Job"}
    for argv in (("--namespace", "ns"), (), ("--via", "existing-pod"), ("--via", "existing-pod", "--namespace", "ns")):
        found += printed("rbac", "--user", "u", *argv)
    assert {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} <= {one["kind"] for one in found}
    check(found, version)


def test_a_field_that_the_api_does_not_have_is_noticed():
    job = a_job("pod/user1")
    job["spec"]["template"]["spec"]["hostNetworks"] = True
    assert "hostNetworks" in refused(job, VERSIONS[0])


def test_a_value_of_the_wrong_type_is_noticed():
    job = a_job("pod/user1")
    job["spec"]["activeDeadlineSeconds"] = "690"
    assert "690" in refused(job, VERSIONS[0])


def test_the_rights_of_a_shell_probe_create_nothing_but_an_exec():
    roles = rights.granting("preflight", SUBJECT, rights.of_shell(), namespace="ns")
    creates = [rule["resources"] for role in roles for rule in role.get("rules", []) if "create" in rule["verbs"]]
    assert creates == [["pods/exec"]]
