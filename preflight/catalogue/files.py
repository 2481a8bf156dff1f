"""Reads TOML files of a data folder; every failure says which file and what to do."""

import tomllib
from pathlib import Path
from typing import Any

from preflight import files, resources
from preflight.failures import UsageFailure
from preflight.strict import printable

LARGEST = 1_000_000  # bytes; a configuration is a thousandth of this


def label(path: Path) -> str:
    """How messages name a file: our own as `checks/20-mcr.toml`, others as they were given."""
    return f"checks/{path.name}" if path.parent == resources.folder("checks") else str(path)


def folder_files(folder: Path) -> list[Path]:
    """The TOML files of a folder of checks, in order of name."""
    if not folder.is_dir():
        found = "is a file" if folder.is_file() else "no such folder"
        raise UsageFailure(f"{folder}: {found}\n  give the folder that holds the *.toml files of your checks")
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise UsageFailure(
            f"{folder}: holds no *.toml file\n  the catalogue would be empty; see `preflight checks list`"
        )
    return files


def read_toml(path: Path) -> dict[str, Any]:
    """The content of one file. Raises `UsageFailure`."""
    try:
        return tomllib.loads(files.read(path, LARGEST).decode("utf-8"))
    except files.TooLarge as error:
        raise UsageFailure(
            f"{label(path)}: is larger than {LARGEST:,} bytes\n  this is not a file of checks"
        ) from error
    except OSError as error:
        raise UsageFailure(f"{label(path)}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageFailure(f"{label(path)}: is not UTF-8 text (byte {error.start})") from error
    except RecursionError as error:
        raise UsageFailure(f"{label(path)}: is nested too deeply\n  this is not a file of checks") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageFailure(f"{label(path)}: is not valid TOML: {printable(str(error))}") from error
