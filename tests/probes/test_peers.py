"""Pods ask pods: a nonce comes back from the pod that was asked, and from nobody else. Real sockets on loopback."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import msgspec
import pytest
from probes_shared import plan

from preflight.failures import UsageFailure
from preflight.model.plan import Target, Task
from preflight.model.vocabulary import ADDRESS_VARIABLE, NODE_VARIABLE, ProbeName
from preflight.probes.services import peers
from preflight.vantages import answering

HERE = "127.0.0.1"


def free_ports(number: int) -> tuple[int, ...]:
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(number)]
        for sock in socks:
            sock.bind((HERE, 0))
        return tuple(sock.getsockname()[1] for sock in socks)


def a_task(port: int, **params: str) -> Task:
    target = Target(scheme="tcp", host="user1.pods", port=port, path="")
    return Task(key=f"peers:user1.pods:{port}", probe=ProbeName.PEERS, target=target, params=params)


@contextlib.asynccontextmanager
async def a_pod(*ports: int, node: str = "node2"):
    running = asyncio.create_task(answering.answer(ports, {NODE_VARIABLE: node, ADDRESS_VARIABLE: HERE}))
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(HERE, ports[-1])
            writer.close()
            break
        await asyncio.sleep(0.01)
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_every_port_is_asked_and_the_other_side_tells_the_source_that_it_sees(dialer, trail):
    ports = free_ports(3)
    async with a_pod(*ports):
        task = a_task(ports[0], ports=f"{ports[1]},{ports[2]}", address=HERE, node="node2")
        await peers.probe(task, dialer(plan()), trail, {})
    assert [hop.role for hop in trail.hops] == ["origin", f"port.{ports[1]}", f"port.{ports[2]}"]
    for hop in trail.hops:
        assert hop.connections[0].tcp.result == "connected"
        assert hop.service["answer"] == "match"
        assert hop.service["seen_as"] == hop.service["own"] == HERE
        assert (hop.service["peer"], hop.service["peer_node"]) == ("user1.pods", "node2")


async def test_a_closed_port_is_refused_while_the_others_answer(dialer, trail):
    ports = free_ports(2)
    async with a_pod(ports[0]):
        await peers.probe(a_task(ports[0], ports=str(ports[1]), address=HERE), dialer(plan()), trail, {})
    first, second = trail.hops
    assert first.service["answer"] == "match"
    assert second.connections[-1].tcp.errno == "ECONNREFUSED"
    assert "answer" not in second.service


@pytest.fixture
def other_server() -> Iterator[int]:
    """Accepts and never says a word."""
    with socket.socket() as sock:
        sock.bind((HERE, 0))
        sock.listen(8)
        yield sock.getsockname()[1]


async def test_what_accepts_and_stays_silent_is_not_taken_for_the_pod(dialer, trail, other_server: int):
    await peers.probe(a_task(other_server, address=HERE), dialer(plan()), trail, {})
    assert trail.hops[0].service["answer"] == "silent"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "other"),
        (b'{"nonce":"00","source":"1.2.3.4:5"}\n', "other"),
        (b"", "closed"),
    ],
)
async def test_another_answer_is_not_taken_for_the_pod(dialer, trail, answer: bytes, word: str):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, HERE, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await peers.probe(a_task(port, address=HERE), dialer(plan()), trail, {})
    assert trail.hops[0].service["answer"] == word
    assert "seen_as" not in trail.hops[0].service


async def test_a_pod_that_did_not_start_is_not_tried_and_its_trouble_is_kept(dialer, trail):
    task = a_task(5001, trouble="no room", trouble_cause="pod.unschedulable")
    await peers.probe(task, dialer(plan()), trail, {})
    (hop,) = trail.hops
    assert hop.connections == ()
    assert hop.service == {"peer": "user1.pods", "trouble": "no room", "trouble_cause": "pod.unschedulable"}


async def test_a_pod_in_another_node_s_network_is_asked_how_pods_look_from_there(dialer, trail, monkeypatch):
    pod, node = free_ports(2)
    monkeypatch.setenv(NODE_VARIABLE, "node2")
    async with a_pod(pod), a_pod(node, node="node1"):
        task = a_task(pod, address=HERE, seen_by=f"{HERE}:{node}", seen_by_node="node1")
        await peers.probe(task, dialer(plan()), trail, {})
    assert [hop.role for hop in trail.hops] == ["origin", "seen"]
    assert trail.hops[1].service["seen_as"] == HERE


async def test_one_s_own_node_is_not_asked_since_it_proves_nothing(dialer, trail, monkeypatch):
    (port,) = free_ports(1)
    monkeypatch.setenv(NODE_VARIABLE, "node1")
    async with a_pod(port):
        task = a_task(port, address=HERE, seen_by=f"{HERE}:{port}", seen_by_node="node1")
        await peers.probe(task, dialer(plan()), trail, {})
    assert [hop.role for hop in trail.hops] == ["origin"]


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\n\r\n", b"preflight-peer 1 short\n", b"preflight-peer 1 " + b"Z" * 32 + b"\n", b"x" * 4096],
)
async def test_who_does_not_greet_as_a_probe_gets_no_answer(sent: bytes):
    (port,) = free_ports(1)
    async with a_pod(port):
        reader, writer = await asyncio.open_connection(HERE, port)
        writer.write(sent)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("text", ["", "http", "5001;8000", "0", "70000", "5001,-1", "1," * 33, "\u0665\u0660"])
def test_ports_that_are_none_are_refused(text: str):
    with pytest.raises(UsageFailure, match="--listen"):
        answering.ports_of(text)


def test_ports_are_read_once_each():
    assert answering.ports_of("5001, 8000,5001") == (5001, 8000)


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"nonce":1,"source":"x"}', b"[" * 400, b"\xff\xfe"])
def test_hostile_lines_are_no_answers(line: bytes):
    assert peers.understood(line) is None


def test_ports_of_a_task_are_bounded_and_its_own_comes_first():
    task = a_task(8000, ports="8001, 8000, x, -1, 99999," + ",".join(map(str, range(9000, 9100))))
    found = peers.ports(task)
    assert found[:3] == (8000, 8001, 9000)
    assert len(found) == 32
    assert msgspec.json.encode(found)
