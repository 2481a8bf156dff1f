"""`python -m fuzz TARGET...|all --seconds N --executions N [--record]`; exit 1 when something was found."""

import argparse
import sys

from fuzz import driver, record
from fuzz.table import TARGETS


def main(arguments: list[str]) -> int:
    """Run the targets one after the other and print the table."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET", help=f"all, or of: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=20, help="for each target (default: 20)")
    parser.add_argument("--executions", type=int, default=0, help="for each target, at most")
    parser.add_argument("--record", action="store_true", help="add the counts to tests/fuzz/record.json")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.targets if name != "all" and name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}")
    if not driver.atheris():
        print(
            "needs atheris: pip install 'azureml-aks-preflight[fuzz]' (CPython 3.11 to 3.14, Linux x86_64)",
            file=sys.stderr,
        )
        return 2
    names = list(TARGETS) if "all" in given.targets else given.targets
    budget = driver.Budget(seconds=given.seconds, executions=given.executions)
    command = f"python -m fuzz {' '.join(arguments)}"
    outcomes = []
    for name in names:
        outcome = driver.run(TARGETS[name], budget, command)
        outcomes.append(outcome)
        if given.record:
            record.write(outcome)
        if outcome.findings or not outcome.executions:
            print(f"\n{name}: {', '.join(outcome.findings) or 'did not run'}\n{driver.failure(name)}\n", flush=True)
    print(record.summary(outcomes))
    return int(any(outcome.findings or not outcome.executions for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
