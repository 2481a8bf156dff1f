"""Plans and facts for the tests of probing: everything on loopback, and short caps."""

import msgspec

from preflight.model.observation import ResolverFacts, VantageFacts
from preflight.model.plan import Limits, Mapping, VantagePlan

NAME = "service.example"
QUICK = Limits(connect_cap_s=0.8, second_attempt_s=0.2, answer_cap_s=1.0)


def plan(**changes) -> VantagePlan:
    base = VantagePlan(run_id="r", vantage="workstation", tasks=(), limits=QUICK, no_proxy_as="go")
    return msgspec.structs.replace(base, **changes)


def facts(nameservers: tuple[str, ...] = (), **changes) -> VantageFacts:
    resolver = ResolverFacts(consumer="glibc", nameservers=nameservers)
    base = VantageFacts(vantage="workstation", tool_version="0", resolver=resolver, started="2026-11-22T00:00:00.000Z")
    return msgspec.structs.replace(base, **changes)


def mapping(*nameservers: str, **ports: str) -> Mapping:
    """`mapping(dns.address, **{"203.0.113.10:443": "127.0.0.1:18443"})`."""
    return Mapping(nameservers=nameservers, connect_to=ports)
