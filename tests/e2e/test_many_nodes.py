"""A run with every node of a large cluster: bounded requests, bounded creation, nothing lost, nothing left.

The same with a thousand nodes: `python bench/scale.py nodes 1000`; figures in docs/scale.md.
"""

import pytest
from clusters import thousand

NODES = 40

pytestmark = [pytest.mark.e2e]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return thousand.run(NODES, tmp_path_factory.mktemp("nodes"))


PROBES, PULLS = 2 * NODES, 2 * NODES  # the kubelet of each node pulls from two registries


def test_every_node_and_every_pod_of_it_is_heard(found):
    assert found.code == 0, found.err[-2000:]
    assert len(found.run["plan"]["vantages"]) == 2 * NODES + 1
    assert all(one["complete"] and not one["error"] for one in found.run["vantages"])
    told = {(one["status"], one["cause"]) for one in found.run["verdicts"] if one["vantage"]}
    assert told == {("pass", None), ("unknown", "pull.cached")}  # the stand-in has no layers to pull
    planned = sum(map(len, found.run["plan"]["runs"].values()))
    assert len(found.run["observations"]) == planned


def test_each_place_has_the_observations_of_its_own_agent(found):
    told = {(one["vantage"], one["task"]) for one in found.run["observations"]}
    assert len(told) == len(found.run["observations"])
    assert not any(thousand.RECORDED in one["vantage"] for one in found.run["observations"])


def test_the_api_server_gets_no_more_than_five_calls_for_each_job(found):
    """Counted where they arrive, over the whole run; what belongs to no Job does not grow with them."""
    calls = found.calls
    assert PROBES + PULLS < calls["create jobs"] <= PROBES + PULLS + 12  # the first Job, and pods that answer others
    assert sum(calls.values()) <= 5 * (PROBES + PULLS)
    assert calls["get pods/log"] <= 1.1 * PROBES + 5
    assert calls["list events"] <= PULLS + 10
    assert calls["delete jobs"] <= PULLS + 10
    grow = ("create jobs", "get pods/log", "list events", "delete jobs")
    assert sum(count for call, count in calls.items() if call not in grow) <= 80
    assert calls["watch pods"] <= 5


def test_jobs_are_created_a_few_at_a_time(found):
    assert 2 <= found.at_once <= 16


def test_nothing_is_left_in_the_cluster(found):
    assert found.left == []
