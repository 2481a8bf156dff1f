"""A plain client for the lab: real DNS from the vantage's own server, real TLS with the lab's authorities."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import dns.asyncquery
import dns.message
import dns.rdatatype
import httpcore
import pytest

from preflight.lab.embedded import Lab


@dataclass
class Client:
    """What a program at one vantage could do."""

    lab: Lab
    vantage: str

    async def ask(self, name: str, rtype: str = "A", *, tcp: bool = False, server: int = 0, wait: float = 2.0):
        address, _, port = self.lab.mappings[self.vantage].nameservers[server].rpartition(":")
        query = dns.message.make_query(name, rtype)
        send = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        return await send(query, address, port=int(port), timeout=wait)

    async def addresses(self, name: str) -> list[str]:
        answer = await self.ask(name)
        return [str(item) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]

    async def place(self, name: str, port: int = 443) -> tuple[str, int]:
        (address,) = await self.addresses(name)
        host, _, mapped = self.lab.mappings[self.vantage].connect_to[f"{address}:{port}"].rpartition(":")
        return host, int(mapped)

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.lab.ca_pem + self.lab.cluster_ca_pem)

    async def get(self, url: str, *, method: str = "GET", headers: dict | None = None, content: bytes = b"", read=1.0):
        timeout = {"connect": 2.0, "read": read, "write": 2.0, "pool": 2.0}
        async with httpcore.AsyncConnectionPool(ssl_context=self.context(), network_backend=Backend(self)) as pool:
            return await pool.request(
                method, url, headers=headers or {}, content=content, extensions={"timeout": timeout}
            )


class Backend(httpcore.AnyIOBackend):
    """Connects to where the vantage's DNS and mapping say."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def connect_tcp(self, host, port, *args, **kwargs):
        return await super().connect_tcp(*await self._client.place(host, port), *args, **kwargs)


@pytest.fixture
async def azure() -> AsyncIterator[Lab]:
    async with Lab() as lab:
        yield lab


@pytest.fixture
async def node(azure: Lab) -> Client:
    return Client(azure, "node/demo")


@pytest.fixture
def client_at():
    return Client
