"""Reading policies with the rights that there are: what may not be read is told, and nothing fails."""

import pytest
from servers.scripted import Reply, failing, kubeconfig, served

from preflight.kube import standing
from preflight.kube.client import Access, connect
from preflight.kube.policy_scout import about, read, real_pods
from preflight.kube.standing import Wanted
from preflight.model.policies import PolicyFacts, Role, Stand

pytestmark = pytest.mark.usefixtures("no_proxy")

PROBE = standing.probe("", {})
POD = {
    "metadata": {"name": "fe-1", "namespace": "default", "labels": {"azuremlappname": "azureml-fe"}},
    "status": {"phase": "Running"},
}
LOCK = {"metadata": {"name": "lock", "namespace": "default"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}
ELSEWHERE = {"metadata": {"name": "lock", "namespace": "elsewhere"}, "spec": {"podSelector": {}}}
WALL = {"metadata": {"name": "wall"}, "spec": {"endpointSelector": {}, "egress": [{}]}}
ROUTER = Stand(namespace="default", labels={"azuremlappname": "azureml-fe"}, role=Role.ROUTER)
WANT = Wanted(role=Role.ROUTER, labels=standing.LABELS[Role.ROUTER], namespaces=("azureml", "default"))
FORBIDDEN = failing(403, "no", "Forbidden")
MISSING = failing(404, "not found", "NotFound")


def items(*found):
    return Reply(body={"items": list(found), "metadata": {}})


def whole(target: str) -> Reply:
    """A cluster that may be read, with policies of every kind."""
    path = target.partition("?")[0]
    answers = {
        "/api/v1/pods": items(POD),
        "/apis/networking.k8s.io/v1/networkpolicies": items(LOCK, ELSEWHERE),
        "/apis/cilium.io/v2/ciliumnetworkpolicies": items(),
        "/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies": items(WALL),
        "/api/v1/namespaces/default": Reply(body={"metadata": {"name": "default", "labels": {"team": "ml"}}}),
        "/apis": Reply(body={"groups": [{"name": "apps"}]}),
    }
    return answers.get(path, MISSING)


async def scouted(tmp_path, answer, *, real=(ROUTER,), notices=()) -> tuple[PolicyFacts, list[str]]:
    async with (
        served(lambda _method, target: answer(target)) as (port, seen),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        return about(await read(client, ("default",)), real, PROBE, notices), list(seen)


async def stands(tmp_path, answer, want=WANT):
    async with (
        served(lambda _method, target: answer(target)) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        return await real_pods(client, (want,))


async def test_policies_that_concern_nobody_are_left_out(tmp_path):
    found, seen = await scouted(tmp_path, whole)
    assert [one.title for one in found.policies] == [
        "CiliumClusterwideNetworkPolicy wall",
        "NetworkPolicy default/lock",
    ]
    assert (found.read, found.cilium, found.notices) == (True, True, ())
    assert found.namespaces == {"default": {"team": "ml"}}
    assert len(seen) == 6


async def test_a_cluster_without_cilium_has_none_of_its_policies(tmp_path):
    found, _ = await scouted(tmp_path, lambda target: MISSING if "cilium" in target else whole(target))
    assert (found.read, found.cilium, found.notices) == (True, False, ())


async def test_without_the_right_for_all_namespaces_those_that_matter_are_read(tmp_path):
    def answer(target: str) -> Reply:
        path = target.partition("?")[0]
        if path == "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies":
            return items(LOCK)
        return FORBIDDEN if path.endswith("/networkpolicies") else whole(target)

    found, _ = await scouted(tmp_path, answer)
    assert "NetworkPolicy default/lock" in [one.title for one in found.policies]
    assert found.read


async def test_without_any_right_nothing_is_proven_and_that_is_said(tmp_path):
    found, _ = await scouted(tmp_path, lambda _target: FORBIDDEN, notices=("no model pod runs",))
    assert not found.read
    assert found.policies == ()
    assert found.notices == (
        "no model pod runs",
        "without the right to list networkpolicies in default: nothing is proven about network policies there",
        "without the right to list ciliumnetworkpolicies in default: nothing is proven about network policies there",
        "without the right to list ciliumclusterwidenetworkpolicies: nothing is proven about network policies there",
    )


async def test_kinds_that_are_not_evaluated_are_named(tmp_path):
    groups = Reply(
        body={"groups": [{"name": "crd.projectcalico.org"}, {"name": "policy.networking.k8s.io"}, {"name": 3}]}
    )
    found, _ = await scouted(tmp_path, lambda target: groups if target == "/apis" else whole(target))
    assert not found.read
    assert [text.partition(", which")[0] for text in found.notices] == [
        "the cluster knows Calico's own network policies", "the cluster knows admin network policies",
    ]  # fmt: skip


async def test_where_there_is_no_policy_nobody_asks_whose_they_would_be(tmp_path):
    def answer(target: str) -> Reply:
        return items() if "policies" in target else whole(target)

    found, _ = await scouted(tmp_path, answer, notices=("no model pod runs",))
    assert found.notices == ()


async def test_pods_that_run_are_found_wherever_they_are(tmp_path):
    found, notices = await stands(tmp_path, whole)
    assert [(one.namespace, one.known_from) for one in found] == [("default", "pod default/fe-1")]
    assert notices == ()


async def test_without_the_right_for_all_namespaces_the_documented_ones_are_asked(tmp_path):
    def answer(target: str) -> Reply:
        if target.startswith("/api/v1/namespaces/default/pods"):
            return items(POD)
        return FORBIDDEN if "pods" in target else whole(target)

    found, notices = await stands(tmp_path, answer)
    assert [one.known_from for one in found] == ["pod default/fe-1"]
    assert notices == ()


async def test_before_anything_runs_the_documented_place_counts_if_it_is_there(tmp_path):
    found, notices = await stands(tmp_path, lambda target: items() if "pods" in target else whole(target))
    assert [(one.namespace, one.labels, one.known_from) for one in found] == [
        ("default", {"azuremlappname": "azureml-fe"}, "documented: none runs yet")
    ]
    assert notices == ()


async def test_nothing_is_guessed_where_nobody_knows_where_models_will_run(tmp_path):
    models = Wanted(role=Role.MODEL, labels=standing.LABELS[Role.MODEL])
    found, notices = await stands(tmp_path, lambda target: items() if "pods" in target else whole(target), models)
    assert found == ()
    assert notices == (
        "no model pod runs, and pods.model_namespace is not given: nothing is proven about network policies for the model's pods",
    )


async def test_a_namespace_that_the_file_gives_is_the_only_one_that_is_asked(tmp_path):
    seen = []

    def answer(target: str) -> Reply:
        seen.append(target.partition("?")[0])
        return items(POD) if "pods" in target else whole(target)

    want = Wanted(role=Role.ROUTER, labels={"a": "b"}, namespaces=("default",), certain=True)
    await stands(tmp_path, answer, want)
    assert seen == ["/api/v1/namespaces/default/pods"]


async def keys_of(tmp_path, answer) -> frozenset[str] | None:
    async with (
        served(lambda _method, target: answer(target)) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        return (await read(client, ("default",))).keys


async def test_the_labels_of_which_policies_speak_are_known_only_when_all_policies_are(tmp_path):
    by_label = {
        "metadata": {"name": "p", "namespace": "else"},
        "spec": {"podSelector": {"matchLabels": {"tier": "edge"}}},
    }

    def answer(target: str) -> Reply:
        return items(by_label) if target.startswith("/apis/networking.k8s.io/v1/networkpolicies") else whole(target)

    assert await keys_of(tmp_path, answer) == {"tier"}
    assert await keys_of(tmp_path, lambda target: FORBIDDEN if "networkpolicies" in target else whole(target)) is None

    def in_places(target: str) -> Reply:
        apart = ("/apis/networking.k8s.io/v1/networkpolicies", "/apis/cilium.io/v2/ciliumnetworkpolicies")
        if target.startswith(apart):
            return FORBIDDEN
        return items(LOCK) if "policies" in target else whole(target)

    assert await keys_of(tmp_path, in_places) is None
