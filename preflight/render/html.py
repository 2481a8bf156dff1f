"""The page: one self-contained file under a strict content security policy, readable without a script.

Everything is escaped by Jinja after dangerous characters were made visible; only the pictures, the style and the
script are markup, and the last two are allowed by their hashes.
"""

import base64
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from preflight.failures import MissingExtra
from preflight.model.causes import CAUSES
from preflight.model.run import Finding, Run, Verdict
from preflight.model.vocabulary import Owner, Status
from preflight.render import alike, atlas, evidence, text, view
from preflight.render.columns import WEIGHT, Column, columns, places, worst
from preflight.resources import folder

if TYPE_CHECKING:
    from jinja2 import Environment

_COLUMNS = 8  # more vantages fold
_OPENING = 400  # cells; with more, a cell is a link to its evidence, not a panel of its own: first where it is fine
_PANEL = 6  # verdicts that are told in a cell's panel, alike ones once
_TONES = {0: Status.PASS, 1: Status.FAIL, 130: Status.WARN, 4: Status.WARN}


class _Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement at one column."""

    status: Status
    shown: str
    said: tuple[alike.Said, ...]
    more: int  # that are not told
    decides: bool
    opens: bool = False


def render(run: Run) -> str:
    """The whole document.

    Raises:
        MissingExtra: the part "report" is not installed.
    """
    css, script = _file("report.css"), _file("report.js")
    template = _environment().get_template("report.html.j2")
    return template.render(_context(run) | {"css": css, "script": script, "csp": _policy(css, script)}) + "\n"


def _policy(css: str, script: str) -> str:
    parts = {
        "default-src": "'none'",
        "style-src": _hash(css),
        "script-src": _hash(script),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def _hash(inline: str) -> str:
    """What a browser computes of the text between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"


def _templates() -> Path:
    return folder("reports") / "templates"


@functools.cache
def _file(name: str) -> str:
    return (_templates() / name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> "Environment":
    try:
        import jinja2  # noqa: PLC0415 - an optional part
    except ModuleNotFoundError as missing:
        raise MissingExtra("report", "the HTML report") from missing
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_templates()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "took": view.took,
        "when": view.when,
        "seconds": view.seconds,
        "plural": _plural,
        "slug": text.slug,
    }
    return made


def _finalize(value: object) -> object:
    """Dangerous characters of every plain text become visible; markup (`__html__`) was made here and is left alone."""
    return text.clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _plural(number: int, word: str) -> str:
    return view.plural(number, word)


def _context(run: Run) -> dict[str, Any]:
    rows, names = view.rows(run), view.vantages(run)
    shown = columns(names, [row.cells for row in rows], _COLUMNS)
    chart = atlas.chart(run)
    return {
        "run": run,
        "subject": view.subject(run),
        "tone": _TONES.get(run.exit_code, Status.UNKNOWN),
        "exit_words": view.EXITS.get(run.exit_code, ""),
        "counted": view.counted(run),
        "counts": [(status, run.counts[status]) for status in Status if run.counts.get(status)],
        "glyphs": view.GLYPHS,
        "words": view.WORDS,
        "teams": view.TEAMS,
        "causes": CAUSES,
        "places": lambda some: places(some, names),
        "owners": [
            (
                owner,
                [(finding, view.labelled(view.change(finding)), ticket(finding, owner, names)) for finding in group],
            )
            for owner, group in view.owners(run)
        ],
        "chart": chart,
        "map": atlas.draw(chart),
        "columns": shown,
        "matrix": _matrix(rows, shown),
        "nowhere": sum(row.skipped for row in rows),
        "evidence": evidence.targets(run),
        "keys": evidence.keys(run),
        "left_out": alike.reasons(view.with_status(run, Status.SKIPPED)),
        "untested": alike.reasons(view.with_status(run, Status.UNKNOWN)),
        "circumstances": alike.places(run.vantages),
        "environment": flat(run.environment),
        "mapped": view.mapped(run),
        "plan": _plan(run, names),
    }


def _plan(run: Run, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """URL, probe and places of each task."""
    at: dict[str, list[str]] = {}
    for name, keys in run.plan.runs.items():
        for key in keys:
            at.setdefault(key, []).append(name)
    return [(task.target.url, task.probe, places(at.get(task.key, ()), names)) for task in run.plan.tasks]


def _matrix(rows: tuple[view.Row, ...], shown: tuple[Column, ...]) -> list[tuple[str, list[Any]]]:
    """Phases with their rows and cells; what applies nowhere is in the list of what was left out."""
    tested = [row for row in rows if not row.skipped]
    made = [
        (phase, [(row, [_cell(row, column) for column in shown]) for row in group])
        for phase, group in view.phases(tested)
    ]
    opens = _opening([cell for _, group in made for _, cells in group for cell in cells if cell is not None])
    return [
        (phase.value, [(row, [_opened(cell, opens) for cell in cells]) for row, cells in group])
        for phase, group in made
    ]


def _opening(cells: Sequence[_Cell]) -> tuple[Status, ...]:
    """The statuses whose cells open in place."""
    fine = (Status.PASS, Status.SKIPPED)
    troubled = sum(cell.status not in fine for cell in cells) <= _OPENING
    return tuple(status for status in Status if (troubled if status not in fine else len(cells) <= _OPENING))


def _opened(cell: _Cell | None, opens: tuple[Status, ...]) -> _Cell | None:
    return msgspec.structs.replace(cell, opens=True) if cell is not None and cell.status in opens else cell


def _cell(row: view.Row, column: Column) -> _Cell | None:
    verdicts = tuple(row.cells[name] for name in column.vantages if name in row.cells)
    if not verdicts:
        return None
    status = worst(verdict.status for verdict in verdicts)
    said = sorted(alike.said(verdicts), key=lambda one: WEIGHT.index(one.verdict.status))
    return _Cell(
        status=status,
        shown=_shown(verdicts, status),
        said=tuple(said[:_PANEL]),
        more=sum(len(one.vantages) for one in said[_PANEL:]),
        decides=any(verdict.decides for verdict in verdicts),
    )


def _shown(verdicts: tuple[Verdict, ...], status: Status) -> str:
    """Words of a cell: a time where it is fine, the cause where it is not."""
    alike = [verdict for verdict in verdicts if verdict.status is status]
    of = f"{len(alike)} of {len(verdicts)}: " if len(alike) < len(verdicts) else ""
    if status is Status.PASS:
        times = [verdict.duration_ms for verdict in verdicts if verdict.duration_ms is not None]
        return view.took(max(times)) if times else view.WORDS[status]
    if status is Status.BLOCKED and alike[0].blocked_by:
        return f"{of}by {alike[0].blocked_by.partition('@')[0]}"
    return of + (alike[0].cause or view.WORDS[status])


def ticket(finding: Finding, owner: Owner, every: Sequence[str] = ()) -> str:
    """A finding as plain text, to paste into a ticket."""
    change = view.change(finding)
    lines = [finding.title, *([change] if change else []), f"For: {view.TEAMS[owner]}"]
    lines.append(f"Cause: {finding.cause} ({finding.confidence})")
    lines += [f"Seen from: {places(finding.vantages, every)}"] if finding.vantages else []
    lines += [f"Targets: {', '.join(finding.targets)}"] if finding.targets else []
    lines += ["Evidence:", *(f"- {why}" for why in finding.why)] if finding.why else []
    lines += [f"- speaks against it: {one}" for one in finding.contradicts]
    lines += [f"Would settle it: {finding.settle}"] if finding.settle else []
    lines += [f"Verify: {finding.verify}"] if finding.verify else []
    for query in finding.queries:
        lines += ["", f"{query.tool}:", query.text]
    return "\n".join(lines)


def flat(table: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested plain data as dotted keys and texts; what is empty is left out."""
    if isinstance(table, dict):
        return [one for key, value in table.items() for one in flat(value, f"{prefix}.{key}" if prefix else str(key))]
    if isinstance(table, list) and any(isinstance(value, dict | list) for value in table):
        return [one for at, value in enumerate(table) for one in flat(value, f"{prefix}[{at}]")]
    if table in (None, "", [], {}):
        return []
    if isinstance(table, list):
        return [(prefix, ", ".join(map(str, table)))]
    return [(prefix, {True: "yes", False: "no"}[table] if isinstance(table, bool) else str(table))]
