"""Fixtures of the tests of hostile input: those of probing, and whatever the limits leave of a usual client."""

from probes_shared.fixtures import authority, dialer, to, trail

__all__ = ["authority", "dialer", "to", "trail"]
