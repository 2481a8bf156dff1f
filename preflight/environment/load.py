"""Loads `preflight.toml`: tables, overrides, types, values, what must fit, certificates; all problems at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from preflight.environment.fit import fit
from preflight.environment.moved import MOVED
from preflight.environment.overrides import from_flags, from_variables, lay_over
from preflight.environment.read import read_certificates, read_config
from preflight.environment.rules import RULES
from preflight.environment.shape import NAMES, SCHEMA_VERSION, CloudTable, File
from preflight.failures import Problems, UsageFailure
from preflight.model.environment import Cloud, Environment
from preflight.strict import Reader, nearest, shown


def load(
    path: Path, *, overrides: Mapping[str, str] = {}, environ: Mapping[str, str], clouds: dict[str, Cloud]
) -> Environment:
    """The environment of one file.

    `overrides` (dotted key -> text, from flags) win over PREFLIGHT_TABLE_KEY in `environ`.

    Raises:
        Problems: everything that is wrong, each with file, key, what was found and what is right.
        UsageFailure: the file cannot be read, or is of a newer schema.
    """
    return resolve(path, read_config(path), overrides=overrides, environ=environ, clouds=clouds)


def resolve(
    path: Path,
    data: Mapping[str, Any],
    *,
    overrides: Mapping[str, str] = {},
    environ: Mapping[str, str],
    clouds: dict[str, Cloud],
) -> Environment:
    """As `load`, for tables that are at hand; `path` is where they come from or will stand."""
    _schema_version(path, data)
    outside, problems = from_variables(environ, _secret_names(data))
    given = [*outside, *from_flags(overrides)]
    tables, sources = lay_over(
        dict(data), given, lambda source, right: problems.append(f"{source}: is not a key that is known\n  {right}")
    )
    reader = Reader(lambda key: sources.get(key, f"{path}: {key}"), rules=RULES, names=NAMES, moved=MOVED)
    file = reader.struct(File, _lenient(tables))
    assert isinstance(file, File)  # every table has a default, and schema_version is there
    cloud = _cloud(file, clouds, reader)
    file = fit(file, cloud, {name: table for name, table in tables.items() if isinstance(table, dict)}, reader)
    pems = {key: _certificates(reader, path, key, name, key in sources) for key, name in _ca_files(file).items()}
    problems = [*reader.problems, *problems]
    if problems:
        raise Problems(problems)
    return _environment(path, file, cloud, pems)


def _schema_version(path: Path, data: Mapping[str, Any]) -> None:
    """Read before anything else: a newer file may mean something else by the same keys."""
    version = data.get("schema_version")
    if version is None:
        raise UsageFailure(f"{path}: schema_version: is missing\n  write this line at the top: schema_version = 1")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UsageFailure(f"{path}: schema_version: {shown(version)} is not a version\n  write schema_version = 1")
    if version > SCHEMA_VERSION:
        raise UsageFailure(
            f"{path}: schema_version: {version} is newer than this preflight understands ({SCHEMA_VERSION})\n"
            "  upgrade preflight, or write the file for version 1"
        )


def _secret_names(data: Mapping[str, Any]) -> frozenset[str]:
    """Environment variables that the file names as sources of credentials."""
    table = data.get("credentials")
    sources = table.values() if isinstance(table, dict) else ()
    return frozenset(str(source["env"]) for source in sources if isinstance(source, dict) and "env" in source)


def _lenient(tables: Mapping[str, Any]) -> dict[str, Any]:
    """`expect = 401` and `expect = [200, 401]` say the same as the texts."""
    entries = tables.get("dependency")
    if not isinstance(entries, list):
        return dict(tables)
    return dict(tables) | {"dependency": [_expectation(entry) for entry in entries]}


def _expectation(entry: object) -> object:
    if not isinstance(entry, dict) or "expect" not in entry:
        return entry
    given = entry["expect"]
    if isinstance(given, str):
        given = [part.strip() for part in given.split(",")]
    values = given if isinstance(given, list) else [given]
    return entry | {
        "expect": [str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in values]
    }


def _cloud(file: File, clouds: Mapping[str, Cloud], reader: Reader) -> Cloud:
    own = {name: _own(name, table) for name, table in file.clouds.items()}
    known = {**clouds, **own}
    name = file.environment.cloud
    if name in known:
        return known[name]
    hint = nearest(name, {one.lower(): one for one in known})
    meant = next((one for one in known if hint and one.lower() == hint), None)
    right = f'did you mean "{meant}"? ' if meant else ""
    reader.report(
        "environment.cloud",
        f"{shown(name)} is not a cloud that is known",
        f"{right}known: {', '.join(known)}; give the host suffixes of another one in [clouds.NAME]",
    )
    return next(iter(known.values())) if known else _own(name, CloudTable())


def _own(name: str, table: CloudTable) -> Cloud:
    return Cloud(name=name, **msgspec.structs.asdict(table))


def _ca_files(file: File) -> dict[str, str]:
    named = {"environment.ca_file": file.environment.ca_file, "api_server.ca_file": file.api_server.ca_file}
    return {key: name for key, name in named.items() if name}


def _certificates(reader: Reader, config: Path, key: str, name: str, outside: bool) -> str:
    """Relative to the file that names it; to the working directory when it was named from outside."""
    base = Path() if outside else config.parent
    found = read_certificates(base / Path(name).expanduser(), name)
    if isinstance(found, str):
        return found
    reader.report(key, *found)
    return ""


def _environment(path: Path, file: File, cloud: Cloud, pems: Mapping[str, str]) -> Environment:
    return Environment(
        schema_version=file.schema_version,
        source=str(path),
        main=file.environment,
        cloud=cloud,
        api_server=file.api_server,
        registry=file.registry,
        storage=file.storage,
        workspace=file.workspace,
        endpoint=file.endpoint,
        proxy=file.proxy,
        credentials=file.credentials,
        pods=file.pods,
        pools=file.pool,
        dependencies=file.dependency,
        limits=file.limits,
        mapping=file.mapping,
        issuers=file.issuers,
        ca_pem=pems.get("environment.ca_file", ""),
        api_server_ca_pem=pems.get("api_server.ca_file", ""),
    )
