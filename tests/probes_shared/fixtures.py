"""Fixtures of probing, here and of hostile servers: a CA, a trail, one DNS server and mapped ports on loopback."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from servers.certs import Authority
from servers.dns import DnsServer

from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.probes.dialer import Dialer
from preflight.probes.trail import Trail
from probes_shared import NAME, facts, mapping, plan

PUBLIC = "203.0.113.10"


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def trail():
    with Trail() as trail:
        yield trail


@pytest.fixture
async def dialer(tmp_path: Path) -> AsyncIterator[Callable[..., Dialer]]:
    """Makes dialers that know no environment variable and no hosts file but the given ones."""
    made = []

    def make(plan: VantagePlan, vantage: VantageFacts | None = None, secrets=None, environ=None) -> Dialer:
        dialer = Dialer(plan, vantage or facts(), secrets or {}, environ=environ or {}, hosts_file=tmp_path / "none")
        made.append(dialer)
        return dialer

    yield make
    for one in made:
        await one.aclose()


@pytest.fixture
async def to(dialer, authority) -> AsyncIterator[Callable[..., Dialer]]:
    """`to(port)`: a dialer for which the name's https and http lead to that port; more with `ports` and `records`."""
    async with DnsServer({(NAME, "A"): [PUBLIC]}) as dns:

        def make(port: int, *, records=None, ports=None, secrets=None, environ=None, proxies=None, **changes) -> Dialer:
            dns.records.update(records or {})
            connect = {f"{PUBLIC}:443": f"127.0.0.1:{port}", f"{PUBLIC}:80": f"127.0.0.1:{port}", **(ports or {})}
            given = {"mapping": mapping(dns.address, **connect), "ca_pem": authority.pem, **changes}
            return dialer(plan(**given), facts(proxies=proxies or {}), secrets, environ)

        yield make
