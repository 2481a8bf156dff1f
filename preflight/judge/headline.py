"""The first words of a report: the verdict in one sentence, and the banner that must be known before it."""

from preflight.model.plan import Plan
from preflight.model.run import Verdict
from preflight.model.vocabulary import Severity, Status, VantageKind, vantage_kind

_PLURAL = {VantageKind.NODE: "nodes", VantageKind.POD: "pods", VantageKind.WORKSTATION: "the workstation"}
_CLUSTER = (VantageKind.NODE, VantageKind.POD)


def headline(code: int, verdicts: tuple[Verdict, ...], plan: Plan) -> str:
    """One sentence for the outcome, and one for what it does not speak of."""
    unproven = _unproven(plan, verdicts)
    return f"{_outcome(code, verdicts)}{f' Nothing is proven for {unproven}: left out.' if unproven else ''}"


def banner(given: str, plan: Plan) -> str:
    """The first line: what was given, and which places the workstation stands in for."""
    kinds = " and ".join(f"{_PLURAL[VantageKind(kind)]}" for kind in plan.stand_in)
    note = f"The workstation stands in for {kinds}: what it sees decides for them." if kinds else ""
    return " ".join(part for part in (given, note if note not in given else "") if part)


def _outcome(code: int, verdicts: tuple[Verdict, ...]) -> str:
    deciding = [verdict for verdict in verdicts if verdict.decides]
    failed = [verdict for verdict in deciding if verdict.status is Status.FAIL]
    unknown = [
        verdict for verdict in deciding if verdict.status is Status.UNKNOWN and verdict.severity is Severity.REQUIRED
    ]
    warned = [verdict for verdict in deciding if verdict.status is Status.WARN]
    if code == 130:
        found = f" {_count(failed, 'fails', 'fail')} so far." if failed else ""
        return f"Interrupted: this report is partial.{found}"
    if failed:
        more = f", and {_count(unknown, 'could', 'could')} not be tested" if unknown else ""
        return f"Not ready: {_count(failed, 'fails', 'fail')}{more}."
    if unknown:
        return f"Not proven: {_count(unknown, 'could', 'could')} not be tested; nothing that was tested fails."
    tested = [verdict for verdict in deciding if verdict.status not in (Status.SKIPPED, Status.UNKNOWN)]
    if not tested:
        return "Nothing was tested that decides."
    kept = f"Ready: {_every(len({verdict.requirement for verdict in tested}))}"
    return f"{kept}; {_count(warned, 'warns', 'warn')}." if warned else f"{kept}."


def _every(number: int) -> str:
    return "the one requirement tested holds" if number == 1 else f"all {number} requirements tested hold"


def _count(verdicts: list[Verdict], one: str, many: str) -> str:
    """Requirements, not checks: that is what people count."""
    number = len({verdict.requirement for verdict in verdicts})
    return f"{number} requirement{'' if number == 1 else 's'} {one if number == 1 else many}"


def _unproven(plan: Plan, verdicts: tuple[Verdict, ...]) -> str:
    """Kinds of the cluster that were left out by choice: nothing ran there and nothing says that it should have."""
    ran = {vantage_kind(vantage) for vantage in plan.vantages} | {VantageKind(kind) for kind in plan.stand_in}
    wanted = {
        vantage_kind(verdict.vantage)
        for verdict in verdicts
        if verdict.vantage
        and verdict.status is Status.UNKNOWN
        and verdict.vantage.partition("/")[0] in tuple(VantageKind)
    }
    return " and ".join(_PLURAL[kind] for kind in _CLUSTER if kind not in ran | wanted)
