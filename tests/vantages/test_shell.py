"""The shell probe in real shells, against real servers: what each set of tools can tell, and what stays unknown."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET
from servers.certs import Authority
from servers.raw import serve
from servers.web import Web, response

from preflight.failures import ClusterFailure
from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import Limits, Target, Task, VantagePlan
from preflight.model.vocabulary import ProbeName
from preflight.vantages.shell import replay, script
from preflight.vantages.shell.place import Where
from preflight.vantages.shell.vantage import ShellVantage

SHELLS = [
    pytest.param(argv, id=argv[-1], marks=pytest.mark.skipif(shutil.which(argv[0]) is None, reason=f"no {argv[0]}"))
    for argv in (("dash",), ("bash",), ("busybox", "sh"))
]
WHERE = Where(via="existing-pod shop/model-0/app", words="pod shop/model-0, container app, node n1")


def task(scheme: str, host: str, port: int, path: str = "/", probe: ProbeName = ProbeName.HTTP, **more) -> Task:
    target = Target(scheme=scheme, host=host, port=port, path="" if scheme == "tcp" else path)
    return Task(key=f"{probe.value}:{host}:{port}{path}", probe=probe, target=target, **more)


def plan(*tasks: Task, **more) -> VantagePlan:
    return VantagePlan(run_id="r1", vantage="pod/user1", tasks=tasks, limits=Limits(connect_cap_s=2), **more)


class Shell:
    """A carrier as an exec is one: a shell that reads a script, and lines that come back."""

    def __init__(self, *argv: str, env: dict[str, str] | None = None) -> None:
        self.argv, self.env = argv, env

    async def __call__(self, text: str) -> AsyncGenerator[bytes, None]:
        child = await asyncio.create_subprocess_exec(
            *self.argv, "-s", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.env
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(text.encode())
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                await child.stdin.drain()
            async for line in child.stdout:
                yield line
        finally:
            child.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


class Seen:
    def __init__(self) -> None:
        self.facts: list[VantageFacts] = []
        self.observations: dict[str, Observation] = {}

    def __call__(self, item: VantageFacts | Observation) -> None:
        if isinstance(item, Observation):
            assert item.task not in self.observations
            self.observations[item.task] = item
        else:
            self.facts.append(item)


async def run(carrier, asked: VantagePlan) -> tuple[VantageFacts, list[Observation]]:
    seen = Seen()
    facts = await ShellVantage(carrier, WHERE)(asked, {}, seen)
    return facts, [seen.observations[one.key] for one in asked.tasks if one.key in seen.observations]


def with_tools(folder: Path, *tools: str) -> dict[str, str]:
    """An environment whose PATH has these and nothing else; "busybox:NAME" is that applet."""
    folder.mkdir()
    for tool in tools:
        name = tool.removeprefix("busybox:")
        there = shutil.which("busybox" if name != tool else tool)
        if there is None:
            pytest.skip(f"no {tool}")
        (folder / name).symlink_to(there)
    return {"PATH": str(folder)}


@contextlib.asynccontextmanager
async def a_registry(authority: Authority):
    """Answers as a registry does, to https://localhost:PORT."""
    headers = (
        ("www-authenticate", 'Bearer realm="https://localhost/token"'),
        ("docker-distribution-api-version", "registry/2.0"),
    )
    web = Web(default=response(401, b'{"errors":[]}', headers, "Unauthorized"))
    async with serve(web, context=authority.issue("localhost", "127.0.0.1").context(alpn=("http/1.1",))) as server:
        yield server, web


def test_the_probe_is_small_and_every_shell_can_read_it():
    assert len(script.probe().encode()) < script.MAX_PROBE
    for argv in (("dash",), ("bash", "--posix"), ("busybox", "sh")):
        if shutil.which(argv[0]):
            assert subprocess.run([*argv, "-n"], input=script.probe(), text=True, check=False).returncode == 0


@pytest.mark.parametrize("argv", SHELLS)
async def test_a_service_is_seen_from_name_to_answer(argv: tuple[str, ...]):
    authority = Authority()
    async with a_registry(authority) as (server, web):
        asked = plan(task("https", "127.0.0.1", server.port, "/v2/", ProbeName.REGISTRY), ca_pem=authority.pem)
        facts, (seen,) = await run(Shell(*argv), asked)
    assert facts.complete
    hop = seen.hops[0]
    assert hop.connections[0].tcp.result == "connected"
    assert hop.connections[0].tls.result == "ok"
    assert hop.connections[0].tls.trust == "system+ca_file"
    assert hop.http.status == 401
    assert hop.service["challenge"] == "bearer"
    assert web.seen[0][1] == "/v2/"
    assert "authorization" not in web.seen[0][2]


@pytest.mark.parametrize("argv", SHELLS)
async def test_what_a_connection_ends_with_is_told_as_ever(argv: tuple[str, ...]):
    authority = Authority()
    async with a_registry(authority) as (untrusted, _), serve(_reset) as cut, serve(_plain) as plain:
        closed = 1  # nobody listens there
        asked = plan(
            task("https", "127.0.0.1", untrusted.port),
            task("https", "127.0.0.1", cut.port),
            task("https", "127.0.0.1", plain.port),
            task("https", "127.0.0.1", closed),
            task("tcp", "127.0.0.1", closed, "", ProbeName.TCP),
            task("tcp", "127.0.0.1", plain.port, "", ProbeName.TCP),
        )
        facts, seen = await run(Shell(*argv), asked)
    assert facts.complete
    ends = [one.hops[0].connections[0] for one in seen]
    assert ends[0].tls.result == "unverified"
    assert ends[0].tls.verify_code in (19, 20)
    assert "Test Root" in ends[0].tls.chain[0].issuer
    assert ends[1].tls.result in ("reset", "closed")
    assert ends[2].tls.result == "not-tls"
    assert [(one.tcp.result, one.tcp.errno) for one in ends[3:5]] == [("error", "ECONNREFUSED")] * 2
    assert ends[5].tcp.result == "connected"
    assert all(one.hops[0].http is UNSET for one in seen)


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.transport.abort()


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 smtp.example ESMTP\r\n")
    await writer.drain()
    await reader.read(100)


async def test_the_next_step_and_a_redirect_are_not_taken_and_said(tmp_path: Path):
    web = Web({"/": response(302, b"", (("location", "https://elsewhere.example/x?sig=secret"),), "Found")})
    web.answers["/version"] = response(200, b'{"major":"1","minor":"30","gitVersion":"v1.30.1"}')
    async with serve(web) as server:
        asked = plan(
            task("http", "127.0.0.1", server.port),
            task("http", "127.0.0.1", server.port, "/version", ProbeName.KUBE_API, secrets=("api_server_token",)),
        )
        _, (moved, version) = await run(Shell("bash"), asked)
    assert "elsewhere.example" in moved.untested
    assert "secret" not in moved.untested
    assert moved.hops[0].http is UNSET
    assert version.hops[0].service["kind"] == "version"
    assert version.untested.startswith("step ready")


async def test_without_curl_openssl_tells_of_tls_and_no_request_is_sent(tmp_path: Path):
    authority = Authority()
    env = with_tools(tmp_path / "bin", "dash", "openssl", "getent", "head", "sleep", "date")
    async with a_registry(authority) as (server, web):
        asked = plan(task("https", "127.0.0.1", server.port), ca_pem=authority.pem)
        facts, (seen,) = await run(Shell(str(tmp_path / "bin/dash"), env=env), asked)
    assert facts.complete
    assert seen.hops[0].connections[0].tls.result == "ok"
    assert seen.hops[0].connections[0].tls.alpn == "http/1.1"
    assert "has no curl" in seen.untested
    assert web.seen == []


async def test_with_busybox_alone_a_connection_is_all_and_tls_is_never_passed_over(tmp_path: Path):
    applets = [f"busybox:{name}" for name in ("sh", "nc", "nslookup", "head", "sleep", "date")]
    env = with_tools(tmp_path / "bin", *applets)
    async with serve(_plain) as server:
        asked = plan(task("https", "127.0.0.1", server.port), task("tcp", "127.0.0.1", 1, "", ProbeName.TCP))
        facts, (seen, refused) = await run(Shell(str(tmp_path / "bin/sh"), env=env), asked)
    assert facts.complete
    assert "nslookup, nc" in facts.platform
    assert "curl" not in facts.platform
    assert seen.hops[0].connections[0].tcp.result == "connected"
    assert seen.hops[0].connections[0].tls is UNSET
    assert "TLS was not tested" in seen.untested
    assert refused.hops[0].connections[0].tcp.errno == "ECONNREFUSED"


async def test_a_shell_without_any_tool_says_so(tmp_path: Path):
    env = with_tools(tmp_path / "bin", "dash")
    asked = plan(task("https", "localhost", 443), task("tcp", "localhost", 443, "", ProbeName.TCP))
    facts, seen = await run(Shell(str(tmp_path / "bin/dash"), env=env), asked)
    assert facts.complete
    assert facts.platform == "shell probe; tools: none"
    assert all("none of curl, openssl, bash, nc" in one.untested for one in seen)
    assert all(not one.hops[0].connections and one.hops[0].dns is UNSET for one in seen)


async def test_the_place_says_what_it_is():
    facts, _ = await run(Shell("dash"), plan(task("tcp", "127.0.0.1", 1, "", ProbeName.TCP)))
    assert facts.via == WHERE.via
    assert "pod shop/model-0" in facts.place
    assert facts.vantage == "pod/user1"
    assert any("fewer stages" in notice for notice in facts.notices)


async def test_a_proxy_is_gone_through_and_its_password_stays_there(tmp_path: Path):
    env = with_tools(tmp_path / "bin", "dash", "curl", "head", "sleep", "date")  # no dig: nothing is looked up
    env |= {"https_proxy": "http://user:hunter22@127.0.0.1:1", "NO_PROXY": "10.0.0.0/8"}
    asked = plan(task("https", "api.example", 443))
    facts, (seen,) = await run(Shell(str(tmp_path / "bin/dash"), env=env), asked)
    assert facts.proxies == {"https_proxy": "http://127.0.0.1:1", "no_proxy": "10.0.0.0/8"}
    assert "hunter22" not in msgspec.json.encode([facts, seen]).decode()
    (hop,) = seen.hops
    assert hop.proxy.url == "http://127.0.0.1:1"
    assert hop.proxy.connections[0].tcp.errno == "ECONNREFUSED"
    assert (hop.connections, hop.tls, hop.http) == ((), UNSET, UNSET)


async def test_no_secret_of_the_run_stands_in_the_script():
    asked = plan(task("https", "acr.example", 443, "/v2/", ProbeName.REGISTRY, secrets=("registry_password",)))
    text = script.text(asked, await replay.asks(asked))
    assert "registry_password" not in text
    assert text.rstrip().endswith("exit 0")


async def test_hostile_words_cannot_leave_their_quotes(tmp_path: Path):
    mark = tmp_path / "owned"
    path = f"/$(touch {mark});`touch {mark}`'\"&touch {mark}"
    facts, _ = await run(Shell("dash"), plan(task("http", "127.0.0.1", 1, path)))
    assert facts.complete
    assert not mark.exists()


async def test_what_no_tool_can_do_is_untested_and_neither_asked_there_nor_here():
    peers = task("tcp", "127.0.0.1", 1, "", ProbeName.PEERS)
    dns = task("tcp", "127.0.0.1", 53, "", ProbeName.CLUSTER_DNS)
    asked = plan(peers, task("tcp", "127.0.0.1", 1, "", ProbeName.TCP), dns)
    facts, seen = await run(Shell("dash"), asked)
    assert facts.complete
    assert [one.untested is UNSET for one in seen] == [False, True, False]
    assert seen[0].hops == seen[2].hops == ()


@pytest.mark.parametrize("argv", SHELLS)
async def test_nobody_is_asked_any_more_when_nobody_listens(argv: tuple[str, ...]):
    async def slow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)

    async with serve(slow) as server:
        asked = plan(*(task("http", "127.0.0.1", server.port, f"/{number}") for number in range(30)))
        text = script.text(asked, await replay.asks(asked))
        child = await asyncio.create_subprocess_exec(
            *argv, "-s", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        child.stdin.write(text.encode())
        await child.stdin.drain()
        await server.reached(1)
        child.stdout._transport.close()  # as a websocket that is gone
        await asyncio.wait_for(child.wait(), 60)
        assert server.accepted < 30


async def test_output_that_ends_early_is_incomplete_and_keeps_what_came():
    async def cut(text: str) -> AsyncGenerator[bytes, None]:
        count = 0
        async for line in Shell("dash")(text):
            yield line
            count += b" z." in line
            if count:
                return

    asked = plan(*(task("tcp", "127.0.0.1", port, "", ProbeName.TCP) for port in (1, 2, 3)))
    facts, seen = await run(cut, asked)
    assert not facts.complete
    assert facts.error_cause == "vantage.incomplete"
    assert "1 of 3 targets" in facts.error
    assert len(seen) == 1


async def test_a_carrier_that_fails_is_the_vantage_s_cause():
    async def refuses(_text: str) -> AsyncGenerator[bytes, None]:
        raise ClusterFailure("pod.no-shell", "no sh")
        yield b""

    facts, seen = await run(refuses, plan(task("tcp", "127.0.0.1", 1, "", ProbeName.TCP)))
    assert (facts.error_cause, facts.error, facts.via) == ("pod.no-shell", "no sh", WHERE.via)
    assert seen == []


async def test_hostile_output_is_bounded_and_breaks_nothing():
    async def hostile(_text: str) -> AsyncGenerator[bytes, None]:
        yield b"@pf r1 0 i.tools curl dig $(x) \x1b[31m\n"
        yield b"@pf other 1 z.\n"
        yield b"@pf r1 9999 z.\n"
        for _ in range(2_000):
            yield b"@pf r1 1 c." + b"A" * 10_000 + b"\n"
            yield b"@pf r1 1 d.;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n"
        yield b"@pf r1 1 s.-----BEGIN CERTIFICATE-----\n@pf r1 1 s.\xff\xfe\n"
        yield b"@pf r1 1 z.\n"
        yield b"@pf r1 1 z.\n"
        yield b"@pf r1 0 z.\n"

    facts, (seen,) = await run(hostile, plan(task("https", "a.example", 443)))
    assert facts.complete
    assert "x)" not in facts.platform
    assert seen.tool_error is None
    assert len(msgspec.json.encode(seen)) < 300_000
