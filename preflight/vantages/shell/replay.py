"""The real probes, run here over what the shell probe brought: one request each, the first. Opens no connection.

So a registry's challenge or an account's error code is read by the same code as ever. A probe that would go on is
stopped there, and the observation says what was not tested.
"""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Final

import httpx
import msgspec
from msgspec import UNSET

from preflight import runner
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Target, Task, VantagePlan
from preflight.model.secret import Secrets
from preflight.model.vocabulary import ProbeName
from preflight.probes import names, redirects
from preflight.probes.clock import utc_now
from preflight.probes.dialer import Dialer
from preflight.probes.redact import Redactor
from preflight.probes.request import Beyond, Reply, Request
from preflight.probes.services import PROBES
from preflight.probes.trail import Trail
from preflight.vantages.shell import words
from preflight.vantages.shell.heard import Section
from preflight.vantages.shell.stages import Place, Stages, stages

_REDACTOR: Final = Redactor({})
_NO_SECRETS: Final[Secrets] = {}  # they go to preflight's own image and to nothing else
_ONE_REQUEST: Final = "the shell probe sends one request to each target, and no credentials"


# Those whose whole work is requests through the dialer, the first of which a tool can make.
ASKABLE: Final = frozenset(
    {
        ProbeName.TCP, ProbeName.HTTP, ProbeName.REGISTRY, ProbeName.BLOB, ProbeName.TABLE, ProbeName.ENTRA,
        ProbeName.WORKSPACE, ProbeName.KUSTO, ProbeName.KUBE_API, ProbeName.ENDPOINT,
    }
)  # fmt: skip


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What the shell has to ask for one task."""

    number: int  # from 1
    task: Task
    url: str = ""  # "" for a connection alone
    possible: bool = True  # false: what the task's probe does is no request and no connection of a tool's
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def hostport(self) -> str:
        """As tools want it."""
        return names.join(self.task.target.host, self.task.target.port)


class _Asking(Dialer):
    """Learns what a probe asks first."""

    def __init__(self) -> None:  # no connection, so none of a dialer's means
        self.first: Request | None = None

    async def fetch(self, trail: Trail, role: str, request: Request) -> Reply:  # noqa: ARG002
        self.first = request
        raise Beyond(role)

    async def connect(self, trail: Trail, role: str, target: Target) -> Hop:  # noqa: ARG002
        raise Beyond(role)


async def asks(plan: VantagePlan) -> tuple[Ask, ...]:
    """One for each task of the plan, in order."""
    found = []
    for number, task in enumerate(plan.tasks, start=1):
        if task.probe not in ASKABLE:
            found.append(Ask(number=number, task=task, possible=False))
            continue
        asking = _Asking()
        with contextlib.suppress(Beyond):
            await PROBES[task.probe](task, asking, Trail(), {})
        request = asking.first
        found.append(
            Ask(
                number=number,
                task=task,
                url="" if request is None else request.url,
                headers=() if request is None else request.headers,
            )
        )
    return tuple(found)


class _Recorded(Dialer):
    """Answers the first request with what was brought, and goes no further."""

    def __init__(self, brought: Stages, started: str) -> None:
        self._brought, self._started = brought, started
        self._spent = False

    async def fetch(self, trail: Trail, role: str, request: Request) -> Reply:
        brought, url = self._once(role), _REDACTOR.url(request.url)
        if brought.http is UNSET or brought.http.result != "ok" or brought.http.status is None:
            return Reply(hop=self._told(trail, role, url, brought))
        headers = httpx.Headers([(name.encode(), value.encode()) for name, value in brought.headers])
        bare = Hop(role=role, url=url, started=self._started, at_ms=0.0, duration_ms=0.0)
        reply = Reply(hop=bare, status=brought.http.status, headers=headers, body=brought.body)
        if redirects.following(request, reply, frozenset({request.url}), 1) is not None:
            # What only points elsewhere is no answer of the service: the hop ends before it.
            self._told(trail, role, url, msgspec.structs.replace(brought, http=UNSET))
            there = _REDACTOR.url(headers.get("location", ""))[:300]
            raise Beyond(f"HTTP {reply.status} sends clients on to {there}, where the shell probe does not follow")
        return msgspec.structs.replace(reply, hop=self._told(trail, role, url, brought))

    async def connect(self, trail: Trail, role: str, target: Target) -> Hop:
        return self._told(trail, role, target.url, self._once(role))

    def _once(self, role: str) -> Stages:
        if self._spent:
            raise Beyond(f"step {role}: {_ONE_REQUEST}")
        self._spent = True
        return self._brought

    def _told(self, trail: Trail, role: str, url: str, brought: Stages) -> Hop:
        with trail.hop(role, url) as draft:
            draft.started, draft.at_ms, draft.duration_ms = self._started, 0.0, brought.duration_ms
            draft.dns, draft.proxy, draft.connections = brought.dns, brought.proxy, brought.connections
            draft.tls, draft.http = brought.tls, brought.http
        return draft.freeze()


def impossible(ask: Ask, plan: VantagePlan) -> Observation:
    """For a task that no tool of a container could do."""
    return Observation(
        task=ask.task.key,
        vantage=plan.vantage,
        probe=ask.task.probe,
        target=ask.task.target.hostport,
        started=utc_now(),
        duration_ms=0.0,
        deadline_ms=plan.limits.check_deadline_s * 1000,
        finished=True,
        untested="only preflight's own image can test this",
    )


async def observe(ask: Ask, section: Section, place: Place, plan: VantagePlan) -> Observation:
    """One task's observation, of what the tools said about it. Raises nothing for whatever they said."""
    started = _started(section)
    brought = stages(ask.task, section, place, plan)
    dialer = _Recorded(brought, started)
    emitted: list[Observation] = []
    ends = asyncio.get_running_loop().time() + plan.limits.check_deadline_s
    await runner.observe(ask.task, plan, dialer, _NO_SECRETS, emitted.append, ends=ends)
    seen = emitted[0]
    beyond = "" if seen.untested is UNSET else seen.untested
    kept = f"the credentials for it stay here: {_ONE_REQUEST}" if ask.task.secrets else ""
    return msgspec.structs.replace(
        seen,
        started=started,
        duration_ms=brought.duration_ms,
        untested=brought.untested or beyond or kept or UNSET,
    )


def _started(section: Section) -> str:
    """By the place's own clock, so that one that is wrong shows."""
    moment = next((at for line in section.get("i", ()) if (at := words.epoch(line)) is not None), None)
    if moment is None:
        return utc_now()
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
