"""The run for a pull request comment or a step summary: at most 60,000 characters, nothing from the network is markup.

Single values stand in code spans, where Markdown does nothing; sentences are escaped, and what a forge turns into a
mention or a link after the Markdown is parsed (`@name`, `#1`, `owner/repo#1`, `www.`) is broken by an invisible space.
"""

import re
from collections.abc import Iterable, Sequence

from preflight.model.run import Finding, Run, Verdict
from preflight.model.vocabulary import Owner, Status
from preflight.render import text, view
from preflight.render.alike import Said, said
from preflight.render.columns import Column, columns, places, worst

LIMIT = 60_000  # characters; a comment on GitHub takes 65,536
_MOST_PROSE, _MOST_CODE = 2_000, 500  # characters of one sentence and of one value; the report has all of it
_TOLD = 24_000  # what the findings may take of it
_COLUMNS, _ROWS = 8, 40  # of the table by vantage
_MEMBERS = 20  # vantages of a folded column that are named
_FEW = 6  # vantages; with more, what several of them say is told once
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#!|~^$&@]|:(?=\S)")
_LINKS = re.compile(r"(?<=@)(?=[\w-])|(?<=#)(?=\d)|(?<=\bwww)(?=\.)|(?<=\bGH)(?=-\d)", re.IGNORECASE)
_LEADING = re.compile(r"^(?:(\d{1,9})(?=[.)](?:\s|$))|(?=[-+=]))")
_GAP = "\u200b"  # zero width space, ours: it parts what a forge would join to a mention or a link
_MARKS = {
    Status.PASS: "✅",
    Status.WARN: "⚠️",
    Status.FAIL: "❌",
    Status.BLOCKED: "⛔",
    Status.UNKNOWN: "❔",
    Status.SKIPPED: "\u2796",
    Status.WAIVED: "☑️",
}


def prose(words: str) -> str:
    """A sentence that Markdown leaves alone, on one line."""
    parted = _LINKS.sub(_GAP, text.line(words[:_MOST_PROSE]))
    escaped = _MARKUP.sub(lambda found: f"\\{found[0]}", parted)
    return _LEADING.sub(lambda found: f"{found[1] or ''}\\", escaped)


def code(value: str) -> str:
    """A value as a code span; the bar, which ends a table's cell even there, is shown as a broken bar."""
    inner = text.line(value[:_MOST_CODE]).replace("|", "¦")
    if not inner:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", inner)), default=0) + 1)
    space = " " if inner.startswith("`") or inner.endswith("`") else ""
    return f"{fence}{space}{inner}{space}{fence}"


def render(run: Run) -> str:
    """Verdict, counts, what to change by owner, what is not fine; everything else in a folded list while it fits."""
    parts = [_verdict(run), *_findings(run), _matrix(run), _trouble(run), _folded(run)]
    kept: list[str] = []
    foot = _foot(run)
    room = LIMIT - len(foot) - 200
    for part in parts:
        if not part:
            continue
        if len(part) + 2 > room:
            kept.append("_More is in the report and in run.json: there was no room for it here._")
            break
        kept.append(part)
        room -= len(part) + 2
    return "\n\n".join([*kept, foot]) + "\n"


def _verdict(run: Run) -> str:
    mark = {0: Status.PASS, 1: Status.FAIL, 3: Status.UNKNOWN}.get(run.exit_code, Status.WARN)
    lines = [f"## {_MARKS[mark]} preflight: {prose(run.headline)}"]
    if run.banner:
        lines.append(f"> {prose(run.banner)}")
    found = f"{view.plural(len(run.findings), 'finding')}, " if run.findings else ""
    words = view.EXITS.get(run.exit_code, "")
    lines.append(f"**{found}{view.counted(run)}** · exit {run.exit_code} ({words}) · {view.seconds(run.duration_ms)}")
    lines.append(f"{prose(view.subject(run))} · {prose(view.when(run.started))}")
    return "\n\n".join(lines)


def _findings(run: Run) -> Iterable[str]:
    if run.findings:
        yield "### What to change"
    used = 0
    for owner, group in view.owners(run):
        heading = f"**{view.TEAMS[owner].capitalize() if owner is not Owner.DNS else view.TEAMS[owner]}**"
        blocks = [block for block in map(_finding, group) if (used := used + len(block)) <= _TOLD]
        more = len(group) - len(blocks)
        left = [f"_and {view.plural(more, 'finding')} more in the report_"] if more else []
        yield "\n\n".join([heading, *blocks, *left])


def _finding(finding: Finding) -> str:
    lines = [f"- **{prose(finding.id)} · {prose(finding.title)}**"]
    lines += [f"  {prose(line)}" for line in view.change(finding).splitlines() if line.strip()]
    lines.append(f"  {code(finding.cause)}, {finding.confidence}")
    more = [prose(why) for why in finding.why[:4]]
    more += [f"speaks against it: {prose(one)}" for one in finding.contradicts[:2]]
    more += [f"would settle it: {prose(finding.settle)}"] if finding.settle else []
    more += [f"verify: {code(finding.verify)}"] if finding.verify else []
    return "  \n".join(lines) + "".join(f"\n  - {one}" for one in more)


def _matrix(run: Run) -> str:
    """What is not fine, by vantage, when there are several; identical columns are folded, and told below."""
    rows = [row for row in view.rows(run) if row.status not in (Status.PASS, Status.SKIPPED)][:_ROWS]
    names = view.vantages(run)
    if not rows or len(names) == 1:
        return ""
    shown = columns(names, [row.cells for row in rows], _COLUMNS)
    lines = [f"| requirement | {' | '.join(code(one.label) for one in shown)} |", f"|---|{'---|' * len(shown)}"]
    for row in rows:
        name = f"{row.requirement} {row.target}".strip()
        lines.append(f"| {code(name)} | {' | '.join(_mark(row, one) for one in shown)} |")
    folded = [f"- {code(one.label)}: {prose(one.words)}: {prose(_members(one))}" for one in shown if one.several]
    return "\n".join(["### By vantage", "", *lines, *(["", *folded] if folded else [])])


def _mark(row: view.Row, column: Column) -> str:
    """The worst of a column, and of how many; comparison evidence in brackets."""
    mine = [row.cells[name] for name in column.vantages if name in row.cells]
    if not mine:
        return ""
    status = worst(one.status for one in mine)
    number = sum(one.status is status for one in mine)
    mark = _MARKS[status] + (f" {number}/{len(mine)}" if number < len(mine) else "")
    return mark if any(one.decides for one in mine) else f"({mark})"


def _members(column: Column) -> str:
    return ", ".join(column.vantages[:_MEMBERS]) + (
        f" and {len(column.vantages) - _MEMBERS} more" if len(column.vantages) > _MEMBERS else ""
    )


def _trouble(run: Run) -> str:
    told = view.with_status(run, Status.FAIL, Status.WARN, Status.UNKNOWN, Status.BLOCKED, Status.WAIVED)
    return f"### What is not fine\n\n{_table(told, view.vantages(run))}" if told else ""


def _folded(run: Run) -> str:
    """Everything, in the documented order; passes and skips too."""
    if not run.verdicts:
        return ""
    rows = _table(run.verdicts, view.vantages(run))
    return f"<details><summary>All {view.plural(len(run.verdicts), 'verdict')}</summary>\n\n{rows}\n\n</details>"


def _table(verdicts: Sequence[Verdict], every: Sequence[str]) -> str:
    """A line per verdict; of many places that say the same, one for all of them."""
    told = said(verdicts) if len(every) > _FEW else [_alone(one) for one in verdicts]
    lines = ["| | check | target | cause | what was seen |", "|---|---|---|---|---|"]
    used = 0
    for number, one in enumerate(told):
        row = _row(one, every)
        used += len(row)
        if used > _TOLD:
            left = sum(max(len(more.vantages), 1) for more in told[number:])
            return "\n".join([*lines, "", f"_and {left} more in the report_"])
        lines.append(row)
    return "\n".join(lines)


def _alone(verdict: Verdict) -> Said:
    return Said(verdict=verdict, reason=verdict.reason, vantages=(verdict.vantage,), slowest_ms=verdict.duration_ms)


def _row(one: Said, every: Sequence[str]) -> str:
    verdict = one.verdict
    status = f"{_MARKS[verdict.status]} {verdict.status}" + ("" if verdict.decides else " (comparison)")
    many = len(one.vantages) > 1
    check = f"{code(verdict.requirement)} at {prose(places(one.vantages, every))}" if many else code(verdict.check)
    reason = text.cut(text.line(one.reason), 300)
    cells = (status, check, code(verdict.target), code(verdict.cause or ""), prose(reason))
    return f"| {' | '.join(cells)} |"


def _foot(run: Run) -> str:
    tool = f"{run.tool.name} {run.tool.version}"
    return f"<sub>{prose(tool)}, catalogue {prose(run.plan.catalogue_version)}, run {code(run.run_id)}</sub>"
