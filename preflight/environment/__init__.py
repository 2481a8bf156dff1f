"""The environment: what `preflight.toml` says, checked strictly and resolved. No packet is sent here."""

from preflight.environment.credentials import read_secrets
from preflight.environment.describe import describe
from preflight.environment.load import load, resolve

__all__ = ["describe", "load", "read_secrets", "resolve"]
