"""The one client: what an API server answers, and everything that can go wrong, as causes."""

import asyncio
import inspect
import socket
import ssl

import pytest
from servers.scripted import Reply, failing, kubeconfig, served

from preflight.failures import ClusterFailure, Refused, UsageFailure
from preflight.kube import client as clients
from preflight.kube.client import Access, Gone, connect

pytestmark = pytest.mark.usefixtures("no_proxy")


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*(subclasses(one) for one in kind.__subclasses__()))


def test_every_exception_of_the_library_and_of_its_transport_is_translated():
    import aiohttp
    from kubernetes.aio import config
    from kubernetes.aio.client import exceptions

    known = clients._errors()
    named = {one for _, one in inspect.getmembers(exceptions, inspect.isclass) if issubclass(one, Exception)}
    foreign = subclasses(aiohttp.ClientError) | named | {config.ConfigException, TimeoutError, ssl.SSLError, OSError}
    assert [one for one in foreign if not issubclass(one, known)] == []


async def test_an_answer_comes_as_json_and_is_counted(tmp_path):
    async with (
        served(lambda _method, _target: Reply(body={"items": [1]})) as (port, seen),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        assert await client.get("/api/v1/namespaces/x/pods", {"labelSelector": "a=b"}) == {"items": [1]}
        assert client.calls == {"GET pods": 1}
    assert seen == ["GET /api/v1/namespaces/x/pods?labelSelector=a%3Db"]


@pytest.mark.parametrize(
    ("reply", "cause", "words"),
    [
        (failing(403, 'User "u" cannot list pods', "Forbidden"), "kube.forbidden", "cannot list pods"),
        (failing(401, "Unauthorized", "Unauthorized"), "kube.login-refused", "401"),
        (failing(429, "slow down"), "kube.throttled", "429"),
        (failing(503, "starting"), "kube.unavailable", "starting"),
        (failing(403, "exceeded quota: q"), "pod.quota-exceeded", "quota"),
        (Reply(status=502, body=b"<html>bad gateway</html>"), "kube.unavailable", "bad gateway"),
        (Reply(body=b"<html>portal</html>"), "kube.unexpected-answer", "portal"),
        (Reply(body=[1]), "kube.unexpected-answer", "not a JSON object"),
    ],
)
async def test_what_is_no_answer_is_a_cause_with_its_text(tmp_path, reply: Reply, cause: str, words: str):
    async with (
        served(lambda _method, _target: reply) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        with pytest.raises(ClusterFailure, match=words) as caught:
            await client.get("/api/v1/namespaces/x/pods")
    assert caught.value.cause == cause


async def test_deleting_what_is_gone_is_no_failure_and_reading_it_is(tmp_path):
    async with (
        served(lambda _method, _target: failing(404, "not found", "NotFound")) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        await client.delete("/api/v1/namespaces/x")
        with pytest.raises(Gone) as caught:
            await client.get("/api/v1/namespaces/x")
    assert isinstance(caught.value, Refused)
    assert caught.value.status == 404


async def test_nobody_listening_is_unreachable_with_the_server_s_address(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        async with connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client:
            with pytest.raises(ClusterFailure, match=f"127.0.0.1:{port}") as caught:
                await client.get("/version")
    assert caught.value.cause == "kube.unreachable"


async def test_lines_come_whole_however_they_are_cut(tmp_path):
    chunks = (b"on", b"e\ntw", b"o\n", b"three")
    async with (
        served(lambda _method, _target: Reply(chunks=chunks)) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        assert [line async for line in client.lines("/log")] == [b"one", b"two", b"three"]


async def test_a_stream_that_breaks_says_so_after_the_lines_that_came(tmp_path):
    async with (
        served(lambda _method, _target: Reply(chunks=(b"one\ntw",), cut=True)) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        lines = client.lines("/log")
        assert await anext(lines) == b"one"
        with pytest.raises(ClusterFailure, match="stream broke"):
            await anext(lines)


async def test_a_stream_that_falls_silent_is_given_up(tmp_path):
    async with (
        served(lambda _method, _target: Reply(chunks=(b"one\n",), hold_s=5)) as (port, _),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        lines = client.lines("/log", silence_s=0.2)
        assert await anext(lines) == b"one"
        with pytest.raises(ClusterFailure, match="nothing came"):
            await anext(lines)


@pytest.mark.parametrize(
    ("text", "context"),
    [("{}", None), ("not: [yaml", None), ("apiVersion: v1\nkind: Config\n", "nowhere"), (None, None)],
    ids=["empty", "broken", "no such context", "no file"],
)
async def test_a_kubeconfig_that_cannot_be_used_is_a_usage_failure(tmp_path, text: str | None, context: str | None):
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageFailure, match="--kubeconfig"):
        async with connect(Access(kubeconfig=str(path), context=context)):
            pass


async def test_the_kubeconfig_may_be_several_files_as_kubectl_merges_them(tmp_path, monkeypatch: pytest.MonkeyPatch):
    async with served(lambda _method, _target: Reply(body={"ok": True})) as (port, _):
        first = tmp_path / "first"
        first.write_text("apiVersion: v1\nkind: Config\ncurrent-context: here\n")
        monkeypatch.setenv("KUBECONFIG", f"{first}:{kubeconfig(tmp_path, port)}")
        async with connect(Access()) as client:
            assert await client.get("/version") == {"ok": True}


async def test_requests_run_side_by_side(tmp_path):
    async with (
        served(lambda _method, _target: Reply(body={})) as (port, seen),
        connect(Access(kubeconfig=kubeconfig(tmp_path, port))) as client,
    ):
        await asyncio.gather(*(client.get("/version") for _ in range(30)))
    assert len(seen) == 30
