"""A run's stays in its own namespace and beside real pods: a first Job in each, and everything is removed again."""

import pytest
from servers.scripted import Reply, failing, kubeconfig, served

from preflight.failures import ClusterFailure
from preflight.kube.client import Access, connect
from preflight.kube.objects import Probe
from preflight.kube.operation import Stay, operations
from preflight.kube.pools import Place
from preflight.model.vocabulary import VantageKind

pytestmark = pytest.mark.usefixtures("no_proxy")

STAY = Stay(run_id="r1", namespace="own")
MADE = {"metadata": {"name": "made", "uid": "u1"}}


def answer(method: str, target: str) -> Reply:
    """An API server where everything can be made, and nothing is left."""
    if method == "POST":
        return Reply(status=201, body=MADE)
    if "/namespaces/gone" in target:
        return failing(404, 'namespaces "gone" not found', "NotFound")
    if "watch=true" in target:
        return Reply(chunks=(b"",), hold_s=5)
    return Reply(body={"items": [], "metadata": {"resourceVersion": "1"}})


def a_probe(kind: VantageKind, namespace: str = "") -> Probe:
    place = Place(vantage=f"{kind.value}/a", kind=kind, pool="a", expressions=(), namespace=namespace)
    return Probe(place=place, image="r/p:1", plan_map="plan")


async def stayed(tmp_path, lent, *probes) -> list[str]:
    async with (
        served(answer) as (port, seen),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
        operations(client, STAY, lent) as running,
    ):
        for probe in probes:
            await running[probe.place.namespace].start(probe)
    return [one.partition("?")[0] for one in seen]


async def test_each_namespace_has_a_first_job_of_its_own_that_is_removed(tmp_path):
    seen = await stayed(tmp_path, ["", "default"], a_probe(VantageKind.NODE), a_probe(VantageKind.POD, "default"))
    for place in ("own", "default"):
        jobs = f"/apis/batch/v1/namespaces/{place}/jobs"
        assert seen.count(f"POST {jobs}") == 2, "the first Job, and the probe's"
        assert seen.count(f"DELETE {jobs}/preflight-r1") == 1
    assert "POST /api/v1/namespaces" not in seen


async def test_the_given_namespace_is_entered_once_when_the_pods_stand_there_too(tmp_path):
    seen = await stayed(tmp_path, ["", "own"], a_probe(VantageKind.NODE), a_probe(VantageKind.POD, "own"))
    assert seen.count("POST /apis/batch/v1/namespaces/own/jobs") == 3
    assert seen.count("DELETE /apis/batch/v1/namespaces/own/jobs/preflight-r1") == 1


async def test_a_namespace_where_nothing_was_started_is_left_alone(tmp_path):
    seen = await stayed(tmp_path, ["", "default"], a_probe(VantageKind.POD, "default"))
    assert not any("namespaces/own" in one for one in seen)


async def test_a_namespace_of_real_pods_is_never_made(tmp_path):
    with pytest.raises(ClusterFailure, match="namespace gone is not there") as failed:
        await stayed(tmp_path, ["", "gone"], a_probe(VantageKind.POD, "gone"))
    assert failed.value.cause == "kube.namespace-gone"
