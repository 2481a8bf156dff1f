"""Runs one plan at one place: concurrency, deadlines, and nothing else. It decides no verdict and renders nothing.

Second attempts live one layer below, in the dialer, because they are second sockets beside the first.
"""

import asyncio
import contextlib
import resource
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import UNSET

from preflight.model.observation import Observation, Repeat, VantageFacts
from preflight.model.plan import Task, VantagePlan
from preflight.model.secret import Secrets
from preflight.probes import doubt, local, node_store, noproxy, pacing, size
from preflight.probes.clock import utc_now
from preflight.probes.dialer import Dialer
from preflight.probes.request import Beyond
from preflight.probes.services import PROBES
from preflight.probes.trail import Trail

_MOST_ALONE = 8  # checks of one place that are tried again
_OPEN_FILES = 8192  # many targets with many addresses each need more sockets than the usual soft limits, 256 and 1,024

Emit = Callable[[VantageFacts | Observation], None]


async def run(plan: VantagePlan, secrets: Secrets, emit: Emit, *, node_trust: Path | None = None) -> VantageFacts:
    """Run every task of the plan and emit the facts of the place, then each observation as it is finished.

    `node_trust` is the folder with the node's certificates, where it is mounted.
    What failed as it may under load is tried again alone at the end, where the plan says so; its observation has both.

    Returns the facts with `finished` and `complete`. When cancelled, the observations in progress are emitted with what
    was seen of them so far.
    """
    _raise_open_files()
    facts = node_store.told(_facts(plan), node_trust)
    emit(facts)
    everything = asyncio.Semaphore(plan.limits.concurrency)
    ends = asyncio.get_running_loop().time() + plan.limits.run_deadline_s
    held: dict[str, Observation] = {}

    def take(seen: Observation) -> None:
        if plan.pace.alone_s and doubt.may_be_load(seen):
            held[seen.task] = seen
        else:
            emit(seen)

    async def one(task: Task) -> None:
        await asyncio.sleep(pacing.moment(plan.pace.spread_s, plan.vantage, task.key))
        async with everything:
            await observe(task, plan, dialer, secrets, take, ends=ends)

    try:
        async with Dialer(plan, facts, secrets) as dialer, asyncio.TaskGroup() as group:
            for task in plan.tasks:
                group.create_task(one(task))
        if held:
            await asyncio.sleep(pacing.moment(plan.pace.alone_s, plan.vantage))
            async with Dialer(plan, facts, secrets) as dialer:  # names are looked up again, too
                for task in [task for task in plan.tasks if task.key in held][:_MOST_ALONE]:
                    again = await _alone(task, plan, dialer, secrets, ends=ends)
                    emit(size.bounded(msgspec.structs.replace(held.pop(task.key), alone=again)))
    finally:
        for seen in held.values():
            emit(seen)
    return msgspec.structs.replace(facts, finished=utc_now(), complete=True)


async def _alone(task: Task, plan: VantagePlan, dialer: Dialer, secrets: Secrets, *, ends: float) -> Repeat:
    """The task once more, by itself."""
    seen: list[Observation] = []
    await observe(task, plan, dialer, secrets, seen.append, ends=ends)
    return Repeat(
        started=seen[0].started, duration_ms=seen[0].duration_ms, hops=seen[0].hops, finished=seen[0].finished
    )


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # the limit there is has to do then
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _facts(plan: VantagePlan) -> VantageFacts:
    facts = local.look(plan)
    hosts = sorted({task.target.host for task in plan.tasks})
    no_proxy = plan.proxy.no_proxy or facts.proxies.get("no_proxy", "")
    notices = noproxy.disagreements(no_proxy, hosts) if no_proxy else ()
    return msgspec.structs.replace(facts, notices=(*facts.notices, *notices))


async def observe(
    task: Task,
    plan: VantagePlan,
    dialer: Dialer,
    secrets: Secrets,
    emit: Callable[[Observation], None],
    *,
    ends: float,
) -> None:
    """One task, within its deadline and the run's; always emits exactly one observation."""
    loop = asyncio.get_running_loop()
    deadline = max(0.0, min(plan.limits.check_deadline_s, ends - loop.time()))
    begin = time.perf_counter()
    trail = Trail()
    finished, deadline_hit, tool_error, untested = False, False, None, ""
    try:
        async with asyncio.timeout(deadline) as bound:
            pacing.PATIENCE.set(lambda wait: bound.reschedule(min((bound.when() or ends) + wait, ends)))
            await PROBES[task.probe](
                task, dialer, trail, {name: secrets[name] for name in task.secrets if name in secrets}
            )
            finished = True
    except TimeoutError:
        deadline_hit = True
    except Beyond as end:
        finished, untested = True, str(end)
    except Exception as error:  # noqa: BLE001 - our own bugs become "the tool broke", never a failed check
        tool_error = _describe(error)
    finally:
        trail.close()
        seen = Observation(
            task=task.key,
            vantage=plan.vantage,
            probe=task.probe,
            target=task.target.hostport,
            started=trail.started,
            duration_ms=round((time.perf_counter() - begin) * 1000, 3),
            deadline_ms=round(deadline * 1000, 3),
            hops=trail.hops,
            finished=finished,
            deadline_hit=deadline_hit,
            tool_error=tool_error,
            untested=untested or UNSET,
        )
        emit(size.bounded(seen))


def _describe(error: Exception) -> str:
    """Type, place and message of our own bug; the message is bounded, since it may quote the network."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f" at {at.tb_frame.f_globals.get('__name__')}:{at.tb_lineno}" if at is not None else ""
    return f"{type(error).__name__}{place}: {str(error)[:300]}"
