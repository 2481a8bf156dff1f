"""Runs in a real cluster whose network is broken at one place: what is broken is named with its place."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from clusters.kit import Kit
from clusters.world import Finished, World

pytestmark = pytest.mark.cluster
NODES = ("10.250.1.0/24", "10.250.2.0/24")


def test_a_healthy_cluster_passes_from_every_place(world: World, firewall: Kit, healthy: Finished):
    assert (healthy.code, healthy.findings) == (0, {}), healthy.err
    assert list(healthy.vantages) == ["workstation", "node/system", "pod/system", "node/user1", "pod/user1"]
    assert all(one["complete"] for one in healthy.vantages.values())
    assert "node2" in healthy.vantages["pod/user1"]["place"]
    assert healthy.vantages["node/user1"]["resolver"]["nameservers"] == ["10.252.0.53:53"]
    assert healthy.vantages["pod/user1"]["resolver"]["nameservers"] == ["10.96.0.10:53"]


def test_every_place_of_any_cluster_speaks_and_nothing_stays(world: World, healthy: Finished):
    inside = {name: one for name, one in healthy.vantages.items() if name != "workstation"}
    assert inside
    assert all(one["complete"] for one in inside.values()), healthy.err
    assert healthy.code in (0, 1, 3)
    assert world.left() == []


def test_every_node_can_be_probed_alone(world: World, firewall: Kit):
    done = world.run("--all-nodes", "--vantage", "workstation,node")
    assert done.code == 0, done.err
    assert set(done.vantages) == {"workstation", "node/system/node1", "node/user1/node2"}


def test_blob_storage_that_one_pool_cannot_reach_is_that_pool_s(world: World, firewall: Kit):
    firewall.fw(
        "drop", "--from", "user1", "--to", firewall.address_of("stmlprod.blob.core.windows.net"), "--port", "443"
    )
    done = world.run()
    assert done.code == 1
    assert done.required == {"tcp.timeout": {"node/user1", "pod/user1"}}
    assert "fail" not in done.statuses("pod/system") | done.statuses("node/system")


def test_layers_that_no_node_can_download_are_every_node_s(world: World, firewall: Kit):
    for subnet in NODES:
        firewall.fw("reject", "--from", subnet, "--sni", "westeurope.data.mcr.microsoft.com")
    done = world.run()
    assert done.code == 1
    assert done.required == {"tls.reset-after-hello": {"node/system", "node/user1"}}
    title = next(one["title"] for one in done.run["findings"] if one["severity"] == "required")
    assert "*.data.mcr.microsoft.com" in title


def test_dns_that_fails_for_nodes_while_the_workstation_s_works(world: World, firewall: Kit):
    for subnet in NODES:
        firewall.fw("drop", "--from", subnet, "--to", "10.252.0.53")
    done = world.run()
    assert done.code == 1
    assert {"node/system", "node/user1"} <= done.findings["dns.timeout"]
    assert "workstation" not in done.findings["dns.timeout"]
    assert done.statuses("workstation") <= {"pass"}


@pytest.fixture
def forwarding_to_nowhere(world: World, firewall: Kit) -> Iterator[None]:
    """A second DNS server on node1 in the place of CoreDNS, whose upstream swallows everything."""
    nowhere, port = "10.252.0.200", 5300
    firewall.fw("drop", "--from", "all", "--to", nowhere)
    node1 = firewall.settings["NODE1_IP"]
    options = (
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--pid-file=",
        "--user=root",
    )
    where = (f"--listen-address={node1}", "--bind-interfaces", f"--port={port}", f"--server={nowhere}")
    service = world.kubectl("get", "svc", "kubernetes", "-o", "jsonpath={.spec.clusterIP}")
    own = f"--host-record=kubernetes.default.svc.cluster.local,{service}"
    cluster = ("--local=/cluster.local/", own, "--cache-size=0", "--dns-forward-max=2000")

    def point_to(port: int) -> None:
        ports = [{"name": "dns", "port": port, "protocol": "UDP"}, {"name": "dns-tcp", "port": port, "protocol": "TCP"}]
        patch = json.dumps({"subsets": [{"addresses": [{"ip": node1}], "ports": ports}]})
        world.kubectl("-n", "kube-system", "patch", "endpoints", "kube-dns", "--type=merge", "-p", patch)

    with subprocess.Popen(firewall.in_network_of("node1", "dnsmasq", *options, *where, *cluster)) as server:
        try:
            point_to(port)
            yield
        finally:
            point_to(53)
            server.terminate()


def test_cluster_dns_that_forwards_to_nowhere_is_the_pods_alone(world: World, forwarding_to_nowhere: None):
    done = world.run()
    assert done.code == 1
    assert done.required == {"dns.timeout": {"pod/system", "pod/user1"}}


def test_inspection_on_the_pods_path_only(world: World, break_azure):
    break_azure("storage.blob.reach=tls.intercepted@pod/user1")
    done = world.run()
    assert done.code == 1
    assert done.findings == {"tls.intercepted": {"pod/user1"}}
