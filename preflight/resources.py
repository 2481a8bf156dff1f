"""Finds the data folders `checks`, `reports` and `causes`, in a checkout and in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = {"checks": "checks", "reports": "reports", "causes": "docs/causes"}


def folder(name: str) -> Path:
    """The data folder `name`: inside the package when installed, beside it in a checkout or an editable install."""
    inside = _PACKAGE / "_data" / name
    return inside if inside.is_dir() else _PACKAGE.parent / _CHECKOUT[name]
