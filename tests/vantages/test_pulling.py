"""Pulls for proof in the stand-in cluster: what the kubelet says is written down, and nothing of the pull stays."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from builders.played import SHORT, VANTAGE, Heard, Scene, plan_for, scene
from msgspec.structs import replace

from preflight.kube import pools, pull_jobs
from preflight.kube.pools import Wish
from preflight.lab.cluster import errors
from preflight.lab.cluster.store import Key, Selector
from preflight.lab.cluster.whole import IMAGE, node
from preflight.model.plan import Proxy, Target, Task, VantagePlan
from preflight.model.secret import Secret
from preflight.model.vocabulary import ProbeName, VantageKind
from preflight.vantages.cluster import ClusterVantage
from preflight.vantages.nonce import Wish as NonceWish
from preflight.vantages.nonce import fresh
from preflight.vantages.pulling import NO_SECRET, Pulling, Terms

ACR = "acrprod.azurecr.io"
MODEL = f"{ACR}/ml/model:v3"
LOGIN = {"registry_user": Secret("puller"), "registry_password": Secret("p@ss-w0rd")}
UNTRUSTED = "failed to do request: tls: failed to verify certificate: x509: certificate signed by unknown authority"
RESET = "failed to do request: read tcp 10.0.0.4:1->20.1.1.1:443: read: connection reset by peer"


def pull(image: str = MODEL, *secrets: str) -> Task:
    target = Target(scheme="https", host=image.partition("/")[0], port=443, path="/v2/")
    key = f"pull:{target.hostport}"
    return Task(key=key, probe=ProbeName.PULL, target=target, params={"image": image}, secrets=secrets)


def kubelet(at: Scene, answer: str | Callable[[], Awaitable[str | None]] | None) -> None:
    """What becomes of every pull but the probe image's."""

    async def pulling(image: str) -> str | None:
        if image == IMAGE:
            return None
        await asyncio.sleep(0.1)  # long enough to be seen
        return await answer() if callable(answer) else answer

    at.played.kubelet.pull = pulling
    at.played.kubelet.back_off_s = 0.2


@contextlib.asynccontextmanager
async def pulls(tmp_path: Path, *tasks: Task, terms: Terms, kubelet_says=None, secrets=None) -> AsyncIterator[tuple]:
    """Facts of the hops by task, all observed tasks, the scene's pull pods and Secrets as they were, and `left`."""
    (place,) = pools.place([node("x", "demo")], Wish(kinds=(VantageKind.NODE,))).places
    heard = Heard()
    async with scene(tmp_path) as at:
        kubelet(at, kubelet_says)
        pulling = Pulling(terms)
        vantage = ClusterVantage(at.running, place, (IMAGE,), SHORT, pulling=pulling)
        plan = plan_for(1)
        seen_pods: dict[str, dict] = {}
        watching = asyncio.create_task(_watch(at, seen_pods))
        facts = await vantage(replace(plan, tasks=(*plan.tasks, *tasks)), secrets or {}, heard)
        watching.cancel()
        made = at.played.store.select(Selector("secrets"))
        yield facts, {one.task: one for one in heard.observations}, list(seen_pods.values()), made, pulling


async def _watch(at: Scene, seen: dict[str, dict]) -> None:
    while True:
        for pod in at.played.store.select(Selector("pods")):
            if pull_jobs.PULLED_AT in (pod["metadata"].get("annotations") or {}):
                seen[pod["metadata"]["name"]] = pod
        await asyncio.sleep(0.01)


def told(observation) -> dict[str, str]:
    (hop,) = observation.hops
    return hop.service


async def test_a_pull_goes_on_beside_the_agent_on_its_node_and_is_one_observation(tmp_path: Path):
    async with pulls(tmp_path, pull(), terms=Terms(registry=HERE)) as (facts, seen, pods, _, pulling):
        assert facts.complete
        assert set(seen) == {"one0", f"pull:{ACR}:443"}
        said = told(seen[f"pull:{ACR}:443"])
        assert (said["result"], said["node"], said["login"]) == ("pulled", "aks-demo-0", "as the kubelet itself")
        assert seen[f"pull:{ACR}:443"].vantage == VANTAGE
        assert [pod["spec"]["nodeName"] for pod in pods] == ["aks-demo-0"]
        assert pulling.left == (("aks-demo-0", MODEL),)


async def test_a_definite_refusal_is_told_at_once_with_the_kubelet_s_words(tmp_path: Path):
    async with pulls(tmp_path, pull(), terms=Terms(), kubelet_says=UNTRUSTED) as (_, seen, _pods, _, pulling):
        said = told(seen[f"pull:{ACR}:443"])
        assert (said["result"], said["message"]) == ("failed", UNTRUSTED)
        assert pulling.left == ()


async def test_what_may_pass_is_tried_twice(tmp_path: Path):
    answers = iter([RESET, None])

    async def next_one() -> str | None:
        return next(answers)

    async with pulls(tmp_path, pull(), terms=Terms(), kubelet_says=next_one) as (_, seen, *_):
        assert told(seen[f"pull:{ACR}:443"])["result"] == "pulled"
    async with pulls(tmp_path, pull(), terms=Terms(), kubelet_says=RESET) as (_, seen, *_):
        assert told(seen[f"pull:{ACR}:443"])["message"].endswith("connection reset by peer")


async def test_a_registry_that_is_silent_is_given_up_at_the_deadline(tmp_path: Path):
    async def never() -> str | None:
        await asyncio.sleep(60)
        return None

    async with pulls(tmp_path, pull(), terms=Terms(start_s=2.0), kubelet_says=never) as (_, seen, *_):
        said = told(seen[f"pull:{ACR}:443"])
        assert (said["result"], said["limit"]) == ("no-answer", "2")


HERE = f"{ACR}:443"
CREDENTIALS = [
    (Terms(registry=HERE), True, "with the credentials of preflight.toml", 1),
    (Terms(registry=HERE, registry_secret="acr"), True, "with pull secret acr", 1),
    (
        Terms(registry=f"{ACR}:443", registry_secret="acr", pull_secrets=("more",)),
        True,
        "with pull secret acr, more",
        2,
    ),
    (Terms(registry=HERE, pull_secrets=("more",)), False, "with pull secret more", 1),
    (Terms(registry=HERE, registry_secret=NO_SECRET, pull_secrets=("more",)), True, "as the kubelet itself", 0),
    (Terms(registry="other.azurecr.io:443", pull_secrets=("more",)), True, "as the kubelet itself", 0),
]


@pytest.mark.parametrize(("terms", "given", "login", "number"), CREDENTIALS)
async def test_the_kubelet_pulls_as_the_model_would(tmp_path: Path, terms: Terms, given: bool, login: str, number: int):
    task = pull(MODEL, *(LOGIN if given else ()))
    async with pulls(tmp_path, task, terms=terms, secrets=LOGIN if given else {}) as (_, seen, pods, made, _pulling):
        assert told(seen[task.key])["login"] == login
        assert [len(pod["spec"]["imagePullSecrets"]) for pod in pods] == [number]
        kinds = [one for one in made if one.get("type") == "kubernetes.io/dockerconfigjson"]
        assert len(kinds) == (login == "with the credentials of preflight.toml")
        assert "p@ss-w0rd" not in str(pods)
        assert "p@ss-w0rd" not in str(seen)


async def test_a_pool_without_a_node_is_told_and_not_guessed(tmp_path: Path):
    (place,) = pools.place([node("x", "nosuch")], Wish(kinds=(VantageKind.NODE,))).places
    heard = Heard()
    async with scene(tmp_path, pool="nosuch") as at:
        vantage = ClusterVantage(at.running, place, (IMAGE,), SHORT, pulling=Pulling(Terms()))
        plan = plan_for(1)
        facts = await vantage(replace(plan, tasks=(*plan.tasks, pull())), {}, heard)
    assert facts.error_cause == "pod.unschedulable"
    assert told(heard.observations[-1])["trouble"] == "vantage.not-run"


async def with_trust(at: Scene, heard: Heard):
    (place,) = pools.place([node("x", "demo")], Wish(kinds=(VantageKind.NODE,))).places
    vantage = ClusterVantage(at.running, place, (IMAGE,), SHORT, node_trust=True)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(1)
        return await vantage(plan_for(sock.getsockname()[1]), {}, heard)


async def test_the_node_s_certificates_are_compared_where_they_may_be_mounted(tmp_path: Path):
    async with scene(tmp_path) as at:
        facts = await with_trust(at, Heard())
    assert facts.complete
    assert "certificates, 0 of them not in the probe's store" in facts.node_trust  # every node is this machine


async def test_a_namespace_that_admits_no_host_path_costs_the_comparison_and_nothing_else(tmp_path: Path):
    def baseline(key: Key, body: dict) -> None:
        if key.resource == "pods" and any("hostPath" in one for one in body["spec"].get("volumes") or []):
            raise errors.forbidden("pods", "p", 'violates PodSecurity "baseline:latest": hostPath volumes')

    heard = Heard()
    async with scene(tmp_path) as at:
        at.played.store.admission = baseline
        facts = await with_trust(at, heard)
    assert (facts.complete, facts.node_trust, heard.tasks) == (True, "", ["one0"])
    assert any("may not be mounted" in notice and "hostPath volumes" in notice for notice in facts.notices)


@pytest.mark.parametrize(
    ("fallback", "result", "trouble"), [(MODEL, "pulled", None), ("", "not-tried", "pull.not-pushed")]
)
async def test_without_the_fresh_image_the_one_of_the_file_is_pulled_and_the_reason_is_told(
    tmp_path: Path, fallback: str, result: str, trouble: str | None
):
    (place,) = pools.place([node("x", "demo")], Wish(kinds=(VantageKind.NODE,))).places
    closed = Target(scheme="https", host="127.0.0.1", port=1, path="/v2/")
    here = VantagePlan(run_id="r1", vantage="workstation", tasks=(), proxy=Proxy(from_environment=False))
    task = replace(pull(), key="pull:127.0.0.1:1", target=closed, params={"image": "127.0.0.1:1/preflight/nonce:r1"})
    heard = Heard()
    async with (
        fresh(NonceWish(target=closed, repository="preflight/nonce", plan=here), {}) as nonce,
        scene(tmp_path) as at,
    ):
        pulling = Pulling(Terms(fallback=fallback), nonce)
        vantage = ClusterVantage(at.running, place, (IMAGE,), SHORT, pulling=pulling)
        plan = plan_for(1)
        await vantage(replace(plan, tasks=(*plan.tasks, task)), {}, heard)
    said = told(next(one for one in heard.observations if one.task == task.key))
    assert (said["result"], said.get("trouble"), said.get("image", "")) == (result, trouble, fallback)
    assert said["not_pushed"] == "127.0.0.1 was not reached (ECONNREFUSED)"
