"""One watch for all pods of a run: the newest state of each, and a signal when one changes. Judges nothing.

A watch breaks in the middle as a matter of course. It then goes on from the last version that was seen, or lists anew
when the server has forgotten that version; a state is a whole, so nothing can be lost or doubled.
"""

import asyncio
import contextlib
import time
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure
from preflight.kube.client import Client
from preflight.kube.values import table

Json = dict[str, Any]
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0
_SERVER_TIMEOUT_S: Final = 60  # a connection that died without a word is noticed soon after
_JOB: Final = "job-name"  # set by the Job's controller, in every version so far


class Board:
    """The newest pod of each Job. Made empty; `follow` fills it."""

    def __init__(self) -> None:
        self._pods: dict[str, Json] = {}
        self._deleted: set[str] = set()
        self._news: dict[str, asyncio.Event] = {}  # by Job: who waits for one is not woken for a thousand others
        self.lost_since: float | None = None  # monotonic: when the API server was heard last, while it is not
        self.why_lost = ""
        self.restarts = 0  # watches after the first

    def pod(self, job: str) -> Json | None:
        """The Job's pod as it was last seen."""
        return self._pods.get(job)

    def deleted(self, job: str) -> bool:
        """Whether the Job's pod was there and is no more."""
        return job in self._deleted

    def forget(self, job: str) -> None:
        """Nobody asks for this Job any more."""
        self._pods.pop(job, None)
        self._news.pop(job, None)

    async def changed(self, job: str, seen: Json | None, limit_s: float) -> Json | None:
        """The Job's pod once it is another than what was seen, or after `limit_s`."""
        before = job in self._deleted
        if self._pods.get(job) is seen:
            news = self._news.setdefault(job, asyncio.Event())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    while self._pods.get(job) is seen and (job in self._deleted) == before:
                        await news.wait()
                        news = self._news.setdefault(job, asyncio.Event())
        return self._pods.get(job)

    def put(self, kind: str, pod: Json) -> None:
        """One event of the watch."""
        job = _job(pod)
        if kind == "DELETED":
            self._deleted.add(job)
        else:
            self._deleted.discard(job)
        self._pods[job] = _slim(pod)
        self._tell(job)

    def replace(self, pods: list[Json]) -> None:
        """A whole list: what is not in it is gone."""
        jobs = set(map(_job, pods))
        for pod in pods:
            self.put("MODIFIED", pod)
        for job in self._pods.keys() - jobs - self._deleted:
            self._deleted.add(job)
            self._tell(job)

    def _tell(self, job: str) -> None:
        if (news := self._news.pop(job, None)) is not None:
            news.set()


def _slim(pod: Json) -> Json:
    """What is read of a pod; the rest, most of it, is what was asked for. A thousand are kept."""
    meta, spec = table(pod.get("metadata")), table(pod.get("spec"))
    kept = {name: meta[name] for name in ("name", "uid", "deletionTimestamp") if name in meta}
    return {"metadata": kept, "spec": {"nodeName": spec.get("nodeName")}, "status": pod.get("status")}


def _job(pod: Json) -> str:
    return str(table(table(pod.get("metadata")).get("labels")).get(_JOB, ""))


async def follow(client: Client, path: str, selector: str, board: Board) -> None:
    """Keep the board up to date until cancelled; an API server that is lost is asked again and again."""
    version: str | None = None
    pause = _FIRST_PAUSE_S
    while True:
        try:
            if version is None:
                version = await _list(client, path, selector, board)
            board.lost_since, pause = None, _FIRST_PAUSE_S
            version = await _watch(client, path, selector, board, version)
        except ClusterFailure as failure:
            board.lost_since = board.lost_since or time.monotonic()
            board.why_lost = failure.text
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        board.restarts += 1


async def _list(client: Client, path: str, selector: str, board: Board) -> str:
    listed = await client.get(path, {"labelSelector": selector})
    board.replace(list(listed.get("items") or []))
    return str((listed.get("metadata") or {}).get("resourceVersion") or "")


async def _watch(client: Client, path: str, selector: str, board: Board, version: str) -> str | None:
    """One watch until the server ends it; the version to go on from, None to list anew."""
    query = {"labelSelector": selector, "watch": "true", "resourceVersion": version}
    query |= {"timeoutSeconds": str(_SERVER_TIMEOUT_S), "allowWatchBookmarks": "true"}
    async for line in client.lines(path, query, silence_s=_SERVER_TIMEOUT_S + 10):
        event = _event(line)
        if event is None or event.get("type") == "ERROR":
            return None  # 410: the version is too old; anything else: start over
        item = event.get("object") or {}
        version = str((item.get("metadata") or {}).get("resourceVersion") or version)
        if event.get("type") != "BOOKMARK":
            board.put(str(event.get("type")), item)
    return version


def _event(line: bytes) -> Json | None:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
