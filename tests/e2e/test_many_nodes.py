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


def jobs(found):
    """Of probes: without the run's first one and the pods that answer others."""
    return 2 * NODES


def test_every_node_and_every_pod_of_it_is_heard(found):
    assert found.code == 0, found.err[-2000:]
    assert len(found.run["plan"]["vantages"]) == 2 * NODES + 1
    assert all(one["complete"] and not one["error"] for one in found.run["vantages"])
    assert {one["status"] for one in found.run["verdicts"] if one["vantage"]} == {"pass"}
    planned = sum(map(len, found.run["plan"]["runs"].values()))
    assert len(found.run["observations"]) == planned


def test_each_place_has_the_observations_of_its_own_agent(found):
    told = {(one["vantage"], one["task"]) for one in found.run["observations"]}
    assert len(told) == len(found.run["observations"])
    assert not any(thousand.RECORDED in one["vantage"] for one in found.run["observations"])


def test_the_api_server_gets_no_more_than_five_calls_for_each_job(found):
    """Counted where they arrive, over the whole run: one creates it, one reads its log; all else does not grow."""
    assert sum(found.calls.values()) <= 5 * jobs(found)
    assert found.calls["create jobs"] <= jobs(found) + 12  # the first Job, and pods that answer others
    assert found.calls["get pods/log"] <= 1.1 * jobs(found) + 5
    rest = sum(found.calls.values()) - found.calls["create jobs"] - found.calls["get pods/log"]
    assert rest <= 80
    assert found.calls["watch pods"] <= 5
    assert found.calls["list events"] <= 10


def test_jobs_are_created_a_few_at_a_time(found):
    assert 2 <= found.at_once <= 16


def test_nothing_is_left_in_the_cluster(found):
    assert found.left == []
