"""What is said while a run goes on: a vantage each while they are few, and few lines when they are many."""

from builders import runs
from builders.example_runs import EXAMPLES

from preflight.cli import progress


def told(capsys, totals, items):
    with progress.shown(totals) as report:
        for name, item in items:
            report(name, item)
    return capsys.readouterr().err.splitlines()


def ends(names, error=None):
    for name in names:
        yield name, runs.vantage_facts(name, complete=not error, error=error)


def test_few_vantages_are_told_one_by_one(capsys):
    run = EXAMPLES["healthy"]()
    name = "node/user1"
    seen = [(name, one) for one in run.observations if one.vantage == name]
    facts = runs.vantage_facts(name, complete=False)
    assert told(capsys, {name: len(seen)}, [(name, facts), *seen, *ends([name])]) == [
        f"node/user1: looking at {len(seen)} targets",
        f"node/user1: {len(seen)} of {len(seen)} targets looked at",
    ]


def test_of_a_thousand_a_line_tells_each_tenth(capsys):
    names = ["workstation", *(f"node/p/n{number}" for number in range(1000))]
    lines = told(capsys, dict.fromkeys(names, 5), ends(names))
    assert lines == [
        "workstation: looking from 1 place",
        "node: looking from 1000 places",
        "workstation: 1 of 1 places done",
        *(f"node: {number} of 1000 places done" for number in range(100, 1001, 100)),
    ]


def test_of_a_thousand_errors_the_first_are_told(capsys):
    names = [f"pod/p/n{number}" for number in range(1000)]
    lines = told(capsys, dict.fromkeys(names, 5), ends(names, error="it cannot\npull"))
    said = [line for line in lines if "it cannot pull" in line]
    assert said == [
        "pod/p/n0: it cannot pull",
        "pod/p/n1: it cannot pull",
        "pod/p/n2: it cannot pull (others like it are in the report)",
    ]
    assert lines[-1] == "pod: 1000 of 1000 places done"
