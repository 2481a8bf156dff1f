"""A fresh image goes into a real registry and out again, and never to anybody but the registry."""

import asyncio
import base64
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import msgspec
import pytest
from servers.certs import Authority

from preflight.model.plan import Limits, Proxy, Target, Task, VantagePlan
from preflight.model.secret import Secret
from preflight.model.vocabulary import ProbeName
from preflight.probes import local
from preflight.probes.dialer import Dialer
from preflight.probes.services import PROBES
from preflight.probes.trail import Trail
from preflight.vantages.nonce import Wish, fresh

REGISTRY = shutil.which("docker-registry")
USER, PASSWORD = "pusher", "s3cret"
HASH = "$2y$04$6PpMA.6heIufDP918Z9zy.bnKFQxJqjWQ16TavCdAqZR3ZtePoRMi"  # bcrypt of the password
LOGIN = {"registry_user": Secret(USER), "registry_password": Secret(PASSWORD)}
_NOWHERE = asyncio.subprocess.DEVNULL
CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: {deletes}}}}}
http: {{addr: "127.0.0.1:{port}", secret: x, tls: {{certificate: {folder}/c.pem, key: {folder}/k.pem}}}}
auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}
"""


class Registry(msgspec.Struct, kw_only=True):
    port: int
    ca: str

    def wish(self, run_id: str = "run1") -> Wish:
        plan = VantagePlan(
            run_id=run_id, vantage="workstation", tasks=(), ca_pem=self.ca, proxy=Proxy(from_environment=False),
            limits=Limits(answer_cap_s=10.0),
        )  # fmt: skip
        target = Target(scheme="https", host="127.0.0.1", port=self.port, path="/v2/")
        return Wish(target=target, repository="preflight/nonce", plan=plan)

    async def pulled(self, reference: str = "run1") -> dict[str, dict[str, str]]:
        """What a probe sees of the image: role -> facts."""
        params = {"repository": "preflight/nonce", "reference": reference}
        wish = self.wish()
        task = Task(key="t", probe=ProbeName.REGISTRY, target=wish.target, params=params, secrets=tuple(LOGIN))
        async with Dialer(wish.plan, local.look(wish.plan), LOGIN) as dialer:
            with Trail() as trail:
                await PROBES[ProbeName.REGISTRY](task, dialer, trail, LOGIN)
        return {hop.role: {"status": str(hop.http.status), **hop.service} for hop in trail.hops if hop.http}


@pytest.fixture(params=["true"])
async def registry(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Registry]:
    """Debian's docker-registry with TLS and a password."""
    if REGISTRY is None:
        pytest.skip("needs docker-registry (apt-get install docker-registry)")
    ca = Authority()
    leaf = ca.issue("127.0.0.1")
    _write(leaf, tmp_path)
    (tmp_path / "htpasswd").write_text(f"{USER}:{HASH}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "config.yml").write_text(CONFIG.format(folder=tmp_path, port=port, deletes=request.param))
    serving = await asyncio.create_subprocess_exec(
        REGISTRY, "serve", str(tmp_path / "config.yml"), stdout=_NOWHERE, stderr=_NOWHERE
    )
    try:
        await _listening(port)
        yield Registry(port=port, ca=ca.pem)
    finally:
        serving.terminate()
        await serving.wait()


def _write(leaf, folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    pem = serialization.Encoding.PEM
    private = leaf.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "k.pem").write_bytes(private)
    (folder / "c.pem").write_bytes(b"".join(one.public_bytes(pem) for one in leaf.chain))


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError("the registry does not listen")


async def test_a_fresh_image_can_be_pulled_while_the_run_goes_on_and_is_gone_afterwards(registry: Registry):
    async with fresh(registry.wish(), LOGIN) as nonce:
        assert nonce is not None
        assert await nonce.pushed() == ""
        seen = await registry.pulled()
        assert seen["manifest"]["digest"] == "verified"
        assert seen["layer"]["digest"] == "verified"
        assert int(seen["layer"]["layer_bytes"]) > 64 * 1024
    assert nonce.notice == ""
    assert (await registry.pulled())["manifest"]["status"] == "404"


async def test_all_places_share_one_push_and_every_run_has_a_layer_of_its_own(registry: Registry):
    async with fresh(registry.wish(), LOGIN) as nonce, fresh(registry.wish("run2"), LOGIN) as other:
        assert nonce is not None
        assert other is not None
        assert await asyncio.gather(*(nonce.pushed() for _ in range(5)), other.pushed()) == [""] * 6
        assert nonce.wish.image == f"127.0.0.1:{registry.port}/preflight/nonce:run1"
        assert nonce._content.layer.digest != other._content.layer.digest


async def test_nothing_is_pushed_unless_somebody_asks_for_it(registry: Registry):
    async with fresh(registry.wish(), LOGIN):
        pass
    assert (await registry.pulled())["manifest"]["status"] == "404"
    async with fresh(None, LOGIN) as nonce:
        assert nonce is None


async def test_a_registry_that_refuses_the_password_is_told_and_no_failure_of_the_run(registry: Registry):
    wrong = {**LOGIN, "registry_password": Secret("wr0ng")}
    async with fresh(registry.wish(), wrong) as nonce:
        assert nonce is not None
        refused = await nonce.pushed()
    assert refused.startswith("the upload of the layer: HTTP 401")
    assert "wr0ng" not in refused
    assert nonce.notice == ""


async def test_without_credentials_the_registry_gives_no_session(registry: Registry):
    async with fresh(registry.wish(), {}) as nonce:
        assert nonce is not None
        assert "gives no token" in await nonce.pushed()


@pytest.mark.parametrize("registry", ["false"], indirect=True)
async def test_what_may_not_be_deleted_is_named(registry: Registry):
    async with fresh(registry.wish(), LOGIN) as nonce:
        assert nonce is not None
        await nonce.pushed()
    assert nonce.notice.startswith(f"{nonce.wish.image} (sha256:")
    assert "is left in the registry: the deletion: HTTP 405" in nonce.notice


async def test_a_registry_that_cannot_be_reached_is_told():
    wish = Registry(port=1, ca=Authority().pem).wish()
    async with fresh(wish, LOGIN) as nonce:
        assert nonce is not None
        assert await nonce.pushed() == "127.0.0.1 was not reached (ECONNREFUSED)"


class Acr:
    """As ACR answers a push: bearer tokens by scope, addresses of uploads relative or wherever `location` says."""

    def __init__(self, context: ssl.SSLContext, location: str = "") -> None:
        self._context, self._location = context, location
        self.asked: list[tuple[str, str, bytes]] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, target, _ = first.split(" ")
                self.asked.append((method, target, body))
                status, more, answer = self._answer(method, target, headers.get("authorization", ""))
                told = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(answer)}", *more]
                writer.write("\r\n".join([*told, "", ""]).encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str, target: str, authorization: str) -> tuple[int, list[str], bytes]:
        if target.startswith("/oauth2/token"):
            login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if authorization != f"Basic {login}":
                return 401, [], b"{}"
            return 200, [], json.dumps({"access_token": target.partition("scope=")[2]}).encode()
        if not authorization.startswith("Bearer repository"):
            realm = f"https://127.0.0.1:{self.port}/oauth2/token"
            return 401, [f'WWW-Authenticate: Bearer realm="{realm}",service="acr"'], b""
        if method == "POST":
            return 202, [f"Location: {self._location or '/v2/preflight/nonce/blobs/uploads/1?_state=a%3D%3D'}"], b""
        return (202 if method == "DELETE" else 201), [], b""


@pytest.fixture
def loopback() -> tuple[Authority, ssl.SSLContext]:
    ca = Authority()
    return ca, ca.issue("127.0.0.1").context()


async def test_acr_is_asked_for_tokens_that_may_push_and_later_delete_and_keeps_its_state(loopback):
    ca, context = loopback
    async with Acr(context) as acr, fresh(Registry(port=acr.port, ca=ca.pem).wish(), LOGIN) as nonce:
        assert nonce is not None
        assert await nonce.pushed() == ""
    scopes = [target for _, target, _ in acr.asked if target.startswith("/oauth2/token")]
    assert "repository%3Apreflight%2Fnonce%3Apull%2Cpush" in scopes[0]
    assert "repository%3Apreflight%2Fnonce%3Apull%2Cdelete" in scopes[1]
    uploads = [target for method, target, _ in acr.asked if method == "PUT" and "uploads" in target]
    assert all("_state=a%3D%3D" in one and "digest=sha256" in one for one in uploads)
    assert [method for method, *_ in acr.asked][-1] == "DELETE"


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/take",
        "http://127.0.0.1/x",
        "https://user@127.0.0.1/x",
        "//evil.example/x",
        "https://[::1/x",
    ],
)
async def test_an_upload_is_sent_to_the_registry_itself_and_to_nobody_it_names(loopback, location: str):
    ca, context = loopback
    async with Acr(context, location) as acr, fresh(Registry(port=acr.port, ca=ca.pem).wish(), LOGIN) as nonce:
        assert nonce is not None
        assert "sends the upload elsewhere" in await nonce.pushed()
    assert not any(body for method, _, body in acr.asked if method == "PUT")
