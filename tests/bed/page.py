"""docs/scenarios.md: what is broken, what is expected, what the last run saw. Pure: the same answers, the same text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bed.expectation import expected
from bed.scenario import Scenario

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scenarios.md"

NOT_RUN, _MARK = "not run", "\0"

_HEAD = """\
# Scenarios in a real network

Written by `python -m pytest tests/e2e/network --write-scenarios`; every run fails when a row of this page differs from
what it saw. Each row is a run of the unmodified command line in network namespaces: a workstation, a router with
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


def kept(page: str, scenarios: Sequence[Scenario], worlds: Sequence[Scenario]) -> dict[str, str]:
    """What an earlier page says was seen, of rows whose scenario is still the same."""
    rows = page.splitlines()
    known = {}
    for scenario, row in ((one, _failing(one, {one.name: _MARK})) for one in scenarios):
        known |= _cell(scenario.name, row, rows)
    for world, row in ((one, _healthy(one, {one.name: _MARK})) for one in worlds):
        known |= _cell(world.name, row, rows)
    return known


def _cell(name: str, row: str, rows: Sequence[str]) -> dict[str, str]:
    before, _, after = row.partition(_MARK)
    found = (line.removeprefix(before).removesuffix(after) for line in rows if line.startswith(before))
    cell = next(found, NOT_RUN)
    return {} if cell == NOT_RUN else {name: cell.replace("\\|", "|")}


def _failing(scenario: Scenario, seen: Mapping[str, str]) -> str:
    return _row(scenario.name, scenario.row.what, expected(scenario.row), seen.get(scenario.name, NOT_RUN))


def _healthy(world: Scenario, seen: Mapping[str, str]) -> str:
    return _row(world.name, world.row.what, str(world.row.runs), seen.get(world.name, NOT_RUN))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
