"""Makes verdicts, findings and runs for the tests of the reports. Deterministic, no clock."""

from builders.wire import FINISHED, SERVERS, STARTED, VANTAGES, kind
from preflight.model.causes import CAUSES
from preflight.model.observation import Observation, ResolverFacts, VantageFacts
from preflight.model.plan import Check, Expect, LeftOut, Plan, Target, Task
from preflight.model.run import Finding, Run, Tool, Verdict
from preflight.model.vocabulary import Confidence, Owner, Phase, ProbeName, Severity, Status


def task(probe: ProbeName, host: str, *, port: int = 443, scheme: str = "https", path: str = "/") -> Task:
    return Task(
        key=f"{probe}:{host}:{port}", probe=probe, target=Target(scheme=scheme, host=host, port=port, path=path)
    )


def check(
    requirement: str,
    vantage: str,
    of: Task,
    *,
    title: str = "It holds",
    phase: Phase = Phase.SERVE,
    severity: Severity = Severity.REQUIRED,
    judges: tuple[str, ...] = ("origin",),
    decides: bool = True,
    expect: Expect | None = None,
    breaks: str = "",
    suffix: str = "",
) -> Check:
    return Check(
        id=f"{requirement}@{vantage}{suffix}",
        requirement=requirement,
        title=title,
        phase=phase,
        severity=severity,
        vantage=vantage,
        target=of.target.hostport,
        task=of.key,
        judges=judges,
        decides=decides,
        expect=expect or Expect(),
        breaks=breaks,
    )


def verdict(
    of: Check,
    status: Status = Status.PASS,
    *,
    cause: str | None = None,
    reason: str = "",
    at: str | None = None,
    blocked_by: str | None = None,
    duration_ms: float | None = None,
) -> Verdict:
    return Verdict(
        check=of.id,
        requirement=of.requirement,
        title=of.title,
        phase=of.phase,
        severity=of.severity,
        vantage=of.vantage,
        target=of.target,
        status=status,
        decides=of.decides,
        cause=cause,
        owner=CAUSES[cause].owner if cause else None,
        reason=reason,
        blocked_by=blocked_by,
        task=of.task,
        at=at,
        duration_ms=duration_ms,
    )


def left_out_verdict(one: LeftOut) -> Verdict:
    return Verdict(
        check=f"{one.requirement}@{one.vantage}" if one.vantage else one.requirement,
        requirement=one.requirement,
        title=one.title,
        phase=one.phase,
        severity=one.severity,
        vantage=one.vantage or "",
        target=one.target,
        status=Status(one.status),
        decides=one.decides,
        cause=one.cause,
        owner=CAUSES[one.cause].owner if one.cause else None,
        reason=one.reason,
    )


def vantage_facts(
    vantage: str, *, complete: bool = True, error: str | None = None, notices: tuple[str, ...] = ()
) -> VantageFacts:
    consumer = {"workstation": "systemd-resolved", "node": "glibc", "pod": "coredns"}[kind(vantage)]
    return VantageFacts(
        vantage=vantage,
        tool_version="1.0.0",
        host={"workstation": "ops-laptop", "node": "aks-user1-31337-vmss000002", "pod": "preflight-pod-user1-x7k2p"}[
            kind(vantage)
        ],
        platform="Linux 6.8 x86_64, Python 3.12.7",
        resolver=ResolverFacts(consumer=consumer, nameservers=SERVERS[kind(vantage)], source="/etc/resolv.conf"),
        proxies={},
        families=("ipv4",),
        trust="system: 142 certificates, /etc/ssl/certs/ca-certificates.crt",
        notices=notices,
        started=STARTED,
        finished=FINISHED if complete else None,
        complete=complete,
        error=error,
        error_cause="vantage.not-run" if error else None,
    )


def finding(
    number: int, cause: str, *, title: str = "Change this", owner: Owner | None = None, **more: object
) -> Finding:
    values: dict[str, object] = {
        "severity": Severity.REQUIRED,
        "status": Status.FAIL,
        "change": CAUSES[cause].remedy,
        "confidence": Confidence.LIKELY,
    }
    return Finding(id=str(number), cause=cause, owner=owner or CAUSES[cause].owner, title=title, **(values | more))  # type: ignore[arg-type]


def counts(verdicts: tuple[Verdict, ...]) -> dict[str, int]:
    deciding = [one.status for one in verdicts if one.decides]
    return {str(status): deciding.count(status) for status in Status}


def exit_code(verdicts: tuple[Verdict, ...], *, strict: bool = False, interrupted: bool = False) -> int:
    """As ENGINE.md orders it; the tests only need it to be plausible."""
    deciding = [one for one in verdicts if one.decides]
    required = [one.status for one in deciding if one.severity is Severity.REQUIRED]
    if interrupted:
        return 130
    if Status.FAIL in required:
        return 1
    if Status.UNKNOWN in required or all(one.status is Status.SKIPPED for one in deciding):
        return 3
    return 4 if strict and any(one.status is Status.WARN for one in deciding) else 0


def run(
    verdicts: tuple[Verdict, ...] = (),
    *,
    checks: tuple[Check, ...] = (),
    tasks: tuple[Task, ...] = (),
    observations: tuple[Observation, ...] = (),
    left_out: tuple[LeftOut, ...] = (),
    findings: tuple[Finding, ...] = (),
    vantages: tuple[str, ...] = VANTAGES,
    facts: tuple[VantageFacts, ...] | None = None,
    headline: str = "Ready: all requirements tested hold.",
    environment: dict[str, object] | None = None,
    **more: object,
) -> Run:
    flags = {key: more[key] for key in ("strict", "interrupted") if key in more}
    return Run(
        tool=Tool(version="1.0.0"),
        run_id="20261123T081405Z-5f1c",
        started=STARTED,
        finished=FINISHED,
        duration_ms=3903.0,
        exit_code=exit_code(verdicts, **flags),  # type: ignore[arg-type]
        headline=headline,
        counts=counts(verdicts),
        environment=environment if environment is not None else {"environment": {"cloud": "AzureCloud"}},
        vantages=facts if facts is not None else tuple(map(vantage_facts, vantages)),
        plan=Plan(
            catalogue_version="2026.11-4be1d0",
            vantages=vantages,
            tasks=tasks,
            runs={name: tuple(one.key for one in tasks) for name in vantages},
            checks=checks,
            left_out=left_out,
        ),
        observations=observations,
        verdicts=verdicts,
        findings=findings,
        **more,  # type: ignore[arg-type]
    )
