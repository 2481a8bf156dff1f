"""The documented steps of a deployment, from `steps.toml`: what of each is proven, and what cannot be."""

from collections.abc import Collection
from typing import Final

import msgspec

from preflight import resources
from preflight.catalogue.files import label, read_toml
from preflight.failures import Problems
from preflight.model.vocabulary import VantageKind
from preflight.strict import BAD, Reader

FILE: Final = "steps.toml"
OWN: Final = "dependency.*"  # the user's own requirements, which no catalogue knows


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step; its number is its place."""

    title: str  # what happens
    where: str  # who does it
    vantages: tuple[VantageKind, ...]  # whose view says something about it
    requirements: tuple[str, ...]  # ids of the catalogue; dependency.* for the user's own
    unproven: str  # what no check can show beforehand


def load_steps(known: Collection[str]) -> tuple[Step, ...]:
    """All steps in order; `known` are the catalogue's ids. Raises `Problems`."""
    path = resources.folder("checks") / FILE
    reader = Reader(lambda key: f"{label(path)}: {key}")
    tables = read_toml(path).get("step")
    found = [reader.struct(Step, table, f"step[{number}]") for number, table in enumerate(tables or (), start=1)]
    steps = tuple(one for one in found if one is not BAD and isinstance(one, Step))
    for number, step in enumerate(steps, start=1):
        for requirement in step.requirements:
            if requirement not in known and requirement != OWN:
                reader.report(f"step[{number}].requirements", f'"{requirement}" is no requirement', "give its id")
    if reader.problems:
        raise Problems(reader.problems)
    return steps
