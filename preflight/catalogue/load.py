"""Loads all requirements: the project's folder first, then users' folders, which add or override by id."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from preflight import resources
from preflight.catalogue.clouds import FILE as CLOUDS
from preflight.catalogue.files import folder_files, label, read_toml
from preflight.catalogue.steps import FILE as STEPS
from preflight.catalogue.verify import verify
from preflight.failures import Problems, UsageFailure
from preflight.model.catalogue import Catalogue, Requirement
from preflight.strict import BAD, Reader, nearest, printable


class Draft(msgspec.Struct, kw_only=True):
    """A requirement as tables, before it is checked: where it and what overrides it came from."""

    id: str
    data: dict[str, Any]
    file: str
    origins: dict[str, str] = {}  # overridden key -> file

    def place(self, key: str) -> str:
        """The text before a problem: file and key."""
        top = key.removeprefix(f"{self.id}.").partition(".")[0]
        return f"{self.origins.get(top, self.file)}: {key}"


def load(extra: Sequence[Path] = ()) -> Catalogue:
    """The catalogue. Raises `Problems` with every mistake, `UsageFailure` when there is nothing to check."""
    problems: list[str] = []
    drafts: dict[str, Draft] = {}
    for number, folder in enumerate((resources.folder("checks"), *extra)):
        for draft in _folder(folder, problems, alone=number == 0):
            _merge(drafts, draft)
    requirements = [requirement for draft in drafts.values() if (requirement := _convert(draft, problems)) is not None]
    problems += verify(requirements, drafts, lambda requirement, key: drafts[requirement].place(f"{requirement}.{key}"))
    if problems:
        raise Problems(problems)
    if not requirements:
        raise UsageFailure("the catalogue is empty: there is nothing to check\n  see `preflight checks list`")
    return Catalogue(version=version(requirements), requirements=tuple(requirements))


def version(requirements: Sequence[Requirement]) -> str:
    """Month of the newest review, and eight digits that change with every change of content."""
    newest = max(requirement.reviewed for requirement in requirements)
    digest = hashlib.sha256(msgspec.json.encode(list(requirements))).hexdigest()
    return f"{newest[:4]}.{newest[5:7]}+{digest[:8]}"


def _folder(folder: Path, problems: list[str], *, alone: bool) -> list[Draft]:
    """The drafts of one folder, in order; an id that stands there twice is a problem."""
    drafts: dict[str, Draft] = {}
    files = folder_files(folder)
    for path in files:
        if path.name in (CLOUDS, STEPS):
            continue
        for draft in _file(path, problems):
            if draft.id in drafts:
                where = f"{draft.file}: {printable(draft.id)}"
                problems.append(f"{where}: this id is already in {drafts[draft.id].file}\n  give each id once")
            else:
                drafts[draft.id] = draft
    if alone and not drafts and not problems:
        raise UsageFailure(f"{folder}: holds no requirement: the catalogue is empty")
    return list(drafts.values())


def _file(path: Path, problems: list[str]) -> list[Draft]:
    file, data = label(path), read_toml(path)
    for key in data:
        if key != "requirement":
            meant = nearest(key, ["requirement"])
            right = "did you mean [[requirement]]?" if meant else "a file of checks holds [[requirement]] tables"
            problems.append(f"{file}: {printable(key)}: is not a key that is known here\n  {right}")
    tables = data.get("requirement", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(f"{file}: requirement: is not a list of tables\n  write [[requirement]] with two brackets")
        return []
    drafts = []
    for number, table in enumerate(tables, start=1):
        if isinstance(table.get("id"), str):
            drafts.append(Draft(id=table["id"], data=table, file=file))
        else:
            problems.append(f'{file}: requirement[#{number}].id: is missing\n  give a stable id such as "mcr.reach"')
    return drafts


def _merge(drafts: dict[str, Draft], draft: Draft) -> None:
    """Add a requirement, or lay the keys of a later folder over the one of the same id, which keeps its place."""
    base = drafts.get(draft.id)
    if base is None:
        drafts[draft.id] = draft
        return
    base.data = base.data | draft.data
    base.origins = base.origins | dict.fromkeys(draft.data, draft.file)


def _convert(draft: Draft, problems: list[str]) -> Requirement | None:
    place: Callable[[str], str] = draft.place
    reader = Reader(place)
    requirement = reader.struct(Requirement, draft.data, draft.id)
    problems += reader.problems
    if requirement is BAD or reader.problems:
        return None
    assert isinstance(requirement, Requirement)
    return requirement
