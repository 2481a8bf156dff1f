"""A Job from its creation to its running container: what it waits for, and why waiting is in vain. Judges nothing."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from preflight.judge import pulls
from preflight.kube import pods
from preflight.kube.operation import Operation

Json = dict[str, Any]
LOST: Final = "kube.api-lost"
OF_IMAGE: Final = ("pull.", "pod.wrong-architecture", "pod.agent-failed")  # beginnings: what another image may cure


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a place waits for what; seconds."""

    start: float = 330.0  # for a probe to start: longer than containerd waits for a registry
    unschedulable: float = 30.0  # for the scheduler to find a node after all
    again: float = 25.0  # for a second try of a pull that failed ambiguously: the kubelet waits 10 s
    log: float = 5.0  # for more of the log when the pod has ended
    crowded: float = 20.0  # the same among so many places that both ends are busy
    farewell: float = 15.0  # beyond the run's deadline, for the closing line
    goodbye: float = 3.0  # for what a probe has seen so far, when the run is interrupted


class Failed(Exception):  # noqa: N818 - how one attempt ended
    """The pod will not do what it was made for."""

    def __init__(self, cause: str, text: str) -> None:
        self.cause, self.text = cause, text
        super().__init__(text)


class Start:
    """The start of one Job's pod; `node` is known as soon as anything is."""

    def __init__(
        self,
        running: Operation,
        created: Json,
        patience: Patience,
        *,
        placed: Callable[[str], None] = lambda _node: None,
    ) -> None:
        self._running, self._board, self._patience = running, running.board, patience
        self._placed = placed  # told, maybe often, as soon as the scheduler has chosen a node
        self.job, self._uid = created["metadata"]["name"], created["metadata"]["uid"]
        self.node = ""

    async def pod(self) -> Json:
        """The pod, once its container runs or has run. Raises `Failed` or `ClusterFailure`."""
        begin = time.monotonic()
        waiting = _Waiting(self._patience, begin)
        while True:
            pod = self._board.pod(self.job)
            if self._board.deleted(self.job):
                raise Failed("pod.gone", "the probe's pod was deleted before it started")
            state = pods.read(pod) if pod is not None else None
            if node := pods.scheduled_on(pod):
                self._placed(node)
            if pod is not None and isinstance(state, pods.Running | pods.Ended):
                self.node = state.node
                return pod
            await self._look(state, pod, waiting)
            if time.monotonic() - begin > self._patience.start:
                raise await self._never_started(pod, state)
            await self._board.changed(self.job, pod, waiting.pause(state))

    async def _look(self, state: pods.State | None, pod: Json | None, waiting: "_Waiting") -> None:
        """Raises `Failed` when it is known that waiting is in vain."""
        match state:
            case None:
                if (
                    waiting.asks_why()
                    and (trouble := pods.refused(await self._running.of_jobs.about(self._uid))) is not None
                ):
                    raise Failed(trouble.cause, trouble.text)
            case pods.Trouble(cause=cause, text=text):
                raise Failed(cause, text)
            case pods.Unschedulable(text=text):
                if waiting.for_a_node():
                    raise Failed("pod.unschedulable", f"no node for the probe: {text}")
            case pods.PullFails() if pod is not None:
                await self._look_at_pull(state, pod, waiting)
            case _:
                pass

    async def _look_at_pull(self, state: pods.PullFails, pod: Json, waiting: "_Waiting") -> None:
        text = state.text
        if not pulls.says_why(text):
            text = waiting.pull_error or pods.pull_error(
                await self._running.of_pods.about(pod["metadata"]["uid"]), state
            )
        pull = pulls.classify(text)
        if state.final or not pull.ambiguous or waiting.for_a_pull(text):
            node = (pod.get("spec") or {}).get("nodeName", "")
            self.node = str(node)
            raise Failed(pull.cause, f"{node} cannot pull the probe image: {text}")

    async def _never_started(self, pod: Json | None, state: pods.State | None) -> Failed:
        limit = f"after {self._patience.start:.0f} s"
        if self._board.lost_since is not None:
            return Failed(LOST, f"the API server was lost before the probe started: {self._board.why_lost}")
        if pod is None:
            return Failed("pod.not-started", f"the Job has no pod {limit}, and nothing says why")
        events = await self._running.events(pod["metadata"]["uid"])
        reasons = [event.get("reason") for event in events]
        if "Pulling" in reasons and "Pulled" not in reasons:
            return Failed("pull.no-answer", f"the kubelet is still pulling the probe image {limit}")
        return Failed("pod.not-started", f"the probe has not started {limit}: {pods.delay(events) or state}")


class _Waiting:
    """What was waited for so far, so that each patience ends in time."""

    def __init__(self, patience: Patience, begin: float) -> None:
        self._patience, self._begin = patience, begin
        self._next_question = begin + 2.0
        self._question_pause = 2.0
        self._no_node_since: float | None = None
        self._pull_failed_since: float | None = None
        self.pull_error = ""

    def asks_why(self) -> bool:
        """Whether it is time to ask why there is no pod: after 2 s, then half as often each time."""
        now = time.monotonic()
        if now < self._next_question:
            return False
        self._question_pause *= 2
        self._next_question = now + self._question_pause
        return True

    def for_a_node(self) -> bool:
        """Whether the scheduler had its time."""
        self._no_node_since = self._no_node_since or time.monotonic()
        return time.monotonic() - self._no_node_since >= self._patience.unschedulable

    def for_a_pull(self, text: str) -> bool:
        """Whether an ambiguous failure had its second try."""
        self.pull_error = text
        self._pull_failed_since = self._pull_failed_since or time.monotonic()
        return time.monotonic() - self._pull_failed_since >= self._patience.again

    def pause(self, state: pods.State | None) -> float:
        """How long to wait for a change before looking again."""
        return {type(None): 1.0, pods.Unschedulable: 5.0, pods.PullFails: 5.0}.get(type(state), 10.0)
