"""Writes the tables of docs/fuzzing.md: the record of the runs, and what was found; `--check` says what differs."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "fuzzing.md"
FUZZ = ROOT / "tests" / "fuzz"


def record_table() -> str:
    """One line a target, everything that was recorded of it added up."""
    from fuzz import record  # noqa: PLC0415 - beside the tests
    from fuzz.table import TARGETS  # noqa: PLC0415

    entries = [entry for entry in record.read() if entry.target in TARGETS]
    totals = record.totals(entries)
    lines = [
        "| target | what the bytes are | executions | per CPU s | edges | stops | slowest, ms CPU | peak MB | last |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, one in totals.items():
        rate = one.executions / one.cpu_seconds if one.cpu_seconds else 0
        lines.append(
            f"| `{name}` | {TARGETS[name].parses} | {one.executions:,} | {rate:,.0f} | {one.edges:,} |"
            f" {len(one.findings)} | {one.slowest_cpu_ms:,.0f} | {one.peak_rss_mb} | {one.date}, {one.commit} |"
        )
    cpu = sum(one.cpu_seconds for one in totals.values())
    lines.append(f"| **all** | | **{sum(one.executions for one in totals.values()):,}** | | | | | | {cpu:,.0f} s CPU |")
    return "\n".join(lines)


def findings_table() -> str:
    """One line an input that broke something."""
    told = tomllib.loads((FUZZ / "findings.toml").read_text("utf-8"))
    lines = ["| target | input | found by | defect | mended in |", "|---|---|---|---|---|"]
    for target, inputs in sorted(told.items()):
        for name, one in sorted(inputs.items()):
            lines.append(f"| `{target}` | `{name}` | {one['by']} | {one['defect']} | {one['mended']} |")
    return "\n".join(lines)


def with_tables(page: str) -> str:
    """The page with both tables between their marks."""
    for mark, table in (("record", record_table()), ("findings", findings_table())):
        begin, end = f"<!-- {mark}:begin -->", f"<!-- {mark}:end -->"
        before, found, rest = page.partition(begin)
        after = rest.partition(end)[2]
        assert found, f"docs/fuzzing.md has no {begin}"
        page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare."""
    sys.path.insert(0, str(ROOT / "tests"))
    page = PAGE.read_text("utf-8")
    wanted = with_tables(page)
    if "--check" in arguments:
        if wanted != page:
            print("docs/fuzzing.md: not as generated; run tools/generate_fuzzing.py")
        return int(wanted != page)
    PAGE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
