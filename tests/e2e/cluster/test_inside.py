"""What only pods can tell, on a real cluster: the API server at its service address, and where on its way DNS fails."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters.kit import Kit
from clusters.world import Finished, World

pytestmark = pytest.mark.cluster
PODS = ("--vantage", "workstation,pod")
QUICK = ("--connect-cap", "2")
LOOKUPS = (*QUICK, "--only", "cluster-dns.*", "--only", "storage.blob.resolve", "--only", "api-server.resolve")
DNS_PORTS = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]


def verdicts(done: Finished, vantage: str) -> dict[str, tuple[str, str | None]]:
    """Of what is asked from inside only."""
    inside = [one for one in done.run["verdicts"] if one["requirement"].startswith(("in-cluster.", "cluster-dns."))]
    return {one["requirement"]: (one["status"], one["cause"]) for one in inside if one["vantage"] == vantage}


def lookups(done: Finished) -> list[dict]:
    """The findings about DNS at pods."""
    pods = [one for one in done.run["findings"] if any(name.startswith("pod/") for name in one["vantages"])]
    return [one for one in pods if one["cause"].startswith("dns.")]


def test_a_healthy_cluster_answers_inside_and_its_facts_are_in_the_run(world: World, firewall: Kit):
    done = world.run(*PODS)
    assert (done.code, done.findings) == (0, {}), done.err
    for vantage in ("pod/system", "pod/user1"):
        assert verdicts(done, vantage) == dict.fromkeys(
            (
                "in-cluster.api-server",
                "in-cluster.api-queries",
                "in-cluster.api-name",
                "cluster-dns.answers",
                "cluster-dns.forwards",
            ),
            ("pass", None),
        )
    cluster = done.run["plan"]["cluster"]
    assert cluster["api_service"]["addresses"] == ["10.96.0.1"]
    assert cluster["dns_service"]["addresses"] == ["10.96.0.10"]
    assert [one["address"] for one in cluster["dns_replicas"]] == [firewall.settings["NODE1_IP"]]
    assert {one["name"]: one["pool"] for one in cluster["nodes"]} == {"node1": "system", "node2": "user1"}
    assert cluster["pod_cidrs"]


def test_the_queries_are_made_with_a_token_that_is_seen_nowhere(world: World, firewall: Kit, tmp_path: Path):
    done = world.run(*PODS, "--only", "in-cluster.*")
    (seen,) = [
        one
        for one in done.run["observations"]
        if one["vantage"] == "pod/user1" and one["target"].startswith("10.96.0.1:")
    ]
    queries = {hop["role"]: hop for hop in seen["hops"] if hop["role"].startswith("query")}
    assert set(queries) == {"query", "query.endpoints", "query.services"}
    assert {hop["service"]["auth"] for hop in queries.values()} == {"service-account"}
    assert {hop["http"]["status"] for hop in queries.values()} == {403}
    assert {hop["connections"][0]["tls"]["server_name"] for hop in seen["hops"] if hop.get("connections")} == {None}
    assert not re.search(r"eyJ[A-Za-z0-9_-]{20,}\.eyJ", json.dumps(done.run))
    saved = tmp_path / "run.json"
    saved.write_text(json.dumps(done.run))
    again = world.call("judge", str(saved), "--format", "json", "--out", "-")
    assert json.loads(again.stdout)["verdicts"] == done.run["verdicts"], again.stderr


def test_cluster_dns_that_one_pool_s_pods_cannot_reach_is_the_way_from_there(world: World, firewall: Kit):
    for protocol in ("udp", "tcp"):
        firewall.fw(
            "drop", "--from", "10.251.2.0/24", "--to", firewall.settings["NODE1_IP"], "--port", "53", "--proto", protocol
        )  # fmt: skip
    done = world.run(*PODS, *LOOKUPS)
    assert done.code == 1
    assert verdicts(done, "pod/user1")["cluster-dns.answers"] == ("fail", "dns.timeout")
    assert verdicts(done, "pod/system")["cluster-dns.answers"] == ("pass", None)
    (finding,) = lookups(done)
    assert finding["vantages"] == ["pod/user1"]
    place = next(line for line in finding["why"] if "pod to CoreDNS" in line)
    assert firewall.settings["NODE1_IP"] in place
    assert "pod/system gets answers there" in place
    assert any(one["what"].startswith("NSG, route or firewall between") for one in finding["candidates"])
    assert finding["title"].startswith("Open UDP and TCP 53 from pod/user1")


def test_cluster_dns_that_gets_no_answer_itself_is_the_way_from_its_own_node(world: World, firewall: Kit):
    firewall.fw("drop", "--from", firewall.settings["NODE1_IP"], "--to", "10.252.0.53")
    done = world.run("--vantage", "workstation,node,pod", *LOOKUPS)
    assert done.code == 1
    for vantage in ("pod/system", "pod/user1"):
        assert verdicts(done, vantage)["cluster-dns.answers"] == ("pass", None)
        assert verdicts(done, vantage)["cluster-dns.forwards"][0] == "fail"
    (finding,) = lookups(done)
    assert {"pod/system", "pod/user1"} == set(finding["vantages"]) - {"node/system"}
    places = [line for line in finding["why"] if "CoreDNS to its upstream" in line]
    assert len(places) == 2
    assert all("it forwards from its own node" in line for line in places)


def test_an_api_server_that_pods_cannot_reach_at_its_service_address(world: World, firewall: Kit):
    firewall.fw("drop", "--from", "10.251.2.0/24", "--to", firewall.settings["NODE1_IP"], "--port", "6443")
    done = world.run(*PODS, *QUICK, "--only", "in-cluster.*", "--only", "api-server.*")
    assert done.code == 1
    found = verdicts(done, "pod/user1")
    assert found["in-cluster.api-server"] == ("fail", "tcp.timeout")
    assert found["in-cluster.api-queries"] == ("blocked", None)
    assert verdicts(done, "pod/system")["in-cluster.api-server"] == ("pass", None)
    assert done.required == {"tcp.timeout": {"pod/user1"}}


FORWARDER = """
import socket, socketserver, struct, sys, threading
home, away = sys.argv[1:3]
def ask(wire):
    server = home if b"\\x07cluster\\x05local\\x00" in wire.lower() else away
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.7)
        sock.sendto(wire, (server, 53))
        try:
            return sock.recv(65535)
        except OSError:
            return wire[:2] + bytes((wire[2] | 0x80, 0x82)) + wire[4:]
class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(ask(self.request[0]), self.client_address)
class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(2):
            answer = ask(self.rfile.read(struct.unpack("!H", head)[0]))
            self.wfile.write(struct.pack("!H", len(answer)) + answer)
for make, handler in ((socketserver.ThreadingUDPServer, Udp), (socketserver.ThreadingTCPServer, Tcp)):
    make.allow_reuse_address = True
    threading.Thread(target=make(("", 53), handler).serve_forever).start()
"""
STAGE = "dns-stage"


def forwarder(name: str, node: str, home: str, away: str) -> dict:
    container = {
        "name": "dns",
        "image": "localhost/toolbox:1",
        "imagePullPolicy": "Never",
        "command": ["python3", "-c", FORWARDER, home, away],
        "readinessProbe": {"tcpSocket": {"port": 53}, "periodSeconds": 1},
    }
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": STAGE}, "spec": spec}


@pytest.fixture
def replicas(world: World, firewall: Kit) -> Iterator[list[str]]:
    """Two forwarders in pods behind kube-dns: one on node1 that works, one on node2 that forwards to nowhere."""
    home = firewall.settings["NODE1_IP"]
    pods = [forwarder("coredns-good", "node1", home, home), forwarder("coredns-bad", "node2", home, "10.250.1.66")]
    world.kubectl("create", "namespace", STAGE)
    try:
        world.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
        world.kubectl("-n", STAGE, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
        stands = [
            {
                "ip": world.kubectl(
                    "-n", STAGE, "get", "pod", pod["metadata"]["name"], "-o", "jsonpath={.status.podIP}"
                ),
                "nodeName": pod["spec"]["nodeName"],
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": STAGE},
            }
            for pod in pods
        ]
        behind(world, stands)
        yield [one["ip"] for one in stands]
    finally:
        behind(world, [{"ip": home}])
        world.kubectl("delete", "namespace", STAGE, "--wait=true")


def behind(world: World, addresses: list[dict]) -> None:
    patch = json.dumps({"subsets": [{"addresses": addresses, "ports": DNS_PORTS}]})
    world.kubectl("-n", "kube-system", "patch", "endpoints", "kube-dns", "--type=merge", "-p", patch)


def test_one_of_two_replicas_that_forwards_to_nowhere_is_named_with_pod_node_and_pool(
    world: World, firewall: Kit, replicas: list[str]
):
    done = world.run(*PODS, *LOOKUPS)
    assert done.code == 1
    told = {one["pod"]: (one["node"], one["pool"], one["ready"]) for one in done.run["plan"]["cluster"]["dns_replicas"]}
    assert told == {"coredns-good": ("node1", "system", True), "coredns-bad": ("node2", "user1", True)}
    for vantage in ("pod/system", "pod/user1"):
        assert verdicts(done, vantage)["cluster-dns.answers"] == ("pass", None)
        assert verdicts(done, vantage)["cluster-dns.forwards"] == ("fail", "dns.replica-failing")
    (finding,) = lookups(done)
    assert finding["cause"] == "dns.replica-failing"
    place = next(line for line in finding["why"] if "CoreDNS to its upstream" in line)
    assert "coredns-bad (on node2, pool user1) answers for the cluster's own names and not for" in place
    assert "the other one does" in place


def test_a_replica_that_answers_nobody_is_named_and_the_other_is_not(world: World, firewall: Kit):
    home = firewall.settings["NODE1_IP"]
    behind(world, [{"ip": home}, {"ip": "10.250.1.66"}])
    try:
        done = world.run(*PODS, *LOOKUPS)
    finally:
        behind(world, [{"ip": home}])
    assert done.code == 1
    (finding,) = lookups(done)
    assert finding["cause"] == "dns.replica-failing"
    assert finding["title"].startswith("Repair the cluster DNS replica 10.250.1.66")
    assert any("no answer from 10.250.1.66; the other one answers" in line for line in finding["why"])


ROUTER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: azureml-fe, namespace: default}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: azureml-fe, namespace: default}
spec:
  replicas: 0
  selector: {matchLabels: {stage: azureml-fe}}
  template:
    metadata: {labels: {stage: azureml-fe}}
    spec: {serviceAccountName: azureml-fe, containers: [{name: fe, image: none}]}
"""
GRANTED = ("create", "rolebinding", "azureml-fe", "--clusterrole=view", "--serviceaccount=default:azureml-fe")


@pytest.mark.parametrize(
    ("grants", "verdict"), [((), ("warn", "kube.router-forbidden")), (GRANTED, ("pass", None))], ids=["refused", "granted"]
)  # fmt: skip
def test_the_rights_of_the_router_s_account_are_judged_apart_from_reaching_the_api_server(
    world: World, firewall: Kit, grants: tuple[str, ...], verdict: tuple[str, str | None]
):
    world.kubectl("apply", "-f", "-", stdin=ROUTER)
    try:
        if grants:
            world.kubectl("-n", "default", *grants)
        done = world.run(*PODS, "--pool", "user1", "--only", "in-cluster.*")
    finally:
        world.kubectl(
            "-n", "default", "delete", "deployment,serviceaccount,rolebinding", "azureml-fe", "--ignore-not-found"
        )
    found = verdicts(done, "pod/user1")
    assert found["in-cluster.router-rights"] == verdict
    assert found["in-cluster.api-queries"] == ("pass", None)
    assert done.code == 0
