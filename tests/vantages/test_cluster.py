"""A vantage in the stand-in cluster with real agents: Job, pod, watch, log, second channel, interruption."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders.played import SHORT, VANTAGE, Heard, agents, alive, own_agents, plan_for, scene

from preflight.model.secret import Secret
from preflight.model.vocabulary import ADDRESS_VARIABLE, ProbeName


@pytest.fixture
def open_port():
    """Accepts, and never answers."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(8)
        yield sock.getsockname()[1]


async def test_every_task_is_observed_once_and_no_secret_is_in_any_object(tmp_path: Path, open_port: int):
    heard = Heard()
    async with scene(tmp_path) as at:
        facts = await at.vantage(plan_for(open_port, tasks=3), {"registry_password": Secret("p@ss")}, heard)
        told = at.objects()
    assert (facts.vantage, facts.complete, facts.error_cause) == (VANTAGE, True, None)
    assert "node aks-demo-0, pool demo, 1 of 1 nodes usable" in facts.place
    assert sorted(heard.tasks) == ["one0", "one1", "one2"]
    assert {seen.hops[0].connections[0].tcp.result for seen in heard.observations} == {"connected"}
    assert b"p@ss" not in told
    assert b"cEBzcw==" not in told


async def test_a_log_that_may_not_be_read_is_named_and_the_second_channel_brings_the_result(tmp_path, open_port: int):
    heard = Heard()
    async with scene(tmp_path) as at:
        at.played.api.allow = lambda _verb, resource: resource != "pods/log"
        facts = await at.vantage(plan_for(open_port), {}, heard)
    assert facts.error_cause == "kube.log-channel-broken"
    assert heard.tasks == ["one0"]


async def test_a_probe_that_is_interrupted_still_tells_what_it_saw(tmp_path: Path, open_port: int):
    heard = Heard()
    async with scene(tmp_path) as at:
        running = asyncio.create_task(at.vantage(plan_for(open_port, ProbeName.HTTP, answer_cap_s=60), {}, heard))
        await heard.until()
        await asyncio.sleep(0.5)  # for the connection to be made
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    (seen,) = heard.observations
    assert seen.hops[0].connections[0].tcp.result == "connected"
    assert not seen.finished


async def test_an_interruption_does_not_wait_for_an_api_server_that_is_lost(tmp_path: Path, open_port: int):
    """Three seconds at most, and then the cleaning up, which waits for the server to come back."""
    heard = Heard()
    async with scene(tmp_path) as at:
        running = asyncio.create_task(at.vantage(plan_for(open_port, ProbeName.HTTP, answer_cap_s=60), {}, heard))
        await heard.until()
        await at.played.lose()
        running.cancel()
        async with asyncio.timeout(SHORT.goodbye + 10):
            with contextlib.suppress(asyncio.CancelledError):
                await running
        await at.played.bring_back()


async def test_an_agent_that_is_killed_makes_the_vantage_incomplete_never_passed(tmp_path: Path, open_port: int):
    heard = Heard()
    async with scene(tmp_path) as at:
        running = asyncio.create_task(at.vantage(plan_for(open_port, ProbeName.HTTP, answer_cap_s=60), {}, heard))
        await heard.until()
        for pid in own_agents():
            os.kill(pid, signal.SIGKILL)
        facts = await running
    assert not facts.complete
    assert facts.error_cause == "pod.agent-failed"
    assert "exit code 137" in (facts.error or "")
    assert heard.observations == []


def test_an_agent_that_answers_ends_when_whoever_started_it_is_gone():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [sys.executable, "-P", "-m", "preflight", "agent", "--listen", str(port)]
    environ = {**os.environ, ADDRESS_VARIABLE: "127.0.0.1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as agent:
        ends = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert time.monotonic() < ends
            time.sleep(0.02)
        assert agent.stdout is not None
        agent.stdout.close()
        assert agent.wait(60) == 0


PARENT = """
import asyncio, sys
from pathlib import Path
from builders.played import Heard, plan_for, scene
from preflight.model.vocabulary import ADDRESS_VARIABLE, ProbeName

async def main():
    heard = Heard()
    async with scene(Path(sys.argv[1])) as at:
        limits = {"check_deadline_s": 120, "answer_cap_s": 120}
        running = asyncio.create_task(at.vantage(plan_for(int(sys.argv[2]), ProbeName.HTTP, **limits), {}, heard))
        await heard.until()
        print("heard", flush=True)
        await running

asyncio.run(main())
"""


def test_an_agent_does_not_survive_whoever_plays_its_cluster(tmp_path: Path, open_port: int):
    """It waits for a target that never answers, two minutes if need be; the kill of its parent ends it at once."""
    paths = os.pathsep.join((str(Path(__file__).parents[1]), *sys.path))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), str(open_port)], stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"heard\n"
        (agent_id,) = agents(parent.pid)
        parent.kill()
        ends = time.monotonic() + 60
        while alive(agent_id):
            assert time.monotonic() < ends
            time.sleep(0.02)
