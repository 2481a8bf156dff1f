"""The run for a terminal of 80 columns: silence about what is fine, cause and remedy under what is not.

Without `verbose` a phase in which everything holds is one line, and passes are counted, not listed.
"""

from collections.abc import Iterable, Sequence

import msgspec

from preflight.model.causes import CAUSES
from preflight.model.run import Finding, Run, Verdict
from preflight.model.vocabulary import Owner, Phase, Status
from preflight.render import text, view
from preflight.render.alike import Reason, reasons
from preflight.render.columns import Column, columns, kind, places, worst

_CELL = 13  # columns of a vantage, its gap included
_TITLE = 28  # the least that a title keeps; more vantages than fit beside it fold
_SHORT = 24  # or this, where that shows who is in trouble
_NARROW = 40
_RED, _YELLOW, _DIM, _BOLD, _CYAN, _GREEN = "31", "33", "2", "1", "36", "32"
_SGR = {
    Status.PASS: _GREEN,
    Status.WARN: _YELLOW,
    Status.FAIL: _RED,
    Status.BLOCKED: _DIM,
    Status.UNKNOWN: _YELLOW,
    Status.SKIPPED: _DIM,
    Status.WAIVED: _CYAN,
}
_EXPLAINED = (Status.FAIL, Status.WARN, Status.WAIVED)
_QUIET = (Status.PASS, Status.SKIPPED)


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    """How this page is written."""

    width: int
    color: bool
    verbose: bool
    every: tuple[str, ...]  # vantages of the run

    def at(self, names: Iterable[str]) -> str:
        """Vantages for a sentence, few by name and many by number."""
        return places(names, self.every)

    def paint(self, shown: str, sgr: str) -> str:
        """`shown` in a colour, after it was cut and padded: escapes take no columns."""
        return f"\x1b[{sgr}m{shown}\x1b[0m" if self.color and shown else shown

    def wrapped(self, words: str, indent: int) -> list[str]:
        """`words` on as many lines as they need, at `indent`."""
        return [" " * indent + one for one in text.wrap(words, self.width - indent)]

    def hanging(self, first: str, words: str) -> list[str]:
        """`words` behind `first`, following lines under the first word."""
        indent = text.width(first)
        lines = text.wrap(words, self.width - indent)
        return [(first if at == 0 else " " * indent) + one for at, one in enumerate(lines)]


def render(run: Run, *, width: int = 80, color: bool = False, verbose: bool = False, short: bool = False) -> str:
    """The whole page, or with `short` its last block only, to paste into a chat. Ends with a line feed."""
    page = _Page(width=max(width, _NARROW), color=color, verbose=verbose, every=view.vantages(run))
    blocks = [page.wrapped(run.banner, 0)] if run.banner else []
    if not short:
        blocks += [_opening(page, run), *_phases(page, run), _not_tested(page, run), _left_out(page, run)]
        blocks.append(_notices(page, run))
    blocks += [_closing(page, run), _findings(page, run)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _opening(page: _Page, run: Run) -> list[str]:
    parts = (
        f"{run.tool.name} {run.tool.version}",
        view.subject(run),
        f"catalogue {run.plan.catalogue_version}",
        view.plural(len(run.plan.vantages), "vantage"),
    )
    return page.wrapped(" · ".join(parts), 0)


def _phases(page: _Page, run: Run) -> list[list[str]]:
    """One block for each phase in trouble; neighbouring phases without any share a block of one line each."""
    blocks: list[list[str]] = []
    quiet: list[str] | None = None
    for phase, rows in view.phases(view.rows(run)):
        shown = [row for row in rows if _shown(page, row)]
        if shown:
            blocks.append(_phase(page, phase, rows, shown))
            quiet = None
        elif any(not row.skipped for row in rows):
            if quiet is None:
                quiet = []
                blocks.append(quiet)
            quiet += _quiet_phase(page, phase, rows)
    return blocks


def _shown(page: _Page, row: view.Row) -> bool:
    """Skipped rows are in the list of what was left out; unknown ones have a block of their own."""
    if page.verbose:
        return not row.skipped
    return any(verdict.status not in (*_QUIET, Status.UNKNOWN) for verdict in row.verdicts)


def _quiet_phase(page: _Page, phase: Phase, rows: Sequence[view.Row]) -> list[str]:
    listed = [row for row in rows if not row.skipped]
    untested = sum(any(verdict.status is Status.UNKNOWN for verdict in row.verdicts) for row in listed)
    holds = len(listed) - untested
    words = [_holding(holds)] if holds else []
    words += [f"{view.plural(untested, 'requirement')} not tested"] if untested else []
    status = Status.UNKNOWN if untested else Status.PASS
    glyph = view.GLYPHS[status]
    lines = page.hanging(f"{glyph} {phase.value:<16}", ", ".join(words))
    return [one.replace(glyph, page.paint(glyph, _SGR[status]), 1) for one in lines]


def _holding(rows: int) -> str:
    return f"{view.plural(rows, 'requirement')} {'holds' if rows == 1 else 'hold'}"


def _phase(page: _Page, phase: Phase, rows: Sequence[view.Row], shown: Sequence[view.Row]) -> list[str]:
    heads = _columns(page, rows, shown)
    title = page.width - 4 - _CELL * len(heads)
    names = "".join(text.pad(_head(column), _CELL, right=True) for column in heads)
    lines = [page.paint(text.pad(phase.value, title + 4), _BOLD) + page.paint(names, _DIM)]
    waiting = [] if page.verbose else [row for row in shown if _waits(row)]
    for row in shown:
        if row not in waiting:
            lines.append(_row(page, row, heads, title))
            lines += _under(page, row)
    lines += _blocked_rows(page, waiting)
    held = sum(row not in shown and not row.skipped and row.status is Status.PASS for row in rows)
    if held:
        lines.append(f"  {page.paint('✓', _GREEN)} {_holding(held)}")
    return lines


def _columns(page: _Page, rows: Sequence[view.Row], shown: Sequence[view.Row]) -> tuple[Column, ...]:
    """The vantages that did anything in this phase, folded to what fits."""
    did = {name for row in rows for name, one in row.cells.items() if one.status is not Status.SKIPPED}
    limit = max((page.width - 4 - _TITLE) // _CELL, 1)
    names, cells = [name for name in page.every if name in did], [row.cells for row in shown]
    found = columns(names, cells, limit)
    more = (page.width - 4 - _SHORT) // _CELL
    # A place in trouble that would share a column is worth the end of the titles.
    return columns(names, cells, more) if more > limit and not all(one.alike for one in found) else found


def _head(column: Column) -> str:
    """A label that fits: of a long name its kind and its end, where the names of nodes differ."""
    label, room = text.line(column.label), _CELL - 1
    first = f"{kind(label)}…"
    return label if text.width(label) <= room else first + label[len(label) - room + len(first) :]


def _row(page: _Page, row: view.Row, heads: Sequence[Column], title: int) -> str:
    name = f"{row.title} · {row.target}" if row.target else row.title
    cells = "".join(_cell(page, row, column) for column in heads)
    mark = page.paint(view.GLYPHS[row.status], _SGR[row.status])
    return f"  {mark} {text.pad(text.line(name), title)}{cells}".rstrip()


def _cell(page: _Page, row: view.Row, column: Column) -> str:
    verdicts = [row.cells[name] for name in column.vantages if name in row.cells]
    if not verdicts:
        return " " * _CELL
    status = worst(verdict.status for verdict in verdicts)
    shown = _cell_text(verdicts, status)
    if not any(verdict.decides for verdict in verdicts):
        shown = f"({shown})"
    return page.paint(text.pad(shown, _CELL, right=True), _SGR[status] if status is not Status.PASS else "")


def _cell_text(verdicts: Sequence[Verdict], status: Status) -> str:
    if status is Status.PASS:
        times = [verdict.duration_ms for verdict in verdicts if verdict.duration_ms is not None]
        return view.took(max(times)) if times else "✓"
    number = sum(verdict.status is status for verdict in verdicts)
    of = f" {number}/{len(verdicts)}" if len(verdicts) > 1 else ""
    return f"{view.GLYPHS[status]}{of}"


def _under(page: _Page, row: view.Row) -> list[str]:
    """What a reader must know about the row: cause, reason, remedy; each reason once, with the vantages it holds at."""
    lines = []
    groups = reasons(verdict for verdict in row.verdicts if verdict.status in _EXPLAINED)
    for at, group in enumerate(groups):
        lines += _who(page, group)
        lines += page.wrapped(group.reason or _meaning(group.cause), 6)
        repeated = any(later.cause == group.cause for later in groups[at + 1 :])
        if not repeated and any(verdict.decides for verdict in row.verdicts if verdict.cause == group.cause):
            lines += [page.paint(one, _DIM) for one in page.hanging("      \u2192 ", _remedy(group.cause))]
    blocked = [verdict for verdict in row.verdicts if verdict.status is Status.BLOCKED]
    return lines + _blocked(page, blocked, 6)


def _waits(row: view.Row) -> bool:
    """Nothing but blocked: the failing line above says why."""
    return {verdict.status for verdict in row.verdicts if verdict.status not in _QUIET} == {Status.BLOCKED}


def _blocked_rows(page: _Page, rows: Sequence[view.Row]) -> list[str]:
    """One line for all that wait for the same check at the same vantages."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        blocked = [verdict for verdict in row.verdicts if verdict.status is Status.BLOCKED]
        groups.setdefault(tuple(_blockers(page, blocked)), []).append(row.requirement)
    lines = []
    for words, waiting in groups.items():
        first = f"  {view.GLYPHS[Status.BLOCKED]} "
        lines += page.hanging(first, f"{', '.join(dict.fromkeys(waiting))}: {'; '.join(words)}")
    return [page.paint(one, _DIM) for one in lines]


def _blocked(page: _Page, blocked: Sequence[Verdict], indent: int) -> list[str]:
    return [page.paint(one, _DIM) for words in _blockers(page, blocked) for one in page.wrapped(words, indent)]


def _blockers(page: _Page, blocked: Sequence[Verdict]) -> list[str]:
    by: dict[str, list[str]] = {}
    for verdict in blocked:
        by.setdefault((verdict.blocked_by or "").partition("@")[0], []).append(verdict.vantage)
    return [f"blocked by {name or 'an earlier check'} at {page.at(names)}" for name, names in by.items()]


def _who(page: _Page, group: Reason) -> list[str]:
    """Where, which cause, which target; on one line where that fits."""
    deciding = [verdict for verdict in group.verdicts if verdict.decides]
    compared = [verdict.vantage for verdict in group.verdicts if not verdict.decides]
    where = page.at(verdict.vantage for verdict in deciding)
    targets = ", ".join(dict.fromkeys(verdict.target for verdict in group.verdicts if verdict.target))
    also = f"({'also ' if deciding else 'comparison: '}{page.at(compared)})" if compared else ""
    parts = [text.line(part) for part in (where, group.cause or "", targets, also) if part]
    whole = "  ".join(parts)
    return [f"      {whole}"] if text.width(whole) + 6 <= page.width else page.wrapped(whole, 6)


def _meaning(cause: str | None) -> str:
    return CAUSES[cause].meaning if cause in CAUSES else ""


def _remedy(cause: str | None) -> str:
    return CAUSES[cause].remedy if cause in CAUSES else ""


def _not_tested(page: _Page, run: Run) -> list[str]:
    """Unknown is never a pass: what could not be tested, why, and what would make it testable."""
    untested = view.with_status(run, Status.UNKNOWN)
    lines: list[str] = []
    for group in reasons(untested):
        first = f"  {view.GLYPHS[Status.UNKNOWN]} "
        head = page.hanging(first, f"{_what(page, group)}: not tested")
        lines += [page.paint(one, _YELLOW) for one in head]
        lines += page.wrapped(f"{group.cause or 'unknown'}  {group.reason or _meaning(group.cause)}", 6)
        gate = " Exit 3 until then." if run.exit_code == 3 and _gates(group) else ""
        if _remedy(group.cause):
            lines += [page.paint(one, _DIM) for one in page.hanging("      → ", _remedy(group.cause) + gate)]
    return lines


def _gates(group: Reason) -> bool:
    return any(verdict.decides and verdict.severity == "required" for verdict in group.verdicts)


def _what(page: _Page, group: Reason) -> str:
    where = page.at(verdict.vantage for verdict in group.verdicts)
    titles = list(dict.fromkeys(verdict.title for verdict in group.verdicts))
    what = titles[0] if len(titles) == 1 else f"{len(titles)} requirements"
    return f"{what}, at {where}" if where else what


def _left_out(page: _Page, run: Run) -> list[str]:
    """With `verbose` only: what does not apply, and why."""
    if not page.verbose:
        return []
    lines = []
    for group in reasons(view.with_status(run, Status.SKIPPED)):
        ids = dict.fromkeys(verdict.requirement for verdict in group.verdicts)
        there = page.at(verdict.vantage for verdict in group.verdicts)
        where = f" ({there})" if there else ""
        lines += page.hanging("  \u2013 ", f"skipped, {group.reason or 'left out'}{where}: {', '.join(ids)}")
    return [page.paint(one, _DIM) for one in lines]


def _notices(page: _Page, run: Run) -> list[str]:
    return [one for notice in run.notices for one in page.hanging("  ! ", notice)]


def _closing(page: _Page, run: Run) -> list[str]:
    """The verdict in one sentence, then counts, time and exit code on one line."""
    lines = [page.paint(one, f"{_BOLD};{_verdict_color(run.exit_code)}") for one in page.wrapped(run.headline, 0)]
    found = f"{view.plural(len(run.findings), 'finding')}, " if run.findings else ""
    left = found + view.counted(run)
    right = f"{view.seconds(run.duration_ms)}   exit {run.exit_code}"
    gap = page.width - text.width(left) - text.width(right)
    return [*lines, left + " " * gap + right] if gap > 1 else [*lines, *page.wrapped(left, 0), right.rjust(page.width)]


def _verdict_color(code: int) -> str:
    return _GREEN if code == 0 else _RED if code == 1 else _YELLOW


def _findings(page: _Page, run: Run) -> list[str]:
    """What to change, numbered, by owner."""
    wide = max((len(team) for team in view.TEAMS.values()), default=0) + 2
    return [
        one for owner, group in view.owners(run) for finding in group for one in _finding(page, owner, finding, wide)
    ]


def _finding(page: _Page, owner: Owner, finding: Finding, wide: int) -> list[str]:
    first = f"  {text.line(finding.id):>2}  {view.TEAMS[owner]:<{wide}}"
    lines = page.hanging(first, finding.title)
    warned = finding.status is not Status.FAIL
    return [one.replace(first, page.paint(first, _YELLOW if warned else _RED), 1) for one in lines]
