"""Nodes that can run no probe: cordoned, not ready, Windows, virtual. Their pools say so, and the others go on."""

import json
from collections.abc import Iterator

import pytest
from clusters.kit import Kit
from clusters.world import World

pytestmark = pytest.mark.cluster
LOOK = ("--only", "storage.blob.*")
READY = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'


def test_a_cordoned_pool_is_unknown_and_the_others_go_on(world: World, firewall: Kit):
    world.kubectl("cordon", "node2")
    try:
        done = world.run()
    finally:
        world.kubectl("uncordon", "node2")
    assert done.code == 3
    assert done.findings == {"kube.no-usable-node": {"node/user1", "pod/user1"}}
    assert "1 cordoned" in done.why("kube.no-usable-node")
    assert done.vantages["pod/system"]["complete"]


def test_a_pool_whose_node_is_not_ready_is_unknown_and_the_others_go_on(world: World, firewall: Kit):
    with firewall.paused_kubelet("node2"):  # what the node controller says of it 40 s later is said at once
        node = json.loads(world.kubectl("get", "node", "node2", "-o", "json"))
        for condition in node["status"]["conditions"]:
            condition["status"] = "Unknown"
        world.kubectl("replace", "--raw", "/api/v1/nodes/node2/status", "-f", "-", stdin=json.dumps(node))
        done = world.run(*LOOK)
    world.wait_for(lambda: world.kubectl("get", "node", "node2", "-o", READY) == "True", "node2 to be Ready again")
    assert done.code == 3
    assert done.findings == {"kube.no-usable-node": {"node/user1", "pod/user1"}}
    assert "1 not ready" in done.why("kube.no-usable-node")
    assert done.vantages["pod/system"]["complete"]


@pytest.fixture
def odd_pools(world: World, firewall: Kit) -> Iterator[None]:
    """Nodes that no kubelet stands behind, as objects: a Windows pool and virtual nodes."""
    nodes = {
        "windows": {"labels": {"agentpool": "win1", "kubernetes.io/os": "windows"}},
        "virtual": {"labels": {"agentpool": "aci", "type": "virtual-kubelet", "kubernetes.io/os": "linux"}},
    }
    for name, meta in nodes.items():
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name} | meta}
        world.kubectl("apply", "-f", "-", stdin=json.dumps(node))
    yield
    world.kubectl("delete", "node", *nodes)


def test_windows_and_virtual_nodes_are_skipped_with_the_reason(world: World, odd_pools: None):
    done = world.run(*LOOK)
    assert done.code == 0, done.err
    for vantage, reason in {"pod/win1": "runs Windows", "pod/aci": "virtual nodes"}.items():
        assert done.statuses(vantage) == {"skipped"}
        assert reason in done.reasons(vantage)
    assert done.vantages["pod/user1"]["complete"]
