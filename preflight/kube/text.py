"""Objects as YAML, for `kubectl apply -f -` and for Git. Order of keys is kept."""

from collections.abc import Sequence
from typing import Any

from preflight.failures import MissingExtra


def to_yaml(objects: Sequence[dict[str, Any]]) -> str:
    """One document for each object. Raises `MissingExtra`."""
    try:
        import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with the extra
    except ModuleNotFoundError as error:
        raise MissingExtra("cluster", "YAML") from error
    return str(yaml.safe_dump_all(objects, sort_keys=False, default_flow_style=False, width=110))
