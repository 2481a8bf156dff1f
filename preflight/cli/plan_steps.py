"""The plan by the documented steps of a deployment: what of each is proven, from where, and what cannot be. Pure."""

import textwrap
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from preflight.catalogue.steps import OWN, Step
from preflight.model.plan import Plan
from preflight.model.vocabulary import vantage_kind
from preflight.render import text

_WIDTH: Final = 80
_MARGIN: Final = " " * 14


def as_text(steps: Sequence[Step], plan: Plan, subject: str) -> str:
    """For a terminal of 80 columns."""
    lines = [
        *textwrap.wrap(f"{subject} · catalogue {plan.catalogue_version}", _WIDTH),
        "The documented steps of a deployment, and what of each is proven beforehand",
    ]
    for number, step in enumerate(steps, start=1):
        lines += ["", *_wrapped(f"{number}  {step.title}", "", "   "), f"   by {step.where}"]
        lines += [line for name, told in _parts(step, plan) for line in _wrapped(told, f"   {name:<11}", _MARGIN)]
    return text.clean("\n".join(lines)) + "\n"


def _parts(step: Step, plan: Plan) -> Iterator[tuple[str, str]]:
    """(what, which)."""
    deciding: dict[str, list[str]] = {}
    compared: dict[str, None] = {}
    for check in (one for one in plan.checks if _belongs(one.requirement, step) and _speaks(one.vantage, step)):
        if check.decides:
            vantages = deciding.setdefault(check.requirement, [])
            vantages += [check.vantage] if check.vantage not in vantages else []
        else:
            compared[check.requirement] = None
    by_place: dict[str, list[str]] = {}
    for requirement, vantages in deciding.items():
        by_place.setdefault(", ".join(vantages), []).append(requirement)
    for who, requirements in by_place.items():
        yield "proves", f"{', '.join(requirements)} (from {who})"
    if only := [one for one in compared if one not in deciding]:
        yield "compares", ", ".join(only)
    yield from _left_out(step, plan, {*deciding, *compared})
    if not step.requirements:
        yield "proves", "nothing"
    yield "not proven", step.unproven


def _belongs(requirement: str, step: Step) -> bool:
    return requirement in step.requirements or (OWN in step.requirements and requirement.startswith(OWN[:-1]))


def _speaks(vantage: str, step: Step) -> bool:
    return vantage_kind(vantage) in step.vantages


def _left_out(step: Step, plan: Plan, told: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    reasons: dict[str, dict[str, None]] = {}
    for one in plan.left_out:
        if _belongs(one.requirement, step) and one.requirement not in told:
            reasons.setdefault(one.reason, {})[one.requirement] = None
    for reason, names in reasons.items():
        yield "left out", f"{', '.join(names)}: {reason}"


def _wrapped(told: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        told, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
