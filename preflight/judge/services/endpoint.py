"""What the endpoint domain's answers mean: any answer of the router proves the network; the model is another matter.

Facts are those of `preflight.probes.services.endpoint`. Texts of azureml-fe: MachineLearningNotebooks#450, #647, #1004.
"""

from preflight.judge.outcome import PASS, Outcome, fail, good, warn
from preflight.judge.services.plain import expected
from preflight.judge.services.reading import fact, said, status
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

_ROUTER_ANSWERS = (400, 401, 404, 405, 415, 422)  # no key, no such service, wrong method or payload: the router answers


def answer(check: Check, hop: Hop, _observation: Observation) -> Outcome:
    """Judge one complete answer of the router."""
    match fact(hop, "router"):
        case "no-replicas":
            return fail("endpoint.no-replicas", f"{said(hop)}: no ready replicas")
        case "replica-closed":
            return fail("endpoint.unavailable", f"{said(hop)}: the replica closed the connection")
        case "overloaded":
            return warn("endpoint.unavailable", f"{said(hop)}: too many requests for the service")
        case _:
            pass
    if expected(check, hop):
        return PASS
    if status(hop) >= 500 or status(hop) == 429:
        return fail("endpoint.unavailable", said(hop))
    if status(hop) in _ROUTER_ANSWERS:
        return good(f"{said(hop)}: the router answers")
    return fail("http.unexpected-status", said(hop))


def missing(_check: Check, role: str, _observation: Observation) -> Outcome:
    """The probe has one request."""
    return fail("http.unexpected-status", f"the step {role} was not reached")
