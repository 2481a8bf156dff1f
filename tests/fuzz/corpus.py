"""Inputs that are kept in the repository: seeds (genuine answers) and findings (what broke something once)."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "corpus"


def seeds(target: str) -> Path:
    """The folder of a target's seeds."""
    return FOLDER / target / "seeds"


def findings(target: str) -> Path:
    """The folder of inputs that broke something in this target; each was a defect, and must not be one again."""
    return FOLDER / target / "findings"


def files(target: str) -> list[Path]:
    """All kept inputs of a target: seeds in order of name, then findings."""
    folders = [folder for folder in (seeds(target), findings(target)) if folder.is_dir()]
    return [path for folder in folders for path in sorted(folder.iterdir())]


def keep(folder: Path, data: bytes, name: str = "") -> Path:
    """Stores an input under a name, or under the beginning of its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or hashlib.sha1(data, usedforsecurity=False).hexdigest()[:12])
    path.write_bytes(data)
    return path
