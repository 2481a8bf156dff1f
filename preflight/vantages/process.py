"""An agent as a child process: the demo's nodes and pods. Reads the same lines that a pod's log will hold."""

import asyncio
import contextlib
import os
import sys

import msgspec

from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secrets
from preflight.vantages import protocol
from preflight.vantages.agent import secrets_to
from preflight.vantages.base import Emit
from preflight.vantages.listener import Listener

_FAREWELL_S = 2.0
MAX_STDERR = 2_000  # bytes of its end that are kept
MAX_MESSAGE = 300  # characters of its last line that are told
_GRACE_S = 10.0  # beyond the plan's own deadline: start-up and the closing line


async def process(plan: VantagePlan, secrets: Secrets, emit: Emit) -> VantageFacts:
    """Start `preflight agent`, hand it the plan on stdin, and emit what it sends."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "preflight", "agent", "--plan", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=protocol.MAX_LINE - 1,  # asyncio's limit is of what stands before the newline
        env={**os.environ, **secrets_to(secrets)},
    )
    listener = Listener(plan, emit)
    talk = asyncio.create_task(_talk(child, plan, listener))
    try:
        return await asyncio.shield(talk)
    except asyncio.CancelledError:
        child.terminate()  # the agent then sends what it has seen so far
        await asyncio.wait([talk], timeout=_FAREWELL_S)
        raise
    finally:
        talk.cancel()
        await _end(child)


async def _talk(child: asyncio.subprocess.Process, plan: VantagePlan, listener: Listener) -> VantageFacts:
    try:
        async with asyncio.timeout(plan.limits.run_deadline_s + _GRACE_S), asyncio.TaskGroup() as group:
            group.create_task(_hand_over(child, plan))
            said = group.create_task(_tail(child))
            group.create_task(_hear(child, listener))
    except TimeoutError:
        return listener.facts("the agent did not finish within the run's deadline")
    return listener.facts(f"the agent ended with exit code {await child.wait()}: {said.result()}")


async def _hand_over(child: asyncio.subprocess.Process, plan: VantagePlan) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(msgspec.json.encode(plan))
        await child.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it died early; its exit code and stderr tell why
    finally:
        child.stdin.close()


async def _tail(child: asyncio.subprocess.Process) -> str:
    """The last line that the agent wrote on stderr, bounded; reads on, so that the pipe never fills."""
    assert child.stderr is not None
    last = b""
    while chunk := await child.stderr.read(4096):
        last = (last + chunk)[-MAX_STDERR:]
    lines = last.decode(errors="replace").strip().splitlines()
    return lines[-1][:MAX_MESSAGE] if lines else "no message"


async def _hear(child: asyncio.subprocess.Process, listener: Listener) -> None:
    assert child.stdout is not None
    while True:
        try:
            line = await child.stdout.readline()
        except ValueError:  # longer than MAX_LINE: counted as broken, the next line is readable again
            listener.reader.broken += 1
            continue
        if not line:
            return
        listener.feed(line)


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    await child.wait()
