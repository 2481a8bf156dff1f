"""Where real pods stand, and which labels a probe beside them carries: tables of pods and Services."""

import pytest

from preflight.judge.selecting import selects
from preflight.kube import objects, policies, standing
from preflight.kube.standing import Asked
from preflight.model.environment import Cloud, Environment, Layout, Main, Pods, Workspace
from preflight.model.policies import PolicyFacts, Role, Stand

CLOUD = Cloud(
    name="c", api_server="", api_server_private="", api_server_vnet="", arm="", entra="", acr="", storage="", azureml="",
    experiments="", kusto="", kusto_ingest="", cloudapp="", source="", reviewed="",
)  # fmt: skip
# As `kubectl get all -n azureml --show-labels` prints it for the extension (Azure/AML-Kubernetes).
FE = {
    "azuremlappname": "azureml-fe", "azuremlappversion": "v2", "ml.azure.com/amlarc-system": "true",
    "ml.azure.com/billing-category": "azureml-system", "ml.azure.com/infra-app": "azureml-fe", "pod-template-hash": "5868d64648",
}  # fmt: skip


def env(layout=Layout.AUTO, workspace=None, **pods):
    main = Main(layout=layout)
    return Environment(source="f", cloud=CLOUD, main=main, workspace=Workspace(name=workspace), pods=Pods(**pods))


def pod(name="azureml-fe-v2-5868d64648-6jk9c", namespace="azureml", labels=FE, phase="Running", **more):
    meta = {
        "name": name,
        "namespace": namespace,
        "labels": labels,
        "creationTimestamp": more.pop("created", "2026-01-01T00:00:00Z"),
    }
    return {"metadata": meta, "status": {"phase": phase}, "spec": {"serviceAccountName": "azureml-fe"}}


@pytest.mark.parametrize(
    ("environment", "router", "model"),
    [
        pytest.param(env(), ("azureml", "default"), (), id="nothing known"),
        pytest.param(env(Layout.V1, "ws"), ("default",), ("azureml-ws",), id="v1"),
        pytest.param(
            env(Layout.EXTENSION, "ws"), ("azureml",), (), id="extension: the compute's namespace is not known"
        ),
        pytest.param(env(router_namespace="a", model_namespace="b"), ("a",), ("b",), id="given"),
    ],
)
def test_real_pods_are_looked_for_where_the_documents_or_the_file_have_them(environment, router, model):
    found = {one.role: one for one in standing.wanted(environment)}
    assert (found[Role.ROUTER].namespaces, found[Role.MODEL].namespaces) == (router, model)
    assert found[Role.ROUTER].selector == "azuremlappname=azureml-fe"
    assert found[Role.MODEL].selector == "isazuremlapp=true"


def test_pods_that_run_are_found_and_alike_ones_once():
    other = {**FE, "azuremlappversion": "v3"}
    listed = {
        "items": [
            pod("a", created="2026-01-01T00:00:00Z"),
            pod("b", created="2026-02-01T00:00:00Z"),
            pod("c", labels={**FE, "pod-template-hash": "other"}),
            pod("d", labels=other),
            pod("done", phase="Succeeded", labels={**FE, "x": "1"}),
            pod("probe", labels={**FE, **objects.labels("r1")}),
            None,
            {"metadata": {"labels": 3}, "status": []},
        ]
    }
    found = standing.found(Role.ROUTER, listed)
    assert [one.known_from for one in found if one.namespace] == ["pod azureml/b", "pod azureml/d"]
    assert found[-1].service_account == "azureml-fe"


def test_a_probe_carries_what_policies_select_by_and_nothing_that_controllers_or_webhooks_do():
    marks = {
        **FE,
        "controller-revision-hash": "x",
        "azure.workload.identity/use": "true",
        "batch.kubernetes.io/job-name": "j",
    }
    kept = standing.carried(marks)
    assert kept == {key: value for key, value in FE.items() if key != "pod-template-hash"}


def test_our_own_labels_stay_ours_and_the_policy_sees_it():
    helm = {**FE, "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/name": "azureml-fe"}
    probe = standing.probe("azureml", standing.carried(helm))
    assert probe.labels["app.kubernetes.io/managed-by"] == "preflight"
    assert probe.labels["app.kubernetes.io/name"] == "azureml-fe"
    real = Stand(namespace="azureml", labels=helm)
    by_helm = policies.kubernetes(
        {"metadata": {"name": "p", "namespace": "azureml"}, "spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "Helm"}}}}
    )  # fmt: skip
    assert selects(by_helm, real, PolicyFacts())
    assert not selects(by_helm, probe, PolicyFacts())


ROUTER = Stand(namespace="azureml", labels=FE, role=Role.ROUTER, known_from="pod azureml/a")
SERVICES = [
    pytest.param({"selector": {"azuremlappname": "azureml-fe"}}, False, id="an ordinary Service"),
    pytest.param(
        {"selector": {"azuremlappname": "azureml-fe"}, "publishNotReadyAddresses": True}, True, id="one for peers"
    ),
    pytest.param({"selector": {"azuremlappname": "other"}, "publishNotReadyAddresses": True}, False, id="another's"),
    pytest.param({"publishNotReadyAddresses": True}, False, id="without a selector"),
    pytest.param(
        {"selector": {"pod-template-hash": "5868d64648"}, "publishNotReadyAddresses": True}, False, id="by a hash"
    ),
]


@pytest.mark.parametrize(("spec", "expected"), SERVICES)
def test_services_that_send_traffic_to_pods_that_are_not_ready_are_found(spec: dict, expected: bool):
    one = {"metadata": {"name": "azureml-fe", "namespace": "azureml"}, "spec": spec}
    lent = standing.lend(Asked(role=Role.ROUTER), (ROUTER,))
    assert lent is not None
    assert standing.endangered({"items": [one]}, lent.labels) == (("azureml/azureml-fe",) if expected else ())


def test_the_old_annotation_counts_as_well():
    marks = {"service.alpha.kubernetes.io/tolerate-unready-endpoints": "true"}
    one = {"metadata": {"name": "s", "namespace": "n", "annotations": marks}, "spec": {"selector": {"a": "b"}}}
    assert standing.endangered({"items": [one]}, {"a": "b", "c": "d"}) == ("n/s",)


LENT = [
    pytest.param(Asked(role=Role.ROUTER), ("azureml", "azureml-fe"), id="as the router"),
    pytest.param(Asked(role=Role.MODEL), None, id="no model is known"),
    pytest.param(Asked(role=Role.MODEL, namespace="ml"), ("ml", None), id="but its namespace is given"),
    pytest.param(Asked(namespace="ml"), ("ml", None), id="a namespace alone"),
    pytest.param(Asked(labels={"azuremlappname": "x"}), ("", "x"), id="labels alone"),
    pytest.param(Asked(role=Role.ROUTER, labels={"azuremlappname": "x"}), ("azureml", "x"), id="a label over another"),
]


@pytest.mark.parametrize(("asked", "expected"), LENT)
def test_a_probe_stands_where_it_was_asked_to(asked: Asked, expected: tuple[str, str | None] | None):
    lent = standing.lend(asked, (ROUTER,))
    assert (lent and (lent.namespace, lent.labels.get("azuremlappname"))) == expected
    if asked.role is Role.MODEL and lent is not None:
        assert lent.labels == {"isazuremlapp": "true"}


FEWEST = [
    pytest.param(
        frozenset(("azuremlappname",)), {"azuremlappname": "azureml-fe", "mine": "1"}, id="what policies speak of"
    ),
    pytest.param(frozenset(), {"mine": "1"}, id="nothing: what was asked for stays"),
    pytest.param(None, {**standing.carried(FE), "mine": "1"}, id="not all policies are known"),
]


@pytest.mark.parametrize(("keys", "worn"), FEWEST)
def test_a_probe_wears_no_more_labels_than_policies_speak_of(keys, worn: dict[str, str]):
    asked = Asked(role=Role.ROUTER, labels={"mine": "1"})
    lent = standing.lend(asked, (ROUTER,))
    assert lent is not None
    assert standing.fewest(lent, asked, keys).labels == worn
