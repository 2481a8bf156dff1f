"""Pods that answer, as the agent runs them: on their ports until told to end; and what plans are told of them."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import msgspec
import pytest

from preflight import runner
from preflight.model.plan import Limits, Target, Task, VantagePlan
from preflight.model.vocabulary import ADDRESS_VARIABLE, NODE_VARIABLE, ProbeName
from preflight.vantages.peers import Known, _filled, ports_by_host

HERE = "127.0.0.1"


def a_task(host: str, port: int, probe: ProbeName = ProbeName.PEERS, **params: str) -> Task:
    target = Target(scheme="tcp", host=host, port=port, path="")
    return Task(key=f"{probe.value}:{host}:{port}", probe=probe, target=target, params=params)


@pytest.fixture
def port() -> int:
    with socket.socket() as sock:
        sock.bind((HERE, 0))
        return sock.getsockname()[1]


def listen(ports: str) -> subprocess.Popen[str]:
    environ = {**os.environ, ADDRESS_VARIABLE: HERE, NODE_VARIABLE: "node2"}
    argv = (sys.executable, "-P", "-m", "preflight", "agent", "--listen", ports)
    return subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection((HERE, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("it never listened")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_agent_answers_probes_until_it_is_told_to_end(port: int, number: signal.Signals):
    with listen(str(port)) as pod:
        wait_for(port)
        seen: list[object] = []
        task = a_task("user1.pods", port, address=HERE, node="node2")
        plan = VantagePlan(run_id="r", vantage="pod/a", tasks=(task,), limits=Limits(run_deadline_s=20))
        asyncio.run(runner.run(plan, {}, seen.append))
        pod.send_signal(number)
        out, err = pod.communicate(timeout=20)
    assert (pod.returncode, out, err) == (0, "", "")
    (hop,) = seen[-1].hops
    assert (hop.service["answer"], hop.service["seen_as"]) == ("match", HERE)


def test_a_port_that_is_taken_is_named(port: int):
    with socket.socket() as sock:
        sock.bind((HERE, port))
        sock.listen()
        with listen(str(port)) as pod:
            _, err = pod.communicate(timeout=20)
    assert pod.returncode == 2
    assert f"port {port} cannot be opened" in err


TASKS = (
    a_task("a.pods", 8000, ports="8001"),
    a_task("a.pods", 5001),
    a_task("b.pods", 5001),
    a_task("mcr.microsoft.com", 443, ProbeName.HTTP),
)


def test_a_pod_listens_on_what_all_tasks_together_ask():
    assert ports_by_host(TASKS) == {"a.pods": (8000, 8001, 5001), "b.pods": (5001,)}


def test_plans_are_told_addresses_troubles_and_once_who_sees_them():
    found = {
        "a.pods": Known(address="10.1.1.1", node="n1"),
        "b.pods": Known(trouble="no room", trouble_cause="pod.unschedulable"),
        "seen.nodes": Known(address="10.0.0.4", node="n1"),
    }
    first, second, third, other = _filled(TASKS, found, 27001)
    assert first.params == {
        "ports": "8001", "address": "10.1.1.1", "node": "n1", "seen_by": "10.0.0.4:27001", "seen_by_node": "n1",
    }  # fmt: skip
    assert second.params == {"address": "10.1.1.1", "node": "n1"}
    assert third.params == {"trouble": "no room", "trouble_cause": "pod.unschedulable"}
    assert other == TASKS[3]
    assert msgspec.json.encode(first)


def test_an_ipv6_address_is_told_with_its_brackets():
    (task,) = _filled(TASKS[2:3], {"seen.nodes": Known(address="fd00::4", node="n1")}, 27001)
    assert task.params["seen_by"] == "[fd00::4]:27001"


def test_a_pod_of_which_nothing_is_known_is_a_trouble_not_a_hole():
    (task,) = _filled((a_task("gone.pods", 5001),), {}, 27001)
    assert task.params["trouble_cause"] == "peers.no-listener"
