"""The pods of a run that answer others: starts one for each pool, and tells plans where they are. Judges nothing.

They start when the first pod vantage asks for them. One that does not start costs nothing but its own checks: their
tasks say why, and everything else goes on.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import msgspec

from preflight.failures import ClusterFailure
from preflight.kube import pods
from preflight.kube.objects import Answerer
from preflight.kube.operation import Operation
from preflight.kube.pairs import Answering
from preflight.kube.pools import Place
from preflight.model.plan import Plan, Task, VantagePlan
from preflight.model.vocabulary import ProbeName
from preflight.probes import names
from preflight.probes.services.peers import ports
from preflight.vantages.starting import OF_IMAGE, Failed, Patience, Start

Json = dict[str, Any]
MOST_START_S: Final = 60.0  # beyond that the others go on without it
NONE: Final = "peers.no-listener"
_SEEN_BY: Final = "seen.nodes"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pod answers, or why it does not."""

    address: str = ""
    node: str = ""
    trouble: str = ""
    trouble_cause: str = ""

    @property
    def params(self) -> dict[str, str]:
        """For the task that asks it."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value}


class Peers:
    """Use it as `async with Peers(...) as peers`."""

    def __init__(
        self,
        running: Mapping[str, Operation],
        plan: Plan,
        answering: Sequence[Answering],
        images: tuple[str, ...],
        patience: Patience,
    ) -> None:
        self._running, self._images = running, images
        self._answering = {one.host: one.place for one in answering}
        self._ports = ports_by_host(plan.tasks)
        self._patience = msgspec.structs.replace(
            patience,
            start=min(patience.start, MOST_START_S),
            unschedulable=min(patience.unschedulable, 15.0),
            again=0.0,
        )
        self._seen_from: Place | None = None
        self._found: asyncio.Task[dict[str, Known]] | None = None

    def watched_from(self, place: Place) -> None:
        """Let a pod in this node's network say which source address it sees of pods."""
        self._seen_from = place

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._found is not None:
            self._found.cancel()
            await asyncio.gather(self._found, return_exceptions=True)

    async def filled(self, plan: VantagePlan) -> VantagePlan:
        """The plan with the addresses of those whom it asks."""
        if not any(task.probe is ProbeName.PEERS for task in plan.tasks):
            return plan
        self._found = self._found or asyncio.ensure_future(self._all())
        found = await asyncio.shield(self._found)
        return msgspec.structs.replace(plan, tasks=tuple(_filled(plan.tasks, found, self._seen_port)))

    @property
    def _seen_port(self) -> int:
        """Neither a NodePort nor one that the kernel hands out; another one for each run."""
        return (
            27_000
            + int(hashlib.sha256(next(iter(self._running.values())).terms.run_id.encode()).hexdigest()[:6], 16) % 2_000
        )

    async def _all(self) -> dict[str, Known]:
        wanted = {host: (place, self._ports[host]) for host, place in self._answering.items() if host in self._ports}
        if self._seen_from is not None:
            wanted[_SEEN_BY] = (self._seen_from, (self._seen_port,))
        found = await asyncio.gather(*(self._one(place, ports) for place, ports in wanted.values()))
        return dict(zip(wanted, found, strict=True))

    async def _one(self, place: Place, ports: tuple[int, ...]) -> Known:
        known = Known(trouble="no image was given", trouble_cause=NONE)
        for attempt, image in enumerate(self._images, start=1):
            answerer = Answerer(place=place, image=image, ports=ports, attempt=attempt)
            running, job = self._running[place.namespace], ""
            try:
                start = Start(running, await running.start_answerer(answerer), self._patience)
                job = start.job
                await start.pod()
                return await self._answers(running, start)
            except Failed as failed:
                known = Known(trouble=failed.text[:400], trouble_cause=failed.cause)
            except ClusterFailure as failure:
                known = Known(trouble=failure.text[:400], trouble_cause=failure.cause)
            if job:
                with contextlib.suppress(ClusterFailure):
                    await running.stop(job)
            if not known.trouble_cause.startswith(OF_IMAGE):
                break
        return known

    async def _answers(self, running: Operation, start: Start) -> Known:
        """The pod's address, once the kubelet has seen its port open."""
        board, ends = running.board, time.monotonic() + self._patience.start
        while (left := ends - time.monotonic()) > 0:
            pod = board.pod(start.job)
            if pod is not None and isinstance(state := pods.read(pod), pods.Ended | pods.Trouble):
                raise Failed(*_ended(state))
            if pod is not None and (address := pods.answering_at(pod)):
                return Known(address=address, node=start.node)
            await board.changed(start.job, pod, left)
        raise Failed(NONE, f"the pod on {start.node} did not begin to answer within {self._patience.start:.0f} s")


def _ended(state: pods.Ended | pods.Trouble) -> tuple[str, str]:
    if isinstance(state, pods.Trouble):
        return state.cause, state.text
    said = pods.last_words(state.message)
    return "pod.agent-failed", f"the agent on {state.node} ended with exit code {state.exit_code}: {said}"


def ports_by_host(tasks: Sequence[Task]) -> dict[str, tuple[int, ...]]:
    """What each of them has to listen on, for all tasks together."""
    found: dict[str, tuple[int, ...]] = {}
    for task in tasks:
        if task.probe is ProbeName.PEERS:
            found[task.target.host] = tuple(dict.fromkeys((*found.get(task.target.host, ()), *ports(task))))
    return found


def _filled(tasks: Sequence[Task], found: dict[str, Known], seen_port: int) -> list[Task]:
    seen = found.get(_SEEN_BY)
    asks = {"seen_by": names.join(seen.address, seen_port), "seen_by_node": seen.node} if seen and seen.address else {}
    filled = []
    for task in tasks:
        if task.probe is ProbeName.PEERS:
            known = found.get(task.target.host, Known(trouble="no pod answers for it", trouble_cause=NONE))
            task = msgspec.structs.replace(task, params={**task.params, **known.params, **asks})  # noqa: PLW2901
            asks = {}  # once is enough
        filled.append(task)
    return filled
