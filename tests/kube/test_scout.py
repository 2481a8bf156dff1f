"""Looking at a cluster before planning: one request an object, and what may not be read is told, never a failure."""

from pathlib import Path

import pytest
from servers.scripted import Reply, failing, kubeconfig, served

from preflight.kube.client import Access, connect
from preflight.kube.rights import LOOKS, ROUTER, roles
from preflight.kube.scout import Found, look
from preflight.model.cluster import RouterFacts

pytestmark = pytest.mark.usefixtures("no_proxy")

API = {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 443}]}}  # fmt: skip
DNS = {"metadata": {"name": "kube-dns", "namespace": "kube-system"}, "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 53}]}}  # fmt: skip
BEHIND = {"subsets": [{"addresses": [{"ip": "10.251.1.4", "nodeName": "n1"}], "ports": [{"port": 53}]}]}
PEM = (Path(__file__).parents[1] / "environment" / "ca.pem").read_text()
ROUTERS = (
    "/apis/apps/v1/namespaces/default/deployments/azureml-fe",
    "/apis/apps/v1/namespaces/azureml/deployments/azureml-fe-v2",
)
ANSWERS = {
    "/api/v1/namespaces/default/configmaps/kube-root-ca.crt": {"data": {"ca.crt": PEM}},
    "/api/v1/namespaces/default/services/kubernetes": API,
    "/api/v1/namespaces/kube-system/services/kube-dns": DNS,
    "/api/v1/namespaces/kube-system/endpoints/kube-dns": BEHIND,
}
NODE = {"metadata": {"name": "n1", "labels": {"agentpool": "system"}}}


def usual(target: str) -> Reply:
    return failing(404, "not found", "NotFound") if target in ROUTERS else Reply(body=ANSWERS[target])


async def scouted(tmp_path, answer) -> tuple[Found, list[str]]:
    async with (
        served(lambda _method, target: answer(target)) as (port, seen),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        return await look(client, [NODE]), list(seen)


async def test_each_object_is_read_once_by_its_name(tmp_path):
    looked, seen = await scouted(tmp_path, usual)
    assert sorted(seen) == sorted(f"GET {path}" for path in (*ANSWERS, *ROUTERS))
    assert looked.pods_ca_pem == PEM
    found = looked.facts
    assert found.api_service is not None
    assert found.api_service.addresses == ("10.96.0.1",)
    assert found.dns_service is not None
    assert found.dns_service.addresses == ("10.96.0.10",)
    assert [one.pool for one in found.dns_replicas] == ["system"]
    assert found.nodes_total == 1
    assert found.notices == ()


TROUBLES = [
    (failing(403, "forbidden", "Forbidden"), "without the right to get endpoints/kube-dns in kube-system"),
    (failing(503, "starting"), "503 starting"),
    (Reply(body=b"<html>"), "could not be read"),
]


async def test_what_is_not_there_is_empty_without_a_notice(tmp_path):
    looked, _ = await scouted(tmp_path, lambda _target: failing(404, "not found", "NotFound"))
    assert (looked.facts.api_service, looked.facts.dns_service, looked.facts.notices) == (None, None, ())


@pytest.mark.parametrize(("trouble", "words"), TROUBLES)
async def test_what_cannot_be_read_is_empty_and_told(tmp_path, trouble: Reply, words: str):
    def answer(target: str) -> Reply:
        return trouble if "endpoints" in target else usual(target)

    looked, _ = await scouted(tmp_path, answer)
    found = looked.facts
    assert found.dns_replicas == ()
    assert found.dns_service is not None
    (notice,) = found.notices
    assert words in notice
    assert notice.endswith("which pods answer as cluster DNS, and on which nodes is not known")


def test_the_roles_allow_these_objects_and_no_others():
    printed = roles("pf", {"kind": "Group", "name": "g"}, namespace="pf")
    looks = [one for one in printed if one["kind"] == "Role" and one["metadata"]["name"] == "pf-look"]
    rules = {one["metadata"]["namespace"]: len(one["rules"]) for one in looks}
    assert rules == {"default": 2, "kube-system": 2}
    assert all(rule["verbs"] == ["get"] and rule["resourceNames"] for one in looks for rule in one["rules"])
    assert all(one.optional for one in (*LOOKS, *ROUTER))


@pytest.mark.parametrize("pem", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 7])
async def test_an_authority_that_cannot_be_read_is_none(tmp_path, pem):
    def answer(target: str) -> Reply:
        return Reply(body={"data": {"ca.crt": pem}}) if "root-ca" in target else usual(target)

    looked, _ = await scouted(tmp_path, answer)
    assert looked.pods_ca_pem == ""


V1 = {"spec": {"template": {"spec": {"serviceAccountName": "azureml-fe"}}}}
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


async def test_what_the_router_s_account_may_do_is_asked_and_never_tried(tmp_path):
    number = 0

    def answer(target: str) -> Reply:
        nonlocal number
        if target == ROUTERS[0]:
            return Reply(body=V1)
        if target == REVIEWS:
            number += 1
            return Reply(status=201, body={"status": {"allowed": number != 2}})
        return usual(target)

    looked, seen = await scouted(tmp_path, answer)
    assert looked.facts.router == RouterFacts(
        namespace="default", deployment="azureml-fe", account="azureml-fe", rights="pods=yes,endpoints=no,services=yes"
    )
    assert seen.count(f"POST {REVIEWS}") == 3
    assert f"GET {ROUTERS[1]}" not in seen


async def test_a_question_that_is_refused_leaves_the_rights_unknown(tmp_path):
    def answer(target: str) -> Reply:
        if target == ROUTERS[1]:
            return Reply(body={"spec": {"template": "x"}})
        return failing(403, "no", "Forbidden") if target == REVIEWS else usual(target)

    looked, _ = await scouted(tmp_path, answer)
    assert looked.facts.router == RouterFacts(namespace="azureml", deployment="azureml-fe-v2", account="default")
    assert "without the right to create subjectaccessreviews" in looked.facts.notices[0]


async def test_a_router_that_may_not_be_looked_at_is_told(tmp_path):
    looked, _ = await scouted(
        tmp_path, lambda target: failing(403, "no", "Forbidden") if target in ROUTERS else usual(target)
    )
    assert looked.facts.router is None
    assert len(looked.facts.notices) == 2
