"""A shell in a pod that is there: the channels of exec, how it ends, and what an API server says instead."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from servers.scripted import kubeconfig

from preflight.failures import ClusterFailure, Refused
from preflight.kube import execute, spots
from preflight.kube.client import Access, connect
from preflight.kube.execute import Spot
from preflight.kube.spots import Found
from preflight.model.vocabulary import VantageKind

pytestmark = pytest.mark.usefixtures("no_proxy")

SPOT = Spot(namespace="shop", pod="model-0", container="app")
SUCCESS = {"metadata": {}, "status": "Success"}
Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


@contextlib.asynccontextmanager
async def api_server(talk: Talk | web.Response) -> AsyncIterator[tuple[int, list[web.Request]]]:
    """One pod's exec: talks over the websocket, or answers what it is given instead."""
    seen: list[web.Request] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        if isinstance(talk, web.Response):
            return web.Response(status=talk.status, body=talk.body, content_type="application/json")
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        await talk(socket)
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/api/v1/namespaces/shop/pods/model-0/exec", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], seen
    finally:
        await runner.cleanup()


def ended(status: dict) -> bytes:
    return b"\x03" + json.dumps(status).encode()


async def script_of(socket: web.WebSocketResponse) -> str:
    """What came on the standard input, up to the script's last line."""
    text = b""
    while not text.endswith(b"exit 0\n"):
        message = await socket.receive()
        assert message.type is aiohttp.WSMsgType.BINARY
        assert message.data[:1] == b"\x00"
        text += message.data[1:]
    return text.decode()


async def run(tmp_path, talk: Talk | web.Response, text: str = "exit 0\n") -> tuple[list[bytes], list[web.Request]]:
    async with (
        api_server(talk) as (port, seen),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        return [line async for line in execute.shell(client, SPOT, text)], seen


async def test_a_script_goes_in_and_lines_come_out_whatever_the_frames(tmp_path):
    asked: list[str] = []

    async def talk(socket: web.WebSocketResponse) -> None:
        asked.append(await script_of(socket))
        for frame in (b"\x01one\ntw", b"\x01o\n", b"\x02warning\n", b"\x01", b"\x01last"):
            await socket.send_bytes(frame)
        await socket.send_bytes(ended(SUCCESS))

    text = "# " + "x" * 50_000 + "\nexit 0\n"
    lines, seen = await run(tmp_path, talk, text)
    assert asked == [text]
    assert lines == [b"one", b"two", b"warning", b"last"]
    assert seen[0].query.getall("command") == ["sh", "-s"]
    assert dict(seen[0].query)["container"] == "app"


async def test_the_script_s_own_exit_code_is_no_failure(tmp_path):
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x01line\n")
        causes = {"causes": [{"reason": "ExitCode", "message": "3"}]}
        await socket.send_bytes(ended({"status": "Failure", "reason": "NonZeroExitCode", "details": causes}))

    assert (await run(tmp_path, talk))[0] == [b"line"]


NO_SHELL = (
    'error executing command in container: failed to exec in container: failed to start exec "a1": OCI runtime exec'
    ' failed: exec failed: unable to start container process: exec: "sh": executable file not found in $PATH: unknown'
)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ({"status": "Failure", "reason": "InternalError", "message": NO_SHELL}, "pod.no-shell"),
        ({"status": "Failure", "message": "container not running (a1)"}, "kube.unavailable"),
    ],
)
async def test_a_shell_that_cannot_be_started_is_named(tmp_path, status: dict, cause: str):
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(ended(status))

    with pytest.raises(ClusterFailure) as failure:
        await run(tmp_path, talk)
    assert failure.value.cause == cause


async def test_an_ending_that_is_no_status_is_a_failure_with_its_text(tmp_path):
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x03command terminated strangely")

    with pytest.raises(ClusterFailure, match="strangely"):
        await run(tmp_path, talk)


@pytest.mark.parametrize(
    ("code", "message", "cause"),
    [
        (403, 'pods "model-0" is forbidden: User "u" cannot get resource "pods/exec"', "kube.forbidden"),
        (401, "Unauthorized", "kube.login-refused"),
        (500, "error dialing backend: dial tcp 10.2.0.5:10250: i/o timeout", "kube.log-channel-broken"),
        (500, "No agent available", "kube.log-channel-broken"),
        (503, "etcd is slow", "kube.unavailable"),
    ],
)
async def test_a_websocket_that_is_refused_tells_what_the_server_says(tmp_path, code: int, message: str, cause: str):
    body = json.dumps({"kind": "Status", "message": message}).encode()
    with pytest.raises(Refused) as refused:
        await run(tmp_path, web.Response(status=code, body=body))
    assert refused.value.cause == cause
    assert message in refused.value.text


async def test_no_api_server_is_unreachable(tmp_path, unused_port: int):
    async with connect(Access(kubeconfig=kubeconfig(tmp_path, unused_port))) as client:
        with pytest.raises(ClusterFailure) as failure:
            [line async for line in execute.shell(client, SPOT, "exit 0\n")]
    assert failure.value.cause == "kube.unreachable"


@pytest.fixture
def unused_port() -> int:
    return 1


async def test_output_is_bounded(tmp_path):
    async def talk(socket: web.WebSocketResponse) -> None:
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                await socket.send_bytes(b"\x01" + b"x" * 100_000)

    with pytest.raises(ClusterFailure, match="more than"):
        await run(tmp_path, talk)


async def test_text_frames_unknown_channels_and_a_sudden_end_are_survived(tmp_path):
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_str("\x01text\n")
        await socket.send_bytes(b"\x09what\n")
        await socket.send_bytes(b"")
        await socket.send_bytes(b"\x01" + b"y" * 100_000 + b"\n")

    lines, _ = await run(tmp_path, talk)
    assert lines[0] == b"text"
    assert len(lines[1]) == execute.MAX_LINE
    assert len(lines) == 2


async def test_whoever_stops_listening_leaves_nothing_open(tmp_path):
    over = asyncio.Event()

    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x01one\n\x01")
        async for _ in socket:
            pass
        over.set()

    async with (
        api_server(talk) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        lines = execute.shell(client, SPOT, "exit 0\n")
        assert await anext(lines) == b"one"
        await lines.aclose()
        await asyncio.wait_for(over.wait(), 10)


def a_pod(**more) -> dict:
    running = {"name": "app", "state": {"running": {}}}
    spec = {"containers": [{"name": "app"}, {"name": "proxy"}], "nodeName": "aks-user1-12345678-vmss000003"}
    return {
        "metadata": {"annotations": more.pop("annotations", {})},
        "spec": spec | more,
        "status": {"phase": "Running", "containerStatuses": [running, running | {"name": "proxy"}]},
    }


def found(pod: dict, labels: dict | None) -> Found:
    spot = spots.choose(pod, "shop", "model-0", None)
    return spots.place(pod, spot, pod["spec"]["nodeName"], labels, "agentpool")


def test_the_place_is_the_pool_of_the_pod_s_node():
    assert found(a_pod(), {"agentpool": "user1"}).vantage == "pod/user1"
    assert found(a_pod(hostNetwork=True), {"agentpool": "user1"}).kind is VantageKind.NODE
    assert found(a_pod(), None).vantage == "pod/user1"  # by the node's name, which AKS gives
    assert found(a_pod(), {}).vantage == "pod/nodes"  # the node says that it is in no pool
    assert found(a_pod(nodeName="worker-3"), None).vantage == "pod/nodes"


def test_the_container_is_the_named_the_default_or_the_first():
    usual = {"kubectl.kubernetes.io/default-container": "proxy"}
    assert spots.choose(a_pod(), "shop", "model-0", None).container == "app"
    assert spots.choose(a_pod(annotations=usual), "shop", "model-0", None).container == "proxy"
    assert spots.choose(a_pod(annotations=usual), "shop", "model-0", "app").container == "app"


def test_a_container_that_is_not_there_or_does_not_run_is_named():
    with pytest.raises(ClusterFailure, match="it has app, proxy") as missing:
        spots.choose(a_pod(), "shop", "model-0", "sidecar")
    waiting = a_pod()
    waiting["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "ImagePullBackOff"}}
    with pytest.raises(ClusterFailure, match="does not run: waiting") as idle:
        spots.choose(waiting, "shop", "model-0", None)
    assert (missing.value.cause, idle.value.cause) == ("pod.not-found", "pod.not-running")
