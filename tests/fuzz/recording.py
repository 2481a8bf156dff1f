"""Writes down what the lab's stand-ins really say: bytes of HTTP, DNS and TLS as our own client path receives them."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import msgspec

from preflight import catalogue, environment, plan, runner
from preflight.judge import judge
from preflight.lab.embedded import Lab
from preflight.lab.faults import Fault, parse
from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import Plan, VantagePlan
from preflight.model.run import Evidence, Run
from preflight.model.secret import Secrets
from preflight.probes import dns
from preflight.probes.http import Channel
from preflight.probes.tls import TlsStream
from preflight.probes.wire import Wire

VANTAGE = "workstation"


class Tape:
    """What came in, a list for each kind."""

    def __init__(self) -> None:
        self.conversations: dict[tuple[str, str], list[bytes]] = {}  # probe, host -> a connection each
        self.tunnels: list[bytes] = []
        self.flights: list[bytes] = []
        self.messages: list[tuple[str, bytes]] = []  # name and type asked for, message
        self.environment = ""
        self.run: Run | None = None
        self.plan: VantagePlan | None = None


@contextlib.contextmanager
def listening(tape: Tape) -> Iterator[list[bytearray]]:
    """Keeps every byte that the wires, TLS streams and DNS sockets of this process receive."""
    wires: list[bytearray] = []
    tunnelled: list[Wire] = []
    kept: dict[int, bytearray] = {}
    flights: dict[int, bytearray] = {}
    read, fill, parsed, tunnel = Wire.read, TlsStream._fill, dns._parse, Channel.tunnel

    async def on_read(self, max_bytes, timeout=None):  # noqa: ASYNC109 - httpcore's
        data = await read(self, max_bytes, timeout)
        if id(self) not in kept:
            kept[id(self)] = bytearray()
            self.kept = kept[id(self)]  # lives as long as the wire, so that ids are not used twice
            if self not in tunnelled:
                wires.append(kept[id(self)])
        kept[id(self)] += data
        return data

    async def on_fill(self):
        seen = flights.setdefault(id(self), bytearray())
        self.kept = seen
        with mock.patch.object(self, "_incoming", _Writes(self._incoming, seen)):
            await fill(self)

    def on_parse(wire, query, heard):
        asked = query.question[0]
        tape.messages.append((f"{asked.name.to_text(omit_final_dot=True)} {asked.rdtype.name}", wire))
        return parsed(wire, query, heard)

    async def on_tunnel(self, *given):
        tunnelled.append(self._wire)
        result = await tunnel(self, *given)
        tape.tunnels.append(bytes(kept.get(id(self._wire), b"")))
        return result

    with (
        mock.patch.object(Wire, "read", on_read),
        mock.patch.object(TlsStream, "_fill", on_fill),
        mock.patch.object(dns, "_parse", on_parse),
        mock.patch.object(Channel, "tunnel", on_tunnel),
    ):
        yield wires
    tape.flights += [bytes(one) for one in flights.values()]


class _Writes:
    """A MemoryBIO that is looked over the shoulder."""

    def __init__(self, below, seen: bytearray) -> None:
        self._below = below
        self._seen = seen

    def write(self, data: bytes) -> int:
        self._seen += data
        return self._below.write(data)


async def record(*faults: str) -> Tape:
    """One run of the workstation at the lab with these faults, task by task."""
    tape = Tape()
    chosen: Sequence[Fault] = [parse(fault) for fault in faults]
    with tempfile.TemporaryDirectory() as folder:
        async with Lab(chosen, vantages=(VANTAGE,)) as lab:
            path = lab.write_environment(Path(folder))
            tape.environment = path.read_text()
            env = environment.load(path, environ=lab.secrets, clouds=catalogue.load_clouds())
            secrets = environment.read_secrets(env, lab.secrets)
            built = plan.build(catalogue.load(), env, vantages=(VANTAGE,))
            tape.plan = plan.vantage_plan(built, env, VANTAGE, run_id="fuzz")
            tape.run = await _observe(tape, built, secrets)
    return tape


async def _observe(tape: Tape, built: Plan, secrets: Secrets) -> Run:
    observations: list[Observation] = []
    facts: list[VantageFacts] = []

    def emit(item: VantageFacts | Observation) -> None:
        (observations if isinstance(item, Observation) else facts).append(item)

    for task in tape.plan.tasks:
        with listening(tape) as wires:
            part = msgspec.structs.replace(tape.plan, tasks=(task,))
            facts.append(await runner.run(part, secrets, emit))
        tape.conversations[task.probe, task.target.host] = [bytes(one) for one in wires]
    times = {"started": facts[0].started, "finished": facts[-1].finished or "", "duration_ms": 1.0}
    return judge(
        Evidence(
            run_id="fuzz", environment={}, vantages=(facts[-1],), plan=built, observations=tuple(observations), **times
        )
    )
