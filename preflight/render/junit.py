"""JUnit XML for Azure DevOps and GitHub: a suite per phase and vantage, a test case per check.

It is red exactly when the exit code is not 0: where no check carries that (everything skipped, --strict, interrupted),
a case of the suite "gate" does. Comparison evidence stands in suites of its own and is never red.
"""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

import msgspec

from preflight.model.causes import CAUSES
from preflight.model.run import Run, Verdict
from preflight.model.vocabulary import Status
from preflight.render import text, view

_SKIPPED = (Status.SKIPPED, Status.BLOCKED, Status.WAIVED)


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    """One test case; `kind` is the element inside it: "failure", "error", "skipped" or nothing."""

    classname: str
    name: str
    time_ms: float
    kind: str = ""
    type: str = ""
    message: str = ""
    body: str = ""


class _Suite(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    cases: tuple[_Case, ...]

    def number(self, kind: str) -> int:
        return sum(case.kind == kind for case in self.cases)


def render(run: Run) -> str:
    """The whole document; characters that XML forbids are shown as their code points."""
    suites = [*_suites(run, decides=True), *_suites(run, decides=False)]
    suites += _gate(run, suites)
    totals = _numbers(_Suite(name="", cases=tuple(case for suite in suites for case in suite.cases)))
    name = f"{run.tool.name} {view.subject(run)}"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name={_attribute(name)} {totals} time="{run.duration_ms / 1000:.3f}">',
        *(line for suite in suites for line in _suite(run, suite)),
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _attribute(value: str) -> str:
    return quoteattr(text.line(value))


def _numbers(suite: _Suite) -> str:
    parts = {"tests": len(suite.cases), "failures": suite.number("failure"), "errors": suite.number("error")}
    parts["skipped"] = suite.number("skipped")
    return " ".join(f'{name}="{number}"' for name, number in parts.items())


def _suites(run: Run, *, decides: bool) -> list[_Suite]:
    groups: dict[str, list[Verdict]] = {}
    for verdict in run.verdicts:
        if verdict.decides is decides:
            place = f"{verdict.phase} · {verdict.vantage or 'no vantage'}"
            groups.setdefault(place if decides else f"comparison, does not decide · {place}", []).append(verdict)
    return [_Suite(name=name, cases=tuple(map(_case, group))) for name, group in groups.items()]


def _gate(run: Run, suites: Sequence[_Suite]) -> list[_Suite]:
    """What stands for an exit code that no single check explains."""
    red = sum(suite.number("failure") + suite.number("error") for suite in suites)
    if run.exit_code == 0 or red:
        return []
    words = view.EXITS.get(run.exit_code, "")
    case = _Case(
        classname="preflight",
        name="gate: the run as a whole",
        time_ms=run.duration_ms,
        kind="error",
        type=f"preflight.exit-{run.exit_code}",
        message=f"exit {run.exit_code} ({words}): {run.headline}",
        body=f"{run.headline}\n{view.counted(run)}",
    )
    return [_Suite(name="gate", cases=(case,))]


def _case(verdict: Verdict) -> _Case:
    kind, type_, message = _inside(verdict)
    return _Case(
        classname=f"preflight.{view.service(verdict.requirement)}",
        name=f"{verdict.check}: {verdict.title}",
        time_ms=verdict.duration_ms or 0.0,
        kind=kind,
        type=type_,
        message=message,
        body=_body(verdict),
    )


def _inside(verdict: Verdict) -> tuple[str, str, str]:
    """Element, type and message of a verdict."""
    cause = verdict.cause or "preflight.unexplained"
    words = f"{cause}: {verdict.reason or _meaning(verdict)}"
    if not verdict.decides and verdict.status is not Status.PASS:
        return "skipped", "", f"comparison evidence, does not decide: {verdict.status}, {words}"
    if verdict.status is Status.FAIL:
        return "failure", cause, words
    if verdict.status is Status.UNKNOWN:
        return "error", cause, f"not tested: {words}"
    if verdict.status in _SKIPPED:
        by = f" by {verdict.blocked_by}" if verdict.blocked_by else ""
        return "skipped", "", f"{verdict.status}{by}: {verdict.reason or words}"
    return "", "", ""


def _meaning(verdict: Verdict) -> str:
    return CAUSES[verdict.cause].meaning if verdict.cause in CAUSES else ""


def _body(verdict: Verdict) -> str:
    """What a person reads when the case is opened; a warning stands here and nowhere else."""
    if verdict.status in (Status.PASS, Status.SKIPPED):
        return ""
    lines = [f"status: {verdict.status}", f"target: {verdict.target}", f"seen from: {verdict.vantage}"]
    if verdict.cause:
        lines.append(f"cause: {verdict.cause}")
    if verdict.owner:
        lines.append(f"owner: {view.TEAMS[verdict.owner]}")
    lines += [f"reason: {verdict.reason}"] if verdict.reason else []
    if verdict.cause in CAUSES:
        lines.append(f"remedy: {CAUSES[verdict.cause].remedy}")
    return "\n".join(text.line(line) for line in lines)


def _suite(run: Run, suite: _Suite) -> Iterable[str]:
    spent = sum(case.time_ms for case in suite.cases) / 1000
    stamp = run.started[:19]
    yield (
        f"  <testsuite name={_attribute(suite.name)} {_numbers(suite)} "
        f'time="{spent:.3f}" timestamp={_attribute(stamp)}>'
    )
    yield from _properties(run)
    for case in suite.cases:
        yield from _testcase(case)
    yield "  </testsuite>"


def _properties(run: Run) -> Iterable[str]:
    """The run's own counts and exit code, the same in every suite: readers show properties of suites only."""
    told = {"exit_code": str(run.exit_code), "headline": run.headline, "run_id": run.run_id}
    told |= {f"count.{status}": str(number) for status, number in sorted(run.counts.items())}
    if run.banner:
        told["banner"] = run.banner
    yield "    <properties>"
    for name, value in told.items():
        yield f"      <property name={_attribute(name)} value={_attribute(value)}/>"
    yield "    </properties>"


def _testcase(case: _Case) -> Iterable[str]:
    head = (
        f"    <testcase classname={_attribute(case.classname)} name={_attribute(case.name)} "
        f'time="{case.time_ms / 1000:.3f}"'
    )
    if not case.kind and not case.body:
        yield f"{head}/>"
        return
    yield f"{head}>"
    if case.kind:
        type_ = f" type={_attribute(case.type)}" if case.type else ""
        inside = escape(text.clean(case.body)) if case.kind != "skipped" else ""
        yield f"      <{case.kind}{type_} message={_attribute(case.message)}>{inside}</{case.kind}>"
    else:
        yield f"      <system-out>{escape(text.clean(case.body))}</system-out>"
    yield "    </testcase>"
