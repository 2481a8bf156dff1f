"""What the Azure ML workspace API's answers mean. Facts are those of `preflight.probes.services.workspace`."""

from preflight.judge.outcome import PASS, Outcome, fail, good
from preflight.judge.services.reading import fact, find, said, status, step
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

_ANSWERS_OF_AN_API = ("json", "empty", "challenge")


def answer(_check: Check, hop: Hop, _observation: Observation) -> Outcome:
    """Judge one complete answer, first the texts that mean more than their status."""
    if fact(hop, "denied") == "private-link":
        return fail(
            "workspace.private-link-only",
            f"{said(hop)}: access was denied based on the workspace's private link configuration",
        )
    if status(hop) >= 500 or status(hop) == 429:
        return fail("workspace.unavailable", said(hop))
    if fact(hop, "document") not in _ANSWERS_OF_AN_API:
        return _unexpected(hop)
    return _query(hop) if step(hop) == "query" else _origin(hop)


def missing(_check: Check, _role: str, observation: Observation) -> Outcome:
    """Without a token there is no query; the rights of the identity stay unjudged, the way there is proven."""
    origin = find(observation, "origin")
    if origin is not None and status(origin):
        return good("the workspace API answers; without credentials.workspace_token its rights are not judged")
    return fail("http.unexpected-status", "the workspace API gave no answer to judge")


def _origin(hop: Hop) -> Outcome:
    if status(hop) in (200, 401):
        return PASS
    if status(hop) in (403, 404):
        return good(f"{said(hop)}: reached; rights and existence are judged with a token")
    return _unexpected(hop)


def _query(hop: Hop) -> Outcome:
    if 200 <= status(hop) < 300:
        return PASS
    if status(hop) in (401, 403):
        return fail("workspace.unauthorized", f"{said(hop)} to the token given")
    if status(hop) == 404:
        return fail("workspace.not-found", said(hop))
    return _unexpected(hop)


def _unexpected(hop: Hop) -> Outcome:
    return fail("http.unexpected-status", f"{said(hop)}, not as the workspace API does")
