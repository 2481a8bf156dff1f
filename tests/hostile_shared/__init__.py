"""A hostile place on loopback, and the product's own agent sent there: what it saw, what it means, what it took.

The agent is a process of its own, so that its peak memory is its own: VmHWM of /proc/self/status, which starts at its
exec, unlike `ru_maxrss`, which remembers what the process that forked it had.
"""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import msgspec
from msgspec import UNSET

from preflight.judge import judge
from preflight.model.observation import Hop, Observation, VantageFacts
from preflight.model.plan import Check, Expect, Limits, Mapping, Plan, Proxy, Target, Task, VantagePlan
from preflight.model.run import Evidence, Verdict
from preflight.model.vocabulary import Phase, ProbeName, Severity
from preflight.vantages import protocol

NAME, ADDRESS = "service.example", "203.0.113.10"
RUN, VANTAGE = "hostile", "node/user1"
PROBES = (ProbeName.HTTP, ProbeName.REGISTRY, ProbeName.BLOB, ProbeName.ENTRA, ProbeName.KUBE_API)
# Shorter than a user's, so that the drips end soon; long enough for two busy cores.
LIMITS = Limits(connect_cap_s=3.0, second_attempt_s=0.5, answer_cap_s=4.0, check_deadline_s=10.0, run_deadline_s=40.0)
PARAMS = {"repository": "canary", "reference": "latest", "container": "models", "blob": "model.bin"}

_AGENT = """
import sys
from preflight.cli.main import main
try:
    main(["agent", "--plan", "-"])
finally:
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    sys.stderr.write(line)
"""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one visit; `peak_kb` is the whole agent's."""

    observations: dict[ProbeName, Observation]
    verdicts: dict[ProbeName, Verdict]
    facts: VantageFacts | None
    peak_kb: int

    @property
    def inputs(self) -> int:
        """Hostile answers that were met: of name servers, connections, proxies and requests."""
        return sum(map(_inputs, (hop for seen in self.observations.values() for hop in seen.hops)))

    @property
    def met(self) -> str:
        """The result of the last stage that the HTTP probe reached."""
        hop = self.observations[ProbeName.HTTP].hops[0]
        if hop.http is not UNSET:
            return hop.http.result
        if hop.proxy is not UNSET and hop.proxy.connect is not UNSET:
            return hop.proxy.connect.result
        tls = [connection.tls.result for connection in hop.connections if connection.tls is not UNSET]
        if tls or hop.connections:
            return tls[0] if tls else hop.connections[0].tcp.result
        return hop.dns.answers[0].result if hop.dns is not UNSET else "nothing"


def _inputs(hop: Hop) -> int:
    proxied = () if hop.proxy is UNSET else hop.proxy.connections
    names = 0 if hop.dns is UNSET else len(hop.dns.answers)
    return names + len(hop.connections) + len(proxied) + (hop.http is not UNSET)


def tasks(probes: tuple[ProbeName, ...], scheme: str) -> tuple[Task, ...]:
    port = {"https": 443, "http": 80}[scheme]
    target = Target(scheme=scheme, host=NAME, port=port)
    return tuple(
        Task(
            key=f"{probe}:{NAME}:{port}",
            probe=probe,
            target=target,
            params=PARAMS,
            trust="cluster-ca" if probe is ProbeName.KUBE_API else "system",
        )
        for probe in probes
    )


async def visit(
    port: int,
    nameserver: str,
    *,
    probes: tuple[ProbeName, ...] = (ProbeName.HTTP,),
    scheme: str = "http",
    pem: str = "",
    proxy: str | None = None,
    limits: Limits = LIMITS,
) -> Seen:
    """The agent looks at the name, behind which is that port of loopback, with each of the probes."""
    made = tasks(probes, scheme)
    connect = {f"{ADDRESS}:{port_}": f"127.0.0.1:{port}" for port_ in (80, 443, 3128)}
    plan = VantagePlan(
        run_id=RUN,
        vantage=VANTAGE,
        tasks=made,
        limits=limits,
        mapping=Mapping(nameservers=(nameserver,), connect_to=connect),
        proxy=Proxy(https=proxy, http=proxy, from_environment=False),
        ca_pem=pem,
        cluster_ca_pem=pem,
    )
    out, err = await asyncio.to_thread(_run, msgspec.json.encode(plan))
    return _judged(made, out, _peak(err))


def _run(plan: bytes) -> tuple[bytes, bytes]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _AGENT], input=plan, capture_output=True, check=False, env=_environ()
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout, done.stderr


def _environ() -> dict[str, str]:
    """This checkout's preflight, and nothing of this machine's proxies."""
    import preflight

    return {"PYTHONPATH": str(Path(preflight.__file__).parent.parent), "PATH": "/usr/bin:/bin"}


def _peak(err: bytes) -> int:
    found = re.search(rb"VmHWM:\s+(\d+) kB", err)
    assert found, err.decode()
    return int(found[1])


def _judged(made: tuple[Task, ...], out: bytes, peak_kb: int) -> Seen:
    reader = protocol.Reader(RUN)
    observations, facts = [], None
    for line in out.splitlines(keepends=True):
        for message in reader.feed(line):
            if isinstance(message, protocol.Seen):
                observations.append(message.observation)
            elif isinstance(message, protocol.End):
                facts = message.facts
    assert (reader.broken, reader.missing) == (0, 0)
    verdicts = verdicts_of(made, tuple(observations), facts)
    return Seen(
        observations={seen.probe: seen for seen in observations}, verdicts=verdicts, facts=facts, peak_kb=peak_kb
    )


def verdicts_of(
    made: tuple[Task, ...], observations: tuple[Observation, ...], facts: VantageFacts | None
) -> dict[ProbeName, Verdict]:
    """One required check of each task, judged as in a run: everything that the probe does has to be well."""
    checks = tuple(_check(task) for task in made)
    plan = Plan(
        catalogue_version="1",
        vantages=(VANTAGE,),
        tasks=made,
        runs={VANTAGE: tuple(task.key for task in made)},
        checks=checks,
    )
    evidence = Evidence(
        run_id=RUN,
        started="2026-11-25T10:00:00.000Z",
        finished="2026-11-25T10:00:10.000Z",
        duration_ms=10_000.0,
        environment={},
        vantages=(facts,) if facts is not None else (),
        plan=plan,
        observations=observations,
    )
    told = {verdict.check: verdict for verdict in judge(evidence).verdicts}
    return {task.probe: told[check.id] for task, check in zip(made, checks, strict=True)}


_JUDGES = {
    ProbeName.HTTP: ("origin",),
    ProbeName.REGISTRY: ("origin", "token", "manifest", "layer"),
    ProbeName.BLOB: ("origin", "read"),
    ProbeName.ENTRA: ("origin",),
    ProbeName.KUBE_API: ("origin", "ready"),
}


def _check(task: Task) -> Check:
    return Check(
        id=f"hostile.{task.probe}@{VANTAGE}",
        requirement=f"hostile.{task.probe}",
        title="It answers",
        phase=Phase.SERVE,
        severity=Severity.REQUIRED,
        vantage=VANTAGE,
        target=task.target.hostport,
        task=task.key,
        judges=_JUDGES[task.probe],
        decides=True,
        expect=Expect(catalogue_name=False),  # loopback is where it all happens
    )
