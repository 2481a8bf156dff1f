"""Builds hops, observations and checks as the judges of services read them."""

from collections.abc import Callable

import msgspec
import pytest

from preflight.model.observation import Connection, Hop, HttpFacts, Observation, TcpFacts
from preflight.model.plan import Check, Expect
from preflight.model.vocabulary import Phase, ProbeName, Severity

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
