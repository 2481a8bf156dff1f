"""What the telemetry service (Kusto ingest) answers mean. Facts are those of `preflight.probes.services.kusto`."""

from preflight.judge.outcome import PASS, Outcome, fail, good
from preflight.judge.services.reading import fact, header, said, status
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

_MARKS = ("x-ms-activity-id", "x-ms-client-request-id")


def answer(_check: Check, hop: Hop, _observation: Observation) -> Outcome:
    """Judge the answer to GET /v1/rest/auth/metadata, which Kusto gives to everybody."""
    if status(hop) == 200 and fact(hop, "document") == "metadata":
        return PASS
    if status(hop) >= 500 or status(hop) == 429:
        return fail("telemetry.unavailable", said(hop))
    if status(hop) in (401, 403, 404) and any(header(hop, mark) for mark in _MARKS):
        return good(f"{said(hop)}: reached")
    return fail("http.unexpected-status", f"{said(hop)}, not as Kusto does")


def missing(_check: Check, role: str, _observation: Observation) -> Outcome:
    """The probe has one request."""
    return fail("http.unexpected-status", f"the step {role} was not reached")
