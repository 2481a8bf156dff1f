"""Program: for each fault that is named, what the shell probe of this place gets judged; runs inside a namespace.

python -m builders.shelled PREFLIGHT_TOML CONTROL SHELL... -- REQUIREMENT=CAUSE...
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from preflight import catalogue as catalogues
from preflight import environment as environments
from preflight import plan as plans
from preflight.judge import judge
from preflight.lab.control import Request, ask
from preflight.session import Session
from preflight.vantages.shell.place import Where
from preflight.vantages.shell.vantage import ShellVantage

PLACE = "pod/demo"
WHERE = Where(via="existing-pod shop/model-0/app", words="this namespace")


def carrier(argv: list[str]):
    async def run(text: str) -> AsyncGenerator[bytes, None]:
        child = await asyncio.create_subprocess_exec(
            *argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        child.stdin.write(text.encode())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await child.stdin.drain()
        async for line in child.stdout:
            yield line
        child.stdin.close()
        await child.wait()

    return run


async def seen(config: Path, argv: list[str], only: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Requirement -> status and cause."""
    env = environments.load(config, overrides={}, environ=os.environ, clouds=catalogues.load_clouds(()))
    plan = plans.build(catalogues.load(()), env, vantages=(PLACE,), only=only)
    session = Session(plan, {PLACE: plans.vantage_plan(plan, env, PLACE, run_id="r1")}, run_id="r1")
    begin = session.begin({})
    await session.conduct({PLACE: ShellVantage(carrier(argv), WHERE)}, {}, lambda *_: None)
    run = judge(session.evidence(begin, session.end()))
    assert run.vantages[0].complete, run.vantages[0].error
    return {one.requirement: (one.status.value, one.cause or "") for one in run.verdicts if one.vantage == PLACE}


async def main(config: Path, control: Path, argv: list[str], faults: list[str]) -> None:
    found = {"": await seen(config, argv, ())}
    for fault in faults:
        await ask(control, Request(add=(fault,)))
        group = fault.partition("=")[0].rpartition(".")[0]
        found[fault] = await seen(config, argv, (f"{group}.*",))
        await ask(control, Request(clear=True))
    print(json.dumps(found))


if __name__ == "__main__":
    split = sys.argv.index("--")
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:split], sys.argv[split + 1 :]))
