"""The workstation: the runner in this very process."""

from preflight import runner
from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secrets
from preflight.vantages.base import Emit


async def workstation(plan: VantagePlan, secrets: Secrets, emit: Emit) -> VantageFacts:
    """Run the plan here."""
    return await runner.run(plan, secrets, emit)
