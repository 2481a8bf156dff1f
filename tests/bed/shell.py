"""`make lab-shell`: a shell at the workstation of the bed, with a scenario or a fault of the lab in place.

    python -m bed.shell [SCENARIO | REQUIREMENT=CAUSE ...]

Everything ends with the shell. Without an argument: lists what there is, and enters nothing.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bed import install, namespaces
from bed.expectation import expected
from bed.scenario import Scenario, scenarios, worlds
from bed.whole import Bed
from preflight.failures import UsageFailure
from preflight.lab.faults import Fault, parse

_WELCOME = """\
You are at the workstation of a network of its own: {address}, router {router}, DNS {dns}.
{broken}
  preflight run {arguments}    what preflight says; preflight.toml and its secrets are here
  curl, dig, openssl, ip ...    see the same network; `exit` or Ctrl-D ends all of it
"""


def main(words: Sequence[str]) -> int:
    """The shell's exit status; 2 for a word that is no scenario and no fault."""
    known = {scenario.name: scenario for scenario in (*scenarios(), *worlds())}
    if not words:
        print("\n".join(f"{name:40} {scenario.row.what}" for name, scenario in known.items()))
        return 0
    try:
        faults = [parse(word) for word in words if "=" in word]
    except UsageFailure as failure:
        print(failure, file=sys.stderr)
        return 2
    unknown = [word for word in words if "=" not in word and word not in known]
    if unknown:
        print(f"no such scenario: {', '.join(unknown)}; `make lab-shell` lists them", file=sys.stderr)
        return 2
    install.install()
    namespaces.enter()
    chosen = [known[word] for word in words if word in known]
    with tempfile.TemporaryDirectory(prefix="preflight-shell-") as folder, _running(Path(folder)) as bed:
        return _shell(bed, chosen, faults)


@contextlib.contextmanager
def _running(folder: Path):  # type: ignore[no-untyped-def]  # of a Bed
    bed = Bed(folder)
    try:
        bed.start()
        yield bed
    finally:
        bed.stop()


def _shell(bed: Bed, chosen: Sequence[Scenario], faults: Sequence[Fault]) -> int:
    with contextlib.ExitStack() as stack:
        for scenario in chosen:
            stack.enter_context(scenario.applied(bed))
        stack.enter_context(bed.azure.faults(*faults))
        here = bed.folder / "workstation" / "home"
        bed.workstation.prepare(here)
        print(_welcome(bed, chosen, faults), flush=True)
        return _interact(bed, here)


def _welcome(bed: Bed, chosen: Sequence[Scenario], faults: Sequence[Fault]) -> str:
    lines = [f"{one.name}: {one.row.what}\n  expected of preflight: {expected(one.row)}" for one in chosen]
    lines += [f"fault of the lab: {fault}" for fault in faults]
    return _WELCOME.format(
        address="10.70.0.10", router="10.70.0.1", dns="203.0.113.53", broken="\n".join(lines),
        arguments=" ".join(bed.workstation.arguments),
    )  # fmt: skip


def _interact(bed: Bed, here: Path) -> int:
    environ = bed.workstation.environ()
    programs = Path(sys.executable).parent
    environ |= {
        "PATH": f"{programs}:{environ['PATH']}", "PS1": "workstation$ ", "TERM": os.environ.get("TERM", "dumb"),
        "HOME": str(here),
    }  # fmt: skip
    shell = bed.topology.workstation.wrap("bash", "--norc", "--noprofile", *(["-i"] if sys.stdin.isatty() else []))
    return subprocess.run(shell, env=environ, cwd=here, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
