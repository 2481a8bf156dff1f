"""Frozen values that cross borders. No I/O, no decisions."""
