"""Nodes in, places out: which pools are probed, where, and why the others are not."""

import pytest

from preflight.kube import pools
from preflight.kube.pools import Placement, Wish
from preflight.model.vocabulary import VantageKind

BOTH = (VantageKind.NODE, VantageKind.POD)


def node(
    name: str, pool: str | None, *, ready: str = "True", cordoned: bool = False, os: str = "linux", **more
) -> dict:
    labels = {"kubernetes.io/os": os, "kubernetes.io/hostname": name, **({"agentpool": pool} if pool else {})}
    return {
        "metadata": {"name": name, "labels": labels | more.get("labels", {})},
        "spec": {"unschedulable": cordoned, "taints": more.get("taints", [])},
        "status": {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"operatingSystem": os}},
    }


def place(*nodes: dict, **wish) -> Placement:
    return pools.place(nodes, Wish(kinds=wish.pop("kinds", BOTH), **wish))


def names(found: Placement) -> list[str]:
    return [one.vantage for one in found.places]


def test_every_pool_gets_a_node_and_a_pod_vantage():
    found = place(node("a", "system"), node("b", "user1"), node("c", "user1"))
    assert names(found) == ["node/system", "pod/system", "node/user1", "pod/user1"]
    assert [one.usable for one in found.places] == [1, 1, 2, 2]
    assert found.gaps == {}


def test_named_pools_alone_are_probed():
    assert names(place(node("a", "system"), node("b", "user1"), pools=("user1",))) == ["node/user1", "pod/user1"]


def test_every_node_gets_a_place_of_its_own():
    found = place(node("a", "p"), node("b", "p", cordoned=True), all_nodes=True, kinds=(VantageKind.NODE,))
    assert names(found) == ["node/p/a"]
    assert found.gaps == {"node/p/b": (pools.NO_NODE, "node b is cordoned")}
    assert found.places[0].expressions[0].values == ("a",)


GAPS = [
    pytest.param([node("a", "p", cordoned=True)], pools.NO_NODE, "1 cordoned", id="cordoned"),
    pytest.param([node("a", "p", ready="False")], pools.NO_NODE, "1 not ready", id="not ready"),
    pytest.param([node("a", "p", ready="Unknown"), node("b", "p", cordoned=True)], pools.NO_NODE, "1 not ready, 1 cordoned", id="both"),
    pytest.param([], pools.NO_NODE, "agentpool=p", id="none"),
    pytest.param([node("a", "p", os="windows")], None, "Windows", id="Windows"),
    pytest.param([node("a", "p", labels={"type": "virtual-kubelet"})], None, "virtual nodes", id="virtual, by label"),
    pytest.param(
        [node("a", "p", taints=[{"key": "virtual-kubelet.io/provider", "effect": "NoSchedule"}])], None, "virtual nodes", id="virtual, by taint"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "cause", "words"), GAPS)
def test_a_pool_that_cannot_be_probed_has_its_reason(nodes: list[dict], cause: str | None, words: str):
    found = place(*nodes, node("z", "other"), pools=("p",))
    assert found.places == ()
    assert set(found.gaps) == {"node/p", "pod/p"}
    assert found.gaps["node/p"][0] == cause
    assert words in found.gaps["node/p"][1]


def test_a_pool_of_the_file_that_the_cluster_does_not_have_is_told():
    found = place(node("a", "system"), known=("system", "stopped"))
    assert names(found) == ["node/system", "pod/system"]
    assert found.gaps["pod/stopped"][0] == pools.NO_NODE


def test_one_node_that_works_is_enough_for_a_pool():
    found = place(node("a", "p", cordoned=True), node("b", "p"))
    assert [(one.usable, one.total) for one in found.places] == [(1, 2), (1, 2)]


def test_intended_taints_are_tolerated_and_a_node_s_troubles_are_not():
    taints = [
        {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot", "effect": "NoSchedule"},
        {"key": "sku", "value": "gpu", "effect": "NoExecute"},
        {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"},
        {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
    ]
    found = place(node("a", "p", taints=taints))
    assert [one["key"] for one in found.places[0].tolerations] == ["kubernetes.azure.com/scalesetpriority", "sku"]
    assert {one["operator"] for one in found.places[0].tolerations} == {"Exists"}


def test_a_cluster_without_pool_labels_is_one_pool():
    found = place(node("a", None), node("b", None))
    assert names(found) == ["node/nodes", "pod/nodes"]
    assert found.places[0].expressions[0].operator == "DoesNotExist"


def test_another_label_can_name_the_pools():
    found = place(node("a", None, labels={"cloud.google.com/gke-nodepool": "x"}), label="cloud.google.com/gke-nodepool")
    assert names(found) == ["node/x", "pod/x"]


def test_without_the_right_to_list_nodes_named_pools_are_tried():
    found = pools.blind(Wish(kinds=BOTH, pools=("a",), known=("b",)))
    assert names(found) == ["node/a", "pod/a"]
    assert found.places[0].tolerations == ({"operator": "Exists", "effect": "NoSchedule"},)


def test_only_pod_vantages_stand_beside_the_real_pods():
    wish = pools.Wish(kinds=(VantageKind.NODE, VantageKind.POD), pools=("user1",))
    placed = pools.lent(pools.blind(wish), "default", {"azuremlappname": "azureml-fe"})
    assert {one.vantage: (one.namespace, dict(one.labels)) for one in placed.places} == {
        "node/user1": ("", {}),
        "pod/user1": ("default", {"azuremlappname": "azureml-fe"}),
    }
