"""A run's stay in a cluster: what it makes, in which order, what it leaves, and what it says of that."""

import asyncio
from pathlib import Path

import pytest
from builders.played import left

from preflight.failures import ClusterFailure
from preflight.kube import operation as operations
from preflight.kube.client import Access, connect
from preflight.kube.objects import Probe
from preflight.kube.operation import Operation, Stay, operation
from preflight.kube.pools import Place
from preflight.lab.cluster.container import Container
from preflight.lab.cluster.store import Selector
from preflight.lab.cluster.whole import IMAGE, Cluster, cluster, node
from preflight.lab.pki import Pki
from preflight.model.vocabulary import VantageKind


async def silent(container: Container) -> int:
    await container.stopping.wait()
    return 0


@pytest.fixture
async def played(tmp_path: Path):
    async with cluster(Pki(tmp_path), tmp_path, [node("aks-demo-0", "demo")]) as made:
        made.kubelet.play = silent
        yield made


@pytest.fixture
async def client(played: Cluster):
    async with connect(Access(kubeconfig=str(played.kubeconfig))) as made:
        yield made


def probe(plan: str) -> Probe:
    place = Place(vantage="pod/demo", kind=VantageKind.POD, pool="demo", expressions=())
    return Probe(place=place, image=IMAGE, plan_map=plan)


async def begun(running: Operation) -> None:
    await running.start(probe(await running.plan_map("{}")))


async def test_everything_belongs_to_the_first_job_and_goes_with_the_stay(played: Cluster, client):
    async with operation(client, Stay(run_id="r1")) as running:
        await begun(running)
        found = {kind: played.store.select(Selector(kind)) for kind in ("jobs", "configmaps", "pods")}
        owners = {
            owner["name"] for kind in ("jobs", "configmaps") for one in found[kind]
            for owner in one["metadata"].get("ownerReferences", [])
        }  # fmt: skip
        made = [one for one in played.api.calls if one.startswith("create")]
    assert owners == {"preflight-r1"}
    assert made == ["create namespaces", "create jobs", "create configmaps", "create jobs"]
    assert (left(played), running.leftovers) == ([], "")


async def test_a_stay_in_which_nothing_was_needed_makes_and_removes_nothing(played: Cluster, client):
    async with operation(client, Stay(run_id="r1")):
        pass
    assert played.api.calls == []


async def test_what_is_shared_is_made_once_however_many_ask_for_it(played: Cluster, client):
    async with operation(client, Stay(run_id="r1")) as running:
        names = await asyncio.gather(*(running.plan_map("{}") for _ in range(20)))
    assert len(set(names)) == 1
    assert played.api.calls.count("create configmaps") == 1


async def test_a_namespace_that_was_given_and_is_there_stays(played: Cluster, client):
    played.store.add("namespaces", "", {"metadata": {"name": "mine"}})
    async with operation(client, Stay(run_id="r1", namespace="mine")) as running:
        await begun(running)
    assert left(played) == ["mine"]


async def test_a_namespace_that_was_given_and_is_not_there_is_made_and_goes(played: Cluster, client):
    async with operation(client, Stay(run_id="r1", namespace="mine")) as running:
        await begun(running)
        assert "mine" in left(played)
    assert left(played) == []


async def test_what_could_not_be_removed_is_told_with_the_way_to_do_it(
    played: Cluster, client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(operations, "_LEAVE_S", 0.5)
    played.api.allow = lambda verb, resource: (verb, resource) != ("delete", "namespaces")
    async with operation(client, Stay(run_id="r1")) as running:
        await begun(running)
    assert "are left in namespace preflight-r1 until 20" in running.leftovers
    assert 'cannot delete resource "namespaces"' in running.leftovers
    assert "`preflight clean` removes them" in running.leftovers


async def test_what_a_killed_run_left_is_swept_by_the_next_one(played: Cluster, client):
    past = {"preflight/expires": "2020-01-01T00:00:00Z"}
    labels = {"app.kubernetes.io/managed-by": "preflight"}
    played.store.add("namespaces", "", {"metadata": {"name": "old", "labels": labels, "annotations": past}})
    played.store.add("namespaces", "", {"metadata": {"name": "foreign", "annotations": past}})
    async with operation(client, Stay(run_id="r1")) as running:
        await begun(running)
    assert left(played) == ["foreign"]


async def test_a_first_job_that_cannot_be_made_is_everybody_s_failure_and_its_namespace_goes(played: Cluster, client):
    played.api.allow = lambda verb, resource: (verb, resource) != ("create", "jobs")
    async with operation(client, Stay(run_id="r1")) as running:
        for _ in range(2):
            with pytest.raises(ClusterFailure, match='cannot create resource "jobs"'):
                await begun(running)
    assert left(played) == []
    assert played.api.calls.count("create jobs") == 1
