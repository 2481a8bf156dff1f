"""The terminal: 80 columns, quiet when good, cause and remedy when not."""

import re

import msgspec
import pytest
from builders import runs
from builders.example_runs import EXAMPLES
from builders.extreme_runs import large

from preflight.model.causes import CAUSES
from preflight.model.vocabulary import ProbeName, Status
from preflight.render import console, text

SGR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_terminal(name, width, verbose):
    shown = console.render(EXAMPLES[name](), width=width, verbose=verbose)
    assert max(text.width(line) for line in shown.splitlines()) <= width


def test_a_healthy_run_is_one_line_a_phase():
    shown = console.render(EXAMPLES["healthy"]())
    assert "API server resolves" not in shown
    assert "\n✓ router-install  9 requirements hold\n✓ router-start    1 requirement holds\n" in shown
    assert len(shown.splitlines()) < 14


def test_verbose_lists_what_passed_with_its_times_and_what_was_left_out():
    shown = console.render(EXAMPLES["healthy"](), verbose=True)
    assert re.search(r"✓ API server resolves +\(\d+ ms\) +[\d.]+ ms +[\d.]+ ms\n", shown)
    assert "skipped, only for isolated clusters" in shown


def test_cause_reason_and_remedy_stand_under_the_failing_line():
    lines = console.render(EXAMPLES["failing"]()).splitlines()
    at = next(number for number, line in enumerate(lines) if "MCR layers can be downloaded" in line)
    assert lines[at].lstrip().startswith("✗")
    assert lines[at + 1].split() == ["node/user1", "tls.reset-after-hello", "mcr.microsoft.com:443"]
    assert "connection reset right after the" in lines[at + 2]
    assert lines[at + 4].strip() == f"→ {CAUSES['tls.reset-after-hello'].remedy}"


def test_what_is_blocked_takes_one_entry_that_names_the_blocker():
    shown = " ".join(console.render(EXAMPLES["failing"]()).split())
    assert "⊘ storage.blob.reach, storage.blob.read: blocked by storage.blob.resolve at node/user1, pod/user1" in shown


def test_comparison_evidence_is_in_parentheses():
    shown = console.render(EXAMPLES["failing"]())
    assert re.search(r"✗ MCR layers can be downloaded +\(\d+ ms\) +✗", shown)


def test_what_could_not_be_tested_says_so_with_what_to_do():
    shown = console.render(EXAMPLES["partial"]())
    assert "? 21 requirements, at pod/user1: not tested" in shown
    assert "vantage.not-run" in shown
    assert "→ Make the vantage available" in shown


def test_exit_three_is_announced_where_it_comes_from():
    check = runs.check("a.b", "node/x", runs.task(ProbeName.HTTP, "a.example"))
    one = runs.verdict(check, Status.UNKNOWN, cause="vantage.not-run", reason="no node")
    assert "Exit 3 until then." in console.render(runs.run((one,)))


def test_the_last_line_of_the_verdict_has_counts_time_and_exit_code():
    shown = console.render(EXAMPLES["failing"](), width=100)
    assert re.search(
        r"\n4 findings, 47 checks: 32 pass, 2 warn, 4 fail, 4 blocked, 2 unknown, 3 skipped +3\.9 s   exit 1\n", shown
    )


def test_the_short_form_is_the_last_block_alone():
    run = msgspec.structs.replace(EXAMPLES["failing"](), banner="This shows the embedded Azure.")
    shown = console.render(run, short=True)
    assert shown.startswith("This shows the embedded Azure.\n\nNot ready: 3 requirements fail")
    assert "router-install" not in shown
    assert "network team" in shown
    assert console.render(run).endswith(shown.partition("\n\n")[2])


def test_the_banner_is_the_first_line():
    run = msgspec.structs.replace(EXAMPLES["healthy"](), banner="The workstation stands in for nodes.")
    assert console.render(run).startswith("The workstation stands in for nodes.\n")


@pytest.mark.parametrize("name", EXAMPLES)
def test_colour_changes_nothing_but_colour(name):
    run = EXAMPLES[name]()
    coloured = console.render(run, color=True)
    assert SGR.search(coloured)
    assert SGR.sub("", coloured) == console.render(run)


def test_many_vantages_fold_and_the_odd_one_is_named():
    names = ("workstation", *(f"node/pool{number}" for number in range(8)))
    of = runs.task(ProbeName.HTTP, "a.example")
    checks = [runs.check("dependency.a", name, of, title="a answers") for name in names]
    verdicts = tuple(
        runs.verdict(one, Status.FAIL, cause="tcp.timeout", reason="nothing")
        if one.vantage == "node/pool5"
        else runs.verdict(one, duration_ms=5.0)
        for one in checks
    )
    shown = console.render(runs.run(verdicts, vantages=names))
    head, row = shown.splitlines()[2:4]
    assert head.split() == ["serve", "node/pool5", "workstation", "node", "\u00d77"]
    assert row.split() == ["✗", "a", "answers", "✗", "5", "ms", "5", "ms"]


def test_many_different_vantages_fold_to_one_column_per_kind():
    shown = console.render(large(20, 9))
    assert "node …\u00d73" in shown
    assert "pod …\u00d74" in shown
    assert "✗ 1/4" in shown


def test_terminal_escapes_of_the_network_do_nothing():
    shown = console.render(EXAMPLES["hostile"](), verbose=True)
    assert shown.replace("\n", "").isprintable()


def test_nothing_checked_is_shown_as_nothing():
    shown = console.render(runs.run((), headline="Nothing was tested that decides."))
    assert "0 checks: none" in shown
    assert "exit 3" in shown
