"""Looking at a cluster before planning: one request an object, and what may not be read is told, never a failure."""

import pytest
from servers.scripted import Reply, failing, kubeconfig, served

from preflight.kube.client import Access, connect
from preflight.kube.rights import LOOKS, roles
from preflight.kube.scout import look
from preflight.model.cluster import ClusterFacts

API = {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 443}]}}  # fmt: skip
DNS = {"metadata": {"name": "kube-dns", "namespace": "kube-system"}, "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 53}]}}  # fmt: skip
BEHIND = {"subsets": [{"addresses": [{"ip": "10.251.1.4", "nodeName": "n1"}], "ports": [{"port": 53}]}]}
ANSWERS = {
    "/api/v1/namespaces/default/services/kubernetes": API,
    "/api/v1/namespaces/kube-system/services/kube-dns": DNS,
    "/api/v1/namespaces/kube-system/endpoints/kube-dns": BEHIND,
}
NODE = {"metadata": {"name": "n1", "labels": {"agentpool": "system"}}}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


async def scouted(tmp_path, answer) -> tuple[ClusterFacts, list[str]]:
    async with (
        served(lambda _method, target: answer(target)) as (port, seen),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        return await look(client, [NODE]), list(seen)


async def test_each_object_is_read_once_by_its_name(tmp_path):
    found, seen = await scouted(tmp_path, lambda target: Reply(body=ANSWERS[target]))
    assert sorted(seen) == sorted(f"GET {path}" for path in ANSWERS)
    assert found.api_service is not None
    assert found.api_service.addresses == ("10.96.0.1",)
    assert found.dns_service is not None
    assert found.dns_service.addresses == ("10.96.0.10",)
    assert [one.pool for one in found.dns_replicas] == ["system"]
    assert found.nodes_total == 1
    assert found.notices == ()


TROUBLES = [
    (failing(403, "forbidden", "Forbidden"), "without the right to get endpoints/kube-dns in kube-system"),
    (failing(404, "not found", "NotFound"), "there is no endpoints/kube-dns in kube-system"),
    (failing(503, "starting"), "503 starting"),
    (Reply(body=b"<html>"), "could not be read"),
]


@pytest.mark.parametrize(("trouble", "words"), TROUBLES)
async def test_what_cannot_be_read_is_empty_and_told(tmp_path, trouble: Reply, words: str):
    def answer(target: str) -> Reply:
        return trouble if "endpoints" in target else Reply(body=ANSWERS[target])

    found, _ = await scouted(tmp_path, answer)
    assert found.dns_replicas == ()
    assert found.dns_service is not None
    (notice,) = found.notices
    assert words in notice
    assert notice.endswith("which pods answer as cluster DNS, and on which nodes is not known")


def test_the_roles_allow_these_objects_and_no_others():
    printed = roles("pf", {"kind": "Group", "name": "g"}, namespace="pf")
    looks = [one for one in printed if one["kind"] == "Role" and one["metadata"]["name"] == "pf-look"]
    assert [(one["metadata"]["namespace"], len(one["rules"])) for one in looks] == [("default", 1), ("kube-system", 2)]
    assert all(rule["verbs"] == ["get"] and rule["resourceNames"] for one in looks for rule in one["rules"])
    assert all(one.optional for one in LOOKS)
