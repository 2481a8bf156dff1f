"""`python -m bench`: measures, prints the tables, and writes them. Everything happens in namespaces of its own."""

import argparse
import os
import sys
from pathlib import Path

from bench import isolate, needs, plan, profiling, report, stage, world

_HERE = Path(__file__).parent


def main(argv: list[str]) -> None:
    """Parse, install what is missing, move inside, measure, write."""
    options = _parser().parse_args(argv)
    if not isolate.inside():
        needs.install(peers=not options.small)
    work = isolate.enter(argv)
    endpoints = {
        *world.good(max(plan.SIZES) if not options.small else 60),
        *world.mixed(world.SMALL if options.small else world.MIXED),
    }
    with stage.built(work, sorted(endpoints, key=lambda one: (one.kind, one.number))):
        head = report.about(f"python -m bench {' '.join(argv)}".strip(), {} if options.small else plan.versions(work))
        tables: report.Tables = {}
        for title, table in plan.small(work) if options.small else plan.everything(work, options.repeat):
            tables[title] = table  # written at once: what was measured outlives a failure of what follows
            _write(options.out / "results.json", report.as_json(tables, head))
        if not options.small:
            stage.go(stage.Link.NEAR)
            _write(options.out / "profile.txt", profiling.profile(world.good(1_000), work))
    _write(options.out / "results.md", report.markdown(tables, head))
    print(report.markdown(tables, head), end="")


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds (default 5)")
    parser.add_argument("--out", type=Path, default=_HERE, metavar="DIR", help="where results go (default bench/)")
    parser.add_argument("--small", action="store_true", help="six endpoints, one round, preflight and curl only")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
