"""Puts what was left out where its requirement stands, so that nothing ever vanishes from a report."""

from preflight.model.causes import CAUSES
from preflight.model.plan import Check, LeftOut, Plan
from preflight.model.run import Verdict
from preflight.model.vocabulary import Phase, Status

_PHASES = list(Phase)


def arrange(plan: Plan, verdicts: dict[str, Verdict]) -> tuple[Verdict, ...]:
    """Verdicts of the checks in the plan's order, each requirement's left-out places right behind its checks."""
    rows: dict[str, list[Verdict]] = {}
    phases: dict[str, Phase] = {}
    for check in plan.checks:
        rows.setdefault(check.requirement, []).append(verdicts[check.id])
        phases[check.requirement] = check.phase
    taken = {check.id for check in plan.checks}
    order = list(rows)
    for item in plan.left_out:
        if item.requirement not in rows:
            order.insert(_place(item, order, phases), item.requirement)
            phases[item.requirement] = item.phase
        rows.setdefault(item.requirement, []).append(_left_out(item, taken))
    return tuple(verdict for requirement in order for verdict in rows[requirement])


def task_groups(plan: Plan) -> dict[tuple[str, str], list[Check]]:
    """Checks by (vantage, task), in the plan's order."""
    groups: dict[tuple[str, str], list[Check]] = {}
    for check in plan.checks:
        groups.setdefault((check.vantage, check.task), []).append(check)
    return groups


def _place(item: LeftOut, order: list[str], phases: dict[str, Phase]) -> int:
    """Behind its siblings ("mcr.layers" behind "mcr.reach"), else behind its phase, else behind the phases before."""
    family = item.requirement.partition(".")[0]
    kin = [index for index, name in enumerate(order) if name.partition(".")[0] == family]
    phase = _PHASES.index(item.phase)
    before = [index for index, name in enumerate(order) if _PHASES.index(phases[name]) <= phase]
    same = [index for index, name in enumerate(order) if phases[name] is item.phase]
    return max(kin or same or before, default=-1) + 1


def _left_out(item: LeftOut, taken: set[str]) -> Verdict:
    status = Status.UNKNOWN if item.status == Status.UNKNOWN else Status.SKIPPED
    told = item.cause if item.cause in CAUSES else "vantage.not-run"
    cause = told if status is Status.UNKNOWN else None
    return Verdict(
        check=_id(item, taken),
        requirement=item.requirement,
        title=item.title,
        phase=item.phase,
        severity=item.severity,
        vantage=item.vantage or "",
        target=item.target,
        status=status,
        decides=item.decides,
        cause=cause,
        owner=CAUSES[cause].owner if cause is not None else None,
        reason=item.reason,
    )


def _id(item: LeftOut, taken: set[str]) -> str:
    base = f"{item.requirement}@{item.vantage}" if item.vantage else item.requirement
    base = f"{base}[{item.target.partition(':')[0]}]" if item.target and base in taken else base
    name, number = base, 2
    while name in taken:
        name, number = f"{base}#{number}", number + 1
    taken.add(name)
    return name
