"""A place that is seen by a shell probe: sends the script through a carrier, and makes observations of what comes back.

One instance for each place. It neither knows nor cares whether the carrier is an exec or Azure Resource Manager.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final, Protocol

import msgspec

from preflight.failures import ClusterFailure
from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secrets
from preflight.probes.clock import utc_now
from preflight.vantages.base import Emit
from preflight.vantages.listener import unheard
from preflight.vantages.shell import place, replay, script
from preflight.vantages.shell.heard import Heard
from preflight.vantages.shell.place import Where
from preflight.vantages.shell.replay import Ask

_GRACE_S: Final = 60.0  # beyond the run's deadline: the way there and back
NOT_RUN: Final = "vantage.not-run"
INCOMPLETE: Final = "vantage.incomplete"


class Carrier(Protocol):
    """Runs a script with `sh` somewhere and gives its output line by line. Raises `ClusterFailure` when it cannot."""

    def __call__(self, text: str) -> AsyncGenerator[bytes, None]:
        """The script's text goes to the standard input of `sh`."""


class ShellVantage:
    """Runs a plan at one place, with whatever tools are there. Secrets stay here."""

    def __init__(self, carrier: Carrier, where: Where, *, at_once: int | None = None) -> None:
        self._carrier, self._where = carrier, where
        self._at_once = at_once  # targets of one script, where its output is limited

    async def __call__(self, plan: VantagePlan, secrets: Secrets, emit: Emit) -> VantageFacts:  # noqa: ARG002
        """Run the plan there; returns what is true of the place, or why not all was seen."""
        everything = await replay.asks(plan)
        asks = tuple(ask for ask in everything if ask.possible)
        visit = _Visit(plan, everything, self._where, emit)
        size = self._at_once or max(len(asks), 1)
        try:
            async with asyncio.timeout(plan.limits.run_deadline_s + _GRACE_S):
                for start in range(0, max(len(asks), 1), size):
                    await self._send(script.text(plan, asks[start : start + size]), visit)
        except ClusterFailure as failure:
            return visit.facts(failure.text, failure.cause)
        except TimeoutError:
            return visit.facts("the shell probe did not finish within the run's deadline", "pod.deadline")
        return visit.facts(visit.ending)

    async def _send(self, text: str, visit: "_Visit") -> None:
        async with contextlib.aclosing(self._carrier(text)) as lines:
            async for line in lines:
                await visit.hear(line)


class _Visit:
    """What has come so far, and what was made of it."""

    def __init__(self, plan: VantagePlan, asks: tuple[Ask, ...], where: Where, emit: Emit) -> None:
        self._plan, self._asks, self._where, self._emit = plan, asks, where, emit
        self._heard = Heard(plan.run_id)
        self._facts: VantageFacts | None = None
        self._observed: set[int] = set()

    @property
    def ending(self) -> str:
        """Why the output may have ended early."""
        said = self._heard.last_foreign
        return f"the shell probe ended early{f': {said}' if said else ''}"

    async def hear(self, line: bytes) -> None:
        number = self._heard.feed(line)
        if number is None or number in self._observed or not 0 < number <= len(self._asks):
            return
        self._observed.add(number)
        found = place.place(self._heard.section(0), self._plan)
        if self._facts is None:
            self._introduce()
            self._give_up()
        self._emit(await replay.observe(self._asks[number - 1], self._heard.section(number), found, self._plan))

    def _give_up(self) -> None:
        """What no tool could test has its observation, too; only where a probe speaks at all."""
        for ask in self._asks:
            if not ask.possible:
                self._observed.add(ask.number)
                self._emit(replay.impossible(ask, self._plan))

    def _introduce(self) -> VantageFacts:
        """The facts of the place, as soon as something is heard from there."""
        if self._facts is None:
            section = self._heard.section(0)
            self._facts = place.facts(section, place.place(section, self._plan), self._plan, self._where)
            self._emit(self._facts)
        return self._facts

    def facts(self, otherwise: str, cause: str | None = None) -> VantageFacts:
        """The closing facts, or why there are none."""
        spoke = bool(self._heard.section(0))
        facts = self._introduce() if spoke else self._unheard()
        if cause is None and spoke and len(self._observed) == len(self._asks):
            return msgspec.structs.replace(facts, finished=utc_now(), complete=True)
        lost = f"{len(self._observed)} of {len(self._asks)} targets were observed"
        text = f"{otherwise}; {lost}" if spoke else otherwise
        usual = INCOMPLETE if spoke else NOT_RUN
        return msgspec.structs.replace(facts, complete=False, error=text, error_cause=cause or usual)

    def _unheard(self) -> VantageFacts:
        facts = unheard(self._plan.vantage)
        return msgspec.structs.replace(facts, place=f"shell probe in {self._where.words}", via=self._where.via)
