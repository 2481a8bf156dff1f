"""Where pod probes stand, in the stand-in cluster: looked up before anything is made, refused where they would harm."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from preflight.cli.beside import compared
from preflight.cli.cluster_options import Options
from preflight.cli.inside import INSIDE, Scouted, look
from preflight.failures import UsageFailure
from preflight.judge.policies import Way, differing
from preflight.kube import objects
from preflight.kube.client import Access, connect
from preflight.lab.cluster.whole import Cluster, cluster, node
from preflight.lab.pki import Pki
from preflight.model.environment import Cloud, Environment, Pods, StandAs
from preflight.model.policies import Role
from preflight.model.vocabulary import VantageKind

CLOUD = Cloud(
    name="c", api_server="", api_server_private="", api_server_vnet="", arm="", entra="", acr="", storage="",
    azureml="", experiments="", kusto="", kusto_ingest="", cloudapp="", source="", reviewed="",
)  # fmt: skip
ENV = Environment(source="f", cloud=CLOUD)
ROUTERS = Way(role=Role.ROUTER)
FE = {"azuremlappname": "azureml-fe", "tier": "edge", "pod-template-hash": "5868d64648"}


@contextlib.asynccontextmanager
async def played(folder: Path) -> AsyncIterator[Cluster]:
    """A cluster with a router: its pod, its Service and a policy that lets it nowhere."""
    async with cluster(Pki(folder), folder, [node("aks-user1-0", "user1")]) as made:
        spec = {"nodeName": "elsewhere", "containers": [], "serviceAccountName": "azureml-fe"}
        pod = {"metadata": {"name": "azureml-fe-1", "labels": FE}, "spec": spec, "status": {"phase": "Running"}}
        made.store.add("pods", "default", pod)
        made.store.add(
            "services",
            "default",
            {"metadata": {"name": "azureml-fe"}, "spec": {"selector": {"azuremlappname": "azureml-fe"}}},
        )
        lock = {"podSelector": {"matchLabels": {"azuremlappname": "azureml-fe"}}, "policyTypes": ["Egress"]}
        made.store.add("networkpolicies", "default", {"metadata": {"name": "lock"}, "spec": lock})
        yield made


async def scouted(made: Cluster, env: Environment = ENV, **options) -> Scouted:
    return await look(Options(kubeconfig=str(made.kubeconfig), **options), env, INSIDE)


def stands(found: Scouted) -> dict[str, tuple[str, dict]]:
    return {one.vantage: (one.namespace, dict(one.labels)) for one in found.placement.places}


async def test_without_a_word_probes_stand_alone_and_the_policies_are_known(tmp_path):
    async with played(tmp_path) as made:
        found = await scouted(made)
    assert stands(found) == {"node/user1": ("", {}), "pod/user1": ("", {})}
    assert found.facts is not None
    assert found.facts.policies is not None
    assert [one.title for one in found.facts.policies.policies] == ["NetworkPolicy default/lock"]
    assert found.facts.policies.real[0].known_from == "pod default/azureml-fe-1"
    assert any("pods.model_namespace is not given" in one for one in found.notices)


async def test_policies_of_cilium_are_read_and_their_labels_worn(tmp_path):
    async with played(tmp_path) as made:
        by_tier = {"endpointSelector": {"matchLabels": {"k8s:tier": "edge"}}, "egress": [{"toEntities": ["world"]}]}
        whole = {"endpointSelector": {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "default"}}, "egress": [{}]}
        made.store.add("ciliumnetworkpolicies", "default", {"metadata": {"name": "by-tier"}, "spec": by_tier})
        made.store.add("ciliumclusterwidenetworkpolicies", "", {"metadata": {"name": "wall"}, "spec": whole})
        apart, together = await scouted(made), await scouted(made, pod_as="router")
    told = [differing(one.facts.policies, ROUTERS) for one in (apart, together) if one.facts and one.facts.policies]
    assert [[held.policy.title for held in every] for every in told] == [
        [
            "CiliumClusterwideNetworkPolicy wall", "CiliumNetworkPolicy default/by-tier", "NetworkPolicy default/lock",
        ],
        [],
    ]  # fmt: skip
    assert stands(together)["pod/user1"] == ("default", {"azuremlappname": "azureml-fe", "tier": "edge"})


async def test_as_the_router_pod_probes_wear_its_labels_and_node_probes_none(tmp_path):
    async with played(tmp_path) as made:
        found = await scouted(made, pod_as="router")
    assert stands(found) == {"node/user1": ("", {}), "pod/user1": ("default", {"azuremlappname": "azureml-fe"})}
    assert any("pod probes stand in namespace default with azuremlappname=azureml-fe" in one for one in found.notices)


async def test_the_file_says_it_for_every_run_and_the_command_line_for_this_one(tmp_path):
    env = msgspec.structs.replace(ENV, pods=Pods(stand_as=StandAs.ROUTER))
    async with played(tmp_path) as made:
        assert stands(await scouted(made, env))["pod/user1"][0] == "default"
        assert stands(await scouted(made, env, pod_as="own"))["pod/user1"] == ("", {})
        by_hand = await scouted(made, pod_namespace="kube-system", pod_labels=("a=b",))
    assert stands(by_hand)["pod/user1"] == ("kube-system", {"a": "b"})


async def test_nobody_stands_beside_pods_of_which_nothing_is_known(tmp_path):
    async with played(tmp_path) as made:
        with pytest.raises(UsageFailure, match=r"--pod-as model: no such pod runs"):
            await scouted(made, pod_as="model")


async def test_a_service_that_publishes_pods_that_are_not_ready_is_in_the_way(tmp_path):
    async with played(tmp_path) as made:
        open_handed = {"selector": {"azuremlappname": "azureml-fe"}, "publishNotReadyAddresses": True}
        made.store.add("services", "default", {"metadata": {"name": "peers"}, "spec": open_handed})
        with pytest.raises(UsageFailure, match="Service default/peers sends traffic to pods that are not ready"):
            await scouted(made, pod_as="router")
        assert stands(await scouted(made))["pod/user1"] == ("", {})


MISSING = [
    pytest.param(
        ("create", "jobs"),
        "may not create jobs.batch in default; see `preflight rbac --pod-namespace default`",
        id="jobs",
    ),
    pytest.param(("list", "services"), "Services of default could not be listed", id="services"),
]


@pytest.mark.parametrize(("right", "words"), MISSING)
async def test_a_right_that_is_missing_there_costs_the_pod_vantages_alone(tmp_path, right: tuple[str, str], words: str):
    async with played(tmp_path) as made:
        asked: list[str] = []

        def allowed(verb: str, resource: str) -> bool:
            asked.append(resource)
            # Rights are asked for the run's own namespace first, and then for that of the real pods.
            return (verb, resource) != right or (resource == "jobs" and asked.count("jobs") <= 3)

        made.api.allow = allowed
        found = await scouted(made, pod_as="router")
    cause, text = found.unavailable["pod"]
    assert cause == "kube.forbidden"
    assert words in text
    assert [one.kind for one in found.placement.places] == [VantageKind.NODE]


async def test_a_namespace_that_is_not_there_costs_the_pod_vantages_alone(tmp_path):
    async with played(tmp_path) as made:
        found = await scouted(made, pod_namespace="nobody-made-it")
    assert found.unavailable["pod"][0] == "kube.namespace-gone"
    assert [one.kind for one in found.placement.places] == [VantageKind.NODE]
    assert found.facts is not None
    assert found.facts.policies is None


async def test_who_may_not_list_policies_is_told_what_is_not_proven(tmp_path):
    async with played(tmp_path) as made:
        made.api.allow = lambda verb, resource: "policies" not in resource
        found = await scouted(made)
    assert any("without the right to list networkpolicies in default" in one for one in found.notices)
    assert found.facts is not None
    assert found.facts.policies is not None
    assert not found.facts.policies.read


async def test_probes_that_somebody_else_started_are_compared_where_they_stand(tmp_path):
    async with played(tmp_path) as made, connect(Access(kubeconfig=str(made.kubeconfig))) as client:
        elsewhere = {"metadata": {"namespace": "preflight", "labels": objects.labels("r1")}}
        beside_it = {"metadata": {"namespace": "default", "labels": {**FE, **objects.labels("r1")}}}
        apart = await compared(client, ENV, {"node/user1": elsewhere, "pod/user1": elsewhere})
        together = await compared(client, ENV, {"pod/user1": beside_it})
        none = await compared(client, ENV, {"node/user1": elsewhere})
    assert apart is not None
    assert together is not None
    assert [one.policy.title for one in differing(apart, ROUTERS)] == ["NetworkPolicy default/lock"]
    assert differing(together, ROUTERS) == ()
    assert none is None


async def test_a_node_vantage_alone_asks_for_no_policy(tmp_path):
    async with played(tmp_path) as made:
        found = await look(Options(kubeconfig=str(made.kubeconfig)), ENV, (VantageKind.NODE,))
    assert found.facts is not None
    assert found.facts.policies is None
