"""docs/scenarios.md: what is broken, what is expected, what the last run saw. Pure: the same answers, the same text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bed.expectation import expected
from bed.scenario import Scenario

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scenarios.md"

_HEAD = """\
# Scenarios in a real network

Written by `python -m pytest tests/e2e/network --write-scenarios`; a run of all of them fails when this page differs
from what it saw. Each row is a run of the unmodified command line in network namespaces: a workstation, a router with
nftables, and the embedded Azure with its real names on port 443, with real software between them where the row says so.
Every requirement that a row does not name passed, was skipped, or was blocked by one that it names. How the bed is
built: `tests/bed/README.md`; how to look at a scenario by hand: [lab.md](lab.md).
"""


def render(scenarios: Sequence[Scenario], worlds: Sequence[Scenario], seen: Mapping[str, str]) -> str:
    """The page; a scenario that was not seen says so."""
    failing = [_failing(scenario, seen) for scenario in scenarios]
    healthy = [_healthy(world, seen) for world in worlds]
    return "\n".join(
        (
            _HEAD,
            f"## What is broken: {len(failing)} scenarios\n",
            "| scenario | what is broken | expected | seen |",
            "|---|---|---|---|",
            *failing,
            f"\n## Healthy worlds: {len(healthy)}\n",
            "Each is run several times and must stay clean each time.\n",
            "| world | what is unusual | runs | seen each time |",
            "|---|---|---|---|",
            *healthy,
            "",
        )
    )


def _failing(scenario: Scenario, seen: Mapping[str, str]) -> str:
    return _row(scenario.name, scenario.row.what, expected(scenario.row), seen.get(scenario.name, "not run"))


def _healthy(world: Scenario, seen: Mapping[str, str]) -> str:
    return _row(world.name, world.row.what, str(world.row.runs), seen.get(world.name, "not run"))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
