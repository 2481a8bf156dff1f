"""What a probe's pod says of itself, as one state: waiting, pulling badly, running, ended, or in trouble. Pure."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from preflight.judge import pulls
from preflight.kube import refusals
from preflight.kube.objects import CONTAINER
from preflight.kube.values import table, tables

Json = dict[str, Any]
MAX_WORDS: Final = 300  # characters of an agent's last line that are told
_MOST, _HEAD = 600, 200  # characters of a message, and of its beginning when it is longer
_QUERY: Final = re.compile(r"(https?://[^\s?\"]{1,500})\?[^\s\"]*")
_EXEC_FORMAT: Final = re.compile(r"exec format error")
# The kubelet cannot ask the API server just now: it goes on trying, and so do we, up to the start deadline.
_NOT_YET: Final = re.compile(r"failed to sync \w+ cache: timed out waiting for the condition")
_PULL_REASONS: Final = frozenset((
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable",
    "ImageInspectError", "SignatureValidationFailed",
))  # fmt: skip
_START_REASONS: Final = frozenset((
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun",
))  # fmt: skip
_FINAL_REASONS: Final = frozenset(("InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"))


class Waiting(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Not running yet, and nothing is wrong so far; `text` says what it waits for."""

    text: str


class Unschedulable(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The scheduler has no node for it; `text` holds its predicates."""

    text: str


class PullFails(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The image does not come; the container's own message may hold the error or only say that it waits."""

    text: str
    final: bool = False


class Running(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The agent speaks."""

    node: str


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The agent is done; `message` is its summary, or the tail of its log when it failed."""

    node: str
    exit_code: int
    message: str


class Trouble(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It will not speak any more, or never will."""

    cause: str
    text: str


State = Waiting | Unschedulable | PullFails | Running | Ended | Trouble


def read(pod: Json) -> State:
    """The state of a probe's pod."""
    status = table(pod.get("status"))
    container = next((one for one in tables(status.get("containerStatuses")) if one.get("name") == CONTAINER), {})
    state = table(container.get("state"))
    node = _text(table(pod.get("spec")).get("nodeName"))
    if (ended := state.get("terminated")) is not None:
        return _ended(table(ended), status, node)
    if (lost := _lost(pod, status, node)) is not None:
        return lost
    if state.get("running") is not None:
        return Running(node=node)
    if (waiting := state.get("waiting")) is not None:
        return _waiting(table(waiting), node)
    return _pending(status, node)


def _ended(ended: Json, status: Json, node: str) -> State:
    code, reason, message = _whole(ended.get("exitCode")), _text(ended.get("reason")), _text(ended.get("message"))
    if reason == "OOMKilled":
        return Trouble(cause="pod.out-of-memory", text=f"the probe was killed on {node}: it passed its memory limit")
    if _EXEC_FORMAT.search(message):
        return Trouble(cause="pod.wrong-architecture", text=f"the image does not run on {node}: {message}")
    if reason in _START_REASONS:
        return Trouble(cause="pod.not-started", text=f"the container did not start on {node}: {message}")
    if (lost := _by_status(status, node)) is not None and code != 0:
        return lost
    return Ended(node=node, exit_code=code, message=str(ended.get("message") or ""))


def _lost(pod: Json, status: Json, node: str) -> Trouble | None:
    if (lost := _by_status(status, node)) is not None:
        return lost
    if table(pod.get("metadata")).get("deletionTimestamp"):
        return Trouble(
            cause="pod.gone", text=f"the probe's pod on {node or 'no node yet'} was deleted by somebody else"
        )
    return None


def _by_status(status: Json, node: str) -> Trouble | None:
    """What ended the whole pod, as its status says."""
    reason, message = str(status.get("reason") or ""), _text(status.get("message"))
    if reason in ("Evicted", "Preempting", "Terminated", "NodeShutdown", "Shutdown"):
        return Trouble(cause="pod.evicted", text=f"the probe was evicted from {node}: {message or reason}")
    if reason == "DeadlineExceeded":
        return Trouble(cause="pod.deadline", text=f"the Job's deadline passed while the probe was on {node}")
    if status.get("phase") == "Failed" and reason:
        return Trouble(cause="pod.not-started", text=f"{node} refused the probe: {reason}: {message}")
    return None


def _waiting(waiting: Json, node: str) -> State:
    reason, message = str(waiting.get("reason") or ""), _text(waiting.get("message"))
    if reason in _PULL_REASONS:
        return PullFails(text=message, final=reason in _FINAL_REASONS)
    if _EXEC_FORMAT.search(message):
        return Trouble(cause="pod.wrong-architecture", text=f"the image does not run on {node}: {message}")
    if reason in _START_REASONS and not _NOT_YET.search(message):
        return Trouble(cause="pod.not-started", text=f"the container cannot be made on {node}: {reason}: {message}")
    return Waiting(text=f"{node}: {reason} {message}".strip())


def _pending(status: Json, node: str) -> State:
    for condition in tables(status.get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Unschedulable(
                text=_text(condition.get("message")) or str(condition.get("reason") or "no reason given")
            )
    return Waiting(text=f"on {node}" if node else "not scheduled yet")


def pulled(pod: Json) -> bool:
    """Whether the image is there: the kubelet gets it first, then looks at everything else that a container needs."""
    status = table(pod.get("status"))
    container = next((one for one in tables(status.get("containerStatuses")) if one.get("name") == CONTAINER), {})
    state = table(container.get("state"))
    waiting = str(table(state.get("waiting")).get("reason") or "")
    ended = table(state.get("terminated"))
    began = state.get("running") is not None or (bool(ended) and ended.get("reason") != "ContainerStatusUnknown")
    return began or waiting in _START_REASONS


def scheduled_on(pod: Json | None) -> str:
    """The node, "" while there is none."""
    return _text(table((pod or {}).get("spec")).get("nodeName"))


_TOOK: Final = re.compile(r"Successfully pulled image .* in ((?:\d+h)?(?:\d+m)?[\d.]+(?:ms|µs|us|s))")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "µs": 1e-6, "us": 1e-6}


def pull_took(events: Sequence[Json]) -> float | None:
    """Seconds of the last pull, as the kubelet's event says; None when no event does."""
    for event in reversed(_newest_last(events)):
        found = _TOOK.search(_text(event.get("message"))) if event.get("reason") == "Pulled" else None
        if found:
            parts = re.findall(r"([\d.]+?)(ms|µs|us|h|m|s)", found[1])
            return sum(_seconds(number) * _UNITS[unit] for number, unit in parts)
    return None


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,12})?", text) else 0.0


def secrets_missing(events: Sequence[Json]) -> str:
    """The kubelet's words about pull secrets that it cannot read (since Kubernetes 1.23)."""
    told = [_text(event.get("message")) for event in events if event.get("reason") == "FailedToRetrieveImagePullSecret"]
    return told[-1] if told else ""


def pull_error(events: Sequence[Json], state: PullFails) -> str:
    """The kubelet's own words of why: events keep them when the container only says that it waits."""
    told = [_text(event.get("message")) for event in _newest_last(events) if _is_failure(event)]
    return next((text for text in reversed([state.text, *told]) if pulls.says_why(text)), state.text)


def failures(events: Sequence[Json]) -> int:
    """How often the pull has failed so far."""
    return sum(
        _whole(event.get("count")) or 1
        for event in events
        if _is_failure(event) and pulls.says_why(_text(event.get("message")))
    )


def _is_failure(event: Json) -> bool:
    return event.get("type") == "Warning" and event.get("reason") in ("Failed", "InspectFailed", "ErrImageNeverPull")


def delay(events: Sequence[Json]) -> str:
    """What keeps a pod from starting, as warnings say: a volume, the network, the sandbox; empty when there is none."""
    told = [
        f"{event.get('reason')}: {_text(event.get('message'))}"
        for event in _newest_last(events)
        if event.get("type") == "Warning"
    ]
    return told[-1] if told else ""


def refused(events: Sequence[Json]) -> Trouble | None:
    """Why the Job's controller could not make the pod: quota, admission, policy."""
    for event in reversed(_newest_last(events)):
        message = _text(event.get("message"))
        # A new namespace gets its service account a moment later; the controller tries again.
        if event.get("reason") == "FailedCreate" and "looking up service account" not in message:
            text = f"the pod was refused: {refusals.told(message)}"
            return Trouble(cause=refusals.by_rule(message) or "pod.not-started", text=text)
    return None


def last_words(message: str) -> str:
    """The last line of a termination message, bounded."""
    lines = message.strip().splitlines()
    return lines[-1][:MAX_WORDS] if lines else "no message"


def _newest_last(events: Sequence[Json]) -> list[Json]:
    return sorted(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))


def answering_at(pod: Json) -> str:
    """The address of a pod whose container runs and has passed its startup probe; empty until then."""
    status = table(pod.get("status"))
    container = next((one for one in tables(status.get("containerStatuses")) if one.get("name") == CONTAINER), {})
    running = table(container.get("state")).get("running") is not None and container.get("started") is True
    try:
        return str(ipaddress.ip_address(str(status.get("podIP")))) if running else ""
    except ValueError:
        return ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _text(value: object) -> str:
    """Bounded; what an error of many layers ends with says most, so that the middle goes."""
    text = _QUERY.sub(r"\1?…", str(value or "").strip())  # of a layer's address: it holds a signature
    return text if len(text) <= _MOST else f"{text[:_HEAD]} … {text[_HEAD - _MOST + 3 :]}"
