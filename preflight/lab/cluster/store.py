"""The objects of the stand-in cluster, their versions and those who watch. Speaks no HTTP and runs nothing.

Behaviour: kubernetes.io/docs/reference/using-api/api-concepts (resource versions, watches, 410 Gone), owner references,
and graceful deletion: a pod that is on a node stays, marked, until its kubelet `purge`s it, and its namespace with it.
"""

import asyncio
import contextlib
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from preflight.lab.cluster import errors
from preflight.lab.cluster.kinds import RESOURCES

Json = dict[str, Any]
_HISTORY = 10_000
_OVER = ("Succeeded", "Failed")


class Key(NamedTuple):
    """Where an object is; the namespace is empty for what stands outside of them."""

    resource: str
    namespace: str
    name: str


class Selector(NamedTuple):
    """Which objects: of a resource, in a namespace (empty: any), with these labels and fields."""

    resource: str
    namespace: str = ""
    labels: Mapping[str, str] = {}
    fields: Mapping[str, str] = {}

    def takes(self, key: Key, each: Json) -> bool:
        """Whether an object is one of them."""
        own = each["metadata"].get("labels") or {}
        return (
            key.resource == self.resource
            and self.namespace in ("", key.namespace)
            and all(own.get(name) == value for name, value in self.labels.items())
            and all(_field(each, path) == value for path, value in self.fields.items())
        )


class Event(NamedTuple):
    """One change, as a watch tells it."""

    version: int
    kind: str  # ADDED, MODIFIED, DELETED
    key: Key
    object: Json


class Store:
    """Everything in memory; every change gets the next version and is told to all who watch.

    `admission` may raise an `ApiError` for an object that is about to be created, whoever creates it.
    """

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Json]] = defaultdict(dict)
        self._owned: dict[str, set[Key]] = defaultdict(set)  # uid of the owner
        self._inside: dict[str, set[Key]] = defaultdict(set)  # namespace
        self._history: deque[Event] = deque(maxlen=_HISTORY)
        self._watchers: set[asyncio.Queue[Event]] = set()
        self._forgotten = 0
        self.version = 0
        self.admission: Callable[[Key, Json], None] = lambda _key, _body: None

    def add(self, resource: str, namespace: str, body: Json) -> Json:
        """Create an object; raises ApiError when it is there, is not admitted, or its namespace is going or gone."""
        meta = dict(body.get("metadata") or {})
        name = meta.get("name") or meta.get("generateName", "") + uuid.uuid4().hex[:5]
        key = Key(resource, namespace, name)
        if key in self._objects[resource]:
            raise errors.already_exists(resource, name)
        if namespace:
            if _going(self.get(Key("namespaces", "", namespace))):
                raise errors.terminating(resource, name, namespace)
            meta["namespace"] = namespace
        self.admission(key, body)
        meta |= {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": now()}
        known = RESOURCES[resource]
        return self._tell("ADDED", key, {**body, "kind": known.kind, "apiVersion": known.api, "metadata": meta})

    def get(self, key: Key) -> Json:
        """An object; raises ApiError when there is none."""
        found = self._objects[key.resource].get(key)
        if found is None:
            raise errors.not_found(key.resource, key.name)
        return found

    def has(self, key: Key) -> bool:
        """Whether it is there."""
        return key in self._objects[key.resource]

    def put(self, key: Key, **parts: Any) -> None:
        """Replace top-level parts (`status=...`) of an object that may be gone already."""
        before = self._objects[key.resource].get(key)
        if before is not None:
            self._tell("MODIFIED", key, {**before, **parts})

    def remove(self, key: Key) -> Json:
        """Delete an object, and in the background what it owns or contains; gives it as it is then.

        A running pod and a namespace are only marked: they go when the kubelet, or the last of the contents, is gone.
        """
        found = self.get(key)
        if not _graceful(key, found):
            return self.purge(key)
        if _going(found):
            return found
        grace = found.get("spec", {}).get("terminationGracePeriodSeconds", 30) if key.resource == "pods" else 0
        meta = {**found["metadata"], "deletionTimestamp": now(), "deletionGracePeriodSeconds": grace}
        marked = {**found, "metadata": meta}
        if key.resource == "namespaces":
            marked["status"] = {"phase": "Terminating"}
        marked = self._tell("MODIFIED", key, marked)
        self._sweep(self._inside[key.name] if key.resource == "namespaces" else ())
        self._leave(key.name if key.resource == "namespaces" else "")
        return marked

    def purge(self, key: Key) -> Json:
        """Delete an object at once; raises ApiError when there is none."""
        gone = self._tell("DELETED", key, self.get(key))
        self._sweep(self._owned.pop(gone["metadata"]["uid"], ()))
        self._leave(key.namespace)
        return gone

    def _sweep(self, keys: set[Key] | tuple[()]) -> None:
        for key in tuple(keys):
            if self.has(key):
                self.remove(key)

    def _leave(self, namespace: str) -> None:
        """A namespace that is marked goes with the last of its contents."""
        key = Key("namespaces", "", namespace)
        if namespace and not self._inside[namespace] and self.has(key) and _going(self.get(key)):
            self.purge(key)

    def select(self, which: Selector) -> list[Json]:
        """Objects in the order of their creation."""
        return [each for key, each in self._objects[which.resource].items() if which.takes(key, each)]

    def forget(self) -> None:
        """Compact: who watches on from a version before this one is told 410, as after etcd's compaction."""
        self._forgotten = self.version
        self._history.clear()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for the change after which this holds."""
        with self.watching(None) as (_, changes):
            while not holds():
                await changes.get()

    @contextlib.contextmanager
    def watching(self, since: int | None) -> Iterator[tuple[Sequence[Event], "asyncio.Queue[Event]"]]:
        """What has happened since a version, and a queue of what happens; raises ApiError when that is forgotten."""
        oldest = self._history[0].version if self._history else self._forgotten + 1
        if since is not None and since + 1 < oldest:
            raise errors.expired(since, oldest)
        missed = [event for event in self._history if since is not None and event.version > since]
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield missed, queue
        finally:
            self._watchers.discard(queue)

    async def follow(self, react: Callable[[Event], None]) -> None:
        """Hand over all that has happened, and what happens until this is cancelled."""
        with self.watching(0) as (missed, changes):
            for event in missed:
                react(event)
            while True:
                react(await changes.get())

    def _tell(self, kind: str, key: Key, body: Json) -> Json:
        self.version += 1
        body = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        self._index(kind, key, body)
        event = Event(self.version, kind, key, body)
        self._history.append(event)
        for queue in self._watchers:
            queue.put_nowait(event)
        return body

    def _index(self, kind: str, key: Key, body: Json) -> None:
        if kind == "DELETED":
            del self._objects[key.resource][key]
            self._inside[key.namespace].discard(key)
            for uid in _owners(body):
                self._owned[uid].discard(key)
            return
        self._objects[key.resource][key] = body
        if kind == "ADDED":
            self._inside[key.namespace].add(key)
            for uid in _owners(body):
                self._owned[uid].add(key)


def _graceful(key: Key, each: Json) -> bool:
    if key.resource == "namespaces":
        return True
    on_node = key.resource == "pods" and bool((each.get("spec") or {}).get("nodeName"))
    return on_node and (each.get("status") or {}).get("phase") not in _OVER


def _going(each: Json) -> bool:
    return "deletionTimestamp" in each["metadata"]


def _field(each: Json, path: str) -> str:
    value: Any = each
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return str(value or "")


def _owners(each: Json) -> set[str]:
    return {str(owner.get("uid")) for owner in each["metadata"].get("ownerReferences") or []}


def now() -> str:
    """As the API writes moments."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
