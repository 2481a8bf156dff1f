"""Whether a run says what its scenario expects, and both in words for the page. Pure."""

from fnmatch import fnmatchcase

from bed.scenario import Row
from preflight.model.run import Run, Verdict
from preflight.model.vocabulary import Status

_TOLD = (Status.FAIL, Status.WARN, Status.UNKNOWN)
_QUIET = (Status.PASS, Status.SKIPPED)


def mismatches(row: Row, code: int, run: Run) -> list[str]:
    """Everything that is not as expected, a line each."""
    told = [verdict for verdict in run.verdicts if verdict.status in _TOLD and verdict.decides]
    expected = _expected(row)
    wrong = [f"exit {code}, expected {row.exit}"] if code != row.exit else []
    wrong += [f"not expected: {_line(verdict)}" for verdict in told if not any(_is(verdict, *one) for one in expected)]
    wrong += [
        f"expected and not seen: {status} {requirement} {cause}"
        for status, requirement, cause in expected
        if not any(_is(verdict, status, requirement, cause) for verdict in told)
    ]
    wrong += _compared(row, run)
    checks = {verdict.check for verdict in run.verdicts if verdict.status in _TOLD}
    wrong += [
        f"not expected: {_line(verdict)}"
        for verdict in run.verdicts
        if verdict.status not in (*_TOLD, *_QUIET) and verdict.blocked_by not in checks
    ]
    owners = {finding.owner for finding in run.findings}
    if owners != set(row.owners):
        wrong.append(f"owners {sorted(owners)}, expected {sorted(row.owners)}")
    if row.ranked and not all(len(finding.candidates) > 1 for finding in run.findings):
        wrong.append("a finding does not name two or more candidate places")
    return wrong


def _compared(row: Row, run: Run) -> list[str]:
    """Evidence that does not decide has no severity: requirement and cause are compared."""
    told = [verdict for verdict in run.verdicts if verdict.status in _TOLD and not verdict.decides]
    wrong = [
        f"not expected beside: {_line(verdict)}"
        for verdict in told
        if not any(_is(verdict, verdict.status, *one) for one in row.compared.items())
    ]
    return wrong + [
        f"expected beside and not seen: {requirement} {cause}"
        for requirement, cause in row.compared.items()
        if not any(_is(verdict, verdict.status, requirement, cause) for verdict in told)
    ]


def _expected(row: Row) -> list[tuple[Status, str, str]]:
    tables = ((Status.FAIL, row.fail), (Status.WARN, row.warn), (Status.UNKNOWN, row.unknown))
    return [(status, requirement, cause) for status, table in tables for requirement, cause in table.items()]


def _is(verdict: Verdict, status: Status, requirement: str, cause: str) -> bool:
    return verdict.status is status and verdict.cause == cause and fnmatchcase(verdict.requirement, requirement)


def _line(verdict: Verdict) -> str:
    return f"{verdict.status} {verdict.check} {verdict.cause or ''} {verdict.reason}"


def expected(row: Row) -> str:
    """What the data says, in the words of `seen`."""
    return _words(row.exit, _expected(row), {str(owner) for owner in row.owners})


def seen(row: Row, code: int, run: Run) -> str:
    """What the run says, in the words of `expected` or as that word, and the titles of its findings."""
    words = _seen(row, code, run)
    titles = [
        f"{finding.owner}, {finding.confidence}: {finding.title if row.titled else finding.cause}"
        for finding in run.findings
    ]
    return "<br>".join(["as expected" if titles and words == expected(row) else words, *titles])


def _seen(row: Row, code: int, run: Run) -> str:
    patterns = _expected(row)
    told = []
    for verdict in run.verdicts:
        if verdict.status in _TOLD and verdict.decides:
            covered = next((one for one in patterns if _is(verdict, *one)), None)
            told.append(covered or (verdict.status, verdict.requirement, verdict.cause or ""))
    ordered = sorted(set(told), key=lambda one: patterns.index(one) if one in patterns else len(patterns))
    return _words(code, ordered, {str(finding.owner) for finding in run.findings})


def _words(code: int, told: list[tuple[Status, str, str]], owners: set[str]) -> str:
    causes: dict[tuple[Status, str], list[str]] = {}
    for status, requirement, cause in told:
        causes.setdefault((status, cause), []).append(f"`{requirement}`")
    parts = [f"{status} **{cause}**: {', '.join(names)}" for (status, cause), names in causes.items()]
    return "; ".join([f"exit {code}", *parts, *([f"owner {', '.join(sorted(owners))}"] if owners else [])])
