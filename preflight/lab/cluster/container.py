"""A container of the stand-in: its mounts in a folder, its variables, and the process of this installation that it is.

What an image would hold is what is installed here: the container's arguments are run as `preflight ARGUMENTS`, with the
paths of its mounts replaced. Namespaces of the kernel, users, limits and probes are not played.
"""

import asyncio
import base64
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from preflight.lab.cluster.logs import Log
from preflight.lab.cluster.store import Key, Store

Json = dict[str, Any]
_MESSAGE_BYTES = 4096  # kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure
_TERMINATION_LOG = "/dev/termination-log"
_CHUNK = 64 * 1024
_KEPT = ("PATH", "LANG", "HOME", "TMPDIR", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONWARNINGS", "SSL_CERT_FILE")


Mint = Callable[[str, str], str]  # namespace, service account -> a token that the API server knows


class CannotStartError(Exception):
    """Why a kubelet cannot make the container; `reason` is the container's state, "" while a volume is missing."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class Container:
    """The first container of a pod; `prepare` it, then hand it to a `Play`."""

    def __init__(self, pod: Json, folder: Path, log: Log, stopping: asyncio.Event, addresses: tuple[str, str]) -> None:
        self.pod, self.folder, self.log = pod, folder, log
        self.address, self.host = addresses  # its own, and its node's
        self.stopping = stopping  # set: SIGTERM is due; after the pod's grace period a `Play` is cancelled
        self.arguments: list[str] = []
        self.environ: dict[str, str] = {}
        self._container: Json = pod["spec"]["containers"][0]
        self._paths: dict[str, str] = {}

    def prepare(self, store: Store, environ: Mapping[str, str], mint: Mint) -> None:
        """Mount and translate. Raises `CannotStartError`."""
        self._mint = mint
        if command := self._container.get("command"):  # programs of images are not played: there is none of that name
            raise CannotStartError("RunContainerError", f'exec: "{command[0]}": stat {command[0]}: no such file')
        self._mount(store)
        self.arguments = [self._translated(one) for one in self._container.get("args") or []]
        self.environ = {**environ, **self._variables(store)}

    def message(self, code: int) -> str:
        """The termination message, or what stands in for it."""
        written = b""
        with contextlib.suppress(OSError):
            written = self._termination.read_bytes()[:_MESSAGE_BYTES]
        falls_back = self._container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        return (self.log.tail if falls_back and code and not written else written).decode(errors="replace")

    @property
    def _termination(self) -> Path:
        return self.folder / "termination-log"

    def _mount(self, store: Store) -> None:
        volumes = {one["name"]: one for one in self.pod["spec"].get("volumes") or []}
        for number, mount in enumerate(self._container.get("volumeMounts") or []):
            self._paths[mount["mountPath"]] = str(self._volume(store, number, volumes[mount["name"]]))
        self._termination.touch()
        self._paths[self._container.get("terminationMessagePath", _TERMINATION_LOG)] = str(self._termination)

    def _volume(self, store: Store, number: int, volume: Json) -> Path:
        """A host path is itself: every node is this machine. Whatever else has no files is an empty folder."""
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        place = self.folder / f"volume{number}"
        place.mkdir()
        for file, content in self._files(store, volume).items():
            (place / file).write_bytes(content)
        return place

    def _files(self, store: Store, volume: Json) -> dict[str, bytes]:
        """Raises `CannotStartError`; its words are those of the kubelet's managers of ConfigMaps and Secrets."""
        if "configMap" in volume:
            data = self._data(store, volume, "configmap", volume["configMap"]["name"])
            return {name: text.encode() for name, text in data.items()}
        if "secret" in volume:
            data = self._data(store, volume, "secret", volume["secret"]["secretName"])
            return {name: base64.b64decode(text) for name, text in data.items()}
        sources = (volume.get("projected") or {}).get("sources") or []
        wanted = [one["serviceAccountToken"]["path"] for one in sources if "serviceAccountToken" in one]
        account = self.pod["spec"].get("serviceAccountName", "default")
        return {path: self._mint(self.pod["metadata"]["namespace"], account).encode() for path in wanted}

    def _data(self, store: Store, volume: Json, kind: str, name: str) -> dict[str, str]:
        key = Key(f"{kind}s", self.pod["metadata"]["namespace"], name)
        if not store.has(key):
            told = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {kind} "{name}" not found'
            raise CannotStartError("", told)
        return store.get(key).get("data") or {}

    def _translated(self, argument: str) -> str:
        for path, place in self._paths.items():
            if argument == path or argument.startswith(f"{path}/"):
                return place + argument.removeprefix(path)
        return argument

    def _variables(self, store: Store) -> dict[str, str]:
        return {one["name"]: self._value(store, one) for one in self._container.get("env") or []}

    def _value(self, store: Store, variable: Json) -> str:
        source = variable.get("valueFrom") or {}
        if "fieldRef" in source:
            return self._field(source["fieldRef"]["fieldPath"])
        reference = source.get("secretKeyRef")
        if reference is None:
            return str(variable.get("value", ""))
        place = Key("secrets", self.pod["metadata"]["namespace"], reference["name"])
        if not store.has(place):
            raise CannotStartError("CreateContainerConfigError", f'secret "{place.name}" not found')
        data = store.get(place).get("data") or {}
        if reference["key"] not in data:
            told = f"couldn't find key {reference['key']} in Secret {place.namespace}/{place.name}"
            raise CannotStartError("CreateContainerConfigError", told)
        return base64.b64decode(data[reference["key"]]).decode()

    def _field(self, path: str) -> str:
        """The downward API: what the pod is told of itself."""
        known = {"status.podIP": self.address, "status.podIPs": self.address, "status.hostIP": self.host}
        part, _, name = path.partition(".")
        return known.get(path) or str(self.pod.get(part, {}).get(name, ""))

    @property
    def startup_port(self) -> int | None:
        """Of its startup probe, when it has one over TCP."""
        probe = self._container.get("startupProbe") or {}
        return int(probe["tcpSocket"]["port"]) if "tcpSocket" in probe else None


Play = Callable[[Container], Awaitable[int]]  # runs a prepared container, writes its log, gives its exit code


async def process(container: Container) -> int:
    """A real agent: a process of this installation. When cancelled it is killed first, and its pipe read to the end."""
    starting = asyncio.ensure_future(_started(container))
    try:
        child = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _killed(await starting)  # a creation that is cancelled in the middle would leave its pipe open
        raise
    reading = asyncio.create_task(_copied(child, container.log))
    stopping = asyncio.create_task(container.stopping.wait())
    try:
        await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            _send(child, signal.SIGTERM)
        await reading
        code = await child.wait()
        return code if code >= 0 else 128 - code  # as container runtimes count signals
    finally:
        for task in (reading, stopping):
            task.cancel()
        await asyncio.gather(reading, stopping, return_exceptions=True)
        await _killed(child)


async def _started(container: Container) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "preflight", *container.arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,  # a container's log holds both
        env=container.environ,
    )


async def _copied(child: asyncio.subprocess.Process, log: Log) -> None:
    assert child.stdout is not None
    rest = b""
    while chunk := await child.stdout.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            await log.write(line + b"\n")
    if rest:
        await log.write(rest)


async def _killed(child: asyncio.subprocess.Process) -> None:
    _send(child, signal.SIGKILL)
    await child.communicate()


def _send(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(number)


def plain_environment() -> dict[str, str]:
    """What a container sees of this machine: where programs are, and nothing of proxies or credentials."""
    return {name: value for name, value in os.environ.items() if name in _KEPT}
