"""A finished run: everything that a report shows, in one document with a schema version."""

from typing import Annotated, Any

import msgspec

from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import Plan
from preflight.model.vocabulary import Confidence, Owner, Phase, Severity, Status

SCHEMA_VERSION = 1


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The status of one check, with its cause and where the evidence is."""

    check: str
    requirement: str
    title: str
    phase: Phase
    severity: Severity
    vantage: Annotated[
        str, msgspec.Meta(pattern=r"^((workstation|node|pod)(/.*)?)?$")
    ]  # "" when the requirement applies to no vantage
    target: str
    status: Status
    decides: bool
    cause: str | None  # null for pass, skipped and blocked
    owner: Owner | None
    reason: str = ""  # one sentence for people: what was seen, with the values; for skipped: why
    blocked_by: str | None = None  # id of the check
    task: str | None = None  # key of the observation
    at: str | None = None  # "layer.tls": the hop and stage that failed
    duration_ms: float | None = None  # of the stages this check owns


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One possible place of a fault that the wire cannot tell apart from others, most likely first."""

    what: str  # "NSG on the pods' subnet"
    because: str
    settle: str  # what would prove or exclude it


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A ready-made search for a network team."""

    tool: str  # "Azure Firewall application rule log (KQL)"
    text: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One root cause for one owner to act on, covering every verdict it explains."""

    id: str  # "1", "2", ... in order of weight
    cause: str
    owner: Owner
    severity: Severity  # required when it makes the run fail
    status: Status  # the worst of its verdicts
    title: str  # the change in one line: "Allow TCP 443 from node/user1 to *.data.mcr.microsoft.com"
    change: str  # what to do, in words that can be pasted into a ticket
    why: tuple[str, ...] = ()  # evidence, a line each
    contradicts: tuple[str, ...] = ()  # what speaks against it
    confidence: Confidence
    settle: str = ""  # what would make it proven
    candidates: tuple[Candidate, ...] = ()
    queries: tuple[Query, ...] = ()
    verify: str = ""  # the command that shows that it is fixed
    checks: tuple[str, ...] = ()  # ids of the verdicts
    targets: tuple[str, ...] = ()
    vantages: tuple[str, ...] = ()


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """Which preflight."""

    name: str = "preflight"
    version: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `environment` is the redacted environment as plain data (see preflight.environment.describe)."""

    schema_version: int = SCHEMA_VERSION
    tool: Tool
    run_id: str
    started: str
    finished: str
    duration_ms: float
    exit_code: int
    strict: bool = False
    interrupted: bool = False
    banner: str = ""  # first line of every report when something must be known first: embedded Azure, stand-in
    headline: str  # the verdict in one sentence
    counts: dict[str, int]  # status -> number of verdicts that decide; all statuses present
    environment: dict[str, Any]
    vantages: tuple[VantageFacts, ...]
    plan: Plan
    observations: tuple[Observation, ...]
    verdicts: tuple[Verdict, ...]  # in the plan's order; what was left out stands where its requirement stands
    findings: tuple[Finding, ...]
    notices: tuple[str, ...] = ()  # warnings about configuration: NO_PROXY entries read differently, ...


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What judging reads; `judge.judge(evidence) -> Run`. A saved run gives it back, so that it can be judged again."""

    run_id: str
    started: str  # "now" of every judgement
    finished: str
    duration_ms: float
    strict: bool = False
    interrupted: bool = False
    banner: str = ""
    environment: dict[str, Any]
    vantages: tuple[VantageFacts, ...]
    plan: Plan
    observations: tuple[Observation, ...]
    notices: tuple[str, ...] = ()
