"""The kubelets of the stand-in's nodes in one: pulls images in name only, and makes processes of pods.

What a kubelet writes into statuses and events: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle; texts of pulls
as recorded from kubelet 1.20 with containerd (the corpus of the tests), of evictions as in
kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction. It schedules nothing.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from preflight.lab.cluster import notes
from preflight.lab.cluster.addresses import Addresses
from preflight.lab.cluster.container import CannotStartError, Container, Mint, Play, process
from preflight.lab.cluster.errors import ApiError
from preflight.lab.cluster.logs import Log
from preflight.lab.cluster.store import Event, Json, Key, Store, now

Pull = Callable[[str], Awaitable[str | None]]  # image -> why it cannot be pulled
Through = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]
LOW_ON_MEMORY = "The node was low on resource: memory. Threshold quantity: 750Mi, available: 612Mi. "
_KILLED = 128 + 9
_GRACE_S = 30
_PROBE_S = 0.1  # between two tries of a startup probe


async def _pulled(_image: str) -> str | None:
    return None


def _unchanged(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    return lines


class _Box:
    """A pod under way."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.stopping = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.playing: asyncio.Future[int] | None = None
        self.evicted = ""
        self.reason = ""  # of a container that was killed

    def kill(self) -> None:
        """SIGKILL, now."""
        if self.playing is not None:
            self.playing.cancel()


class Kubelet:
    """Lives for as long as `run` is awaited. What tests and scenarios may replace: `pull`, `play`, `through`."""

    def __init__(self, store: Store, folder: Path, environ: Mapping[str, str], mint: Mint) -> None:
        self._store, self._folder, self._environ, self._mint = store, folder, environ, mint
        self._boxes: dict[Key, _Box] = {}
        self._addresses = Addresses()
        self.pull: Pull = _pulled
        self.play: Play = process  # what a container does
        self.through: Through = _unchanged  # a log on its way to the API server: may lose, double, or raise
        self.back_off_s = 10.0  # between two pulls, doubled each time (kubernetes.io/docs/concepts/containers/images)

    async def lines(self, namespace: str, pod: str, *, follow: bool) -> AsyncIterator[bytes]:
        """The log of a pod. Raises ApiError, before the first line, when there is none yet."""
        key = Key("pods", namespace, pod)
        log = self._log(key, self._store.get(key))
        return self.through(log.read(follow=follow))

    def _log(self, key: Key, pod: Json) -> Log:
        if not pod["spec"].get("nodeName"):
            raise ApiError(400, "BadRequest", f"pod {key.name} does not have a host assigned")
        told = notes.waiting(pod)
        if key not in self._boxes or told is not None:
            container = pod["spec"]["containers"][0]["name"]
            why = f'container "{container}" in pod "{key.name}" is waiting to start: {told or "ContainerCreating"}'
            raise ApiError(400, "BadRequest", why)
        return self._boxes[key].log

    def rotate(self, key: Key) -> None:
        """A new log file: whoever reads from the beginning gets only what comes from now on."""
        self._boxes[key].log.rotate()

    def evict(self, key: Key, why: str = LOW_ON_MEMORY) -> None:
        """Under pressure: the pod is killed, and stays as Failed."""
        self._boxes[key].evicted = why
        self._boxes[key].kill()

    def out_of_memory(self, key: Key) -> None:
        """The kernel kills the container for its memory limit."""
        self._boxes[key].reason = "OOMKilled"
        self._boxes[key].kill()

    async def run(self) -> None:
        """Follow the store; when cancelled, no process is left."""
        try:
            await self._store.follow(self._react)
        finally:
            tasks = [box.task for box in self._boxes.values() if box.task is not None]
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception):
                    raise error

    def _react(self, event: Event) -> None:
        key, pod = event.key, event.object
        if key.resource != "pods":
            return
        box = self._boxes.get(key)
        if event.kind == "DELETED":
            if (gone := self._boxes.pop(key, None)) is not None and gone.task is not None:
                gone.task.cancel()
        elif "deletionTimestamp" in pod["metadata"]:
            if box is not None:
                box.stopping.set()
            if (box is None or box.task is None or box.task.done()) and self._store.has(key):
                self._store.purge(key)
        elif box is None and notes.is_new(pod):
            box = self._boxes[key] = _Box(Log())
            box.task = asyncio.create_task(self._live(key, pod, box))

    async def _live(self, key: Key, pod: Json, box: _Box) -> None:
        notes.state(self._store, key, {"waiting": {"reason": "ContainerCreating"}}, "Pending")
        try:
            if await self._with_image(key, pod, box):
                with tempfile.TemporaryDirectory(prefix="preflight-pod-", dir=self._folder) as folder:
                    container = Container(pod, Path(folder), box.log, box.stopping, self._places(pod["spec"]))
                    await self._run(key, container, box)
        finally:
            await box.log.end()
        if box.stopping.is_set() and self._store.has(key):
            self._store.purge(key)

    async def _with_image(self, key: Key, pod: Json, box: _Box) -> bool:
        """Try until the image is there; False when the pod was deleted before."""
        image, pause = pod["spec"]["containers"][0]["image"], self.back_off_s
        while True:
            notes.event(self._store, key, "Normal", "Pulling", f'Pulling image "{image}"')
            error, stopped = await _unless(box.stopping, self.pull(image))
            if stopped:
                return False
            if error is None:
                notes.event(self._store, key, "Normal", "Pulled", f'Successfully pulled image "{image}"')
                return True
            notes.failed_pull(self._store, key, image, error)
            if (await _unless(box.stopping, asyncio.sleep(min(pause, 0.3))))[1]:
                return False
            notes.backing_off(self._store, key, image)
            if (await _unless(box.stopping, asyncio.sleep(pause)))[1]:
                return False
            pause = min(pause * 2, 300)

    async def _run(self, key: Key, container: Container, box: _Box) -> None:
        try:
            container.prepare(self._store, self._environ, self._mint)
        except CannotStartError as error:
            notes.cannot_start(self._store, key, error.reason, error.message)
            await box.stopping.wait()
            return
        notes.event(self._store, key, "Normal", "Started", f"Started container {notes.name(container.pod)}")
        began = now()
        self._running(key, container, began, started=container.startup_port is None)
        box.playing = asyncio.ensure_future(self.play(container))
        beside = [
            asyncio.create_task(_kill_in_time(container, box)),
            asyncio.create_task(self._probed(key, container, began)),
        ]
        try:
            await asyncio.wait((box.playing,))
        finally:
            for task in (box.playing, *beside):
                task.cancel()
            await asyncio.gather(box.playing, *beside, return_exceptions=True)
        await box.log.end()
        self._ended(key, container, box, _KILLED if box.playing.cancelled() else box.playing.result())

    def _ended(self, key: Key, container: Container, box: _Box, code: int) -> None:
        reason = box.reason or ("Error" if code else "Completed")
        ended = {"exitCode": code, "reason": reason, "message": container.message(code), "finishedAt": now()}
        phase = "Failed" if code else "Succeeded"
        more: Json = {"reason": "Evicted", "message": box.evicted} if box.evicted else {}
        if box.evicted:
            notes.event(self._store, key, "Warning", "Evicted", box.evicted)
        notes.state(self._store, key, {"terminated": ended}, phase, **more)

    def _places(self, spec: Json) -> tuple[str, str]:
        """The address of a pod to be, and its node's."""
        host = self._addresses.node(spec["nodeName"])
        return (host if spec.get("hostNetwork") else self._addresses.pod()), host

    def _running(self, key: Key, container: Container, began: str, *, started: bool) -> None:
        address = {
            "podIP": container.address, "podIPs": [{"ip": container.address}], "hostIP": container.host,
        }  # fmt: skip
        notes.state(self._store, key, {"running": {"startedAt": began}}, "Running", started=started, **address)

    async def _probed(self, key: Key, container: Container, began: str) -> None:
        """The startup probe, when there is one: over TCP, as often as it takes."""
        while (port := container.startup_port) is not None:
            if await _open(container.address, port):
                self._running(key, container, began, started=True)
                break
            await asyncio.sleep(_PROBE_S)


async def _kill_in_time(container: Container, box: _Box) -> None:
    """After SIGTERM, and the grace period of the pod."""
    await box.stopping.wait()
    await asyncio.sleep(container.pod["spec"].get("terminationGracePeriodSeconds", _GRACE_S))
    box.kill()


async def _open(address: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True


async def _unless(stopping: asyncio.Event, work: Awaitable[Any]) -> tuple[Any, bool]:
    """The outcome of the work, or that it was given up."""
    doing, stop = asyncio.ensure_future(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((doing, stop), return_when=asyncio.FIRST_COMPLETED)
        return (doing.result(), False) if doing.done() else (None, True)
    finally:
        for task in (doing, stop):
            task.cancel()
        await asyncio.gather(doing, stop, return_exceptions=True)
