"""What an HTTP answer means where nothing is known of the service: its status is among the expected ones, or not."""

from preflight.judge.outcome import PASS, Outcome, fail
from preflight.judge.scene import host_of
from preflight.judge.services.reading import status
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check


def expected(check: Check, hop: Hop) -> bool:
    """Whether the status lies in one of the check's ranges."""
    return any(low <= status(hop) <= high for low, high in check.expect.statuses)


def answer(check: Check, hop: Hop, _observation: Observation) -> Outcome:
    """Judge one complete answer by the check's statuses."""
    if expected(check, hop):
        return PASS
    ranges = ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in check.expect.statuses)
    return fail("http.unexpected-status", f"{host_of(hop)} answered HTTP {status(hop)}; expected: {ranges}")


def missing(_check: Check, role: str, _observation: Observation) -> Outcome:
    """The probe has one request."""
    return fail("http.unexpected-status", f"the step {role} was not reached")
