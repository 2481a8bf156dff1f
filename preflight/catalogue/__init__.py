"""The catalogue: what must hold, from `checks/*.toml`. Reads data folders strictly; knows nothing of a deployment."""

from preflight.catalogue.clouds import load_clouds
from preflight.catalogue.load import load
from preflight.catalogue.steps import load_steps

__all__ = ["load", "load_clouds", "load_steps"]
