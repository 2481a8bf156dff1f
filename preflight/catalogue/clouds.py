"""Host suffixes of the clouds, from `clouds.toml` of the catalogue and of users' folders."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from preflight import resources
from preflight.catalogue.files import label, read_toml
from preflight.failures import Problems
from preflight.model.environment import Cloud
from preflight.strict import BAD, Reader

FILE = "clouds.toml"


def load_clouds(extra: Sequence[Path] = ()) -> dict[str, Cloud]:
    """All known clouds by name; a later folder replaces a cloud of the same name. Raises `Problems`."""
    clouds: dict[str, Cloud] = {}
    problems: list[str] = []
    for folder in (resources.folder("checks"), *extra):
        if (folder / FILE).is_file():
            found, wrong = _read(folder / FILE)
            clouds |= found
            problems += wrong
    if problems:
        raise Problems(problems)
    return clouds


def _read(path: Path) -> tuple[dict[str, Cloud], list[str]]:
    reader = Reader(lambda key: f"{label(path)}: {key}")
    data = read_toml(path)
    for key in data:
        if key != "clouds":
            reader.report(key, "is not a key that is known here", "give tables [clouds.NAME]")
    tables = data.get("clouds", {})
    if not isinstance(tables, dict):
        reader.report("clouds", "is not a table", "give tables [clouds.NAME]")
        tables = {}
    clouds = {name: _cloud(reader, name, table) for name, table in tables.items()}
    return {name: cloud for name, cloud in clouds.items() if cloud is not None}, reader.problems


def _cloud(reader: Reader, name: str, table: object) -> Cloud | None:
    given = {"name": name, **table} if isinstance(table, dict) else table
    cloud = reader.struct(Cloud, given, f"clouds.{name}")
    if cloud is BAD:
        return None
    assert isinstance(cloud, Cloud)
    for key, value in msgspec.structs.asdict(cloud).items():
        if isinstance(value, str) and value.startswith("."):
            reader.report(f"clouds.{name}.{key}", f'"{value}" starts with a dot', f'give "{value.lstrip(".")}"')
    return cloud
