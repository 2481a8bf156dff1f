"""A pool's node or pod network: a Job in the cluster, its pod watched, its log read, and what went wrong told.

One instance per place. It observes through the agent and judges nothing; the causes it gives are the cluster's own
words, classified by `preflight.kube`.
"""

import asyncio
import contextlib
import time
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure
from preflight.kube import pods, pulls
from preflight.kube.objects import Probe
from preflight.kube.operation import Operation
from preflight.kube.pools import Place
from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secrets
from preflight.vantages import summary
from preflight.vantages.agent import secrets_to
from preflight.vantages.base import Emit
from preflight.vantages.listener import Listener

Json = dict[str, Any]
LOST: Final = "kube.api-lost"
CHANNEL: Final = "kube.log-channel-broken"
# What another image may cure.
_IMAGE: Final = ("pull.", "pod.wrong-architecture", "pod.agent-failed")


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a place waits for what; seconds."""

    start: float = 330.0  # for a probe to start: longer than containerd waits for a registry
    unschedulable: float = 30.0  # for the scheduler to find a node after all
    again: float = 25.0  # for a second try of a pull that failed ambiguously: the kubelet waits 10 s
    log: float = 5.0  # for the log when the pod has ended
    farewell: float = 15.0  # beyond the run's deadline, for the closing line


class _Failed(Exception):  # noqa: N818 - how one attempt ended
    def __init__(self, cause: str, text: str) -> None:
        self.cause, self.text = cause, text
        super().__init__(text)


class ClusterVantage:
    """Runs a plan at one place of the cluster, with the first of the images that can be pulled."""

    def __init__(self, running: Operation, place: Place, images: tuple[str, ...], patience: Patience) -> None:
        self._running, self._place, self._images, self._patience = running, place, images, patience

    async def __call__(self, plan: VantagePlan, secrets: Secrets, emit: Emit) -> VantageFacts:
        """Run the plan there; returns what is true of the place, or why nothing or not all was seen."""
        listener = Listener(plan, emit)
        notices: list[str] = []
        facts = listener.facts("no image was given", "vantage.not-run")
        for attempt, image in enumerate(self._images, start=1):
            one = _Attempt(self._running, self._place, plan, listener, self._patience)
            try:
                facts = await one.run(image, secrets, attempt)
            except _Failed as failed:
                facts = listener.facts(failed.text, failed.cause)
            except ClusterFailure as failure:
                facts = listener.facts(failure.text, failure.cause)
            if not (facts.error_cause or "").startswith(_IMAGE) or attempt == len(self._images):
                break
            notices.append(f"image {image} could not be used ({facts.error_cause}): {facts.error}")
            with contextlib.suppress(ClusterFailure):
                await self._running.stop(one.job)
        return msgspec.structs.replace(facts, notices=(*facts.notices, *notices), place=self._where(one, image))

    def _where(self, one: "_Attempt", image: str) -> str:
        nodes = f", {self._place.usable} of {self._place.total} nodes usable" if self._place.total else ""
        return f"{f'node {one.node}, ' if one.node else ''}pool {self._place.pool}{nodes}, image {image}"


class _Attempt:
    """One Job with one image, from its creation to its last word."""

    def __init__(
        self, running: Operation, place: Place, plan: VantagePlan, listener: Listener, patience: Patience
    ) -> None:
        self._running, self._place, self._plan = running, place, plan
        self._listener, self._patience = listener, patience
        self._board = running.board
        self._pod_ended = asyncio.Event()
        self._log_error = ""
        self.job, self._uid, self.node = "", "", ""

    async def run(self, image: str, secrets: Secrets, attempt: int) -> VantageFacts:
        """Raises `_Failed` or `ClusterFailure`."""
        created = await self._running.start(await self._probe(image, secrets, attempt))
        self.job, self._uid = created["metadata"]["name"], created["metadata"]["uid"]
        pod = await self._started()
        log = asyncio.create_task(self._read_log(pod["metadata"]["name"]))
        ending = asyncio.create_task(self._ended())
        try:
            await asyncio.wait((log, ending), return_when=asyncio.FIRST_COMPLETED)
            if self._listener.complete:
                return self._listener.facts("")
            ended = await ending
            self._pod_ended.set()
            await asyncio.wait((log,), timeout=self._patience.log)
            return self._told(ended)
        finally:
            for task in (log, ending):
                task.cancel()
            await asyncio.gather(log, ending, return_exceptions=True)

    async def _probe(self, image: str, secrets: Secrets, attempt: int) -> Probe:
        wanted = {name for task in self._plan.tasks for name in task.secrets}
        values = secrets_to({name: secret for name, secret in secrets.items() if name in wanted})
        # One plan serves every pool of a kind: the name of the vantage comes on the command line.
        shared = msgspec.structs.replace(self._plan, vantage=self._place.kind.value)
        return Probe(
            place=self._place,
            image=image,
            plan_map=await self._running.plan_map(msgspec.json.encode(shared).decode()),
            secret=await self._running.secret(values) if values else None,
            variables=tuple(sorted(values)),
            attempt=attempt,
        )

    async def _started(self) -> Json:
        """The pod, once its container runs or has run."""
        begin = time.monotonic()
        waiting = _Waiting(self._patience, begin)
        while True:
            pod = self._board.pod(self.job)
            if self._board.deleted(self.job):
                raise _Failed("pod.gone", "the probe's pod was deleted before it started")
            state = pods.read(pod) if pod is not None else None
            if pod is not None and isinstance(state, pods.Running | pods.Ended):
                self.node = state.node
                return pod
            await self._look(state, pod, waiting)
            if time.monotonic() - begin > self._patience.start:
                raise await self._never_started(pod, state)
            await self._board.changed(self.job, pod, waiting.pause(state))

    async def _look(self, state: pods.State | None, pod: Json | None, waiting: "_Waiting") -> None:
        """Raises `_Failed` when it is known that waiting is in vain."""
        match state:
            case None:
                if waiting.asks_why() and (trouble := pods.refused(await self._running.events(self._uid))) is not None:
                    raise _Failed(trouble.cause, trouble.text)
            case pods.Trouble(cause=cause, text=text):
                raise _Failed(cause, text)
            case pods.Unschedulable(text=text):
                if waiting.for_a_node():
                    raise _Failed("pod.unschedulable", f"no node for the probe: {text}")
            case pods.PullFails() if pod is not None:
                await self._look_at_pull(state, pod, waiting)
            case _:
                pass

    async def _look_at_pull(self, state: pods.PullFails, pod: Json, waiting: "_Waiting") -> None:
        text = state.text
        if not pulls.says_why(text):
            text = waiting.pull_error or pods.pull_error(await self._running.events(pod["metadata"]["uid"]), state)
        pull = pulls.classify(text)
        if state.final or not pull.ambiguous or waiting.for_a_pull(text):
            node = (pod.get("spec") or {}).get("nodeName", "")
            self.node = str(node)
            raise _Failed(pull.cause, f"{node} cannot pull the probe image: {text}")

    async def _never_started(self, pod: Json | None, state: pods.State | None) -> _Failed:
        limit = f"after {self._patience.start:.0f} s"
        if self._board.lost_since is not None:
            return _Failed(LOST, f"the API server was lost before the probe started: {self._board.why_lost}")
        if pod is None:
            return _Failed("pod.not-started", f"the Job has no pod {limit}, and nothing says why")
        events = await self._running.events(pod["metadata"]["uid"])
        reasons = [event.get("reason") for event in events]
        if "Pulling" in reasons and "Pulled" not in reasons:
            return _Failed("pull.no-answer", f"the kubelet is still pulling the probe image {limit}")
        return _Failed("pod.not-started", f"the probe has not started {limit}: {pods.delay(events) or state}")

    async def _ended(self) -> pods.Ended:
        """The pod's last state. Raises `_Failed` when it was lost on the way."""
        ends = time.monotonic() + self._plan.limits.run_deadline_s + self._patience.farewell
        while (left := ends - time.monotonic()) > 0:
            pod = self._board.pod(self.job)
            if pod is not None:
                state = pods.read(pod)
                if isinstance(state, pods.Ended):
                    return state
                if isinstance(state, pods.Trouble):
                    raise _Failed(state.cause, state.text)
            if self._board.deleted(self.job):
                raise _Failed("pod.gone", f"the probe's pod on {self.node} was deleted while it ran")
            await self._board.changed(self.job, pod, left)
        if self._board.lost_since is not None:
            raise _Failed(LOST, f"the API server was lost while the probe ran: {self._board.why_lost}")
        raise _Failed("pod.deadline", f"the probe on {self.node} did not finish within the run's deadline")

    async def _read_log(self, pod: str) -> None:
        """Read the log until its closing line; after a break from the start again, since each line counts once."""
        pause = 0.3
        while not self._listener.complete:
            over = self._pod_ended.is_set()
            try:
                async with contextlib.aclosing(self._running.log(pod)) as lines:
                    async for line in lines:
                        self._listener.feed(line)
            except ClusterFailure as failure:
                self._log_error = failure.text
            else:
                self._log_error = ""
                if over:
                    return
            if not self._listener.complete:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 3.0)

    def _told(self, ended: pods.Ended) -> VantageFacts:
        """The pod has ended; what the log lacks may have come as its termination message."""
        if self._listener.complete:
            return self._listener.facts("")
        second = summary.unpack(self._plan, ended.message)
        if second is not None:
            self._listener.add(second)
            why = f": {self._log_error}" if self._log_error else ""
            text = f"the log of the probe on {ended.node} could not be read{why}; its termination message arrived"
            return msgspec.structs.replace(self._listener.facts(text, CHANNEL), error=text, error_cause=CHANNEL)
        said = ended.message.strip().splitlines()[-1][:300] if ended.message.strip() else "no message"
        if ended.exit_code != 0:
            text = f"the agent on {ended.node} ended with exit code {ended.exit_code}: {said}"
            raise _Failed("pod.agent-failed", text)
        raise _Failed(CHANNEL, f"the log of the probe on {ended.node} could not be read: {self._log_error or said}")


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
