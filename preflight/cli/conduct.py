"""One run from plan to exit code: vantages, journal, judgement, reports; survives signals with what was seen."""

import gc
from collections.abc import Awaitable, Callable, Mapping

import click
import msgspec

from preflight import environment as environments
from preflight import plan as plans
from preflight.cli import journal, loops, progress, signals
from preflight.cli.output import Output
from preflight.judge import judge
from preflight.model.environment import Environment
from preflight.model.observation import Observation, VantageFacts
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
    run_id: str = ""  # empty: a new one
    detours: dict[str, Detour] = {}  # vantage -> mapping, for the embedded Azure


def gate(report: Output, observe: Callable[[journal.Journal], Awaitable[Evidence]]) -> int:
    """Observe, judge, report; gives the exit code. Whatever ends this early leaves the journal, and says so."""
    kept = journal.Journal(report.folder)
    gc.freeze()  # modules, catalogue and plan live to the end: a long run need not look through them again and again
    try:
        evidence = loops.run(_awaited(observe, kept))
        with signals.deferred():
            written = report.write(judge(evidence), kept.kept)
            if written.saved:
                kept.discard()
    except BaseException:
        kept.release()
        if kept.kept is not None:
            click.echo(f"what was observed is kept: {journal.command(kept.kept)}", err=True)
        raise
    kept.release()
    return written.code


async def conducted(
    plan: Plan,
    environment: Environment,
    vantages: Mapping[str, Vantage],
    secrets: Secrets,
    how: Circumstances,
    *,
    kept: journal.Journal,
) -> Evidence:
    """Run the plan; `interrupted` is set in the evidence when a signal ended it early."""
    run_id = how.run_id or new_run_id()
    parts = {
        name: plans.vantage_plan(plan, environment, name, run_id=run_id, mapping=how.detours.get(name))
        for name in plan.vantages
    }
    session = Session(plan, parts, run_id=run_id)
    begin = session.begin(environments.describe(environment), strict=how.strict, banner=how.banner)
    totals = {name: len(part.tasks) for name, part in parts.items()}
    chosen = {name: vantages[name] for name in plan.vantages}

    async def observe() -> None:
        kept.begin(begin)
        with progress.shown(totals, quiet=how.quiet) as show:

            def heard(name: str, item: VantageFacts | Observation) -> None:
                kept.add(name, item)
                show(name, item)

            await session.conduct(chosen, secrets, heard)

    interrupted = await signals.until_signalled(observe())
    end = session.end(interrupted=interrupted)
    kept.end(end)
    return session.evidence(begin, end)


async def _awaited(observe: Callable[[journal.Journal], Awaitable[Evidence]], kept: journal.Journal) -> Evidence:
    return await observe(kept)
