"""Pods that answer in the stand-in cluster: found by probes, started from the next image, told when they cannot be."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from builders.played import IMAGE, SHORT, Heard, left

from preflight.kube import pools
from preflight.kube.client import Access, connect
from preflight.kube.operation import Stay, operation
from preflight.kube.pairs import pairs
from preflight.kube.pools import Wish
from preflight.lab.cluster.store import Selector
from preflight.lab.cluster.whole import Cluster, cluster, node
from preflight.lab.pki import Pki
from preflight.model.plan import Limits, Plan, Target, Task, VantagePlan
from preflight.model.vocabulary import ProbeName, VantageKind
from preflight.vantages.cluster import ClusterVantage
from preflight.vantages.peers import Peers

POOLS = ("system", "user1")
NOSUCH = "nosuch.invalid/probe:1"


def a_task(host: str) -> Task:
    target = Target(scheme="tcp", host=host, port=5001, path="")
    return Task(key=f"peers:{host}:5001", probe=ProbeName.PEERS, target=target, params={"ports": "8000"})


TASKS = tuple(a_task(f"{pool}.pods") for pool in POOLS)
WHOLE = Plan(catalogue_version="x", vantages=(), tasks=TASKS, runs={}, checks=())


async def pull(image: str) -> str | None:
    return f'failed to resolve reference "{image}": {image}: not found' if image == NOSUCH else None


@contextlib.asynccontextmanager
async def there(folder: Path, *images: str) -> AsyncIterator[tuple[Cluster, Peers, dict[str, ClusterVantage]]]:
    nodes = [node(f"aks-{pool}-0", pool) for pool in POOLS]
    places = pools.place(nodes, Wish(kinds=(VantageKind.POD,))).places
    async with cluster(Pki(folder), folder, nodes) as played:
        played.kubelet.pull = pull
        async with (
            connect(Access(kubeconfig=str(played.kubeconfig))) as client,
            operation(client, Stay(run_id="r1", start_s=20, run_s=20)) as running,
            Peers({"": running}, WHOLE, pairs(places).answering, images or (IMAGE,), SHORT) as peers,
        ):
            there = {place.vantage: ClusterVantage(running, place, (IMAGE,), SHORT, peers=peers) for place in places}
            yield played, peers, there
        assert left(played) == []


def a_plan(*tasks: Task, vantage: str = "pod/system") -> VantagePlan:
    return VantagePlan(run_id="r1", vantage=vantage, tasks=tasks or TASKS, limits=Limits(connect_cap_s=2.0))


async def test_a_probe_asks_the_pod_of_another_pool_on_every_port(tmp_path: Path):
    heard = Heard()
    async with there(tmp_path) as (_, _, vantages):
        facts = await vantages["pod/system"](a_plan(TASKS[1]), {}, heard)
    assert facts.complete, facts.error
    assert facts.node == "aks-system-0"
    (seen,) = heard.observations
    assert [(hop.role, hop.service["answer"]) for hop in seen.hops] == [("origin", "match"), ("port.8000", "match")]
    assert seen.hops[0].service["peer_node"] == "aks-user1-0"


async def test_pods_that_answer_are_started_once_for_all_who_ask(tmp_path: Path):
    async with there(tmp_path) as (played, peers, _):
        first = await peers.filled(a_plan())
        again = await peers.filled(a_plan(vantage="pod/user1"))
        jobs = [one["metadata"]["name"] for one in played.store.select(Selector("jobs"))]
    assert [task.params["node"] for task in first.tasks] == ["aks-system-0", "aks-user1-0"]
    assert first.tasks == again.tasks
    assert len([name for name in jobs if "answers" in name]) == 2


async def test_nobody_is_started_when_nobody_asks(tmp_path: Path):
    async with there(tmp_path) as (played, peers, _):
        plan = a_plan(msgspec.structs.replace(TASKS[0], probe=ProbeName.TCP))
        assert await peers.filled(plan) == plan
        assert played.store.select(Selector("jobs")) == []


async def test_the_next_image_is_tried(tmp_path: Path):
    async with there(tmp_path, NOSUCH, IMAGE) as (_, peers, _):
        plan = await peers.filled(a_plan())
    assert all(task.params["address"] for task in plan.tasks)


async def test_a_pod_whose_image_cannot_be_pulled_is_told_with_its_cause(tmp_path: Path):
    heard = Heard()
    async with there(tmp_path, NOSUCH) as (_, peers, vantages):
        plan = await peers.filled(a_plan())
        facts = await vantages["pod/user1"](a_plan(vantage="pod/user1"), {}, heard)
    assert all(task.params["trouble_cause"].startswith("pull.") for task in plan.tasks)
    assert not any("address" in task.params for task in plan.tasks)
    assert facts.complete
    assert all(seen.hops[0].service["trouble_cause"].startswith("pull.") for seen in heard.observations)


@pytest.mark.parametrize("refused", [1, 2])
async def test_a_job_that_may_not_be_made_costs_only_the_checks_that_ask_its_pod(tmp_path: Path, refused: int):
    """The first Job of the run is made before those of the pods that answer."""
    made = 0

    def allow(verb: str, resource: str) -> bool:
        nonlocal made
        made += (verb, resource) == ("create", "jobs")
        return (verb, resource) != ("create", "jobs") or made != 1 + refused

    async with there(tmp_path) as (played, peers, _):
        played.api.allow = allow
        plan = await peers.filled(a_plan())
    told = [task.params.get("trouble_cause", "") for task in plan.tasks]
    assert sorted(told) == ["", "kube.forbidden"]
