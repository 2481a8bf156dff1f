"""The plan as text, for people and for firewall teams: table, JSON, CSV, Markdown. Pure; no colour, no packet."""

import csv
import io
import json
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from preflight.model.plan import Check, LeftOut, Plan, Task
from preflight.model.vocabulary import Severity
from preflight.render import markdown, text

_WIDTH: Final = 80
_FORMULA: Final = tuple(
    "=+-@\uff1d\uff0b\uff0d\uff20"
)  # and their wide forms, which East Asian spreadsheets read alike


class Place(NamedTuple):
    """Where a connection goes."""

    host: str
    port: int
    protocol: str
    server_name: str
    second_hop: bool


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One connection from one vantage, with every requirement that it serves."""

    vantage: str
    host: str
    port: int
    protocol: str
    server_name: str  # SNI; empty without TLS
    requirements: tuple[str, ...]
    severity: Severity
    decides: bool  # false: compared only, nothing has to be opened for it
    second_hop: bool  # reached by a redirect of the service
    why: str


def rows(plan: Plan) -> tuple[Row, ...]:
    """Connections in order of the catalogue, vantages in the plan's order; second hops after what leads to them."""
    tasks = {task.key: task for task in plan.tasks}
    ranks: dict[Place, int] = {}
    groups: dict[tuple[Place, str], list[Check]] = {}
    for check in plan.checks:
        for place in (_place(tasks[check.task]), *map(_second_hop, check.opens)):
            ranks.setdefault(place, len(ranks))
            groups.setdefault((place, check.vantage), []).append(check)
    places = {vantage: number for number, vantage in enumerate(plan.vantages)}
    ordered = sorted(groups, key=lambda key: (ranks[key[0]], places[key[1]]))
    return tuple(_row(place, groups[place, vantage]) for place, vantage in ordered)


def _place(task: Task) -> Place:
    target = task.target
    secure = target.scheme == "https"
    return Place(target.host, target.port, target.scheme, (target.server_name or target.host) if secure else "", False)


def _second_hop(opened: str) -> Place:
    host, _, port = opened.rpartition(":")
    return Place(host, int(port), "https", host, True)


def _row(place: Place, checks: Sequence[Check]) -> Row:
    """What only compares is not named beside what decides: no rule is needed for it."""
    weighed = [check for check in checks if check.decides] or list(checks)
    required = [check for check in weighed if check.severity is Severity.REQUIRED]
    return Row(
        vantage=checks[0].vantage,
        host=place.host,
        port=place.port,
        protocol=place.protocol,
        server_name=place.server_name,
        requirements=tuple(dict.fromkeys(check.requirement for check in weighed)),
        severity=Severity.REQUIRED if required else Severity.RECOMMENDED,
        decides=weighed[0].decides,
        second_hop=place.second_hop,
        why=(required or weighed)[0].breaks,
    )


def as_table(plan: Plan, subject: str) -> str:
    """For a terminal of 80 columns: a destination, who connects to it and why; then what is left out."""
    found = rows(plan)
    count = len({(row.host, row.port) for row in found})
    lines = [
        *textwrap.wrap(f"{subject} · catalogue {plan.catalogue_version}", _WIDTH),
        *textwrap.wrap(f"{count} destinations from {', '.join(plan.vantages)}; no packet was sent", _WIDTH),
        "",
    ]
    destinations = list(dict.fromkeys((row.host, row.port, row.protocol, row.second_hop) for row in found))
    for host, port, protocol, second in destinations:
        mine = [
            row for row in found if (row.host, row.port, row.protocol, row.second_hop) == (host, port, protocol, second)
        ]
        lines += _destination(f"{host}:{port}", protocol, mine)
    lines += _left_out_lines(plan.left_out)
    return text.clean("\n".join(lines).rstrip()) + "\n"


def _destination(place: str, protocol: str, mine: Sequence[Row]) -> list[str]:
    deciding = [row.vantage for row in mine if row.decides]
    compared = [row.vantage for row in mine if not row.decides]
    source = "from " + ", ".join(deciding) if deciding else "compared only"
    beside = f" (compared: {', '.join(compared)})" if compared and deciding else ""
    kind = f"{protocol}, second hop" if mine[0].second_hop else protocol
    weighed = [row for row in mine if row.decides] or mine
    severity = "" if any(row.severity is Severity.REQUIRED for row in weighed) else " · recommended"
    ids = dict.fromkeys(name for row in weighed for name in row.requirements)
    return [
        *_wrapped(f"{place}  {kind}{severity}", "", "    "),
        *_wrapped(f"{source}{beside}", "    ", "    "),
        *_wrapped(", ".join(ids), "    ", "    "),
        *_wrapped(weighed[0].why, "    ", "    "),
        "",
    ]


def _wrapped(text: str, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False, break_long_words=False
    )


def _left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    if not left_out:
        return []
    lines = ["left out"]
    for reason, ids in _by_reason(left_out).items():
        lines += [*_wrapped(reason, "  ", "    "), *_wrapped(", ".join(ids), "      ", "      ")]
    return lines


def _by_reason(left_out: Sequence[LeftOut]) -> dict[str, list[str]]:
    """Requirements per reason; a vantage is named with the reason, where one is left out."""
    found: dict[str, list[str]] = {}
    for entry in left_out:
        reason = f"{entry.vantage}: {entry.reason}" if entry.vantage else entry.reason
        ids = found.setdefault(reason, [])
        if entry.requirement not in ids:
            ids.append(entry.requirement)
    return found


def _record(row: Row) -> dict[str, Any]:
    return {
        "vantage": row.vantage,
        "host": row.host,
        "port": row.port,
        "protocol": row.protocol,
        "server_name": row.server_name,
        "requirement": " ".join(row.requirements),
        "severity": row.severity.value,
        "needed": "yes" if row.decides else "no, compared only",
        "second_hop": "yes" if row.second_hop else "no",
        "why": row.why,
    }


def as_csv(plan: Plan, subject: str) -> str:  # noqa: ARG001 - one signature for all formats
    """One line per connection; no cell is read as a formula by a spreadsheet."""
    records = [_record(row) for row in rows(plan)]
    names = list(_COLUMNS)
    written = io.StringIO()
    writer = csv.DictWriter(written, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(record[name]) for name in names} for record in records)
    return written.getvalue()


_COLUMNS: Final = tuple(
    _record(
        Row(
            vantage="",
            host="",
            port=0,
            protocol="",
            server_name="",
            requirements=(),
            severity=Severity.REQUIRED,
            decides=True,
            second_hop=False,
            why="",
        )
    )
)


def _cell(value: object) -> str:
    """On one line, without controls; an apostrophe before what a spreadsheet would calculate."""
    shown = text.line(str(value))
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def as_json(plan: Plan, subject: str) -> str:
    """Connections and what is left out, as data."""
    document = {
        "schema_version": 1,
        "subject": subject,
        "catalogue_version": plan.catalogue_version,
        "vantages": list(plan.vantages),
        "stand_in": list(plan.stand_in),
        "connections": [msgspec.to_builtins(row) for row in rows(plan)],
        "left_out": [msgspec.to_builtins(entry) for entry in plan.left_out],
    }
    return text.escape_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def as_markdown(plan: Plan, subject: str) -> str:
    """Two tables, for a ticket or a pull request."""
    lines = [
        f"# Connections of {markdown.prose(subject)}",
        "",
        f"Catalogue {markdown.prose(plan.catalogue_version)}. Lines marked *compared only* need no rule.",
        "",
        "| from | host | port | protocol | severity | requirement | why |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows(plan):
        severity = row.severity.value if row.decides else "*compared only*"
        host = f"{row.host} (second hop)" if row.second_hop else row.host
        where = [markdown.prose(str(cell)) for cell in (row.vantage, host, row.port, row.protocol)]
        why = [markdown.prose(cell) for cell in (", ".join(row.requirements), row.why)]
        lines.append(f"| {' | '.join([*where, severity, *why])} |")
    if plan.left_out:
        lines += ["", "## Left out", "", "| reason | requirement |", "|---|---|"]
        by_reason = _by_reason(plan.left_out)
        lines += [
            f"| {markdown.prose(reason)} | {markdown.prose(', '.join(ids))} |" for reason, ids in by_reason.items()
        ]
    return "\n".join(lines) + "\n"


FORMATS: Final[dict[str, Callable[[Plan, str], str]]] = {
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
    "markdown": as_markdown,
}
