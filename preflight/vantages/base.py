"""What every vantage is: something that runs a plan where it stands and emits facts and observations."""

from collections.abc import Callable
from typing import Protocol

from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secrets

Emit = Callable[[VantageFacts | Observation], None]


class Vantage(Protocol):
    """Runs the plan; returns the facts of the place, `complete` only when every task was observed.

    A vantage that cannot run says so in the facts it returns (`error`, `error_cause`); it raises only when cancelled.
    """

    async def __call__(self, plan: VantagePlan, secrets: Secrets, emit: Emit) -> VantageFacts:
        """Run the plan there."""
