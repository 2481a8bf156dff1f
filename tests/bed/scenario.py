"""Scenarios as data: what is broken and what must be said about it. Reads the files strictly; runs nothing."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from bed.actions import ACTIONS
from bed.engine import PATIENT, STAND_IN
from bed.tables import merged
from bed.whole import Bed
from preflight.model.causes import CAUSES
from preflight.model.vocabulary import Owner
from preflight.strict import BAD, Reader, nearest

FOLDER = Path(__file__).resolve().parents[1] / "e2e" / "network"
_FREE = ("breaks", "settings")  # tables whose shape is not that of the row


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One [[scenario]] or [[world]] without `breaks` and `settings`.

    `fail`, `warn` and `unknown`: requirement (or shell pattern) -> cause. Every other verdict must be pass, skipped, or
    blocked by one of these. `compared`: the same for verdicts that do not decide. `owners`: of all findings. `ranked`:
    a finding names two or more candidate places. `omit`: keys left out of preflight.toml. `runs`: how often it must
    come out so. `titled`: false where chance decides which hosts it meets, so that the page names the cause instead.
    """

    name: str
    what: str
    omit: tuple[str, ...] = ()
    arguments: tuple[str, ...] = STAND_IN
    exit: int = 0
    fail: dict[str, str] = {}
    warn: dict[str, str] = {}
    unknown: dict[str, str] = {}
    compared: dict[str, str] = {}
    owners: tuple[Owner, ...] = ()
    ranked: bool = False
    runs: int = 1
    titled: bool = True


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its actions, in the order in which they are applied."""

    row: Row
    actions: tuple[tuple[str, msgspec.Struct], ...]
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """Unique; the id of its test."""
        return self.row.name

    @contextmanager
    def applied(self, bed: Bed) -> Iterator[None]:
        """The bed as the scenario wants it, from a healthy one."""
        workstation = bed.workstation
        workstation.omitted, workstation.arguments = self.row.omit, self.row.arguments
        workstation.settings = merged(workstation.settings, self.settings)
        with ExitStack() as stack:
            for kind, action in self.actions:
                stack.enter_context(ACTIONS[kind].apply(bed, action))
            yield


def scenarios() -> tuple[Scenario, ...]:
    """What is broken: scenarios.toml, then scenarios.d/*.toml, one file to a subject."""
    return _all("scenario")


def worlds() -> tuple[Scenario, ...]:
    """Healthy worlds: nothing may be said about them. They wait for nothing, so the program's own limits stand."""
    return tuple(replace(world, settings=merged(PATIENT, world.settings)) for world in _all("world"))


def _all(table: str) -> tuple[Scenario, ...]:
    files = (FOLDER / f"{table}s.toml", *sorted((FOLDER / f"{table}s.d").glob("*.toml")))
    return _unique(scenario for file in files for scenario in load(file, table))


def _unique(found: Iterable[Scenario]) -> tuple[Scenario, ...]:
    """All of them; raises `ScenarioError` for a name that two files have."""
    kept: dict[str, Scenario] = {}
    for scenario in found:
        if kept.setdefault(scenario.name, scenario) is not scenario:
            raise ScenarioError(f'two files have "{scenario.name}"')
    return tuple(kept.values())


class ScenarioError(ValueError):
    """Every mistake of a file, each with its place and what is right."""


def load(path: Path, table: str) -> tuple[Scenario, ...]:
    """All of `[[scenario]]` or `[[world]]`; raises `ScenarioError`."""
    reader = Reader(lambda key: f"{path.name}: {key}", names={table: "name"})
    try:
        data = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path.name}: {error}") from error
    for key in data:
        if key != table:
            reader.report(key, "is not known here", f"give [[{table}]]")
    found = [_scenario(reader, row, f"{table}[{_name(row, at)}]") for at, row in enumerate(data.get(table, []), 1)]
    names = [scenario.name for scenario in found if scenario]
    for name in sorted({name for name in names if names.count(name) > 1}):
        reader.report(f"{table}[{name}].name", "stands there twice", "give each a name of its own")
    if reader.problems:
        raise ScenarioError("\n".join(reader.problems))
    return tuple(scenario for scenario in found if scenario)


def _name(row: Mapping[str, Any], at: int) -> str:
    return str(row.get("name", f"#{at}"))


def _scenario(reader: Reader, data: Mapping[str, Any], key: str) -> Scenario | None:
    row = reader.struct(Row, {name: value for name, value in data.items() if name not in _FREE}, key)
    actions = tuple(_action(reader, one, f"{key}.breaks[#{at}]") for at, one in enumerate(data.get("breaks", []), 1))
    if row is BAD or None in actions:
        return None
    _check(reader, row, key)
    return Scenario(row=row, actions=tuple(each for each in actions if each), settings=data.get("settings", {}))


def _action(reader: Reader, data: Mapping[str, Any], key: str) -> tuple[str, msgspec.Struct] | None:
    kind = str(data.get("kind"))
    if kind not in ACTIONS:
        meant = nearest(kind, ACTIONS)
        reader.report(f"{key}.kind", f'"{kind}" is no kind of action', f"did you mean {meant}?" if meant else _KINDS)
        return None
    action = reader.struct(ACTIONS[kind].shape, {name: value for name, value in data.items() if name != "kind"}, key)
    return None if action is BAD else (kind, action)


_KINDS = f"known: {', '.join(ACTIONS)}"


def _check(reader: Reader, row: Row, key: str) -> None:
    for status in ("fail", "warn", "unknown", "compared"):
        for requirement, cause in getattr(row, status).items():
            if cause not in CAUSES:
                meant = nearest(cause, CAUSES)
                reader.report(f"{key}.{status}.{requirement}", f'"{cause}" is no cause', f"did you mean {meant}?")
    if (row.fail or row.warn or row.unknown) and not row.owners:
        reader.report(f"{key}.owners", "is missing", "say whose the findings are")
    if bool(row.fail) != (row.exit == 1):
        reader.report(f"{key}.exit", f"{row.exit} does not fit `fail`", "1 goes with a failed requirement")
