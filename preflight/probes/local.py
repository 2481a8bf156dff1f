"""Placeholder until written minutes later."""
