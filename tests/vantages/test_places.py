"""A plan gives the same observations in this process and in an agent; whatever ends an agent early is told."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from preflight import runner, session
from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import Limits, Mapping, Plan, Target, Task, VantagePlan
from preflight.model.secret import Secret
from preflight.model.vocabulary import ProbeName
from preflight.vantages import agent
from preflight.vantages.process import process
from preflight.vantages.workstation import workstation


def plan_for(*ports: int, vantage: str = "node/demo", probe: ProbeName = ProbeName.TCP, **limits: float) -> VantagePlan:
    tasks = tuple(
        Task(
            key=f"tcp:127.0.0.1:{port}", probe=probe, target=Target(scheme="tcp", host="127.0.0.1", port=port, path="")
        )
        for port in ports
    )
    mapping = Mapping(nameservers=("127.0.0.1:9",))
    return VantagePlan(run_id="r1", vantage=vantage, tasks=tasks, limits=Limits(**limits), mapping=mapping)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def open_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(8)
        yield sock.getsockname()[1]


class Heard:
    def __init__(self) -> None:
        self.facts: list[VantageFacts] = []
        self.observations: list[Observation] = []
        self.something = asyncio.Event()

    def __call__(self, item: VantageFacts | Observation) -> None:
        (self.observations if isinstance(item, Observation) else self.facts).append(item)
        self.something.set()


@pytest.mark.parametrize("vantage", [workstation, process])
async def test_a_plan_is_run_and_every_task_is_observed_once(vantage, open_port: int, closed_port: int):
    heard = Heard()
    facts = await vantage(plan_for(open_port, closed_port), {}, heard)
    assert facts.complete
    assert facts.finished
    assert len(heard.facts) == 1
    assert all(seen.finished for seen in heard.observations)
    results = {seen.target: seen.hops[0].connections[0].tcp for seen in heard.observations}
    assert results[f"127.0.0.1:{open_port}"].result == "connected"
    assert results[f"127.0.0.1:{closed_port}"].errno == "ECONNREFUSED"


async def test_a_broken_probe_is_the_tool_that_broke_and_the_others_go_on(open_port: int):
    heard = Heard()
    plan = plan_for(open_port)
    broken = Task(
        key="registry", probe=ProbeName.REGISTRY, target=Target(scheme="nonsense", host="x", port=1, path="/")
    )
    facts = await runner.run(VantagePlan(run_id="r", vantage="workstation", tasks=(broken, *plan.tasks)), {}, heard)
    assert facts.complete
    by_key = {seen.task: seen for seen in heard.observations}
    assert by_key["registry"].tool_error is not None
    assert by_key[plan.tasks[0].key].tool_error is None


async def test_a_deadline_ends_a_check_with_what_was_seen(open_port: int):
    heard = Heard()
    target = Target(scheme="http", host="127.0.0.1", port=open_port)  # accepts, and never answers
    task = Task(key="slow", probe=ProbeName.HTTP, target=target)
    plan = VantagePlan(
        run_id="r", vantage="workstation", tasks=(task,), limits=Limits(check_deadline_s=0.5, answer_cap_s=30)
    )
    await runner.run(plan, {}, heard)
    (seen,) = heard.observations
    assert seen.deadline_hit
    assert seen.deadline_ms == 500
    assert seen.hops[0].connections[0].tcp.result == "connected"


async def test_an_agent_that_is_stopped_still_tells_what_it_saw(open_port: int):
    heard = Heard()
    target = Target(scheme="http", host="127.0.0.1", port=open_port)
    plan = VantagePlan(run_id="r1", vantage="node/demo", tasks=(Task(key="slow", probe=ProbeName.HTTP, target=target),))
    running = asyncio.create_task(process(plan, {}, heard))
    await heard.something.wait()
    await asyncio.sleep(0.3)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    (seen,) = heard.observations
    assert seen.hops[0].connections[0].tcp.result == "connected"
    assert not seen.finished


async def test_an_agent_that_is_killed_makes_the_vantage_incomplete_never_passed(open_port: int):
    heard = Heard()
    target = Target(scheme="http", host="127.0.0.1", port=open_port)
    plan = VantagePlan(run_id="r1", vantage="node/demo", tasks=(Task(key="slow", probe=ProbeName.HTTP, target=target),))
    running = asyncio.create_task(process(plan, {}, heard))
    await heard.something.wait()
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    facts = await running
    assert not facts.complete
    assert facts.error_cause == "vantage.incomplete"
    assert "0 of 1 observations arrived" in (facts.error or "")


PARENT = """
import asyncio, sys, msgspec
from preflight.model.plan import VantagePlan
from preflight.vantages.process import process
plan = msgspec.json.decode(sys.stdin.buffer.read(), type=VantagePlan)
asyncio.run(process(plan, {}, lambda item: print("heard", flush=True)))
"""


def test_an_agent_does_not_survive_whoever_started_it(open_port: int):
    """It waits for a target that never answers, two minutes if need be; the kill of its parent ends it at once."""
    target = Target(scheme="http", host="127.0.0.1", port=open_port)
    limits = Limits(check_deadline_s=120, answer_cap_s=120)
    tasks = (Task(key="slow", probe=ProbeName.HTTP, target=target),)
    plan = VantagePlan(run_id="r1", vantage="node/demo", tasks=tasks, limits=limits)
    with subprocess.Popen(
        [sys.executable, "-P", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(msgspec.json.encode(plan))
        parent.stdin.close()
        assert parent.stdout.readline() == b"heard\n"
        (agent_id,) = children(parent.pid)
        parent.kill()
        ends = time.monotonic() + 60
        while alive(agent_id):
            assert time.monotonic() < ends
            time.sleep(0.02)


def alive(pid: int) -> bool:
    """Not ended, and not only waiting for somebody to read its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(parent: int | None = None) -> list[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(parent or os.getpid()), "-f", "preflight agent"], capture_output=True, check=False
    )
    return [int(pid) for pid in found.stdout.split()]


async def test_a_session_merges_vantages_in_the_plans_order(open_port: int, closed_port: int):
    plans = {name: plan_for(open_port, closed_port, vantage=name) for name in ("workstation", "node/demo")}
    keys = tuple(task.key for task in plans["workstation"].tasks)
    plan = Plan(
        catalogue_version="1",
        vantages=tuple(plans),
        tasks=plans["workstation"].tasks,
        runs=dict.fromkeys(plans, keys),
        checks=(),
    )
    one = session.Session(plan, plans, run_id="r1")
    before = one.evidence(one.begin({}), one.end())
    assert before.observations == ()
    assert [facts.complete for facts in before.vantages] == [False, False]
    await one.conduct({"workstation": workstation, "node/demo": process}, {}, lambda _name, _item: None)
    evidence = one.evidence(one.begin({"cloud": "x"}, strict=True), one.end())
    assert [(seen.vantage, seen.task) for seen in evidence.observations] == [
        (name, key) for name in plans for key in keys
    ]
    assert evidence.strict


def test_secrets_travel_as_variables_and_come_back():
    secrets = {"registry_password": Secret("p@ss"), "proxy": Secret("u:p")}
    assert agent.secrets_from({**agent.secrets_to(secrets), "HOME": "/"}) == secrets
