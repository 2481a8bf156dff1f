"""Misbehaving servers on loopback, for tests only: each one breaks one thing, on purpose and for real."""
