"""A pool's node or pod network: a Job in the cluster, its pod watched, its log read, and what went wrong told.

One instance per place. It observes through the agent and judges nothing; the causes it gives are the cluster's own
words, classified by `preflight.kube`.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure
from preflight.kube import pods
from preflight.kube.objects import Probe
from preflight.kube.operation import Operation
from preflight.kube.pools import Place
from preflight.model.observation import VantageFacts
from preflight.model.plan import Task, VantagePlan
from preflight.model.secret import SERVICE_ACCOUNT, Secrets
from preflight.model.vocabulary import ProbeName, VantageKind
from preflight.vantages import skew, summary
from preflight.vantages.agent import secrets_to
from preflight.vantages.base import Emit
from preflight.vantages.listener import Listener
from preflight.vantages.peers import Peers
from preflight.vantages.pulling import Pulling
from preflight.vantages.starting import LOST, OF_IMAGE, Failed, Patience, Start

Json = dict[str, Any]
CHANNEL: Final = "kube.log-channel-broken"
_REFUSED: Final = "pod.admission-denied"
_IMAGE: Final = (*OF_IMAGE, skew.CAUSE)


class ClusterVantage:
    """Runs a plan at one place of the cluster, with the first of the images that can be pulled."""

    def __init__(
        self,
        running: Operation,
        place: Place,
        images: tuple[str, ...],
        patience: Patience,
        *,
        peers: Peers | None = None,
        pulling: Pulling | None = None,
        node_trust: bool = False,
    ) -> None:
        self._running, self._place, self._images, self._patience = running, place, images, patience
        self._peers, self._pulling = peers, pulling
        self._node_trust = node_trust and place.kind is VantageKind.NODE

    async def __call__(self, plan: VantagePlan, secrets: Secrets, emit: Emit) -> VantageFacts:
        """Run the plan there, the agent's part and the kubelet's; returns what is true of the place, or why not all."""
        mine = tuple(task for task in plan.tasks if task.probe is ProbeName.PULL)
        agents = msgspec.structs.replace(plan, tasks=tuple(task for task in plan.tasks if task not in mine))
        where: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            speaking = group.create_task(self._speak(agents, secrets, emit, where))
            if self._pulling is not None:
                for task in mine:
                    group.create_task(self._pull(self._pulling, task, secrets, emit, where))
        return speaking.result()

    async def _pull(
        self, pulling: Pulling, task: Task, secrets: Secrets, emit: Emit, where: "asyncio.Future[str]"
    ) -> None:
        """Beside the probe, on its node: both then meet the same network."""
        emit(await pulling.observe(self._running, task, self._place, await asyncio.shield(where), secrets))

    async def _speak(
        self, plan: VantagePlan, secrets: Secrets, emit: Emit, where: "asyncio.Future[str]"
    ) -> VantageFacts:
        """The agent's part; `where` is set to its node as soon as that is known, to "" when it never will be."""

        def placed(node: str) -> None:
            if not where.done():
                where.set_result(node)

        try:
            return await self._agent(plan, secrets, emit, placed)
        finally:
            placed("")

    async def _agent(
        self, plan: VantagePlan, secrets: Secrets, emit: Emit, placed: Callable[[str], None]
    ) -> VantageFacts:
        listener = Listener(plan, emit)
        notices: list[str] = []
        facts = listener.facts("no image was given", "vantage.not-run")
        images, attempt, mounts = list(self._images), 0, self._node_trust
        while images:
            image, attempt = images[0], attempt + 1
            one = _Attempt(self._running, self._place, plan, listener, self._patience, peers=self._peers, placed=placed)
            try:
                facts = await one.run(image, secrets, attempt, node_trust=mounts)
            except Failed as failed:
                facts = listener.facts(failed.text, failed.cause)
            except ClusterFailure as failure:
                facts = listener.facts(failure.text, failure.cause)
            if mounts and facts.error_cause == _REFUSED:
                mounts = False  # nothing is judged by it: the probe goes without
                notices.append(f"--node-trust: the node's certificates may not be mounted: {facts.error}")
            elif (facts.error_cause or "").startswith(_IMAGE) and len(images) > 1:
                notices.append(f"image {images.pop(0)} could not be used ({facts.error_cause}): {facts.error}")
            else:
                break
            with contextlib.suppress(ClusterFailure):
                await self._running.stop(one.job)
        return msgspec.structs.replace(facts, notices=(*facts.notices, *notices), place=self._where(one, image))

    def _where(self, one: "_Attempt", image: str) -> str:
        nodes = f", {self._place.usable} of {self._place.total} nodes usable" if self._place.total else ""
        return f"{f'node {one.node}, ' if one.node else ''}pool {self._place.pool}{nodes}, image {image}"


class _Attempt:
    """One Job with one image, from its creation to its last word."""

    def __init__(
        self,
        running: Operation,
        place: Place,
        plan: VantagePlan,
        listener: Listener,
        patience: Patience,
        *,
        peers: Peers | None,
        placed: Callable[[str], None],
    ) -> None:
        self._running, self._place, self._plan = running, place, plan
        self._listener, self._patience, self._peers = listener, patience, peers
        self._placed = placed
        self._board = running.board
        self._pod_ended = asyncio.Event()
        self._log_error = ""
        self.job, self.node = "", ""

    async def run(self, image: str, secrets: Secrets, attempt: int, *, node_trust: bool = False) -> VantageFacts:
        """Raises `Failed` or `ClusterFailure`."""
        probe = msgspec.structs.replace(await self._probe(image, secrets, attempt), node_trust=node_trust)
        start = Start(self._running, await self._running.start(probe), self._patience, placed=self._placed)
        self.job = start.job
        try:
            pod = await start.pod()
        finally:
            self.node = start.node
        ending = asyncio.create_task(self._ended())
        try:
            slots, limit_s = self._running.followed, self._patience.log
            if slots.locked():  # so many logs at once are a load on the API server and on this process
                await asyncio.wait((ending,))
                slots, limit_s = self._running.reading, self._patience.crowded
            async with slots:
                return await self._heard(pod["metadata"]["name"], ending, limit_s)
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
            self._board.forget(self.job)

    async def _heard(self, pod: str, ending: asyncio.Task[pods.Ended], limit_s: float) -> VantageFacts:
        """Read the log until it is complete, or nothing more has come for a moment after the pod's end."""
        log = asyncio.create_task(self._read_log(pod))
        try:
            await asyncio.wait((log, ending), return_when=asyncio.FIRST_COMPLETED)
            if self._listener.complete:
                return self._listener.facts("")
            ended = await ending
            self._pod_ended.set()
            heard = -1
            while not log.done() and self._listener.reader.messages > heard:  # as long as something comes
                heard = self._listener.reader.messages
                await asyncio.wait((log,), timeout=limit_s)
            return self._told(ended)
        except asyncio.CancelledError:
            await self._interrupted(log)
            raise
        finally:
            log.cancel()
            await asyncio.gather(log, return_exceptions=True)

    async def _interrupted(self, log: asyncio.Task[None]) -> None:
        """End the probe, which then tells what it has seen so far through the log that is still being read."""
        with contextlib.suppress(ClusterFailure, TimeoutError):
            async with asyncio.timeout(self._patience.goodbye):
                await self._running.stop(self.job)
                await asyncio.wait((log,))

    async def _probe(self, image: str, secrets: Secrets, attempt: int) -> Probe:
        wanted = {name for task in self._plan.tasks for name in task.secrets}
        values = secrets_to({name: secret for name, secret in secrets.items() if name in wanted})
        # One plan serves every pool of a kind: the name of the vantage comes on the command line.
        whole = await self._peers.filled(self._plan) if self._peers is not None else self._plan
        shared = msgspec.structs.replace(whole, vantage=self._place.kind.value)
        async with self._running.arriving:
            plan_map = await self._running.plan_map(msgspec.json.encode(shared).decode())
        return Probe(
            place=self._place,
            image=image,
            plan_map=plan_map,
            secret=await self._running.secret(values) if values else None,
            variables=tuple(sorted(values)),
            token=SERVICE_ACCOUNT in wanted and self._place.kind is VantageKind.POD,
            attempt=attempt,
            apart=self._peers is not None,
        )

    async def _ended(self) -> pods.Ended:
        """The pod's last state. Raises `Failed` when it was lost on the way."""
        ends = time.monotonic() + self._plan.limits.run_deadline_s + self._patience.farewell
        while (left := ends - time.monotonic()) > 0:
            pod = self._board.pod(self.job)
            if pod is not None:
                state = pods.read(pod)
                if isinstance(state, pods.Ended):
                    return state
                if isinstance(state, pods.Trouble):
                    raise Failed(state.cause, state.text)
            if self._board.deleted(self.job):
                raise Failed("pod.gone", f"the probe's pod on {self.node} was deleted while it ran")
            await self._board.changed(self.job, pod, left)
        if self._board.lost_since is not None:
            raise Failed(LOST, f"the API server was lost while the probe ran: {self._board.why_lost}")
        raise Failed("pod.deadline", f"the probe on {self.node} did not finish within the run's deadline")

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
        said = pods.last_words(ended.message)
        if ended.exit_code != 0:
            text = f"the agent on {ended.node} ended with exit code {ended.exit_code}: {said}"
            raise Failed(skew.CAUSE if skew.refused_ours(said) else "pod.agent-failed", text)
        raise Failed(CHANNEL, f"the log of the probe on {ended.node} could not be read: {self._log_error or said}")
