"""What kubelets and controllers write into the stand-in's objects: statuses, conditions, events. Decides nothing."""

from typing import Any

from preflight.lab.cluster.errors import ApiError
from preflight.lab.cluster.store import Json, Key, Store, now

# Why a log cannot be read yet: pkg/kubelet/kubelet_pods.go, validateContainerLogStatus.
_IMAGE_WAITS = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}


def name(pod: Json) -> str:
    """Of the pod's container."""
    return str(pod["spec"]["containers"][0]["name"])


def is_new(pod: Json) -> bool:
    """Whether a kubelet has to start it. A pod that was put there as running is scenery, and nobody's process."""
    status = pod.get("status") or {}
    return bool(pod["spec"].get("nodeName")) and status.get("phase", "Pending") == "Pending"


def waiting(pod: Json) -> str | None:
    """What a container waits for, in the words of the log's error; None when it runs or has run."""
    for one in (pod.get("status") or {}).get("containerStatuses") or []:
        if (told := one["state"].get("waiting")) is not None:
            reason = str(told["reason"])
            return _IMAGE_WAITS.get(reason, reason)
    return None


def state(store: Store, key: Key, told: Json, phase: str, *, started: bool = False, **more: Any) -> None:
    """The state of the pod's container, and what follows from it for the pod; addresses stay as they were told once."""
    if not store.has(key):
        return
    pod = store.get(key)
    container = pod["spec"]["containers"][0]
    before = pod.get("status") or {}
    well = started and "readinessGates" not in pod["spec"]
    ready = {"type": "Ready", "status": "True" if well else "False"}
    kept = [one for one in before.get("conditions") or [] if one["type"] != "Ready"]
    status: Json = {
        "phase": phase, "startTime": before.get("startTime") or now(), "conditions": [*kept, ready],
        "containerStatuses": [
            {
                "name": container["name"], "image": container["image"], "restartCount": 0,
                "ready": started, "started": started, "state": told,
            }
        ],
        **{name: before[name] for name in ("podIP", "podIPs", "hostIP") if name in before},
        **more,
    }  # fmt: skip
    store.put(key, status=status)


def failed_pull(store: Store, key: Key, image: str, error: str) -> None:
    """A pull that failed just now."""
    event(store, key, "Warning", "Failed", f'Failed to pull image "{image}": {error}')
    event(store, key, "Warning", "Failed", "Error: ErrImagePull")
    state(store, key, {"waiting": {"reason": "ErrImagePull", "message": error}}, "Pending")


def backing_off(store: Store, key: Key, image: str) -> None:
    """A pull that will be tried again: the error itself is in the events only."""
    told = f'Back-off pulling image "{image}"'
    event(store, key, "Normal", "BackOff", told)
    event(store, key, "Warning", "Failed", "Error: ImagePullBackOff")
    state(store, key, {"waiting": {"reason": "ImagePullBackOff", "message": told}}, "Pending")


def cannot_start(store: Store, key: Key, reason: str, message: str) -> None:
    """A volume that cannot be mounted (no reason), or a container that cannot be made."""
    event(store, key, "Warning", "Failed" if reason else "FailedMount", f"Error: {message}" if reason else message)
    told = {"reason": reason or "ContainerCreating", **({"message": message} if reason else {})}
    state(store, key, {"waiting": told}, "Pending")


def event(store: Store, about: Key, kind: str, reason: str, message: str) -> None:
    """One that tells of an object; nothing when its namespace is going."""
    if not store.has(about):
        return
    item = store.get(about)
    involved = {
        "kind": item["kind"], "namespace": about.namespace, "name": about.name, "uid": item["metadata"]["uid"],
    }  # fmt: skip
    body: Json = {
        "metadata": {"generateName": f"{about.name}."}, "involvedObject": involved, "type": kind, "reason": reason,
        "message": message, "count": 1, "firstTimestamp": now(), "lastTimestamp": now(),
    }  # fmt: skip
    try:
        store.add("events", about.namespace, body)
    except ApiError as error:
        if error.status not in (403, 404):
            raise
