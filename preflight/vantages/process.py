"""An agent as a child process: the demo's nodes and pods. Reads the same lines that a pod's log will hold."""

import asyncio
import contextlib
import os
import sys

import msgspec

from preflight import __version__
from preflight.model.observation import ResolverFacts, VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secrets
from preflight.probes.clock import utc_now
from preflight.vantages import protocol
from preflight.vantages.agent import secrets_to
from preflight.vantages.base import Emit

_FAREWELL_S = 2.0
_GRACE_S = 10.0  # beyond the plan's own deadline: start-up and the closing line


async def process(plan: VantagePlan, secrets: Secrets, emit: Emit) -> VantageFacts:
    """Start `preflight agent`, hand it the plan on stdin, and emit what it sends."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "preflight", "agent", "--plan", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=protocol.MAX_LINE,
        env={**os.environ, **secrets_to(secrets)},
    )
    listener = _Listener(plan, emit)
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


async def _talk(child: asyncio.subprocess.Process, plan: VantagePlan, listener: "_Listener") -> VantageFacts:
    try:
        async with asyncio.timeout(plan.limits.run_deadline_s + _GRACE_S), asyncio.TaskGroup() as group:
            group.create_task(_hand_over(child, plan))
            said = group.create_task(_tail(child))
            group.create_task(listener.read(child))
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
        last = (last + chunk)[-2000:]
    lines = last.decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no message"


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    await child.wait()


class _Listener:
    """Keeps count of one agent's messages."""

    def __init__(self, plan: VantagePlan, emit: Emit) -> None:
        self._plan, self._emit = plan, emit
        self._reader = protocol.Reader(plan.run_id)
        self._hello: VantageFacts | None = None
        self._end: protocol.End | None = None
        self._observed = 0

    async def read(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        while True:
            try:
                line = await child.stdout.readline()
            except ValueError:  # longer than MAX_LINE: counted as broken, the next line is readable again
                self._reader.broken += 1
                continue
            if not line:
                return
            for message in self._reader.feed(line):
                self._take(message)

    def _take(self, message: protocol.Hello | protocol.Seen | protocol.End) -> None:
        match message:
            case protocol.Hello(facts=facts):
                self._hello = facts
                self._emit(facts)
            case protocol.Seen(observation=observation):
                self._observed += 1
                self._emit(observation)
            case protocol.End():
                self._end = message

    def facts(self, otherwise: str) -> VantageFacts:
        """The closing facts, or why there are none."""
        if self._end is not None and self._observed == self._end.observations:
            return self._with_skew(self._end.facts)
        facts = self._hello or unheard(self._plan.vantage)
        expected = len(self._plan.tasks)
        lost = f"{self._observed} of {expected} observations arrived, {self._reader.broken} lines were unreadable"
        cause = "vantage.incomplete" if self._hello else "vantage.not-run"
        return msgspec.structs.replace(facts, complete=False, error=f"{otherwise}; {lost}", error_cause=cause)

    def _with_skew(self, facts: VantageFacts) -> VantageFacts:
        if facts.tool_version == __version__:
            return facts
        skew = f"{facts.vantage}: the agent is preflight {facts.tool_version}, this is {__version__}"
        return msgspec.structs.replace(facts, notices=(*facts.notices, skew))


def unheard(vantage: str, started: str | None = None) -> VantageFacts:
    """Facts of a vantage that never said a word; `started` is now unless it is given."""
    resolver = ResolverFacts(consumer="other", source="not known: the vantage did not run")
    return VantageFacts(
        vantage=vantage, tool_version=__version__, resolver=resolver, families=(), started=started or utc_now()
    )
