"""The control plane of the stand-in beside its API server: Job controller with its clocks, and the scheduler's loop.

Jobs end as kubernetes.io/docs/concepts/workloads/controllers/job says: backoff limit 0, deadline, time to live. It
starts no process: that is the kubelet's.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from preflight.lab.cluster import notes, scheduler
from preflight.lab.cluster.errors import ApiError
from preflight.lab.cluster.store import Event, Json, Key, Selector, Store, now

_OVER = ("Succeeded", "Failed")
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 60.0


class Controllers:
    """Lives for as long as `run` is awaited."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._load: Counter[str] = Counter()  # node -> pods that it got
        self._waiting: dict[Key, Json] = {}  # pods without a node
        self._clocks: dict[Key, list[asyncio.TimerHandle]] = {}

    async def run(self) -> None:
        """Follow the store until cancelled."""
        try:
            await self._store.follow(self._react)
        finally:
            for key in tuple(self._clocks):
                self._stop_clocks(key)

    def _react(self, event: Event) -> None:
        key, each = event.key, event.object
        match key.resource, event.kind:
            case "jobs", "ADDED":
                self._begin(key, each)
            case "jobs", "DELETED":
                self._stop_clocks(key)
            case "pods", "DELETED":
                self._waiting.pop(key, None)
                self._finish(each, succeeded=False)
            case "pods", _ if (each.get("status") or {}).get("phase") in _OVER:
                self._finish(each, succeeded=each["status"]["phase"] == "Succeeded")
            case "pods", "ADDED" if not each["spec"].get("nodeName"):
                self._waiting[key] = each
                self._place(key, each)
            case "nodes", _:
                for waiting, pod in tuple(self._waiting.items()):
                    self._place(waiting, pod)
            case _:
                pass

    def _begin(self, key: Key, job: Json) -> None:
        spec = job["spec"]
        self._store.put(key, status={"startTime": now()})
        if spec.get("completions") == 0:
            self._close(key, {"type": "Complete", "status": "True"})
            return
        if (limit := spec.get("activeDeadlineSeconds")) is not None:
            self._after(key, limit, lambda: self._out_of_time(key))
        if spec.get("parallelism", 1) > 0:
            self._make_pod(key, job, _FIRST_RETRY_S)

    def _make_pod(self, key: Key, job: Json, retry_s: float) -> None:
        """A refused pod is tried again, and told of in an event: what the user sees of quota and admission."""
        if not self._store.has(key):
            return
        try:
            self._store.add("pods", key.namespace, _pod(key, job))
        except ApiError as error:
            notes.event(self._store, key, "Warning", "FailedCreate", f"Error creating: {error.message}")
            again = min(retry_s * 2, _LONGEST_RETRY_S)
            self._after(key, retry_s, lambda: self._make_pod(key, job, again))

    def _place(self, key: Key, pod: Json) -> None:
        node, why = scheduler.choose(pod["spec"], self._store.select(Selector("nodes")), self._load)
        if node is not None:
            self._load[node] += 1
            self._waiting.pop(key, None)
            told = f"Successfully assigned {key.namespace}/{key.name} to {node}"
            notes.event(self._store, key, "Normal", "Scheduled", told)
            scheduled = {"type": "PodScheduled", "status": "True"}
            status = {"phase": "Pending", "conditions": [scheduled]}
            self._store.put(key, spec={**pod["spec"], "nodeName": node}, status=status)
            return
        notes.event(self._store, key, "Warning", "FailedScheduling", why)
        refused = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
        self._store.put(key, status={"phase": "Pending", "conditions": [refused]})

    def _finish(self, pod: Json, *, succeeded: bool) -> None:
        """Its Job is over with its one pod, whether that ended or was deleted."""
        meta = pod["metadata"]
        job = Key("jobs", meta["namespace"], (meta.get("labels") or {}).get("job-name", ""))
        if succeeded:
            self._close(job, {"type": "Complete", "status": "True"}, succeeded=1)
        else:
            told = "Job has reached the specified backoff limit"
            failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": told}
            self._close(job, failed, failed=1)

    def _out_of_time(self, key: Key) -> None:
        told = "Job was active longer than specified deadline"
        self._close(key, {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": told})
        notes.event(self._store, key, "Warning", "DeadlineExceeded", told)
        for pod in self._store.select(Selector("pods", key.namespace, {"job-name": key.name})):
            if pod["status"].get("phase") not in _OVER:
                self._store.remove(Key("pods", key.namespace, pod["metadata"]["name"]))

    def _close(self, key: Key, condition: Json, **counts: int) -> None:
        if not self._store.has(key):
            return
        job = self._store.get(key)
        if (job.get("status") or {}).get("conditions"):
            return
        self._store.put(key, status={**(job.get("status") or {}), "conditions": [condition], **counts})
        if (ttl := job["spec"].get("ttlSecondsAfterFinished")) is not None:
            self._after(key, ttl, lambda: self._store.remove(key) if self._store.has(key) else None)

    def _after(self, key: Key, seconds: float, act: Callable[[], object]) -> None:
        clock = asyncio.get_running_loop().call_later(seconds, act)
        self._clocks.setdefault(key, []).append(clock)

    def _stop_clocks(self, key: Key) -> None:
        for clock in self._clocks.pop(key, ()):
            clock.cancel()


def _pod(key: Key, job: Json) -> Json:
    template, meta = job["spec"]["template"], job["metadata"]
    own = template.get("metadata") or {}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": key.name, "uid": meta["uid"], "controller": True}
    labels = {**(own.get("labels") or {}), "job-name": key.name, "batch.kubernetes.io/job-name": key.name}
    about = {
        "generateName": f"{key.name}-", "labels": labels, "annotations": own.get("annotations") or {},
        "ownerReferences": [owner],
    }  # fmt: skip
    return {"metadata": about, "spec": {**template["spec"]}, "status": {"phase": "Pending"}}
