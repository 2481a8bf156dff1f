"""What every report shows of a run: rows, columns, groups, words and glyphs. Arranges, never judges."""

from collections.abc import Iterable, Sequence

import msgspec

from preflight.model.observation import Observation
from preflight.model.run import Finding, Run, Verdict
from preflight.model.vocabulary import Owner, Phase, Severity, Stage, Status
from preflight.render.columns import worst

GLYPHS = {
    Status.PASS: "✓",
    Status.WARN: "!",
    Status.FAIL: "✗",
    Status.BLOCKED: "⊘",
    Status.UNKNOWN: "?",
    Status.SKIPPED: "\u2013",
    Status.WAIVED: "~",
}
WORDS = {
    Status.PASS: "passed",
    Status.WARN: "warning",
    Status.FAIL: "failed",
    Status.BLOCKED: "blocked",
    Status.UNKNOWN: "not tested",
    Status.SKIPPED: "skipped",
    Status.WAIVED: "waived",
}
TEAMS = {
    Owner.DNS: "DNS team",
    Owner.NETWORK: "network team",
    Owner.PLATFORM: "platform team",
    Owner.IDENTITY: "identity team",
    Owner.APPLICATION: "application team",
}
EXITS = {
    0: "passed",
    1: "failed",
    2: "wrong usage or configuration",
    3: "could not test",
    4: "warnings under --strict",
    130: "interrupted",
}
SERVICES = {
    "api-server": "API server",
    "in-cluster": "API server, inside",
    "cluster-dns": "Cluster DNS",
    "aks-egress": "AKS egress",
    "mcr": "Microsoft registry",
    "bootstrap": "Bootstrap registry",
    "acr": "Container registry",
    "storage.blob": "Blob storage",
    "storage.table": "Table storage",
    "entra": "Microsoft Entra",
    "workspace": "Workspace API",
    "telemetry": "Telemetry",
    "endpoint": "Endpoint domain",
    "router": "Router",
    "peers": "Pod to pod",
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement for one target: a verdict per vantage. `nowhere` is the one that applies to no vantage."""

    requirement: str
    title: str
    target: str  # empty when the requirement has one target only and the reader need not tell targets apart
    severity: Severity
    phase: Phase
    cells: dict[str, Verdict]
    nowhere: Verdict | None = None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """All of the row's verdicts."""
        return (*self.cells.values(), *((self.nowhere,) if self.nowhere else ()))

    @property
    def status(self) -> Status:
        """The worst that decides; of comparison evidence when nothing does."""
        deciding = [verdict.status for verdict in self.verdicts if verdict.decides]
        return worst(deciding or [verdict.status for verdict in self.verdicts])

    @property
    def skipped(self) -> bool:
        """Nothing of it was checked anywhere."""
        return all(verdict.status is Status.SKIPPED for verdict in self.verdicts)


def vantages(run: Run) -> tuple[str, ...]:
    """Every vantage that a verdict speaks of, those of the plan first."""
    named = dict.fromkeys([*run.plan.vantages, *(verdict.vantage for verdict in run.verdicts)])
    return tuple(name for name in named if name)


def rows(run: Run) -> tuple[Row, ...]:
    """Requirement x target in the order of the verdicts, which is the documented one."""
    requirements: dict[str, list[Verdict]] = {}
    for verdict in run.verdicts:
        requirements.setdefault(verdict.requirement, []).append(verdict)
    made: list[Row] = []
    for own in requirements.values():
        named = dict.fromkeys(verdict.target for verdict in own if verdict.target)
        well = _well_between_pods(own, named)
        left = [target for target in named if target not in well]
        made.extend(_row(own, target, several=len(named) > 1) for target in (left if well else named or {"": None}))
        if well:
            made.append(_all_well(own, well))
    return tuple(made)


def _well_between_pods(own: Sequence[Verdict], named: Iterable[str]) -> tuple[str, ...]:
    """Of connections between pods those that pass from everywhere: one row for them all, or each would be its own."""
    bad = {verdict.target for verdict in own if verdict.status is not Status.PASS}
    between = {verdict.target for verdict in own if (verdict.task or "").startswith("peers:")}
    well = tuple(target for target in named if target in between - bad)
    return well if len(well) > 1 else ()


def _all_well(own: Sequence[Verdict], well: Sequence[str]) -> Row:
    """A place that reached several pods shows the first of them; all of them stand in the evidence."""
    mine = [verdict for verdict in own if verdict.target in well]
    cells: dict[str, Verdict] = {}
    for verdict in mine:
        cells.setdefault(verdict.vantage, verdict)
    return msgspec.structs.replace(_row(mine, well[0], several=False), target=f"{len(well)} pools", cells=cells)


def _row(own: Sequence[Verdict], target: str, *, several: bool) -> Row:
    mine = [verdict for verdict in own if verdict.target in {target, ""}]
    return Row(
        requirement=own[0].requirement,
        title=own[0].title,
        target=target if several else "",
        severity=own[0].severity,
        phase=own[0].phase,
        cells={verdict.vantage: verdict for verdict in mine if verdict.vantage},
        nowhere=next((verdict for verdict in mine if not verdict.vantage), None),
    )


def phases(made: Iterable[Row]) -> tuple[tuple[Phase, tuple[Row, ...]], ...]:
    """Rows by phase, phases in the documented order, none empty."""
    listed = tuple(made)
    groups = ((phase, tuple(row for row in listed if row.phase is phase)) for phase in Phase)
    return tuple((phase, group) for phase, group in groups if group)


def owners(run: Run) -> tuple[tuple[Owner, tuple[Finding, ...]], ...]:
    """Findings by owner; the owner of the weightiest finding comes first."""
    groups: dict[Owner, list[Finding]] = {}
    for finding in run.findings:
        groups.setdefault(finding.owner, []).append(finding)
    return tuple((owner, tuple(group)) for owner, group in groups.items())


def change(finding: Finding) -> str:
    """What to do, without the first line when that only repeats the title."""
    first, _, rest = finding.change.partition("\n")
    return rest if first.strip().rstrip(".") == finding.title.strip().rstrip(".") else finding.change


def labelled(words: str) -> tuple[tuple[str, str], ...]:
    """The lines of a change: (label, text) of "From: node/user1"; a line without a label has an empty one."""
    lines = []
    for one in words.splitlines():
        label, colon, rest = one.partition(": ")
        known = bool(colon) and len(label) <= 12 and label.replace(" ", "").isalpha()
        lines.append((label, rest) if known else ("", one))
    return tuple(line for line in lines if line[1].strip())


def with_status(run: Run, *statuses: Status) -> tuple[Verdict, ...]:
    """The verdicts that have one of these statuses, in order."""
    return tuple(verdict for verdict in run.verdicts if verdict.status in statuses)


def counted(run: Run) -> str:
    """The counts in words, as every format gives them: "41 checks: 36 pass, 2 fail"."""
    total = sum(run.counts.values())
    parts = [f"{run.counts[status]} {status}" for status in Status if run.counts.get(status)]
    return f"{total} {'check' if total == 1 else 'checks'}: {', '.join(parts) or 'none'}"


def plural(number: int, word: str) -> str:
    """`1 finding`, `2 findings`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def seconds(milliseconds: float) -> str:
    """A duration of a run: "3.9 s", "2 min 5 s"."""
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    whole = round(milliseconds / 1000)
    return f"{whole // 60} min {whole % 60} s"


def took(milliseconds: float) -> str:
    """A duration of a check: "9 ms", "0.4 ms", "12.0 s"."""
    if milliseconds >= 9_999.5:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 0.95 else f"{milliseconds:.1f} ms"


def when(moment: str) -> str:
    """`2026-11-23T08:14:05.120Z` for a reader: `2026-11-23 08:14:05 UTC`."""
    day, _, clock = moment.partition("T")
    return f"{day} {clock[:8]} UTC" if clock else moment


def subject(run: Run) -> str:
    """What was tested: "aks-prod (westeurope, AzureCloud)"."""
    cluster, region, cloud = (_setting(run.environment, key) for key in ("cluster", "region", "cloud"))
    where = ", ".join(part for part in (region, cloud) if part)
    if not cluster:
        return where or "environment"
    return f"{cluster} ({where})" if where else cluster


def _setting(environment: dict[str, object], key: str) -> str:
    """A setting of [environment], wherever the description of the environment keeps that table; a cloud is a table."""
    for table in (environment.get("environment"), environment.get("main"), environment):
        value = table.get(key) if isinstance(table, dict) else None
        value = value.get("name") if isinstance(value, dict) else value
        if isinstance(value, str) and value:
            return value
    return ""


def service(requirement: str) -> str:
    """The group of a requirement, as it stands on the map: `storage.blob.read` -> `storage.blob`."""
    parts = requirement.split(".")
    return ".".join(parts[:2]) if parts[0] in {"storage", "dependency"} and len(parts) > 1 else parts[0]


def service_name(group: str) -> str:
    """`mcr` -> "Microsoft registry"; a dependency has its own name."""
    return SERVICES.get(group) or group.removeprefix("dependency.")


def stage_of(verdict: Verdict) -> Stage:
    """The layer where it broke: the judge's own word, or what the cause's first part says."""
    named = (verdict.at or "").rpartition(".")[2]
    if named in set(Stage):
        return Stage(named)
    first = (verdict.cause or "").partition(".")[0]
    return Stage.TCP if first == "route" else Stage(first) if first in set(Stage) else Stage.HTTP


def observations(run: Run) -> dict[tuple[str, str], Observation]:
    """Observation by task and vantage."""
    return {(seen.task, seen.vantage): seen for seen in run.observations}


def mapped(run: Run) -> bool:
    """The environment replaced resolvers or destinations, which every reader must know."""
    if any(facts.resolver.consumer == "mapped" for facts in run.vantages):
        return True
    return any(
        connection.tcp.mapped_to for seen in run.observations for hop in seen.hops for connection in hop.connections
    )
