"""What the documented formula gives, and what pools have left: counted as the scheduler counts."""

from decimal import Decimal

import pytest

from preflight.kube.capacity import quantity, requested, rooms
from preflight.model.load import Load, Size

SMALL = Size(cpu=Decimal("0.5"), memory=1_000_000_000)


@pytest.mark.parametrize(
    ("rps", "request_s", "per_replica", "utilization", "replicas"),
    [
        ("20", "10", 1, "0.7", 286),  # the documents' own example
        ("20", "10", 2, "0.7", 143),
        ("10", "0.1", 1, "1", 1),
        ("0.1", "0.1", 1, "0.7", 1),
        ("7", "1", 1, "0.7", 10),  # 9.999... in binary
        ("70", "0.1", 10, "0.7", 1),
    ],
)
def test_replicas_of_a_load(rps, request_s, per_replica, utilization, replicas):
    load = Load(
        rps=Decimal(rps), request_s=Decimal(request_s), per_replica=per_replica, utilization=Decimal(utilization)
    )
    assert load.replicas == replicas
    assert load.busy_replicas <= load.replicas


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ("100m", "0.1"), ("2", "2"), (2, "2"), ("1.5", "1.5"), ("1e3", "1000"), ("1E3", "1000"), ("2Gi", str(2**31)),
        ("500Mi", str(500 * 2**20)), ("1k", "1000"), ("128974848", "128974848"), ("3920000000n", "3.92"),
        ("", "0"), ("Gi", "0"), ("-1", "0"), ("nan", "0"), ("inf", "0"), (None, "0"), (True, "0"), ("9" * 50, "0"),
        ("1 Gi", "0"), ("1Zi", "0"), ([], "0"),
    ],
)  # fmt: skip
def test_a_quantity_is_read_or_is_nothing(told, value):
    assert quantity(told) == Decimal(value)


def node(name, pool="user1", cpu="2", memory="4Gi", pods="30", **more):
    spec = {key: more.pop(key) for key in ("taints", "unschedulable") if key in more}
    return {
        "metadata": {"name": name, "labels": {"agentpool": pool, **more.pop("labels", {})}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods},
            "conditions": [{"type": "Ready", "status": more.pop("ready", "True")}],
        },
    }


def pod(where, cpu="1", memory="1Gi", *, phase="Running", kind="ReplicaSet", init=()):
    asks = {"resources": {"requests": {"cpu": cpu, "memory": memory}}}
    return {
        "metadata": {"ownerReferences": [{"kind": kind}]},
        "spec": {"nodeName": where, "containers": [asks], "initContainers": list(init)},
        "status": {"phase": phase},
    }


def pool_of(nodes, pods=(), size=SMALL, **more):
    (room,) = rooms(nodes, pods, size, label="agentpool", **more)
    return room


def test_room_is_counted_node_by_node_and_never_across():
    room = pool_of([node("a", cpu="1.4"), node("b", cpu="1.4")])
    assert (room.nodes, room.usable, room.fits, room.per_new_node) == (2, 2, 4, 2)
    assert room.free.cpu == Decimal("2.8")


@pytest.mark.parametrize(
    ("pods", "fits"),
    [
        ([], 4),
        ([pod("a")], 2),
        ([pod("a", phase="Succeeded"), pod("a", phase="Failed")], 4),
        ([pod("elsewhere"), pod("")], 4),
        ([pod("a", cpu="5")], 0),
        ([pod("a", cpu="10m", memory="3500Mi")], 0),
        ([pod("a", cpu="100m", memory="1Mi", init=[{"resources": {"requests": {"cpu": "1500m"}}}])], 1),
    ],
)
def test_what_pods_request_is_taken(pods, fits):
    assert pool_of([node("a")], pods).fits == fits


def test_the_number_of_pods_is_a_limit_too():
    assert pool_of([node("a", pods="3")], [pod("a", cpu="1m", memory="1")]).fits == 2


def test_a_sidecar_is_there_beside_the_containers():
    sidecar = {"restartPolicy": "Always", "resources": {"requests": {"cpu": "300m"}}}
    asked = requested(pod("a", cpu="1", init=[sidecar]))
    assert asked.cpu == Decimal("1.3")
    assert requested({"spec": {"overhead": {"cpu": "250m"}}}).cpu == Decimal("0.25")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"ready": "Unknown"}, "not ready"),
        ({"unschedulable": True}, "cordoned"),
        ({"labels": {"kubernetes.io/os": "windows"}}, "Windows"),
        ({"labels": {"type": "virtual-kubelet"}}, "virtual nodes"),
        ({"taints": [{"key": "sku", "effect": "NoSchedule"}]}, "tainted (sku)"),
    ],
)
def test_nodes_that_take_no_model_pods_say_why(broken, why):
    room = pool_of([node("a", **broken)])
    assert (room.usable, room.fits, room.why_not) == (0, 0, why)


def test_taints_are_tolerated_in_a_pool_that_was_named_and_preferences_everywhere():
    tainted = node("a", taints=[{"key": "sku", "effect": "NoSchedule"}])
    assert pool_of([tainted], chosen=("user1",)).fits == 4
    assert pool_of([node("a", taints=[{"key": "spot", "effect": "PreferNoSchedule"}])]).fits == 4


def test_a_new_node_has_the_daemon_sets_pods_and_no_others():
    pods = [pod("a", cpu="600m", kind="DaemonSet"), pod("a", cpu="1")]
    room = pool_of([node("a")], pods)
    assert (room.fits, room.per_new_node) == (0, 2)


def test_only_the_pools_that_were_named():
    nodes = [node("a", pool="system"), node("b", pool="user1")]
    assert [room.pool for room in rooms(nodes, [], SMALL, label="agentpool")] == ["system", "user1"]
    assert [room.pool for room in rooms(nodes, [], SMALL, label="agentpool", chosen=("user1",))] == ["user1"]


def test_objects_that_are_no_objects_are_nothing():
    assert rooms([{}, {"metadata": 3, "status": []}], [{"spec": None}], SMALL, label="agentpool")[0].usable == 0
