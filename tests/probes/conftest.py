"""Fixtures of the tests of probing: a CA, a trail, and a world of one DNS server and mapped ports on loopback."""

from probes_shared.fixtures import authority, dialer, to, trail

__all__ = ["authority", "dialer", "to", "trail"]
