"""Builds hops, observations and checks as the judges of services read them, and HTTPS services to probe on loopback."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import settings

from preflight.model.observation import (
    Connection,
    Hop,
    HttpFacts,
    Observation,
    ResolverFacts,
    TcpFacts,
    VantageFacts,
)
from preflight.model.plan import Check, Expect, Limits, Target, Task, VantagePlan
from preflight.model.secret import Secret
from preflight.model.vocabulary import Phase, ProbeName, Severity
from preflight.probes.dialer import Dialer
from preflight.probes.services import PROBES
from preflight.probes.trail import Trail

settings.register_profile("shared-machine", deadline=None)  # time says nothing on a machine that others use too
settings.load_profile("shared-machine")

_TIMES = {"at_ms": 0.0, "duration_ms": 1.0}


def _http(status, headers):
    return HttpFacts(
        method="GET", result="ok", status=status, headers=tuple(headers.items()), body_complete=True, **_TIMES
    )


def _hop(role, status=200, *, url="https://acrprod.azurecr.io/v2/", headers=None, address="20.60.1.4", **facts) -> Hop:
    tcp = TcpFacts(address=address, port=443, result="connected", cap_ms=3000.0, **_TIMES)
    hop = Hop(
        role=role,
        url=url,
        started="2026-11-22T10:00:00.000Z",
        connections=(Connection(address=address, tcp=tcp),),
        service=facts,
        **_TIMES,
    )
    return hop if status is None else msgspec.structs.replace(hop, http=_http(status, headers or {}))


def _observe(probe: ProbeName, *hops: Hop) -> Observation:
    return Observation(
        task="task",
        vantage="pod/user1",
        probe=probe,
        target="host:443",
        started="2026-11-22T10:00:00.000Z",
        duration_ms=1.0,
        deadline_ms=30000.0,
        hops=hops,
    )


def _check(*judges: str, statuses=((200, 399),), **options: str) -> Check:
    return Check(
        id="acr.layers@pod/user1",
        requirement="acr.layers",
        title="ACR layers can be downloaded",
        phase=Phase.MODEL_DEPLOY,
        severity=Severity.REQUIRED,
        vantage="pod/user1",
        target="host:443",
        task="task",
        judges=judges or ("origin",),
        decides=True,
        expect=Expect(statuses=statuses, options=options),
    )


@pytest.fixture
def make_hop() -> Callable[..., Hop]:
    return _hop


@pytest.fixture
def observe() -> Callable[..., Observation]:
    return _observe


@pytest.fixture
def make_check() -> Callable[..., Check]:
    return _check


class Asked(msgspec.Struct):
    """One request that a service received; `headers` keeps repeated names."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)


class Service:
    """An HTTPS server on 127.0.0.1 that answers by path; what it was asked is in `asked`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.answers: dict[
            str, tuple[int, dict[str, str], bytes] | Callable[[Asked], tuple[int, dict[str, str], bytes]]
        ]
        self.answers = {}
        self.asked: list[Asked] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def calls(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

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
                headers = [(line.partition(":")[0].lower(), line.partition(":")[2].strip()) for line in lines]
                size = int(dict(headers).get("content-length", "0"))
                asked = Asked(*first.split(" ")[:2], headers, await reader.readexactly(size))
                self.asked.append(asked)
                writer.write(self._answer(asked))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def _answer(self, asked: Asked) -> bytes:
        answer = self.answers.get(asked.path, (404, {}, b"nothing here"))
        status, headers, body = answer(asked) if callable(answer) else answer
        lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> tuple[str, ssl.SSLContext]:
    """A CA in PEM, and the server side with a certificate of it for 127.0.0.1."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=30),
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = builder.add_extension(names, critical=False)
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("authority") / "server.pem"
    path.write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return pem.decode(), context


@pytest.fixture
async def service(authority) -> AsyncIterator[Service]:
    async with Service(authority[1]) as server:
        yield server


@pytest.fixture
async def elsewhere(authority) -> AsyncIterator[Service]:
    """A second host, as far as origins go: another port."""
    async with Service(authority[1]) as server:
        yield server


@pytest.fixture
def probe(authority) -> Callable[..., object]:
    """Runs a probe at a service and gives its observation."""

    async def run(name: ProbeName, service: Service, *, path="/", params=None, **secrets: str) -> Observation:
        task = Task(
            key="task",
            probe=name,
            target=Target(scheme="https", host="127.0.0.1", port=service.port, path=path),
            params=params or {},
            secrets=tuple(secrets),
            alpn=("http/1.1",),
            trust="cluster-ca" if name is ProbeName.KUBE_API else "system",
        )
        plan = VantagePlan(
            run_id="run",
            vantage="workstation",
            tasks=(task,),
            limits=Limits(answer_cap_s=5.0),
            ca_pem=authority[0],
            cluster_ca_pem=authority[0],
        )
        facts = VantageFacts(
            vantage="workstation",
            tool_version="0",
            resolver=ResolverFacts(consumer="other"),
            started="2026-11-22T10:00:00.000Z",
        )
        hidden = {key: Secret(value) for key, value in secrets.items()}
        dialer = Dialer(plan, facts, hidden)
        try:
            with Trail() as trail:
                await PROBES[name](task, dialer, trail, hidden)
                return _observe(name, *trail.hops)
        finally:
            await dialer.aclose()

    return run
