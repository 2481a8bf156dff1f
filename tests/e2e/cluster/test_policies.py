"""Probes beside the real pods, network policies that tell them apart, and clusters that refuse a probe.

The test cluster accepts NetworkPolicy objects and does not enforce them: what is shown here is how they are read.
Cilium's kinds are staged in the stand-in cluster (tests/cli/test_beside.py): the test cluster's API server, an old
version built with a newer Go, crashes while it encodes custom resources.
"""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters.kit import Kit
from clusters.world import MANAGED, World
from servers.certs import Authority

pytestmark = pytest.mark.cluster
POD = ("--vantage", "workstation,pod")
FEW = ("--only", "storage.*", "--pool", "user1")  # of the router's phases and of the models'
IDLE = ["python3", "-c", "import time; time.sleep(3600)"]


@pytest.fixture
def router(world: World, namespace: str) -> tuple[str, ...]:
    """Pods with the router's label and a Service in front of them; the options that say where they stand."""
    labels = {"azuremlappname": "azureml-fe", "azuremlappversion": "v2"}
    pod = {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {"name": "fe", "image": world.image, "imagePullPolicy": "IfNotPresent", "command": IDLE, "ports": [{"containerPort": 5001}]}
        ],
    }  # fmt: skip
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "azureml-fe", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "azureml-fe", "namespace": namespace},
        "spec": {"selector": {"azuremlappname": "azureml-fe"}, "ports": [{"port": 80, "targetPort": 5001}]},
    }
    apply(world, deployment, service)
    world.kubectl("-n", namespace, "rollout", "status", "deployment/azureml-fe", "--timeout=60s")
    return "--set", f"pods.router_namespace={namespace}"


def apply(world: World, *objects: dict) -> None:
    world.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def lock(world: World, namespace: str, name: str, **spec) -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
    }
    apply(world, {**policy, "spec": {"policyTypes": ["Egress"], "podSelector": {}, **spec}})


def few(world: World) -> tuple[str, ...]:
    """Fewer checks where the embedded Azure is there; elsewhere there is one dependency, and nothing to leave out."""
    return FEW if world.kit is not None else ()


def of_pods(done) -> list[dict]:
    return [one for one in done.run["verdicts"] if one["vantage"].startswith("pod/") and one["decides"]]


def test_passes_of_probes_elsewhere_are_reservations_that_name_the_policies(
    world: World, firewall: Kit, namespace: str, router: tuple[str, ...]
):
    lock(world, namespace, "no-way-out", podSelector={"matchLabels": {"azuremlappname": "azureml-fe"}})
    lock(world, namespace, "others", podSelector={"matchLabels": {"app": "other"}})
    done = world.run(*POD, *FEW, *router)
    warned = [one for one in of_pods(done) if one["cause"] in ("policy.may-deny", "policy.probe-differs")]
    assert warned, done.err
    assert {one["status"] for one in warned} == {"warn"}
    assert all(
        f"NetworkPolicy {namespace}/no-way-out selects the router pods in {namespace}" in one["reason"]
        for one in warned
    )
    assert not any("others" in one["reason"] for one in warned)
    assert not any(one["status"] == "pass" and one["phase"].startswith("router") for one in of_pods(done))
    finding = next(one for one in done.run["findings"] if one["cause"] == "policy.may-deny")
    assert (finding["confidence"], finding["owner"]) == ("possible", "platform")
    assert finding["verify"].endswith("--pod-as router")


def test_without_a_policy_that_tells_them_apart_passes_are_passes(
    world: World, firewall: Kit, namespace: str, router: tuple[str, ...]
):
    lock(world, namespace, "others", podSelector={"matchLabels": {"app": "other"}})
    done = world.run(*POD, *FEW, *router)
    assert (done.code, done.findings) == (0, {}), done.err
    assert {one["status"] for one in of_pods(done)} == {"pass"}


def test_a_probe_beside_the_router_is_held_by_its_policies_and_never_gets_its_traffic(
    world: World, firewall: Kit, namespace: str, router: tuple[str, ...], tmp_path: Path
):
    lock(world, namespace, "no-way-out", podSelector={"matchLabels": {"azuremlappname": "azureml-fe"}})
    real = world.kubectl("-n", namespace, "get", "pods", "-o", "jsonpath={.items[*].status.podIP}").split()
    with watching(world, namespace, tmp_path / "endpoints") as seen:
        done = world.run(*POD, *router, "--pod-as", "router", "--only", "storage.*,peers.*")
    assert (done.code, done.findings) == (0, {}), done.err
    assert {one["status"] for one in of_pods(done)} == {"pass"}
    assert done.run["plan"]["cluster"]["policies"]["probe"]["namespace"] == namespace
    ready, waiting = seen()
    assert ready == set(real)
    assert waiting - ready, "the Service's selector never met the probe: nothing was proven"
    assert world.left() == []


class watching:  # noqa: N801 - reads as what it does
    """Every state of the router's Endpoints, ready and not, while the block runs."""

    def __init__(self, world: World, namespace: str, path: Path) -> None:
        self._command = [*world.kubectl_command("-n", namespace, "get", "endpoints", "azureml-fe", "-w"), "-o", "json"]
        self._path = path

    def __enter__(self):
        self._file = self._path.open("w")
        self._process = subprocess.Popen(self._command, stdout=self._file)
        return self.seen

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._file.close()

    def seen(self) -> tuple[set[str], set[str]]:
        decoder, text = json.JSONDecoder(), self._path.read_text()
        ready, waiting = set(), set()
        while text.strip():
            state, end = decoder.raw_decode(text.lstrip())
            text = text.lstrip()[end:]
            for subset in state.get("subsets") or []:
                ready |= {one["ip"] for one in subset.get("addresses") or []}
                waiting |= {one["ip"] for one in subset.get("notReadyAddresses") or []}
        return ready, waiting


def test_a_service_that_publishes_pods_that_are_not_ready_is_refused_before_anything_is_made(
    world: World, namespace: str, router: tuple[str, ...]
):
    lock(world, namespace, "no-way-out", podSelector={"matchLabels": {"azuremlappname": "azureml-fe"}})
    patch = json.dumps({"spec": {"publishNotReadyAddresses": True}})
    world.kubectl("-n", namespace, "patch", "service", "azureml-fe", "-p", patch)
    with world.start(world.out(), *POD, *router, "--pod-as", "router") as going:
        _, err = going.communicate(timeout=60)
    assert going.returncode == 2
    assert f"Service {namespace}/azureml-fe sends traffic to pods that are not ready" in err
    assert world.left() == []


def test_a_killed_run_beside_the_router_is_cleaned_up_there_as_well(
    world: World, slow: tuple[str, ...], namespace: str, router: tuple[str, ...]
):
    options = (*FEW, *slow, "--vantage", "node,pod", "--pod-as", "router")
    with world.start(world.out(), *router, *options) as going:
        places = (namespace, world.namespace)
        world.wait_for(lambda: all("Running" in world.pods(namespace=one) for one in places), "a probe in each")
        going.kill()
        going.communicate(timeout=20)
    for place in places:
        jobs = world.kubectl("get", "jobs", "-n", place, "-l", MANAGED, "-o", "jsonpath={.items[*].spec.parallelism}")
        assert sorted(jobs.split()) == ["0", "1"], "a first Job and a probe's"
        cleaned = world.call("clean", "--kubeconfig", world.kubeconfig, "--namespace", place)
        assert f"removed Job {place}/preflight-" in cleaned.stdout
    assert world.gone() == []


def test_a_quota_of_zero_beside_the_router_is_the_pods_alone(world: World, namespace: str, router: tuple[str, ...]):
    world.kubectl("-n", namespace, "create", "quota", "none", "--hard=pods=1")
    done = world.run("--vantage", "node,pod", *few(world), *router, "--pod-as", "router")
    assert done.code in (1, 3)
    assert all(where.startswith("pod/") for where in done.findings["pod.quota-exceeded"])
    assert "the owner of the namespace raises ResourceQuota none" in done.why("pod.quota-exceeded")
    assert all(one["complete"] for name, one in done.vantages.items() if name.startswith("node/"))


def test_a_namespace_that_is_not_there_is_named_and_not_made(world: World):
    done = world.run(*POD, "--pod-namespace", "nobody-made-it")
    assert done.findings.keys() >= {"kube.namespace-gone"}
    assert "nobody-made-it" not in world.kubectl("get", "namespaces", "-o", "name")


def test_the_printed_rights_are_enough_beside_the_router(
    world: World, namespace: str, user: str, router: tuple[str, ...]
):
    world.kubectl("create", "namespace", f"{namespace}-own")
    granted = world.call(
        "rbac", "--namespace", f"{namespace}-own", "--pod-namespace", namespace,
        "--service-account", f"{namespace}/runner", "--name", namespace,
    )  # fmt: skip
    try:
        world.kubectl("apply", "-f", "-", stdin=granted.stdout)
        done = world.run(
            *few(world), *router, "--namespace", f"{namespace}-own", "--kubeconfig", user,
            "--pod-as", "router", "--vantage", "node,pod",
        )  # fmt: skip
        assert all(one["complete"] for one in done.vantages.values()), done.err
        assert done.run["plan"]["cluster"]["policies"]["read"]
    finally:
        world.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=granted.stdout)
        world.kubectl("delete", "namespace", f"{namespace}-own", "--wait=false")


REVIEW = """
import http.server, json, ssl

class Review(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["request"]
        pod = asked["object"]["spec"]
        allowed = not pod.get("hostNetwork")
        verdict = {"uid": asked["uid"], "allowed": allowed}
        if not allowed:
            verdict["status"] = {"message": "hostNetwork is not allowed here (rule security/no-host-network)"}
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": verdict}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("", 8443), Review)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/pki/tls.crt", "/pki/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
WEBHOOK = "no-host-network.preflight.test"


@pytest.fixture
def webhook(world: World, namespace: str) -> Iterator[str]:
    """A validating webhook that refuses pods in the node's network, in namespaces of ours only."""
    name = f"review.{namespace}.svc"
    authority = Authority("Review CA")
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pki", "namespace": namespace},
        "data": {path: base64.b64encode(text).decode() for path, text in authority.issue(name).files.items()},
    }  # fmt: skip
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "review", "image": world.image, "imagePullPolicy": "IfNotPresent", "command": ["python3", "-c", REVIEW],
                "volumeMounts": [{"name": "pki", "mountPath": "/pki"}], "readinessProbe": {"tcpSocket": {"port": 8443}},
            }
        ],
        "volumes": [{"name": "pki", "secret": {"secretName": "pki"}}],
    }  # fmt: skip
    labels = {"app": "review"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "review", "namespace": namespace, "labels": labels},
        "spec": spec,
    }
    ports = [{"port": 443, "targetPort": 8443}]
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "review", "namespace": namespace},
        "spec": {"selector": labels, "ports": ports},
    }  # fmt: skip
    apply(world, secret, pod, service)
    world.kubectl("-n", namespace, "wait", "--for=condition=ready", "pod/review", "--timeout=60s")
    apply(world, hook(namespace, authority.pem))
    yield namespace
    world.kubectl("delete", "validatingwebhookconfiguration", namespace)


def hook(namespace: str, authority: str) -> dict:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": WEBHOOK,
                "clientConfig": {
                    "service": {"namespace": namespace, "name": "review"},
                    "caBundle": base64.b64encode(authority.encode()).decode(),
                },
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
                "objectSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "preflight"}},
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 5,
                "failurePolicy": "Fail",
            }
        ],
    }


def test_a_review_that_refuses_the_node_s_network_and_one_that_is_down_are_named_each_with_its_words(
    world: World, webhook: str
):
    done = world.run(*few(world))
    refused = done.findings["pod.admission-denied"]
    assert refused
    assert all(where.startswith("node/") for where in refused)
    why = done.why("pod.admission-denied")
    assert f'admission webhook "{WEBHOOK}" denied the request: hostNetwork is not allowed here' in why
    assert f"whoever runs the admission webhook {WEBHOOK} exempts the probes' namespace" in why
    assert all(one["complete"] for name, one in done.vantages.items() if name.startswith("pod/")), done.err
    assert done.code == 3 or world.kit is None
    world.kubectl("-n", webhook, "delete", "pod", "review", "--now")
    done = world.run(*POD, *few(world))
    assert list(done.findings) == ["pod.admission-denied"] or world.kit is None
    assert f"whoever runs the admission webhook {WEBHOOK} repairs it" in done.why("pod.admission-denied")
