"""Containers that are there already speak for their pool: nothing is created, and what cannot be is named."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clusters.images import Image
from clusters.kit import Kit
from clusters.world import Finished, World

pytestmark = pytest.mark.cluster
HERE = ("--vantage", "workstation,pod", "--connect-cap", "2")
TOOLS = "localhost/toolbox:1"
BLOB = "stmlprod.blob.core.windows.net"


def manifest(name: str, pool: str, image: str, **container) -> dict:
    """A pod of somebody else's, on a node of that pool."""
    one = {"name": "app", "image": image, "imagePullPolicy": "IfNotPresent", **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"agentpool": pool},
            "terminationGracePeriodSeconds": 0,
            "containers": [one],
        },
    }


Start = Callable[..., str]


@pytest.fixture
def start(world: World, firewall: Kit, namespace: str) -> Iterator[Start]:
    """Start such a pod and wait for it; gives NS/POD."""

    def go(name: str, pool: str, image: str = TOOLS, **container) -> str:
        usual = {} if image != TOOLS else {"command": ["/bin/sleep", "3600"]}
        world.kubectl(
            "-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest(name, pool, image, **{**usual, **container}))
        )
        world.kubectl("-n", namespace, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        return f"{namespace}/{name}"

    yield go
    world.kubectl("-n", namespace, "delete", "pods", "--all", "--grace-period=0", "--force")


def verdicts(done: Finished, vantage: str) -> dict[str, dict]:
    return {one["requirement"]: one for one in done.run["verdicts"] if one["vantage"] == vantage}


def test_a_pod_that_is_there_speaks_for_its_pool_and_says_how_little_it_can(world: World, start: Start):
    pod = start("model-0", "user1")
    done = world.run(*HERE, "--via", "existing-pod", pod)
    facts = done.vantages["pod/user1"]
    assert facts["complete"], done.err
    assert facts["via"] == f"existing-pod {pod}/app"
    assert "node2" in facts["place"]
    assert "curl" in facts["platform"]
    assert facts["resolver"]["nameservers"] == ["10.96.0.10:53"]
    assert any("fewer stages" in notice for notice in done.run["notices"])
    seen = verdicts(done, "pod/user1")
    for name in ("storage.blob.resolve", "storage.blob.reach", "entra.reach", "workspace.reach", "endpoint.answer"):
        assert seen[name]["status"] == "pass", seen[name]
    assert {one["status"] for one in seen.values()} <= {"pass", "unknown"}
    assert seen["storage.blob.read"]["cause"] == "vantage.limited"
    assert done.code == 3
    assert world.left() == []


def test_blob_storage_that_one_pool_cannot_reach_is_named_from_there(world: World, firewall: Kit, start: Start):
    pods = start("model-0", "user1"), start("router-0", "system")
    firewall.fw("drop", "--from", "user1", "--to", firewall.address_of(BLOB), "--port", "443")
    done = world.run(*HERE, *(word for pod in pods for word in ("--via", "existing-pod", pod)))
    assert done.code == 1
    assert done.findings["tcp.timeout"] == {"pod/user1"}
    assert verdicts(done, "pod/system")["storage.blob.reach"]["status"] == "pass"
    finding = next(one for one in done.run["findings"] if one["cause"] == "tcp.timeout")
    assert f"--via existing-pod {pods[0]}/app" in finding["verify"]
    assert "--via existing-pod" in finding["verify"]


def test_a_name_that_pods_cannot_resolve_is_told_with_the_server_s_word(world: World, start: Start, break_azure):
    break_azure("storage.blob.resolve=dns.nxdomain")
    done = world.run(*HERE, "--only", "storage.blob.*", "--via", "existing-pod", start("model-0", "user1"))
    assert done.code == 1
    assert "pod/user1" in done.findings["dns.nxdomain"]


def test_inspection_is_named_by_its_issuer(world: World, start: Start, break_azure):
    break_azure("storage.blob.reach=tls.intercepted@pod/user1")
    done = world.run(*HERE, "--only", "storage.blob.*", "--via", "existing-pod", start("model-0", "user1"))
    assert done.required["tls.intercepted"] == {"pod/user1"}


def test_without_curl_and_openssl_tls_is_unknown_and_the_name_is_judged(world: World, start: Start):
    """What a Debian base image has: dash, bash, getent; the rest of the toolbox is out of the exec's PATH."""
    few = "mkdir /few && for c in dash bash getent sleep head date; do ln -s $(command -v $c) /few/$c; done"
    shell = ["/bin/sh", "-c", f"PATH=/usr/bin:/bin; {few}; ln -s /bin/dash /few/sh; exec /bin/sleep 3600"]
    pod = start("base-0", "user1", command=shell, env=[{"name": "PATH", "value": "/few"}])
    time.sleep(0.5)  # the links are made after the start
    done = world.run(*HERE, "--only", "storage.blob.*", "--via", "existing-pod", pod)
    seen = verdicts(done, "pod/user1")
    assert done.vantages["pod/user1"]["complete"], done.err
    assert seen["storage.blob.resolve"]["status"] == "pass"
    assert (seen["storage.blob.reach"]["status"], seen["storage.blob.reach"]["cause"]) == ("unknown", "vantage.limited")
    assert "neither curl nor openssl" in seen["storage.blob.reach"]["reason"]


def test_busybox_tells_names_and_connections_and_no_more(world: World, firewall: Kit, start: Start, tmp_path: Path):
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("needs busybox-static, whose one file is the whole image")
    image = Image(program=Path(program).read_bytes(), path="busybox")  # it goes by its own name
    firewall.load(image.archive(tmp_path / "busybox.tar", "localhost/busybox:1"))
    links = "/busybox mkdir -p /bin && /busybox --install -s /bin && exec /busybox sleep 3600"
    pod = start("tiny-0", "user1", "localhost/busybox:1", command=["/busybox", "sh", "-c", links])
    time.sleep(0.5)  # the links are made after the start
    firewall.fw("drop", "--from", "user1", "--to", firewall.address_of(BLOB), "--port", "443")
    done = world.run(*HERE, "--only", "storage.*", "--via", "existing-pod", pod)
    facts, seen = done.vantages["pod/user1"], verdicts(done, "pod/user1")
    assert facts["complete"], done.err
    assert "nslookup, nc" in facts["platform"]
    assert (seen["storage.blob.reach"]["status"], seen["storage.blob.reach"]["cause"]) == ("fail", "tcp.timeout")
    assert seen["storage.table.resolve"]["status"] == "pass"
    assert (seen["storage.table.reach"]["status"], seen["storage.table.reach"]["cause"]) == (
        "unknown",
        "vantage.limited",
    )


def test_a_pod_of_the_host_s_network_stands_where_nodes_stand(world: World, start: Start, namespace: str):
    host = manifest("host-0", "user1", TOOLS, command=["/bin/sleep", "3600"])
    host["spec"]["hostNetwork"] = True
    world.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(host))
    world.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/host-0", "--timeout=60s")
    done = world.run("--vantage", "workstation,node", "--only", "mcr.*", "--via", "existing-pod", f"{namespace}/host-0")
    assert verdicts(done, "node/user1")["mcr.reach"]["status"] == "pass"
    assert done.vantages["node/user1"]["resolver"]["nameservers"] == ["10.252.0.53:53"]


NOT_THERE = [
    pytest.param("nosuch-0", "pod.not-found", "there is no pod", id="no such pod"),
    pytest.param("model-0/sidecar", "pod.not-found", "it has app", id="no such container"),
    pytest.param("pause-0", "pod.no-shell", "executable file not found", id="no shell"),
]


@pytest.mark.parametrize(("name", "cause", "said"), NOT_THERE)
def test_a_pod_that_cannot_be_asked_is_unknown_with_its_cause(
    world: World, start: Start, namespace: str, name: str, cause: str, said: str
):
    if name.startswith("model"):
        start("model-0", "user1")
    if name.startswith("pause"):
        start("pause-0", "user1", "localhost/pause:3.4.1")
    done = world.run(*HERE, "--only", "storage.blob.*", "--via", "existing-pod", f"{namespace}/{name}")
    assert done.code == 3
    assert list(done.findings) == [cause]
    assert said in done.why(cause)
    assert done.vantages["workstation"]["complete"]


def test_exec_that_is_forbidden_is_named_and_the_printed_rights_are_enough(
    world: World, start: Start, namespace: str, user: str
):
    pod = start("model-0", "user1")
    argv = (*HERE, "--only", "storage.blob.*", "--kubeconfig", user, "--via", "existing-pod", pod)
    done = world.run(*argv)
    assert done.code == 3
    assert "create, get pods/exec" in done.why("kube.forbidden")
    granted = world.call(
        "rbac", "--via", "existing-pod", "--namespace", namespace, "--service-account", f"{namespace}/runner",
        "--name", namespace,
    )  # fmt: skip
    world.kubectl("apply", "-f", "-", stdin=granted.stdout)
    try:
        done = world.run(*argv)
        assert done.vantages["pod/user1"]["complete"], done.err
    finally:
        world.kubectl("delete", "clusterrole,clusterrolebinding", namespace)


def test_an_exec_that_the_tunnel_does_not_carry_is_named(world: World, firewall: Kit, start: Start):
    pod = start("model-0", "user1")
    settings = firewall.settings
    firewall.fw("reject", "--from", settings["NODE1_IP"], "--to", settings["NODE2_IP"], "--port", "10250")
    done = world.run(*HERE, "--only", "storage.blob.*", "--via", "existing-pod", pod)
    assert done.code == 3
    assert "error dialing backend" in done.why("kube.log-channel-broken")
