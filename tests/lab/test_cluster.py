"""The stand-in cluster, asked over TLS: by the official client, and plainly where that one hides too much."""

import asyncio
import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from preflight.lab.cluster import addresses, api, errors, scenery
from preflight.lab.cluster.container import Container
from preflight.lab.cluster.errors import ApiError
from preflight.lab.cluster.store import Key, Selector, Store
from preflight.lab.cluster.whole import Cluster, cluster, node
from preflight.lab.pki import Pki
from preflight.vantages import protocol

JOBS = "/apis/batch/v1/namespaces/ns/jobs"
PODS = "/api/v1/namespaces/ns/pods"
RUNNING = Selector("pods", fields={"status.phase": "Running"})


@pytest.fixture
async def running(tmp_path: Path):
    nodes = [node("aks-demo-0", "demo"), node("aks-other-0", "other")]
    async with cluster(Pki(tmp_path), tmp_path, nodes) as made:
        yield made


@contextlib.asynccontextmanager
async def client(running: Cluster):
    """Plain HTTP with the kubeconfig's own server, authority and token."""
    config = json.loads(running.kubeconfig.read_text())
    server = config["clusters"][0]["cluster"]
    context = ssl.create_default_context(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    async with httpx.AsyncClient(
        base_url=server["server"], verify=context, headers=headers, trust_env=False, timeout=20
    ) as made:
        yield made


def job(plan: str, pool: str) -> dict:
    expression = {"key": "agentpool", "operator": "In", "values": [pool]}
    container = {
        "name": "probe", "image": "preflight", "args": ["agent", "--plan", "/preflight/plan.json"],
        "volumeMounts": [{"name": "plan", "mountPath": "/preflight"}],
        "env": [{"name": "PREFLIGHT_SECRET_A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a"}}}],
    }  # fmt: skip
    spec = {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [expression]}]
                }
            }
        },
        "containers": [container],
        "volumes": [{"name": "plan", "configMap": {"name": plan}}],
    }
    template = {"metadata": {"labels": {"run": "r1"}}, "spec": spec}
    return {"metadata": {"name": f"probe-{pool}"}, "spec": {"parallelism": 1, "template": template}}


async def prepared(http: httpx.AsyncClient) -> None:
    plan = json.dumps({"schema_version": 1, "run_id": "r1", "vantage": "pod/demo", "tasks": []})
    assert (await http.post("/api/v1/namespaces", json={"metadata": {"name": "ns"}})).status_code == 201
    made = await http.post(
        "/api/v1/namespaces/ns/configmaps", json={"metadata": {"name": "p"}, "data": {"plan.json": plan}}
    )
    assert made.status_code == 201
    await http.post("/api/v1/namespaces/ns/secrets", json={"metadata": {"name": "s"}, "data": {"a": "dg=="}})


async def pods(http: httpx.AsyncClient, **query: str):
    """Each state of each pod, by a watch from the beginning."""
    async with http.stream("GET", PODS, params={"watch": "true", "resourceVersion": "0", **query}) as events:
        async for line in events.aiter_lines():
            yield json.loads(line)


async def until(http: httpx.AsyncClient, *phases: str) -> dict:
    """The first pod that is in such a phase."""
    async with contextlib.aclosing(pods(http)) as seen:
        async for event in seen:
            if event["object"]["status"].get("phase") in phases:
                return event["object"]
    raise AssertionError("the watch ended before the pod")


async def gone(running: Cluster, *key: str) -> None:
    async with asyncio.timeout(20):
        await running.store.until(lambda: not running.store.has(Key(*key)))


async def no_pods(running: Cluster) -> None:
    async with asyncio.timeout(20):
        await running.store.until(lambda: not running.store.select(Selector("pods")))


def phase(running: Cluster, key: Key) -> str:
    return running.store.get(key)["status"]["phase"]


def agents(pattern: str = "preflight-pod-") -> bytes:
    return subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", pattern], capture_output=True, check=False).stdout


async def test_a_job_becomes_a_pod_on_a_node_of_its_pool_whose_log_is_the_agent_s(running: Cluster):
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("p", "other"))
        pod = await until(http, "Succeeded", "Failed")
        assert pod["spec"]["nodeName"] == "aks-other-0"
        assert pod["status"]["phase"] == "Succeeded"
        log = await http.get(f"{PODS}/{pod['metadata']['name']}/log", params={"follow": "true"})
        assert log.headers["content-type"] == "text/plain"
        reader = protocol.Reader("r1")
        messages = [message for line in log.content.splitlines() for message in reader.feed(line)]
        assert [type(message).__name__ for message in messages] == ["Hello", "End"]
        conditions = (await http.get(f"{JOBS}/probe-other")).json()["status"]["conditions"]
    assert [(one["type"], one["status"]) for one in conditions] == [("Complete", "True")]


async def test_a_pod_that_fits_no_node_says_why_in_the_scheduler_s_words(running: Cluster):
    tainted = node("aks-gpu-0", "gpu")
    tainted["spec"]["taints"] = [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]
    running.store.add("nodes", "", tainted)
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("p", "gpu"))
        async with contextlib.aclosing(pods(http)) as seen:
            async for event in seen:
                if conditions := event["object"]["status"].get("conditions"):
                    break
    assert conditions[0]["reason"] == "Unschedulable"
    assert conditions[0]["message"].startswith(
        "0/3 nodes are available: 1 node(s) had untolerated taint {sku: gpu}, "
        "2 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available"
    )


async def test_a_node_that_comes_later_gets_the_pod_that_waited(running: Cluster):
    running.kubelet.play = silent
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("p", "late"))
        async with contextlib.aclosing(pods(http)) as seen:
            async for event in seen:
                if event["object"]["status"].get("conditions"):
                    break
        running.store.add("nodes", "", node("aks-late-0", "late"))
        assert (await until(http, "Succeeded"))["spec"]["nodeName"] == "aks-late-0"


async def silent(_container: Container) -> int:
    return 0


async def held(container: Container) -> int:
    """Speaks once, and again when it is told to stop."""
    await container.log.write(b"first\n")
    await container.stopping.wait()
    await container.log.write(b"last\n")
    return 0


async def test_a_pod_that_is_deleted_is_told_to_stop_and_its_last_words_are_in_the_log(running: Cluster):
    running.kubelet.play = held
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("p", "demo"))
        name = (await until(http, "Running"))["metadata"]["name"]
        async with http.stream("GET", f"{PODS}/{name}/log", params={"follow": "true"}) as log:
            lines = log.aiter_lines()
            assert await anext(lines) == "first"
            marked = (await http.delete(f"{PODS}/{name}")).json()
            assert [line async for line in lines] == ["last"]
        await gone(running, "pods", "ns", name)
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30


async def test_deleting_the_namespace_takes_all_and_ends_the_processes(running: Cluster):
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("p", "demo"))
        await until(http, "Running")
        answer = await http.delete("/api/v1/namespaces/ns")
        assert (answer.status_code, answer.json()["status"]["phase"]) == (200, "Terminating")
        late = await http.post("/api/v1/namespaces/ns/configmaps", json={"metadata": {"name": "late"}})
        await gone(running, "namespaces", "", "ns")
    assert (late.status_code, late.json()["message"]) == (
        403,
        'configmaps "late" is forbidden: unable to create new content in namespace ns because it is being terminated',
    )
    for resource in ("configmaps", "pods", "secrets", "jobs", "events"):
        assert running.store.select(Selector(resource)) == []
    assert agents() == b""


async def test_a_pod_that_goes_while_its_process_is_being_made_leaves_nothing(running: Cluster):
    """No pipe is left open either: that would be a warning, which is an error here."""
    async with client(running) as http:
        await prepared(http)
        for pool in ("demo", "other") * 5:
            await http.post(JOBS, json=job("p", pool))
            await until(http, "Running")
            await http.delete(f"{JOBS}/probe-{pool}")
            await gone(running, "jobs", "ns", f"probe-{pool}")
            await no_pods(running)
    assert agents() == b""


async def test_errors_have_the_api_server_s_own_shape(running: Cluster):
    async with client(running) as http:
        twice = [await http.post("/api/v1/namespaces", json={"metadata": {"name": "ns"}}) for _ in range(2)]
        lost = await http.get(f"{JOBS}/none")
        foreign = await http.get("/api/v1/namespaces", headers={"Authorization": "Bearer no"})
        odd = await http.get("/api/v1/things")
        unknown = await http.get("/apis/example.com/v1/things")
    told = [(one.status_code, one.json()["reason"], one.json()["message"]) for one in (twice[1], lost, foreign, odd)]
    assert told == [
        (409, "AlreadyExists", 'namespaces "ns" already exists'),
        (404, "NotFound", 'jobs.batch "none" not found'),
        (401, "Unauthorized", "Unauthorized"),
        (404, "NotFound", "the server could not find the requested resource"),
    ]
    assert (unknown.status_code, unknown.text) == (404, "404 page not found\n")
    assert "audit-id" in lost.headers


async def test_rights_are_reviewed_and_enforced_alike(running: Cluster):
    running.api.allow = lambda verb, resource: (verb, resource) != ("create", "jobs")
    spec = {"resourceAttributes": {"verb": "create", "resource": "jobs", "group": "batch", "namespace": "ns"}}
    async with client(running) as http:
        await prepared(http)
        review = await http.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json={"spec": spec})
        refused = await http.post(JOBS, json=job("p", "demo"))
        nobody = await http.get("/api/v1/nodes", headers={"Authorization": ""})
    assert review.json()["status"] == {"allowed": False}
    assert (refused.status_code, refused.json()["message"]) == (
        403,
        'jobs.batch is forbidden: User "demo" cannot create resource "jobs" in API group "batch" in the namespace "ns"',
    )
    assert nobody.status_code == 401


async def test_a_pod_that_is_not_admitted_is_an_event_of_its_job_until_it_is(running: Cluster):
    quota = "exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0"

    def refuse(key: Key, _body: dict) -> None:
        if key.resource == "pods":
            raise errors.forbidden("pods", key.name, quota)

    running.store.admission = refuse
    running.kubelet.play = silent
    async with client(running) as http:
        await prepared(http)
        made = (await http.post(JOBS, json=job("p", "demo"))).json()
        query = {"fieldSelector": f"involvedObject.uid={made['metadata']['uid']}"}
        async with asyncio.timeout(10):
            await running.store.until(lambda: bool(running.store.select(Selector("events"))))
        events = (await http.get("/api/v1/namespaces/ns/events", params=query)).json()["items"]
        running.store.admission = lambda _key, _body: None
        await until(http, "Succeeded")
    assert events[0]["reason"] == "FailedCreate"
    assert events[0]["message"].endswith(f"is forbidden: {quota}")


async def test_an_image_that_cannot_be_pulled_is_told_as_kubelets_do_and_pulled_again(running: Cluster):
    error = 'rpc error: code = NotFound desc = failed to pull and unpack image "x/y:1": not found'
    answers = [error, None]

    async def pull(_image: str) -> str | None:
        return answers.pop(0)

    running.kubelet.pull, running.kubelet.play, running.kubelet.back_off_s = pull, silent, 0.01
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("p", "demo"))
        seen = []
        async with contextlib.aclosing(pods(http)) as states:
            async for event in states:
                status = event["object"]["status"]
                states_of = [one["state"] for one in status.get("containerStatuses", [])]
                seen += [one.get("waiting", {}).get("reason") or status["phase"] for one in states_of]
                if status.get("phase") == "Succeeded":
                    break
        events = (await http.get("/api/v1/namespaces/ns/events")).json()["items"]
    assert seen == ["ContainerCreating", "ErrImagePull", "ImagePullBackOff", "Running", "Succeeded"]
    assert f'Failed to pull image "preflight": {error}' in [one["message"] for one in events]


async def test_a_volume_or_a_variable_that_is_missing_keeps_the_container_from_starting(running: Cluster):
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("nowhere", "demo"))
        broken = job("p", "other")
        broken["spec"]["template"]["spec"]["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]["key"] = "b"
        await http.post(JOBS, json=broken)
        wanted = {
            'MountVolume.SetUp failed for volume "plan" : configmap "nowhere" not found',
            "Error: couldn't find key b in Secret ns/s",
        }
        async with asyncio.timeout(10):
            await running.store.until(
                lambda: wanted <= {one["message"] for one in running.store.select(Selector("events"))}
            )
        await asyncio.sleep(0)
        waiting = [one["status"]["containerStatuses"][0]["state"] for one in running.store.select(Selector("pods"))]
    assert {one["waiting"]["reason"] for one in waiting} == {"ContainerCreating", "CreateContainerConfigError"}


async def test_a_container_that_is_killed_says_for_what(running: Cluster):
    running.kubelet.play = held
    async with client(running) as http:
        await prepared(http)
        for pool in ("demo", "other"):
            await http.post(JOBS, json=job("p", pool))
        async with asyncio.timeout(10):
            await running.store.until(lambda: len(running.store.select(RUNNING)) == 2)
        keys = [Key("pods", "ns", one["metadata"]["name"]) for one in running.store.select(RUNNING)]
        running.kubelet.evict(keys[0])
        running.kubelet.out_of_memory(keys[1])
        async with asyncio.timeout(10):
            await running.store.until(lambda: all(phase(running, key) == "Failed" for key in keys))
        evicted, killed = (running.store.get(key)["status"] for key in keys)
    assert (evicted["reason"], "low on resource: memory" in evicted["message"]) == ("Evicted", True)
    assert killed["containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled"


async def deaf(_container: Container) -> int:
    await asyncio.Event().wait()
    return 0


async def test_a_container_that_does_not_heed_its_stop_is_killed_after_the_grace_period(running: Cluster):
    running.kubelet.play = deaf
    async with client(running) as http:
        await prepared(http)
        made = job("p", "demo")
        made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 0.2
        await http.post(JOBS, json=made)
        await until(http, "Running")
        await http.delete(f"{JOBS}/probe-demo")
        await no_pods(running)


async def test_a_job_ends_by_its_deadline_and_goes_after_its_time_to_live(running: Cluster):
    running.kubelet.play = held
    late = job("p", "demo")
    late["spec"] |= {"activeDeadlineSeconds": 0.2, "ttlSecondsAfterFinished": 0.2}
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=late)
        await gone(running, "jobs", "ns", "probe-demo")
        await no_pods(running)
        reasons = [one["reason"] for one in running.store.select(Selector("events"))]
    assert "DeadlineExceeded" in reasons


async def test_a_log_that_is_rotated_begins_anew_for_new_readers_only(running: Cluster):
    running.kubelet.play = held
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("p", "demo"))
        name = (await until(http, "Running"))["metadata"]["name"]
        async with http.stream("GET", f"{PODS}/{name}/log", params={"follow": "true"}) as log:
            lines = log.aiter_lines()
            assert await anext(lines) == "first"
            running.kubelet.rotate(Key("pods", "ns", name))
            assert (await http.get(f"{PODS}/{name}/log")).text == ""
            await http.delete(f"{PODS}/{name}")
            assert [line async for line in lines] == ["last"]


async def test_a_log_of_a_container_that_has_not_started_is_a_bad_request(running: Cluster):
    async def hang(_image: str) -> str | None:
        await asyncio.Event().wait()
        return None

    running.kubelet.pull = hang
    async with client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("p", "demo"))
        async with contextlib.aclosing(pods(http)) as seen:
            async for event in seen:
                if event["object"]["status"].get("containerStatuses"):
                    break
        name = event["object"]["metadata"]["name"]
        answer = await http.get(f"{PODS}/{name}/log")
    told = f'container "probe" in pod "{name}" is waiting to start: ContainerCreating'
    assert (answer.status_code, answer.json()["message"]) == (400, told)


async def test_a_watch_goes_on_where_the_list_ended_and_ends_in_time_with_a_bookmark(running: Cluster):
    async with client(running) as http:
        listed = (await http.get("/api/v1/namespaces")).json()
        await http.post("/api/v1/namespaces", json={"metadata": {"name": "late", "labels": {"a": "b"}}})
        query = {
            "watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"], "timeoutSeconds": "0",
            "labelSelector": "a=b", "allowWatchBookmarks": "true",
        }  # fmt: skip
        events = [json.loads(line) for line in (await http.get("/api/v1/namespaces", params=query)).text.splitlines()]
    assert [(event["type"], event["object"]["metadata"].get("name")) for event in events] == [
        ("ADDED", "late"), ("BOOKMARK", None),
    ]  # fmt: skip
    assert events[1]["object"]["metadata"]["resourceVersion"] == str(running.store.version)


async def test_a_version_that_was_compacted_is_an_error_event_of_410(running: Cluster):
    running.store.add("namespaces", "", {"metadata": {"name": "one"}})
    running.store.forget()
    async with client(running) as http:
        query = {"watch": "true", "resourceVersion": "1"}
        (event,) = [json.loads(line) for line in (await http.get("/api/v1/namespaces", params=query)).text.splitlines()]
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_an_api_server_that_is_lost_refuses_and_comes_back_with_what_it_knew(running: Cluster):
    async with client(running) as http:
        await prepared(http)
        async with http.stream("GET", PODS, params={"watch": "true"}) as events:
            await running.lose()
            with pytest.raises(httpx.RemoteProtocolError):
                await anext(events.aiter_bytes())
        with pytest.raises(httpx.ConnectError):
            await http.get("/version")
        await running.bring_back()
        assert (await http.get("/api/v1/namespaces/ns/configmaps/p")).status_code == 200


async def test_the_official_client_understands_it(running: Cluster):
    from kubernetes.aio import client as library
    from kubernetes.aio import config

    running.store.add("services", "kube-system", scenery.service("kube-dns", "10.0.0.10", ("dns", 53, "UDP")))
    running.store.add(
        "pods", "kube-system", scenery.pod("coredns-1", "aks-demo-0", "127.0.0.1", **{"k8s-app": "kube-dns"})
    )
    configuration = library.Configuration()
    await config.load_kube_config(str(running.kubeconfig), client_configuration=configuration)
    async with library.ApiClient(configuration) as api:
        core = library.CoreV1Api(api)
        nodes = await core.list_node()
        service = await core.read_namespaced_service("kube-dns", "kube-system")
        found = await core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns")
        version = await library.VersionApi(api).get_code()
        groups = await library.ApisApi(api).get_api_versions()
        batch = await library.BatchV1Api(api).get_api_resources()
    assert [one.metadata.labels["agentpool"] for one in nodes.items] == ["demo", "other"]
    assert (service.spec.cluster_ip, [one.status.phase for one in found.items]) == ("10.0.0.10", ["Running"])
    assert version.git_version == "v1.33.2"
    assert "networking.k8s.io" in {one.name for one in groups.groups}
    assert [one.name for one in batch.resources] == ["jobs", "cronjobs"]
    assert running.kubeconfig.stat().st_mode & 0o077 == 0


def test_a_port_on_which_somebody_listens_everywhere_is_known_to_be_occupied():
    with socket.socket() as everywhere, socket.socket() as free:
        everywhere.bind(("0.0.0.0", 0))
        everywhere.listen()
        free.bind(("127.0.0.1", 0))
        ports = (everywhere.getsockname()[1], free.getsockname()[1])
        assert addresses.occupied(ports) == ports[:1]


def test_addresses_of_two_clusters_and_of_their_pods_are_all_different():
    made = [addresses.Addresses() for _ in range(2)]
    given = [one.pod() for one in made for _ in range(600)] + [one.node("a") for one in made]
    assert len(set(given)) == len(given)
    assert all(address.startswith("127.") and not address.endswith((".0", ".255")) for address in given)
    assert made[0].node("a") == made[0].node("a")


def test_an_owner_takes_what_it_owns_with_it():
    store = Store()
    store.add("namespaces", "", {"metadata": {"name": "ns"}})
    owner = store.add("jobs", "ns", {"metadata": {"name": "first"}, "spec": {}})
    below = [{"kind": "Job", "name": "first", "uid": owner["metadata"]["uid"]}]
    store.add("configmaps", "ns", {"metadata": {"name": "plan", "ownerReferences": below}})
    store.remove(Key("jobs", "ns", "first"))
    assert store.select(Selector("configmaps")) == []


def test_a_version_that_fell_out_of_the_history_is_gone():
    store = Store()
    for number in range(10_001):
        store.add("namespaces", "", {"metadata": {"name": f"n{number}"}})
    with store.watching(1) as (missed, _):
        assert len(missed) == 10_000
    with pytest.raises(ApiError, match="too old resource version"), store.watching(0):
        pass


async def test_no_process_is_left_when_the_cluster_goes(tmp_path: Path):
    async with cluster(Pki(tmp_path), tmp_path, [node("n", "demo")]) as running, client(running) as http:
        await prepared(http)
        await http.post(JOBS, json=job("p", "demo"))
        await until(http, "Running")
    assert agents() == b""


async def test_a_bookmark_promises_no_change_that_was_not_told(running: Cluster, monkeypatch: pytest.MonkeyPatch):
    """A watch may end in the very moment in which something changes: whoever goes on from its bookmark gets that."""

    async def late(_seconds, missed, _queue):
        for event in missed:
            yield event
        running.store.add("configmaps", "ns", {"metadata": {"name": "late"}})

    monkeypatch.setattr(api, "_for", late)
    async with client(running) as http:
        await prepared(http)
        asked = {"watch": "true", "resourceVersion": "1", "allowWatchBookmarks": "true"}
        told = [json.loads(line) for line in (await http.get(PODS, params=asked)).text.splitlines()]
        (bookmark,) = [one["object"] for one in told if one["type"] == "BOOKMARK"]
        late_one = running.store.get(Key("configmaps", "ns", "late"))
        assert int(bookmark["metadata"]["resourceVersion"]) < int(late_one["metadata"]["resourceVersion"])
