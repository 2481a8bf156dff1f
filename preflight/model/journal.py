"""The lines of a journal: what is known when a run begins, then whatever is heard, as it is heard. Never a verdict.

A journal is what a killed run leaves. It holds no secret: environment and plan are those of `run.json`.
"""

from typing import Any

import msgspec

from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import Plan

JOURNAL_VERSION = 1


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="begin"):
    """First line: everything that judging needs besides what is observed."""

    journal_version: int = JOURNAL_VERSION
    tool_version: str
    run_id: str
    started: str  # UTC, ISO 8601; "now" of every judgement
    strict: bool = False
    banner: str = ""
    environment: dict[str, Any]  # redacted, as in run.json
    plan: Plan


class Heard(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="facts"):
    """The facts of a vantage: when it starts, and again when it is done."""

    at_ms: float  # since the run's start
    vantage: str
    facts: VantageFacts


class Seen(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="observation"):
    """One finished observation."""

    at_ms: float
    vantage: str
    observation: Observation


class End(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="end"):
    """Last line: nothing more will be observed. A journal without it was cut short."""

    finished: str
    duration_ms: float
    interrupted: bool = False


Line = Begin | Heard | Seen | End
