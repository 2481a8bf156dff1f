"""What it means that a kubelet pulled an image, or could not: the last word on what a node's runtime can reach.

Facts of the hop `pull`, written by `preflight.vantages.pulling`: `image`, `node`, `result` (pulled, failed, no-answer,
not-tried), `message` (the kubelet's own words), `trouble` (a cause, when nothing was tried), `seconds`, `limit`,
`login` (whose credentials), `fresh` ("yes": the image has a layer made for this run), `not_pushed` (why it has none).
Option of a check: `stand_in`, the image is a small one that stands in for others: that it is missing proves nothing.
"""

from typing import Final

from preflight.judge import pulls
from preflight.judge.outcome import Outcome, fail, good, unknown
from preflight.judge.services.reading import fact, find
from preflight.model.causes import CAUSES
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

# Of the image that was chosen, not of the registry or of the way to it.
_OF_THE_IMAGE: Final = frozenset(("pull.not-found", "pull.wrong-platform", "pull.bad-name"))
_OF_THE_KUBELET: Final = frozenset(("pull.kubelet-busy",))


def answer(check: Check, hop: Hop, _observation: Observation) -> Outcome:
    """Whether the kubelet pulled."""
    node, image = fact(hop, "node") or "the node", fact(hop, "image")
    match fact(hop, "result"):
        case "pulled":
            took = f" in {fact(hop, 'seconds')} s" if fact(hop, "seconds") else ""
            return good(f"{node} pulled {image}{took}, {fact(hop, 'login')}")
        case "failed":
            return _failed(check, f"{node} cannot pull {image}", fact(hop, "message"))
        case "no-answer":
            return _no_answer(check, hop, f"{node} is still pulling {image} after {fact(hop, 'limit')} s")
        case _:
            return _not_tried(hop)


def missing(_check: Check, _role: str, observation: Observation) -> Outcome:
    """The content: containerd downloads only layers that the node lacks."""
    hop = find(observation, "pull")
    if hop is None or fact(hop, "result") == "not-tried":
        return _not_tried(hop)
    if fact(hop, "not_pushed"):
        return unknown("pull.not-pushed", f"no fresh layer could be pushed: {fact(hop, 'not_pushed')}")
    if fact(hop, "result") != "pulled":
        return unknown("pull.no-answer", "the pull did not end, so nothing is known of layers")
    if fact(hop, "fresh") == "yes":
        return good(f"{fact(hop, 'node')} downloaded a layer that was made for this run")
    return unknown(
        "pull.cached",
        f"{fact(hop, 'node')} resolved {fact(hop, 'image')}; of its layers containerd downloads only those that the"
        " node lacks, and which these were is not known",
    )


def _failed(check: Check, what: str, message: str) -> Outcome:
    cause = pulls.classify(message).cause
    told = f"{what}: {message}"
    if cause in _OF_THE_KUBELET or (cause in _OF_THE_IMAGE and check.expect.options.get("stand_in")):
        return unknown(cause, told)
    return fail(cause, told)


def _no_answer(check: Check, hop: Hop, what: str) -> Outcome:
    """A large image takes its time; a tiny one does not."""
    if check.expect.options.get("stand_in") or fact(hop, "fresh") == "yes":
        return fail("pull.no-answer", what)
    return unknown("pull.no-answer", f"{what}: a registry that is silent, or a large image")


def _not_tried(hop: Hop | None) -> Outcome:
    trouble = fact(hop, "trouble") if hop is not None else ""
    cause = trouble if trouble in CAUSES else "vantage.incomplete"
    return unknown(cause, (fact(hop, "message") if hop is not None else "") or "nothing is known of the pull")
