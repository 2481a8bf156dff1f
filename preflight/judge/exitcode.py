"""The exit code: one function of the verdicts, the same for every format and for the saved run."""

from collections.abc import Iterable

from preflight.model.run import Verdict
from preflight.model.vocabulary import Severity, Status

PASSED, FAILED, USAGE, UNTESTED, WARNED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def exit_code(verdicts: Iterable[Verdict], *, strict: bool = False, interrupted: bool = False) -> int:
    """In the order 130, 1, 3, 4, 0; 2 means that there is no run at all and is given where that is found out.

    Only verdicts that decide count. A blocked one counts as what blocks it, a waived one as passed. Nothing decided,
    or everything skipped, is "could not test": zero checks run is never success.
    """
    every = tuple(verdicts)
    blockers = {verdict.check: verdict for verdict in every}
    deciding = [(verdict, _effective(verdict, blockers)) for verdict in every if verdict.decides]
    statuses = {status for _, status in deciding}
    if interrupted:
        return INTERRUPTED
    if Status.FAIL in statuses:
        return FAILED
    if statuses <= {Status.SKIPPED} or any(
        status is Status.UNKNOWN and verdict.severity is Severity.REQUIRED for verdict, status in deciding
    ):
        return UNTESTED
    return WARNED if strict and Status.WARN in statuses else PASSED


def with_reports(code: int, *, lost: bool) -> int:
    """The exit code of the process: a run that passed is no 0 when a report that was asked for could not be written.

    Whoever reads the report of an earlier run then at least saw this one fail. Every other code says more than that.
    """
    return USAGE if lost and code == PASSED else code


def counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Verdicts that decide, by status; all statuses are there."""
    found = [verdict.status for verdict in verdicts if verdict.decides]
    return {status.value: found.count(status) for status in Status}


def _effective(verdict: Verdict, blockers: dict[str, Verdict]) -> Status:
    """A blocked verdict's status is its blocker's; one whose blocker is not there could not be tested."""
    if verdict.status is not Status.BLOCKED:
        return verdict.status
    blocker = blockers.get(verdict.blocked_by or "")
    if blocker is None or blocker.status is Status.BLOCKED:
        return Status.UNKNOWN
    return blocker.status
