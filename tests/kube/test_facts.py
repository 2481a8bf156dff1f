"""What a cluster says of itself: objects to bounded values, whatever the objects hold."""

import msgspec
import pytest

from preflight.kube import facts
from preflight.kube.values import MOST_TEXT
from preflight.model.cluster import Behind, DnsReplica, NodeFacts, ServiceFacts
from preflight.model.environment import NetworkModel

NODES = (NodeFacts(name="n1", pool="system"), NodeFacts(name="n2", pool="user1"))


def node(name: str, *, labels: dict | None = None, cidr: str = "10.251.1.0/24", ready: str = "True") -> dict:
    return {
        "metadata": {"name": name, "labels": labels or {}, "creationTimestamp": "2026-11-01T08:00:00Z"},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": ready}],
            "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": "10.250.1.2"}],
            "nodeInfo": {
                "osImage": "Ubuntu 22.04",
                "containerRuntimeVersion": "containerd://1.7.27",
                "kubeletVersion": "v1.30.9",
            },
        },
    }


def endpoints(*subsets: dict) -> dict:
    return {"kind": "Endpoints", "subsets": list(subsets)}


def behind(ip: str, pod: str = "", on: str = "") -> dict:
    entry: dict = {"ip": ip}
    if pod:
        entry["targetRef"] = {"kind": "Pod", "name": pod}
    return entry | ({"nodeName": on} if on else {})


def test_a_service_gives_its_addresses_and_ports():
    spec = {"clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10", "fd00::a"], "ports": [{"port": 53}, {"port": 53}]}
    found = facts.service({"metadata": {"name": "kube-dns", "namespace": "kube-system"}, "spec": spec})
    assert found == ServiceFacts(
        name="kube-dns", namespace="kube-system", addresses=("10.96.0.10", "fd00::a"), ports=(53,)
    )


def test_replicas_have_pod_node_and_pool_and_whether_they_are_ready():
    found = facts.replicas(
        endpoints(
            {
                "addresses": [behind("10.251.2.9", "coredns-b", "n2"), behind("10.251.1.4", "coredns-a", "n1")],
                "notReadyAddresses": [behind("10.251.2.10", "coredns-c", "n2")],
                "ports": [{"name": "dns", "port": 5353, "protocol": "UDP"}],
            }
        ),
        NODES,
    )
    assert [one.address for one in found] == ["10.251.1.4", "10.251.2.9", "10.251.2.10"]
    assert [one.ready for one in found] == [True, True, False]
    assert found[0] == DnsReplica(
        address="10.251.1.4", ready=True, port=5353, pod="coredns-a", node="n1", pool="system"
    )
    assert found[0].place == "coredns-a (on n1, pool system)"


def test_an_endpoint_that_is_no_pod_has_its_address_alone():
    (found,) = facts.replicas(endpoints({"addresses": [behind("10.250.1.2")], "ports": [{"port": 53}]}), NODES)
    assert found == DnsReplica(address="10.250.1.2", ready=True)
    assert found.place == "10.250.1.2"


def test_a_node_is_read_with_what_sets_it_apart():
    labels = {
        "agentpool": "user1",
        "kubernetes.azure.com/node-image-version": "AKSUbuntu-2204gen2containerd-202510.19.1",
        "topology.kubernetes.io/zone": "westeurope-2",
    }
    (found,) = facts.nodes([node("n2", labels=labels, ready="Unknown")], "agentpool")
    assert found == NodeFacts(
        name="n2",
        pool="user1",
        address="10.250.1.2",
        pod_cidrs=("10.251.1.0/24",),
        image="AKSUbuntu-2204gen2containerd-202510.19.1",
        zone="westeurope-2",
        created="2026-11-01T08:00:00Z",
        runtime="containerd://1.7.27",
        kubelet="v1.30.9",
        ready=False,
    )


def test_ranges_of_neighbours_are_joined():
    read = facts.nodes(
        [node("a", cidr="10.251.0.0/24"), node("b", cidr="10.251.1.0/24"), node("c", cidr="fd00:1::/64")], "agentpool"
    )
    assert facts.pod_cidrs(read) == ("10.251.0.0/23", "fd00:1::/64")


@pytest.mark.parametrize(
    ("stated", "labels", "behind", "source"),
    [
        (NetworkModel.OVERLAY, ["vnet"], Behind.YES, "preflight.toml"),
        (NetworkModel.POD_SUBNET, [], Behind.NO, "preflight.toml"),
        (NetworkModel.UNKNOWN, ["overlay", "overlay"], Behind.YES, "node label"),
        (NetworkModel.UNKNOWN, ["vnet"], Behind.NO, "node label"),
        (NetworkModel.UNKNOWN, ["overlay", "vnet"], Behind.UNKNOWN, ""),
        (NetworkModel.UNKNOWN, ["overlay", None], Behind.UNKNOWN, ""),
        (NetworkModel.UNKNOWN, ["something-new"], Behind.UNKNOWN, ""),
        (NetworkModel.UNKNOWN, [], Behind.UNKNOWN, ""),
    ],
)
def test_the_network_model_is_the_file_s_else_what_all_nodes_say(
    stated: NetworkModel, labels: list[str | None], behind: Behind, source: str
):
    key = "kubernetes.azure.com/podnetwork-type"
    found = facts.network(stated, [node("n", labels={key: one} if one else {}) for one in labels])
    assert found.pods_behind_nodes is behind
    assert found.known_from.startswith(source)
    assert bool(found.known_from) is (behind is not Behind.UNKNOWN)


def test_a_thousand_nodes_are_kept_and_no_more():
    many = facts.nodes([node(f"n{number:05}") for number in range(facts.MOST_NODES + 1)], "agentpool")
    assert len(many) == facts.MOST_NODES
    at_most = facts.replicas(endpoints({"addresses": [behind(f"10.1.0.{number}") for number in range(200)]}), ())
    assert len(at_most) == facts.MOST_REPLICAS


HOSTILE = [{}, {"metadata": None, "spec": [], "status": "x"}, {"metadata": {"name": 7, "labels": ["a"]}, "spec": {"podCIDR": "x", "podCIDRs": 3}}]  # fmt: skip


@pytest.mark.parametrize("found", HOSTILE)
def test_objects_that_are_none_give_empty_values(found: dict):
    assert facts.service(found).addresses == ()
    assert facts.nodes([found], "agentpool")[0].ready is False
    assert facts.replicas({"subsets": found}, ()) == ()
    assert facts.network(NetworkModel.UNKNOWN, [found]).pods_behind_nodes is Behind.UNKNOWN


def test_texts_are_bounded_and_printable():
    spec = {"clusterIP": "None", "ports": [{"port": True}, {"port": 99999}, {"port": "53"}]}
    found = facts.service({"metadata": {"name": "a\x1b[31m" * 100, "namespace": "b"}, "spec": spec})
    assert len(found.name) == MOST_TEXT
    assert "\x1b" not in found.name
    assert (found.addresses, found.ports) == ((), ())
    assert msgspec.json.decode(msgspec.json.encode(found), type=ServiceFacts) == found
