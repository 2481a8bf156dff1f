"""What one rule of judgement says: a status, its cause and the sentence that goes with it."""

import msgspec

from preflight.model.vocabulary import Status


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`cause` is None for PASS only; `reason` names what was seen, with the values."""

    status: Status
    cause: str | None = None
    reason: str = ""


PASS = Outcome(status=Status.PASS)


def fail(cause: str, reason: str) -> Outcome:
    """The requirement does not hold."""
    return Outcome(status=Status.FAIL, cause=cause, reason=reason)


def warn(cause: str, reason: str) -> Outcome:
    """It holds, with a reservation."""
    return Outcome(status=Status.WARN, cause=cause, reason=reason)


def unknown(cause: str, reason: str) -> Outcome:
    """It could not be tested."""
    return Outcome(status=Status.UNKNOWN, cause=cause, reason=reason)


def good(reason: str = "") -> Outcome:
    """It holds, with a remark on what was seen."""
    return Outcome(status=Status.PASS, reason=reason)
