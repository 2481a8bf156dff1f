"""From a plan to evidence: hands each vantage its part, runs them, survives Ctrl-C and SIGTERM with what was seen."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from typing import Any

import msgspec

from preflight import environment as environments
from preflight import plan as plans
from preflight.cli import progress
from preflight.model.environment import Environment
from preflight.model.plan import Mapping as Detour
from preflight.model.plan import Plan
from preflight.model.run import Evidence
from preflight.model.secret import Secrets
from preflight.session import Session, new_run_id
from preflight.vantages.base import Vantage


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says about a run, besides the plan."""

    strict: bool = False
    banner: str = ""
    quiet: bool = False
    detours: dict[str, Detour] = {}  # vantage -> mapping, for the embedded Azure


def conduct(
    plan: Plan, environment: Environment, vantages: Mapping[str, Vantage], secrets: Secrets, how: Circumstances
) -> Evidence:
    """Run the plan; `interrupted` is set in the evidence when a signal ended it early."""
    return asyncio.run(conducted(plan, environment, vantages, secrets, how))


async def conducted(
    plan: Plan, environment: Environment, vantages: Mapping[str, Vantage], secrets: Secrets, how: Circumstances
) -> Evidence:
    """The same inside a running loop."""
    run_id = new_run_id()
    parts = {
        name: plans.vantage_plan(plan, environment, name, run_id=run_id, mapping=how.detours.get(name))
        for name in plan.vantages
    }
    session = Session(plan, parts, run_id=run_id)
    totals = {name: len(part.tasks) for name, part in parts.items()}
    chosen = {name: vantages[name] for name in plan.vantages}
    with progress.shown(totals, quiet=how.quiet) as report:
        interrupted = await _until_signalled(session.conduct(chosen, secrets, report))
    return session.evidence(
        environments.describe(environment), strict=how.strict, interrupted=interrupted, banner=how.banner
    )


async def _until_signalled(work: Any) -> bool:
    """Await the work; True when SIGINT or SIGTERM cancelled it. A second signal ends the process at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    signalled = False

    def stop(number: int) -> None:
        nonlocal signalled
        signalled = True
        loop.remove_signal_handler(number)
        task.cancel()

    with contextlib.ExitStack() as handlers:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not on every platform or thread
                loop.add_signal_handler(number, stop, number)
                handlers.callback(loop.remove_signal_handler, number)
        try:
            await task
        except asyncio.CancelledError:
            if not signalled:
                raise
    return signalled
