"""`preflight agent`: the runner behind the line protocol, for pods and for the demo's nodes and pods."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import BinaryIO

import click

from preflight.vantages import agent as agents


@click.command()
@click.option(
    "--plan", "plan", type=click.File("rb"), required=True, metavar="FILE|-", help="A plan of one vantage, as JSON."
)
def agent(plan: BinaryIO) -> None:
    """Run a plan here and print JSON lines.

    Used inside pods. The plan comes as a file, secrets as environment variables
    PREFLIGHT_SECRET_<NAME>. Each observation is one line on stdout, flushed as it
    happens, and a closing line counts them. The exit code is 0 even when checks
    fail: judging happens where the lines are read.
    """
    text = plan.read(agents.MAX_PLAN + 1)
    asyncio.run(_speak(text, plan.name))


async def _speak(text: bytes, source: str) -> None:
    part = agents.read_plan(text, "stdin" if source in {"-", "<stdin>"} else source)
    secrets = agents.secrets_from(os.environ)
    task = asyncio.create_task(agents.speak(part, secrets, _write))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):  # what was seen so far has been written
        await task


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
