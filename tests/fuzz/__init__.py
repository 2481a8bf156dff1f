"""Fuzzing of every parser of bytes that come from outside: one target a parser, seeds, findings, driver and record.

`python -m fuzz all --seconds 20` (with tests/ on the path, see `make fuzz`) runs the targets under atheris; the tests
in this folder replay seeds and findings through the same targets, and need no atheris.
"""
