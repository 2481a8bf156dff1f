"""Pure judgement: the same plan and observations always give the same verdicts. No clock, no sockets, no files."""

from preflight.judge.exitcode import exit_code
from preflight.judge.run import evidence_of, judge

__all__ = ["evidence_of", "exit_code", "judge"]
