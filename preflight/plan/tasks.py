"""Merges aims on the same target into tasks, so that one staged attempt serves all their requirements. Pure."""

from collections.abc import Iterable

from preflight.model.plan import Task
from preflight.plan.aims import Aim

_DEFAULT_ALPN = ("h2", "http/1.1")


def tasks(aims: Iterable[Aim]) -> tuple[tuple[Task, ...], list[str]]:
    """The tasks in order of first need, and for each aim the key of its task."""
    found: dict[str, Task] = {}
    keys = []
    for aim in aims:
        key = next(key for key in _keys(aim) if key not in found or _fits(found[key], aim))
        found[key] = _merged(found[key], aim) if key in found else _task(key, aim)
        keys.append(key)
    return tuple(found.values()), keys


def _keys(aim: Aim) -> Iterable[str]:
    """Candidates, shortest first: probe and address, then the path, then a number."""
    plain = f"{aim.probe.value}:{aim.target.hostport}"
    yield plain
    yield f"{plain}{aim.target.path}"
    number = 2
    while True:
        yield f"{plain}{aim.target.path}#{number}"
        number += 1


def _fits(task: Task, aim: Aim) -> bool:
    """Whether an aim can share a task: the same target and trust, and no parameter with another value."""
    same = task.target == aim.target and task.probe is aim.probe and task.trust == aim.requirement.trust
    return same and all(task.params.get(name, value) == value for name, value in aim.params.items())


def _task(key: str, aim: Aim) -> Task:
    return Task(
        key=key,
        probe=aim.probe,
        target=aim.target,
        params=aim.params,
        secrets=aim.secrets,
        alpn=aim.expect.alpn or _DEFAULT_ALPN,
        trust=aim.requirement.trust,
    )


def _merged(task: Task, aim: Aim) -> Task:
    return Task(
        key=task.key,
        probe=task.probe,
        target=task.target,
        params=task.params | aim.params,
        secrets=tuple(dict.fromkeys((*task.secrets, *aim.secrets))),
        alpn=tuple(dict.fromkeys((*task.alpn, *aim.expect.alpn))),
        trust=task.trust,
    )
