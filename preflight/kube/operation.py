"""One run's stay in the cluster: namespace, first Job, plans, credentials, probes' Jobs, one watch, and the way out.

Everything is made when the first vantage needs it and removed when the run ends, however it ends. Judges nothing.
"""

import asyncio
import base64
import contextlib
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure, Refused
from preflight.kube import objects, pull_jobs, sweep, warned, watch
from preflight.kube.client import Client, Gone
from preflight.kube.objects import Answerer, Probe, Terms
from preflight.kube.pull_jobs import Pull
from preflight.kube.warned import Warned
from preflight.model.secret import Secret
from preflight.model.vocabulary import VantageKind

Json = dict[str, Any]
_CREATING: Final = 16  # requests at once
_FOLLOWED: Final = 48  # logs that are read while they grow; those of more places are read when their pods have ended
_READING: Final = 16  # of these at once
_LEAVE_S: Final = 90.0  # a kubelet of 1.20 keeps a pod that ended while it was starting for a minute
_FIRST_LOOK_S, _POLL_S = 0.1, 0.5
_SETTLE_S: Final = 15.0


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says about it."""

    run_id: str
    namespace: str | None = None  # None: one of the run's own
    kinds: tuple[VantageKind, ...] = (VantageKind.NODE, VantageKind.POD)
    start_s: float = 330.0
    run_s: float = 300.0
    pull_secrets: tuple[str, ...] = ()
    lent: bool = False  # the namespace is the real pods': never made here


class Operation:
    """Use it as `async with operation(client, stay) as running`."""

    def __init__(self, client: Client, stay: Stay) -> None:
        self.client, self._stay = client, stay
        self.terms = terms(stay, datetime.now(UTC))
        self.board = watch.Board()
        self.leftovers = ""
        self._own_namespace = False
        self._anchor: Json | None = None
        self._ready: asyncio.Task[Json] | None = None
        self._following: asyncio.Task[None] | None = None
        self._shared: dict[str, asyncio.Task[str]] = {}
        self._creating = asyncio.Semaphore(_CREATING)
        self.arriving = asyncio.Semaphore(_CREATING)  # plans that are written at once: a thousand copies take much room
        self.followed, self.reading = asyncio.Semaphore(_FOLLOWED), asyncio.Semaphore(_READING)
        self.of_jobs = Warned(client, self._path("Event"), warned.JOBS)
        self.of_pods = Warned(client, self._path("Event"), warned.PODS)

    async def start(self, probe: Probe) -> Json:
        """Create a probe's Job. Raises `ClusterFailure`."""
        owner = await self._owner()
        async with self._creating:
            return await self.client.create(self._path("Job"), objects.job(self.terms, probe, owner=owner))

    async def start_answerer(self, answerer: Answerer) -> Json:
        """Create the Job of a pod that answers others. Raises `ClusterFailure`."""
        owner = await self._owner()
        async with self._creating:
            built = objects.answerer_job(self.terms, answerer, owner=owner)
            return await self.client.create(self._path("Job"), built)

    async def pull(self, wanted: Pull) -> Json:
        """Create the Job that makes a kubelet pull. Raises `ClusterFailure`."""
        owner = await self._owner()
        async with self._creating:
            return await self.client.create(self._path("Job"), pull_jobs.job(self.terms, wanted, owner=owner))

    async def pull_secret(self, host: str, user: Secret, password: Secret) -> str:
        """The name of a pull secret for a registry, which is created once. Raises `ClusterFailure`."""
        name = f"{objects.TOOL}-{self.terms.run_id}-pull-{hashlib.sha256(host.encode()).hexdigest()[:8]}"
        pair = base64.b64encode(f"{user.reveal().strip()}:{password.reveal().strip()}".encode()).decode()
        config = base64.b64encode(msgspec.json.encode({"auths": {host: {"auth": pair}}})).decode()
        return await self._once(name, "Secret", lambda owner: pull_jobs.secret(self.terms, name, config, owner=owner))

    async def stop(self, job: str) -> None:
        """Delete one Job and its pod: another image is tried. Raises `ClusterFailure`."""
        await self.client.delete(self._path("Job", job))

    async def plan_map(self, plan: str) -> str:
        """The name of the ConfigMap with this plan, which is created once. Raises `ClusterFailure`."""
        name = f"{objects.TOOL}-{self.terms.run_id}-{hashlib.sha256(plan.encode()).hexdigest()[:8]}"
        return await self._once(name, "ConfigMap", lambda owner: objects.plan_map(self.terms, name, plan, owner=owner))

    async def secret(self, values: Mapping[str, str]) -> str:
        """The name of the Secret with these variables, which is created once. Raises `ClusterFailure`."""
        name = f"{objects.TOOL}-{self.terms.run_id}-{hashlib.sha256(' '.join(sorted(values)).encode()).hexdigest()[:8]}"
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        return await self._once(name, "Secret", lambda owner: objects.secret(self.terms, name, encoded, owner=owner))

    async def events(self, uid: str) -> list[Json]:
        """The events about one object; none when they may not be read."""
        with contextlib.suppress(Refused):
            listed = await self.client.get(self._path("Event"), {"fieldSelector": f"involvedObject.uid={uid}"})
            return list(listed.get("items") or [])
        return []

    def log(self, pod: str) -> AsyncGenerator[bytes, None]:
        """The lines of a probe, from its first on and as they come. Raises `ClusterFailure`."""
        query = {"container": objects.CONTAINER, "follow": "true"}
        return self.client.lines(f"{self._path('Pod', pod)}/log", query)

    async def _once(self, name: str, kind: str, build: Any) -> str:
        async def create() -> str:
            owner = await self._owner()
            async with self._creating:
                await self.client.create(self._path(kind), build(owner))
            return name

        if name not in self._shared:
            self._shared[name] = asyncio.ensure_future(create())
        return await asyncio.shield(self._shared[name])

    async def _owner(self) -> Json:
        """The first Job, made by whoever needs it first."""
        self._ready = self._ready or asyncio.ensure_future(self._enter())
        return await asyncio.shield(self._ready)

    async def _enter(self) -> Json:
        await self._enter_namespace()
        self._anchor = await self.client.create(self._path("Job"), objects.anchor(self.terms))
        chosen = objects.selector(self.terms.run_id)
        self._following = asyncio.ensure_future(watch.follow(self.client, self._path("Pod"), chosen, self.board))
        return self._anchor

    async def _enter_namespace(self) -> None:
        """Make the run's own namespace, or the one that was given and is not there yet."""
        if self._stay.namespace is not None:
            try:
                await self.client.get(objects.path("Namespace", name=self._stay.namespace))
            except Gone:
                if self._stay.lent:
                    told = f"namespace {self._stay.namespace} is not there, where the pod vantage was to stand"
                    raise ClusterFailure("kube.namespace-gone", told) from None
            except Refused as refused:
                if refused.status == 403:  # it cannot be looked at: creating objects in it will tell
                    return
                raise
            else:
                return
        else:
            with contextlib.suppress(ClusterFailure):  # what is left of killed runs is no reason not to run
                await sweep.expired_namespaces(self.client, datetime.now(UTC))
        await self.client.create(objects.path("Namespace"), objects.namespace(self.terms, self._stay.kinds))
        self._own_namespace = True

    async def leave(self) -> None:
        """Remove everything; what could not be removed is named in `leftovers`."""
        await self._settled()
        if self._anchor is None and not self._own_namespace:
            return
        ends = time.monotonic() + _LEAVE_S
        why, pause = "", _FIRST_LOOK_S
        while time.monotonic() < ends:
            try:
                if await self._removed():
                    return
            except ClusterFailure as failure:
                why = f": {failure.text}"
            await asyncio.sleep(pause)
            pause = min(pause * 2, _POLL_S)
        self.leftovers = (
            f"objects of this run ({objects.RUN}={self.terms.run_id}) are left in namespace {self.terms.namespace}"
            f" until {self.terms.expires}{why}; `preflight clean` removes them"
        )

    async def _settled(self) -> None:
        """Let requests under way be answered, so that it is known what there is to remove."""
        if self._following is not None:
            self._following.cancel()
        making = [task for task in (self._ready, *self._shared.values()) if task is not None]
        if making:
            await asyncio.wait(making, timeout=_SETTLE_S)
        ended = [task for task in (self._following, *making) if task is not None]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    async def _removed(self) -> bool:
        """Ask for it, and look whether it is done."""
        if self._own_namespace:
            await self.client.delete(objects.path("Namespace", name=self.terms.namespace))
            try:
                await self.client.get(objects.path("Namespace", name=self.terms.namespace))
            except Gone:
                return True
            return False
        await self.client.delete(self._path("Job", f"{objects.TOOL}-{self.terms.run_id}"))
        return not await self._left()

    async def _left(self) -> bool:
        chosen = {"labelSelector": objects.selector(self.terms.run_id)}
        for kind in ("Job", "Pod", "ConfigMap"):
            if (await self.client.get(self._path(kind), chosen)).get("items"):
                return True
        return False

    def _path(self, kind: str, name: str = "") -> str:
        return objects.path(kind, self.terms.namespace, name)


def terms(stay: Stay, now: datetime) -> Terms:
    """What all objects of the run carry."""
    made = Terms(
        run_id=stay.run_id,
        namespace=stay.namespace or f"{objects.TOOL}-{stay.run_id}",
        start_s=stay.start_s,
        run_s=stay.run_s,
        expires="",
        pull_secrets=stay.pull_secrets,
    )
    after = timedelta(seconds=made.life_s)
    return msgspec.structs.replace(made, expires=(now + after).isoformat(timespec="seconds").replace("+00:00", "Z"))


@contextlib.asynccontextmanager
async def operation(client: Client, stay: Stay) -> AsyncIterator[Operation]:
    """The stay, and the leaving whatever happens."""
    running = Operation(client, stay)
    try:
        yield running
    finally:
        await running.leave()


@contextlib.asynccontextmanager
async def operations(client: Client, stay: Stay, lent: Iterable[str]) -> AsyncIterator[dict[str, Operation]]:
    """By namespace: the run's own stay under "", and one in each namespace of real pods.

    Owners do not reach across namespaces, so each has a first Job of its own; all are left, whatever happens.
    """
    async with contextlib.AsyncExitStack() as stack:
        found = {"": await stack.enter_async_context(operation(client, stay))}
        for namespace in dict.fromkeys(lent):
            if namespace == stay.namespace:
                found[namespace] = found[""]
            elif namespace not in found:
                there = msgspec.structs.replace(stay, namespace=namespace, lent=True)
                found[namespace] = await stack.enter_async_context(operation(client, there))
        yield found
