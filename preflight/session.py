"""Starts the vantages of one run side by side and merges what they send into one evidence. Judges nothing."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import Plan, VantagePlan
from preflight.model.run import Evidence
from preflight.model.secret import Secrets
from preflight.probes.clock import utc_now
from preflight.vantages.base import Vantage
from preflight.vantages.process import unheard

Progress = Callable[[str, VantageFacts | Observation], None]


def new_run_id() -> str:
    """Short, unique, usable as a Kubernetes label."""
    return uuid.uuid4().hex[:12]


class Session:
    """One run. `evidence()` may be called at any time: after an interruption it holds whatever was observed so far."""

    def __init__(self, plan: Plan, plans: Mapping[str, VantagePlan], *, run_id: str) -> None:
        self._plan, self._plans, self._run_id = plan, plans, run_id
        self._facts: dict[str, VantageFacts] = {}
        self._observations: dict[tuple[str, str], Observation] = {}
        self._started, self._begin = utc_now(), time.perf_counter()

    async def conduct(self, vantages: Mapping[str, Vantage], secrets: Secrets, progress: Progress) -> None:
        """Run all vantages concurrently until the last one is done."""
        async with asyncio.TaskGroup() as group:
            for name, vantage in vantages.items():
                group.create_task(self._one(name, vantage, secrets, progress))

    async def _one(self, name: str, vantage: Vantage, secrets: Secrets, progress: Progress) -> None:
        def emit(item: VantageFacts | Observation) -> None:
            if isinstance(item, Observation):
                self._observations[name, item.task] = item
            else:
                self._facts[name] = item
            progress(name, item)

        facts = await vantage(self._plans[name], secrets, emit)
        self._facts[name] = facts
        progress(name, facts)

    def evidence(
        self, environment: dict[str, Any], *, strict: bool = False, interrupted: bool = False, banner: str = ""
    ) -> Evidence:
        """What was seen, in the plan's order."""
        facts = tuple(self._facts.get(name) or unheard(name) for name in self._plan.vantages)
        order = [(name, key) for name in self._plan.vantages for key in self._plan.runs.get(name, ())]
        return Evidence(
            run_id=self._run_id,
            started=self._started,
            finished=utc_now(),
            duration_ms=round((time.perf_counter() - self._begin) * 1000, 3),
            strict=strict,
            interrupted=interrupted,
            banner=banner,
            environment=environment,
            vantages=facts,
            plan=self._plan,
            observations=tuple(self._observations[at] for at in order if at in self._observations),
            notices=_notices(facts),
        )


def _notices(facts: tuple[VantageFacts, ...]) -> tuple[str, ...]:
    """Each notice once, with the vantages that gave it."""
    said: dict[str, list[str]] = {}
    for fact in facts:
        for notice in fact.notices:
            said.setdefault(notice, []).append(fact.vantage)
    return tuple(f"{', '.join(vantages)}: {notice}" for notice, vantages in said.items())
