"""Starts the vantages of one run side by side and merges what they send into one evidence. Judges nothing."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from preflight import __version__
from preflight.journal import collect
from preflight.model.journal import Begin, End
from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import Plan, VantagePlan
from preflight.model.run import Evidence
from preflight.model.secret import Secrets
from preflight.model.sharing import Shared
from preflight.probes.clock import utc_now
from preflight.vantages.base import Vantage

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
        self._shared = Shared()
        self._started, self._begin = utc_now(), time.perf_counter()

    async def conduct(self, vantages: Mapping[str, Vantage], secrets: Secrets, progress: Progress) -> None:
        """Run all vantages concurrently until the last one is done."""
        async with asyncio.TaskGroup() as group:
            for name, vantage in vantages.items():
                group.create_task(self._one(name, vantage, secrets, progress))

    async def _one(self, name: str, vantage: Vantage, secrets: Secrets, progress: Progress) -> None:
        def emit(item: VantageFacts | Observation) -> None:
            if isinstance(item, Observation):
                self._observations[name, item.task] = self._shared.of(item)
            else:
                self._facts[name] = item
            progress(name, item)

        facts = await vantage(self._plans[name], secrets, emit)
        self._facts[name] = facts
        progress(name, facts)

    def begin(self, environment: dict[str, Any], *, strict: bool = False, banner: str = "") -> Begin:
        """What is known before anything is observed: the first line of the run's journal."""
        return Begin(
            tool_version=__version__,
            run_id=self._run_id,
            started=self._started,
            strict=strict,
            banner=banner,
            environment=environment,
            plan=self._plan,
        )

    def end(self, *, interrupted: bool = False) -> End:
        """That nothing more will be observed, and how long it took."""
        duration = round((time.perf_counter() - self._begin) * 1000, 3)
        return End(finished=utc_now(), duration_ms=duration, interrupted=interrupted)

    def evidence(self, begin: Begin, end: End) -> Evidence:
        """What was seen so far, in the plan's order."""
        return collect(begin, self._facts, self._observations, end=end)
