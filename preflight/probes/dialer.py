"""Makes hops: name, connection, TLS, HTTP, through a proxy where one applies. Writes facts, never verdicts."""

from preflight.model.observation import Hop, VantageFacts
from preflight.model.plan import Target, VantagePlan
from preflight.model.secret import Secrets
from preflight.probes.request import Reply, Request
from preflight.probes.trail import Trail

__all__ = ["Dialer", "Reply", "Request", "Trail"]


class Dialer:
    """The connections of one vantage; names are looked up once and shared. Close it after the last hop."""

    def __init__(self, plan: VantagePlan, facts: VantageFacts, secrets: Secrets) -> None:
        self.plan = plan
        self.facts = facts
        self.secrets = secrets

    async def fetch(self, trail: Trail, role: str, request: Request) -> Reply:
        """One request with its redirects; a stage that fails ends the hop, it is no exception."""
        raise AssertionError

    async def connect(self, trail: Trail, role: str, target: Target) -> Hop:
        """Name and TCP only."""
        raise AssertionError

    async def aclose(self) -> None:
        """Ends what is still running."""
