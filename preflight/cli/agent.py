"""`preflight agent`: the runner behind the line protocol, for pods and for the demo's nodes and pods."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from preflight.cli import loops, streams
from preflight.failures import UsageFailure
from preflight.model.plan import VantagePlan
from preflight.model.secret import SERVICE_ACCOUNT, Secret, Secrets
from preflight.vantages import agent as agents
from preflight.vantages import answering

_MOST_TOKEN = 65_536  # characters


@click.command()
@click.option("--plan", "plan", type=click.File("rb"), metavar="FILE|-", help="A plan of one vantage, as JSON.")
@click.option("--vantage", metavar="NAME", help="Speak as this vantage; one plan then serves every pod of a kind.")
@click.option(
    "--summary",
    "summary_out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Leave a small summary there at the end: a pod's termination message.",
)
@click.option("--listen", metavar="PORTS", help="Instead of a plan: answer probes of other pods on these ports.")
@click.option(
    "--service-account-token",
    "token",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Token of this pod's service account, for queries to the API server.",
)
@click.option(
    "--node-trust",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="The node's own certificate store: compare it with the one here.",
)
def agent(
    *,
    plan: BinaryIO | None,
    vantage: str | None,
    summary_out: Path | None,
    listen: str | None,
    token: Path | None,
    node_trust: Path | None,
) -> None:
    """Run a plan here and print JSON lines.

    Used inside pods. The plan comes as a file, secrets as environment variables
    PREFLIGHT_SECRET_<NAME>. Each observation is one line on stdout, flushed as it
    happens, and a closing line counts them. The exit code is 0 even when checks
    fail: judging happens where the lines are read.
    """
    if (plan is None) == (listen is None):
        raise UsageFailure("agent: give --plan FILE, or --listen PORTS")
    if listen is not None:
        loops.run(_answer(answering.ports_of(listen)))
        return
    assert plan is not None
    text = plan.read(agents.MAX_PLAN + 1)
    part = agents.read_plan(text, "stdin" if plan.name in {"-", "<stdin>"} else plan.name)
    loops.run(_speak(msgspec.structs.replace(part, vantage=vantage or part.vantage), summary_out, token, node_trust))


async def _answer(ports: tuple[int, ...]) -> None:
    """Until a signal: whoever started it deletes it when the run is over."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(answering.answer(ports))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError), _listened(loop, task.cancel):
        await task


async def _speak(part: VantagePlan, summary_out: Path | None, token: Path | None, node_trust: Path | None) -> None:
    secrets = agents.secrets_from(os.environ) | _token(token)
    loop = asyncio.get_running_loop()
    leave = _leave_in(summary_out)
    task = asyncio.create_task(agents.speak(part, secrets, lambda line: _write(line, task.cancel), leave, node_trust))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError), _listened(loop, task.cancel):  # what was seen so far has been written
        await task


@contextmanager
def _listened(loop: asyncio.AbstractEventLoop, stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` as soon as nobody reads our pipe any more: whoever started us was killed, and waits for nothing.

    The writing end of a pipe becomes "readable" when its last reader closes; asyncio's own pipes rely on the same.
    """
    if not stat.S_ISFIFO(os.fstat(1).st_mode):
        yield
        return
    loop.add_reader(1, lambda: (loop.remove_reader(1), stop()))
    try:
        yield
    finally:
        loop.remove_reader(1)


def _token(path: Path | None) -> Secrets:
    """Best effort: without the token its queries are not made, and the report says so."""
    if path is None:
        return {}
    try:
        with path.open(encoding="ascii") as file:
            return {SERVICE_ACCOUNT: Secret(file.read(_MOST_TOKEN).strip())}
    except (OSError, UnicodeDecodeError) as error:
        click.echo(f"--service-account-token {path}: {getattr(error, 'strerror', None) or 'is no token'}", err=True)
        return {}


def _leave_in(path: Path | None) -> Callable[[bytes], None] | None:
    """Best effort: the lines on stdout are the first channel, and a file that cannot be written costs the second."""

    def leave(summary: bytes) -> None:
        assert path is not None
        try:
            path.write_bytes(summary)
        except OSError as error:
            click.echo(f"--summary {path}: {error.strerror}", err=True)

    return leave if path is not None else None


def _write(line: bytes, stop: Callable[[], object]) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    if streams.stdout_is_lost():
        stop()
