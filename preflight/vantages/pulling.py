"""Makes the kubelet of a node pull an image, and writes down what it says of it. Judges nothing.

A pod on the same node as the probe, whose command does not exist, with the policy Always: the kubelet has to ask the
registry, and nothing of the image is ever started. One `Pulling` serves all places of a run.
"""

import asyncio
import contextlib
import time
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure
from preflight.judge import pulls
from preflight.kube import pods
from preflight.kube.operation import Operation
from preflight.kube.pools import Place
from preflight.kube.pull_jobs import Pull
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.model.vocabulary import ProbeName
from preflight.probes.clock import utc_now
from preflight.vantages.nonce import Nonce

Json = dict[str, Any]
_AT_ONCE: Final = 50  # pulls of all nodes together: a registry and a NAT gateway have to carry them
_LONGEST: Final = 2  # deadlines of one pull, until the last one may begin
_NO_NODE_S: Final = 30.0
_AGAIN_S: Final = 25.0  # for a second try of a failure that may pass: the kubelet waits 10 s
_LOOK_S: Final = 5.0
NO_SECRET: Final = "-"  # noqa: S105 - registry.pull_secret's word for none


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How images are pulled, as command line and environment say."""

    start_s: float = 330.0  # longer than containerd waits for a registry
    pull_secrets: tuple[str, ...] = ()  # --pull-secret
    registry: str = ""  # host:port of the customer's
    registry_secret: str | None = None  # registry.pull_secret
    fallback: str = ""  # what is pulled when nothing fresh could be pushed


class _Ended(Exception):  # noqa: N818 - how one pull ended
    def __init__(self, result: str, **facts: str) -> None:
        self.facts = {"result": result, **facts}
        super().__init__(result)


class Pulling:
    """The pulls of one run."""

    def __init__(self, terms: Terms, nonce: Nonce | None = None) -> None:
        self._terms, self.nonce = terms, nonce
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._left: set[tuple[str, str]] = set()
        self._ends: float | None = None  # monotonic: no pull begins later

    @property
    def left(self) -> tuple[tuple[str, str], ...]:
        """Node and image that pulls of this run have put there."""
        return tuple(sorted(self._left))

    async def observe(self, running: Operation, task: Task, place: Place, node: str, secrets: Secrets) -> Observation:
        """One task at one place; `node` is where the place's probe stands, "" when it stands nowhere."""
        started, begin = utc_now(), time.monotonic()
        facts: dict[str, str] = {"image": task.params.get("image", ""), "node": node}
        try:
            self._ends = self._ends or begin + _LONGEST * self._terms.start_s
            async with self._slots:
                await self._pull(running, task, place, secrets, facts)
        except _Ended as ended:
            facts |= ended.facts
        except ClusterFailure as failure:
            facts |= {"result": "not-tried", "trouble": failure.cause, "message": failure.text}
        if facts["result"] == "pulled" and facts["node"]:
            self._left.add((facts["node"], facts["image"]))
        took = round((time.monotonic() - begin) * 1000, 3)
        kept = {name: value for name, value in facts.items() if value}
        hop = Hop(
            role="pull", url=f"https://{facts['image']}", started=started, at_ms=0.0, duration_ms=took, service=kept
        )
        return Observation(
            task=task.key,
            vantage=place.vantage,
            probe=ProbeName.PULL,
            target=task.target.hostport,
            started=started,
            duration_ms=took,
            deadline_ms=self._terms.start_s * 1000,
            hops=(hop,),
            finished=True,
        )

    async def _pull(
        self, running: Operation, task: Task, place: Place, secrets: Secrets, facts: dict[str, str]
    ) -> None:
        """Raises `_Ended` or `ClusterFailure`."""
        if self._ends is not None and time.monotonic() > self._ends:
            raise _Ended("not-tried", trouble="check.deadline", message="pulls of other nodes took all the time")
        if not facts["node"]:
            raise _Ended("not-tried", trouble="vantage.not-run", message=f"no node of pool {place.pool} was found")
        facts |= await self._image(task)
        if not facts["image"]:
            raise _Ended("not-tried", trouble="pull.not-pushed", message=f"nothing to pull: {facts['not_pushed']}")
        names = await self._login(running, task, secrets, facts)
        wanted = Pull(place=place, node=facts["node"], image=facts["image"], key=task.key, secrets=names)
        created = await running.pull(wanted)
        one = _One(running, created, self._terms.start_s, with_secret=bool(names))
        try:
            await one.watch()
        finally:
            with contextlib.suppress(ClusterFailure):
                await running.stop(one.job)

    async def _image(self, task: Task) -> dict[str, str]:
        """What to pull: with a layer that was made for this run, when one could be pushed."""
        if self.nonce is None or task.target.hostport != self.nonce.registry:
            return {}
        refused = await self.nonce.pushed()
        if refused:
            return {"image": self._terms.fallback, "not_pushed": refused}
        return {"fresh": "yes"}

    async def _login(self, running: Operation, task: Task, secrets: Secrets, facts: dict[str, str]) -> tuple[str, ...]:
        """The pull secrets, as the model's pod would name them."""
        named, registry = self._terms.registry_secret, task.target.hostport
        facts["login"] = "as the kubelet itself"
        if registry != self._terms.registry or named == NO_SECRET:
            return ()
        names = tuple(dict.fromkeys((*((named,) if named else ()), *self._terms.pull_secrets)))
        if names:
            facts["login"] = f"with pull secret {', '.join(names)}"
            return names
        user, password = (secrets.get(name) for name in task.secrets) if len(task.secrets) == 2 else (None, None)
        if user is None or password is None:
            return ()
        facts |= {"login": "with the credentials of preflight.toml", "made_of": "credentials"}
        return (await running.pull_secret(registry.removesuffix(":443"), user, password),)


class _One:
    """One Job from its creation until it is known how its pull ended."""

    def __init__(self, running: Operation, created: Json, limit_s: float, *, with_secret: bool) -> None:
        self._running, self._board, self._limit = running, running.board, limit_s
        self._with_secret = with_secret
        self.job, self._uid = created["metadata"]["name"], created["metadata"]["uid"]
        self._begin = time.monotonic()
        self._no_node_since = 0.0
        self._failing_since = 0.0
        self._said = ""

    async def watch(self) -> None:
        """Raises `_Ended`."""
        while True:
            pod = self._board.pod(self.job)
            if self._board.deleted(self.job):
                raise _Ended("not-tried", trouble="pod.gone", message="the pod that pulls was deleted")
            if pod is None:
                await self._without_pod()
            else:
                await self._look(pod)
            if time.monotonic() - self._begin > self._limit:
                await self._over(pod)
            await self._board.changed(self.job, pod, _LOOK_S if pod is not None else 1.0)

    async def _without_pod(self) -> None:
        if time.monotonic() - self._begin < 2.0:
            return
        trouble = pods.refused(await self._running.events(self._uid))
        if trouble is not None:
            raise _Ended("not-tried", trouble=trouble.cause, message=trouble.text)
        await asyncio.sleep(min(time.monotonic() - self._begin, _LOOK_S))

    async def _look(self, pod: Json) -> None:
        if pods.pulled(pod):
            took = pods.pull_took(await self._events(pod))
            raise _Ended("pulled", seconds=f"{took:.1f}" if took is not None else "")
        match pods.read(pod):
            case pods.Trouble(cause=cause, text=text):
                raise _Ended("not-tried", trouble=cause, message=text)
            case pods.Unschedulable(text=text):
                self._no_node_since = self._no_node_since or time.monotonic()
                if time.monotonic() - self._no_node_since >= _NO_NODE_S:
                    raise _Ended("not-tried", trouble="pod.unschedulable", message=text)
            case pods.PullFails(text=text, final=final):
                await self._failing(pod, text, final=final)
            case _:
                pass

    async def _failing(self, pod: Json, text: str, *, final: bool) -> None:
        """An error that another try may cure gets one."""
        if pulls.says_why(text):
            self._said = text
        elif not self._said:
            self._said = pods.pull_error(await self._events(pod), pods.PullFails(text=text))
        self._failing_since = self._failing_since or time.monotonic()
        events = await self._events(pod)
        tried = pods.failures(events) > 1 or time.monotonic() - self._failing_since >= _AGAIN_S
        if final or tried or not self._may_pass():
            hint = pods.secrets_missing(events)
            raise _Ended("failed", message=f"{self._said}; {hint}" if hint else self._said)

    def _may_pass(self) -> bool:
        """A kubelet that has not heard of a new Secret within a second pulls without it, and with it the next time."""
        pull = pulls.classify(self._said)
        return pull.ambiguous or (self._with_secret and pull.cause == "pull.unauthorized")

    async def _over(self, pod: Json | None) -> None:
        limit = f"{self._limit:.0f}"
        if self._board.lost_since is not None:
            raise _Ended(
                "not-tried", trouble="kube.api-lost", message=f"the API server was lost: {self._board.why_lost}"
            )
        if self._said:
            raise _Ended("failed", message=self._said)
        events = await self._events(pod) if pod is not None else []
        if any(event.get("reason") == "Pulling" for event in events):
            raise _Ended("no-answer", limit=limit)
        told = pods.delay(events) or "nothing says why"
        raise _Ended("not-tried", trouble="pod.not-started", message=f"no pull began within {limit} s: {told}")

    async def _events(self, pod: Json) -> list[Json]:
        return await self._running.events(pod["metadata"]["uid"])
