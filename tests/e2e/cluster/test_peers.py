"""Pods reach pods across nodes and pools, and what the network sees of a pod decides where a fault is looked for."""

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from clusters.kit import Kit
from clusters.world import Finished, World

pytestmark = pytest.mark.cluster
PEERS = ("--vantage", "workstation,node,pod", "--only", "peers.*")
BLOB = ("--vantage", "workstation,node,pod", "--only", "storage.blob.*", "--only", "peers.model", "--connect-cap", "2")
UNSAID = ("--set", "environment.network_model=unknown")
SYSTEM_PODS, USER1_PODS = "10.251.1.0/24", "10.251.2.0/24"
ACCOUNT = "stmlprod.blob.core.windows.net"


@pytest.fixture
def snat(firewall: Kit) -> Iterator[Kit]:
    """Pods keep their own address before and after."""
    firewall.snat("off")
    yield firewall
    firewall.snat("off")


@pytest.fixture(scope="module")
def room(session_world: World) -> Iterator[str]:
    """One namespace for all of these runs: to remove one takes longer than a run."""
    name = f"peers-{time.monotonic_ns() % 10**8}"
    session_world.kubectl("create", "namespace", name)
    yield name
    session_world.kubectl("delete", "namespace", name, "--wait=false")


def peers_of(done: Finished) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in done.run["verdicts"] if one["requirement"].startswith("peers.")}


def seen_as(done: Finished) -> dict[str, tuple[str, str]]:
    """Vantage -> its own address, and the one that another node saw."""
    hops = ((one["vantage"], hop) for one in done.run["observations"] for hop in one["hops"] if hop["role"] == "seen")
    return {vantage: (hop["service"]["own"], hop["service"]["seen_as"]) for vantage, hop in hops}


@pytest.mark.parametrize("mode", ["off", "on"])
def test_pods_reach_each_other_both_ways_however_they_leave_their_node(world: World, snat: Kit, room: str, mode: str):
    snat.snat(mode)
    done = world.run("--namespace", room, *PEERS, *UNSAID)
    assert (done.code, done.findings) == (0, {}), done.err
    tested = peers_of(done)
    assert set(tested) == {
        f"peers.{what}@pod/{source}[{peer}.pods]"
        for what in ("router", "model")
        for source, peer in (("system", "user1"), ("user1", "system"))
    }
    assert all(one["status"] == "pass" and "same node" not in one["reason"] for one in tested.values())
    assert "on node2 answers on 8 ports" in tested["peers.router@pod/system[user1.pods]"]["reason"]
    own, seen = seen_as(done)["pod/user1"]
    assert own.startswith("10.251.2.")
    assert seen == (own if mode == "off" else snat.settings["NODE2_IP"])


def test_one_port_closed_in_one_direction_is_one_finding_with_both_ends(world: World, firewall: Kit, room: str):
    firewall.fw("drop", "--from", USER1_PODS, "--to", SYSTEM_PODS, "--port", "5001")
    done = world.run("--namespace", room, *PEERS, "--connect-cap", "2")
    assert done.code == 1
    assert done.findings == {"tcp.timeout": {"pod/user1"}}
    (found,) = done.run["findings"]
    assert found["title"].startswith("Allow TCP 5001 from pod/user1 (10.251.2.")
    assert "to pod/system (10.251.1." in found["title"]
    assert "The other way is open: pod/system reaches pod/user1" in done.why("tcp.timeout")
    words = " ".join(one["what"] for one in found["candidates"])
    assert all(word in words for word in ("NSG", "firewall"))
    assert "NetworkPolicy" not in words, "this cluster has none, and the run has looked"
    statuses = {name: one["status"] for name, one in peers_of(done).items()}
    assert statuses.pop("peers.model@pod/user1[system.pods]") == "fail"
    assert set(statuses.values()) == {"pass"}


def test_all_pods_cut_off_from_each_other_are_one_finding(world: World, firewall: Kit, room: str):
    firewall.fw("reject", "--from", USER1_PODS, "--to", SYSTEM_PODS)
    firewall.fw("reject", "--from", SYSTEM_PODS, "--to", USER1_PODS)
    done = world.run("--namespace", room, *PEERS)
    assert done.findings == {"tcp.refused": {"pod/system", "pod/user1"}}
    assert len(done.run["findings"]) == 1


def test_pods_of_one_pool_with_their_own_addresses_point_to_their_subnet(world: World, snat: Kit, room: str):
    snat.fw("drop", "--from", USER1_PODS, "--to", snat.address_of(ACCOUNT), "--port", "443")
    done = world.run("--namespace", room, *BLOB, *UNSAID)
    assert done.findings == {"tcp.timeout": {"pod/user1"}}, done.err
    (found,) = done.run["findings"]
    assert found["candidates"][0]["what"].startswith("NSG, route table or firewall source range")
    assert USER1_PODS in found["candidates"][0]["what"]
    assert f"of {USER1_PODS}" in found["change"]
    assert found["confidence"] == "likely"


@pytest.fixture
def closed_on_the_node(snat: Kit) -> Iterator[Kit]:
    """What a policy does: node2 drops what its pods send to the blob account, before it leaves."""
    rule = ("-s", USER1_PODS, "-d", snat.address_of(ACCOUNT), "-p", "tcp", "--dport", "443", "-j", "DROP")

    def change(how: str) -> None:
        subprocess.run(
            [str(snat.folder / "node-exec"), "node2", "iptables", how, "FORWARD", *rule], check=True, timeout=30
        )

    change("-I")
    yield snat
    change("-D")


def test_pods_behind_their_node_never_point_to_a_subnet(world: World, closed_on_the_node: Kit, room: str):
    kit = closed_on_the_node
    kit.snat("on")
    done = world.run("--namespace", room, *BLOB)
    assert done.findings == {"tcp.timeout": {"pod/user1"}}, done.err
    (found,) = done.run["findings"]
    whats = [one["what"] for one in found["candidates"]]
    assert whats[0].startswith("rules of the node for traffic that it forwards")
    assert not any("subnet" in what or "NSG" in what for what in whats)
    assert f"pod/user1 (behind its node, {kit.settings['NODE2_IP']})" in found["change"]
    assert any("would stop the nodes too" in line for line in found["contradicts"])
    assert any("says environment.network_model pod-subnet, yet" in notice for notice in done.run["notices"])
