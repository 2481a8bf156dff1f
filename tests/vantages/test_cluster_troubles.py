"""Whatever ends or disturbs a probe in the cluster is told by its cause, loses no line, and leaves nothing behind.

Against the stand-in, with agents that the tests speak for; texts are those of Kubernetes (see tests/kube).
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from builders.played import SHORT, Agent, Heard, Scene, inside, left, plan_for, scene, script

from preflight import __version__
from preflight.kube import objects, pools, sweep
from preflight.kube.client import Access, connect
from preflight.kube.operation import Operation, Stay
from preflight.kube.pools import Wish
from preflight.lab.cluster import errors
from preflight.lab.cluster.errors import ApiError
from preflight.lab.cluster.store import Key, Selector
from preflight.lab.cluster.whole import IMAGE, cluster, node
from preflight.lab.pki import Pki
from preflight.model.observation import VantageFacts
from preflight.model.vocabulary import VantageKind
from preflight.vantages.cluster import ClusterVantage
from preflight.vantages.collected import Collected

NOT_FOUND = (
    'rpc error: code = NotFound desc = failed to pull and unpack image "{0}": failed to resolve reference "{0}": '
    "{0}: not found"
)
LATER = 'rpc error: code = Unknown desc = failed to resolve reference "{0}": dial tcp 10.250.1.2:443: i/o timeout'
PODS = Selector("pods")


async def whole(agent: Agent) -> int:
    """Says everything and ends."""
    await agent.hello()
    await agent.see(*range(len(agent.plan.tasks)))
    return await agent.end()


class Held:
    """Says one observation, and the rest when it is let."""

    def __init__(self, *, with_summary: bool = True) -> None:
        self.go = asyncio.Event()
        self._with_summary = with_summary

    async def __call__(self, agent: Agent) -> int:
        await agent.hello()
        await agent.see(0)
        if not await agent.unless_stopped(self.go):
            return 143
        await agent.see(*range(1, len(agent.plan.tasks)))
        return await agent.end(with_summary=self._with_summary)


def begun(at: Scene, heard: Heard, **limits: float) -> asyncio.Task[VantageFacts]:
    return asyncio.create_task(at.vantage(plan_for(9, tasks=3, **limits), {}, heard))


async def test_an_image_that_cannot_be_pulled_gives_way_to_the_next(tmp_path: Path):
    async def pull(image: str) -> str | None:
        return NOT_FOUND.format(image) if image == "r/first:1" else None

    heard = Heard()
    async with scene(tmp_path, "r/first:1", "r/second:1") as at:
        at.played.kubelet.pull, at.played.kubelet.play = pull, script(whole)
        facts = await begun(at, heard)
        pods = at.played.store.select(PODS)
    assert (facts.complete, heard.tasks) == (True, ["one0", "one1", "one2"])
    assert "image r/second:1" in facts.place
    assert "image r/first:1 could not be used (pull.not-found)" in facts.notices[0]
    assert [one["spec"]["containers"][0]["image"] for one in pods] == ["r/second:1"]


async def test_a_pull_that_fails_for_a_moment_gets_its_second_try(tmp_path: Path):
    answers = [LATER.format("r/p:1"), None]

    async def pull(_image: str) -> str | None:
        return answers.pop(0)

    async with scene(tmp_path, "r/p:1", patience=msgspec.structs.replace(SHORT, again=15.0)) as at:
        at.played.kubelet.pull, at.played.kubelet.play, at.played.kubelet.back_off_s = pull, script(whole), 0.05
        facts = await begun(at, Heard())
    assert facts.complete


async def test_no_image_that_can_be_pulled_is_the_last_one_s_cause_in_the_kubelet_s_words(tmp_path: Path):
    async def pull(image: str) -> str | None:
        return LATER.format(image)

    async with scene(tmp_path, "r/p:1") as at:
        at.played.kubelet.pull, at.played.kubelet.back_off_s = pull, 0.05
        facts = await begun(at, Heard())
    assert facts.error_cause == "pull.timeout"
    assert "dial tcp 10.250.1.2:443: i/o timeout" in (facts.error or "")


async def test_a_pool_without_a_node_is_unschedulable_with_the_scheduler_s_words(tmp_path: Path):
    async with scene(tmp_path, pool="gone") as at:
        facts = await begun(at, Heard())
    assert facts.error_cause == "pod.unschedulable"
    assert "0/1 nodes are available" in (facts.error or "")


WEBHOOK = errors.denied("validation.gatekeeper.sh", "[azurepolicy-k8sazurev3hostnetworkingports-a1] hostNetwork")
POD_SECURITY = 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
QUOTA = "exceeded quota: none, requested: {0}=1, used: {0}=0, limited: {0}=0"
TERMINATING = "unable to create new content in namespace x because it is being terminated"


@pytest.mark.parametrize(
    ("resource", "error", "cause"),
    [
        ("jobs", errors.forbidden("jobs", "p", QUOTA.format("count/jobs.batch")), "pod.quota-exceeded"),
        ("jobs", WEBHOOK, "pod.admission-denied"),
        ("jobs", errors.forbidden("jobs", "p", TERMINATING), "kube.namespace-gone"),
        ("jobs", ApiError(429, "TooManyRequests", "too many requests, please try again later."), "kube.throttled"),
        ("pods", errors.forbidden("pods", "p", QUOTA.format("pods")), "pod.quota-exceeded"),
        ("pods", errors.forbidden("pods", "p", POD_SECURITY), "pod.admission-denied"),
    ],
    ids=["quota of jobs", "webhook", "terminating", "throttled", "quota of pods", "Pod Security"],
)
async def test_what_the_cluster_does_not_admit_is_told_in_its_own_words(
    tmp_path: Path, resource: str, error: ApiError, cause: str
):
    def refuse(key: Key, body: dict) -> None:
        probe = resource == "pods" or body["spec"].get("parallelism") == 1 if key.resource == resource else False
        if probe:
            raise error

    async with scene(tmp_path) as at:
        at.played.store.admission = refuse
        facts = await begun(at, Heard())
    assert facts.error_cause == cause
    assert error.message in (facts.error or "")


async def test_a_right_that_is_missing_is_told_in_the_api_server_s_words(tmp_path: Path):
    async with scene(tmp_path) as at:
        at.played.api.allow = lambda verb, resource: (verb, resource) != ("create", "jobs")
        facts = await begun(at, Heard())
    assert facts.error_cause == "kube.forbidden"
    assert 'cannot create resource "jobs"' in (facts.error or "")


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        ("evicted", "pod.evicted"),
        ("out of memory", "pod.out-of-memory"),
        ("deleted", "pod.gone"),
        ("deadline", "pod.deadline"),
    ],
)
async def test_what_ends_a_pod_in_mid_run_is_its_cause_and_what_was_seen_stays(
    tmp_path: Path, trouble: str, cause: str
):
    heard = Heard()
    quick = msgspec.structs.replace(SHORT, farewell=0.2)
    async with scene(tmp_path, patience=quick) as at:
        at.played.kubelet.play = script(Held())
        running = begun(at, heard, run_deadline_s=0.5 if trouble == "deadline" else 60.0)
        await heard.until(observations=1)
        match trouble:
            case "evicted":
                at.played.kubelet.evict(at.pod)
            case "out of memory":
                at.played.kubelet.out_of_memory(at.pod)
            case "deleted":
                at.played.store.remove(at.pod)
            case _:
                pass
        facts = await running
    assert (facts.complete, facts.error_cause) == (False, cause)
    assert "1 of 3 observations arrived" in (facts.error or "")
    assert heard.tasks == ["one0"]


async def test_a_log_that_breaks_in_the_middle_is_read_on_and_no_line_is_lost_or_doubled(tmp_path: Path):
    heard, held = Heard(), Held(with_summary=False)
    async with scene(tmp_path) as at:
        at.played.kubelet.play = script(held)
        running = begun(at, heard)
        await heard.until(observations=1)
        for _ in range(3):
            await at.played.drop()
        held.go.set()
        facts = await running
        reads = at.played.api.calls.count("get pods/log")
    assert (facts.complete, heard.tasks) == (True, ["one0", "one1", "one2"])
    assert reads > 1


async def test_lines_that_come_twice_or_are_foreign_count_once_or_never(tmp_path: Path):
    async def twice(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for line in lines:
            yield b"a sidecar says: @preflight@ {broken\n"
            yield line
            yield line

    heard = Heard()
    async with scene(tmp_path) as at:
        at.played.kubelet.play, at.played.kubelet.through = script(whole), twice
        facts = await begun(at, heard)
    assert (facts.complete, heard.tasks) == (True, ["one0", "one1", "one2"])


async def test_a_log_that_is_cut_after_each_line_is_put_together(tmp_path: Path):
    """As a tunnel does that ends connections: each new one starts from the first line."""
    whole_lines = iter(range(1, 100))

    async def cut(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        wanted = next(whole_lines)
        async for line in lines:
            yield line
            wanted -= 1
            if not wanted:
                raise ConnectionResetError

    heard = Heard()
    patient = msgspec.structs.replace(SHORT, log=20.0)
    async with scene(tmp_path, patience=patient) as at:
        at.played.kubelet.play, at.played.kubelet.through = script(whole), cut
        facts = await begun(at, heard)
    assert (facts.complete, facts.error_cause, heard.tasks) == (True, None, ["one0", "one1", "one2"])


async def test_a_log_that_was_rotated_while_nobody_read_is_completed_by_the_second_channel(tmp_path: Path):
    """The first file's lines are gone for a new reader: what it held was heard before, or comes in the summary."""
    heard, held = Heard(), Held()
    async with scene(tmp_path) as at:
        at.played.kubelet.play = script(held)
        running = begun(at, heard)
        await heard.until(observations=1)
        at.played.api.allow = lambda _verb, resource: resource != "pods/log"
        await at.played.drop()
        held.go.set()
        async with asyncio.timeout(10):
            await at.played.store.until(lambda: at.played.store.get(at.pod)["status"]["phase"] == "Succeeded")
        at.played.kubelet.rotate(at.pod)
        at.played.api.allow = lambda _verb, _resource: True
        facts = await running
    assert (facts.error_cause, sorted(heard.tasks)) == ("kube.log-channel-broken", ["one0", "one1", "one2"])


async def test_a_rotation_under_a_reader_loses_nothing(tmp_path: Path):
    heard, held = Heard(), Held(with_summary=False)
    async with scene(tmp_path) as at:
        at.played.kubelet.play = script(held)
        running = begun(at, heard)
        await heard.until(observations=1)
        at.played.kubelet.rotate(at.pod)
        await at.played.drop()
        held.go.set()
        facts = await running
    assert (facts.complete, heard.tasks) == (True, ["one0", "one1", "one2"])


async def test_an_agent_of_another_version_that_is_understood_is_a_notice(tmp_path: Path):
    async with scene(tmp_path) as at:
        at.played.kubelet.play = script(whole, "0.0.9")
        facts = await begun(at, Heard())
    assert facts.complete
    assert facts.notices == (f"node/demo: the agent is preflight 0.0.9, this is {__version__}",)


async def speaks_another_protocol(agent: Agent) -> int:
    await agent.hello(7)
    await agent.see(0, 1, 2)
    return await agent.end(with_summary=False)


async def speaks_in_another_form(agent: Agent) -> int:
    await agent.write(
        '@preflight@ {"run_id": "r1", "seq": 0, "message": '
        '{"type": "hello", "protocol": 1, "facts": {"tool_version": "9.9.9", "where": "node/demo"}}}'
    )
    return 0


async def does_not_know_the_plan(agent: Agent) -> int:
    await agent.write("Error: /preflight/plan.json: plan of schema version 2; this preflight 0.0.1 reads version 1")
    return 2


async def does_not_know_the_option(agent: Agent) -> int:
    await agent.write("Usage: preflight agent [OPTIONS]\n\nError: No such option: --summary")
    return 2


@pytest.mark.parametrize(
    ("speak", "words"),
    [
        (speaks_another_protocol, "the probe image holds preflight 9.9.9 (protocol 7)"),
        (speaks_in_another_form, "the probe image holds preflight 9.9.9 (protocol 1)"),
        (does_not_know_the_plan, "this preflight 0.0.1 reads version 1"),
        (does_not_know_the_option, "No such option: --summary"),
    ],
)
async def test_an_agent_that_cannot_be_understood_is_version_skew_and_the_next_image_is_tried(
    tmp_path: Path, speak, words: str
):
    heard = Heard()

    async def either(container) -> int:
        image = container.pod["spec"]["containers"][0]["image"]
        return await (script(speak, "9.9.9") if image == "r/other:9" else script(whole))(container)

    async with scene(tmp_path, "r/other:9") as at:
        at.played.kubelet.play = either
        facts = await begun(at, heard)
        assert (facts.complete, facts.error_cause) == (False, "vantage.version-skew")
        assert words in (facts.error or "")
        assert heard.observations == []
    async with scene(tmp_path, "r/other:9", IMAGE) as at:
        at.played.kubelet.play = either
        facts = await begun(at, heard)
    assert facts.complete
    assert words in facts.notices[0]


async def test_results_that_are_collected_later_tell_of_another_version_too(tmp_path: Path):
    async with scene(tmp_path) as at:
        at.played.kubelet.play = script(does_not_know_the_option)
        await begun(at, Heard())
        (pod,) = at.played.store.select(PODS)
        facts = await Collected(at.client, pod)(plan_for(9, tasks=3), {}, Heard())
    assert (facts.complete, facts.error_cause) == (False, "vantage.version-skew")
    assert "No such option: --summary" in (facts.error or "")


async def test_an_api_server_that_was_lost_and_came_back_costs_nothing(tmp_path: Path):
    heard, held = Heard(), Held(with_summary=False)
    async with scene(tmp_path) as at:
        at.played.kubelet.play = script(held)
        running = begun(at, heard)
        await heard.until(observations=1)
        await at.played.lose()
        held.go.set()  # the rest is said, and the pod ends, while nobody can hear it
        async with asyncio.timeout(10):
            await at.played.store.until(lambda: at.played.store.get(at.pod)["status"]["phase"] == "Succeeded")
        await at.played.bring_back()
        facts = await running
    assert (facts.complete, facts.error_cause, heard.tasks) == (True, None, ["one0", "one1", "one2"])


async def test_an_api_server_that_does_not_come_back_is_lost_and_what_was_seen_stays(tmp_path: Path):
    heard = Heard()
    async with scene(tmp_path, patience=msgspec.structs.replace(SHORT, farewell=0.2)) as at:
        at.played.kubelet.play = script(Held())
        running = begun(at, heard, run_deadline_s=1.0)
        await heard.until(observations=1)
        await at.played.lose()
        facts = await running
        await at.played.bring_back()
    assert (facts.complete, facts.error_cause, heard.tasks) == (False, "kube.api-lost", ["one0"])


async def test_a_watch_whose_version_was_forgotten_lists_anew(tmp_path: Path):
    heard, held = Heard(), Held()
    async with scene(tmp_path) as at:
        at.played.kubelet.play = script(held)
        at.played.api.allow = lambda _verb, resource: resource != "pods/log"
        running = begun(at, heard)
        async with asyncio.timeout(10):
            await at.played.store.until(lambda: bool(at.played.store.select(PODS)))
            await at.played.store.until(lambda: at.played.store.get(at.pod)["status"]["phase"] == "Running")
            while "watch pods" not in at.played.api.calls:  # noqa: ASYNC110 - calls are counted, not told
                await asyncio.sleep(0.01)
        await at.played.lose()
        held.go.set()
        async with asyncio.timeout(10):
            await at.played.store.until(lambda: at.played.store.get(at.pod)["status"]["phase"] == "Succeeded")
        at.played.store.forget()
        await at.played.bring_back()
        await running
        lists = at.played.api.calls.count("list pods")
    assert sorted(heard.tasks) == ["one0", "one1", "one2"]
    assert lists >= 2


@pytest.mark.parametrize("namespace", [None, "shared"])
async def test_two_runs_at_once_do_not_meet(tmp_path: Path, namespace: str | None):
    """Nor does the end of one take what is the other's."""
    held, first, second = Held(), Heard(), Heard()
    async with cluster(Pki(tmp_path), tmp_path, [node("aks-demo-0", "demo")]) as played:
        if namespace is not None:
            played.store.add("namespaces", "", {"metadata": {"name": namespace}})
        played.kubelet.play = script(held)
        async with inside(played, run_id="r1", namespace=namespace) as one:
            running = begun(one, first)
            await first.until(observations=1)
            played.kubelet.play = script(whole)
            async with inside(played, run_id="r2", namespace=namespace) as other:
                plan = msgspec.structs.replace(plan_for(9, tasks=3), run_id="r2")
                facts = await other.vantage(plan, {}, second)
            held.go.set()
            assert (facts.complete, (await running).complete) == (True, True)
        assert (first.tasks, second.tasks) == (["one0", "one1", "one2"], ["one0", "one1", "one2"])
        assert left(played) == ([] if namespace is None else [namespace])


async def test_what_a_killed_run_left_goes_by_its_own_time_limits_and_its_namespace_with_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nobody leaves here; the limits are those of a run, but for their constants."""
    monkeypatch.setattr(objects, "GRACE_S", 0)
    monkeypatch.setattr(objects, "SPARE_S", 0)
    heard, patience = Heard(), msgspec.structs.replace(SHORT, goodbye=0.0)
    async with cluster(Pki(tmp_path), tmp_path, [node("aks-demo-0", "demo")]) as played:
        played.kubelet.play = script(Held())
        async with connect(Access(kubeconfig=str(played.kubeconfig))) as client:
            killed = Operation(client, Stay(run_id="r1", start_s=1, run_s=1))
            (place,) = pools.place([node("x", "demo")], Wish(kinds=(VantageKind.NODE,))).places
            running = asyncio.create_task(
                ClusterVantage(killed, place, (IMAGE,), patience)(plan_for(9, tasks=3), {}, heard)
            )
            await heard.until(observations=1)
            assert len(left(played)) == 5  # namespace, first Job, plan, Job, pod
            async with asyncio.timeout(10):
                await played.store.until(lambda: left(played) == ["preflight-r1"])
            await sweep.expired_namespaces(client, datetime.now(UTC) + timedelta(seconds=5))
            async with asyncio.timeout(10):
                await played.store.until(lambda: left(played) == [])
            assert (await running).error_cause == "pod.gone"
            await killed._settled()


async def test_clean_finds_and_removes_what_was_left_and_nothing_else(tmp_path: Path):
    heard = Heard()
    async with cluster(Pki(tmp_path), tmp_path, [node("aks-demo-0", "demo")]) as played:
        played.kubelet.play = script(Held())
        async with inside(played) as at:
            at.played.store.add("configmaps", "default", {"metadata": {"name": "mine"}})
            running = begun(at, heard)
            await heard.until(observations=1)
            found = await sweep.find(at.client)
            for one in found:
                await at.client.delete(one.path)
            facts = await running
        assert [one.kind for one in found] == ["Namespace"]
        assert facts.error_cause == "pod.gone"
        assert left(played) == ["mine"]
