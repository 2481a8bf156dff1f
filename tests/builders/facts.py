"""Facts for tables of judgement: each function makes the healthy shape, keywords make it unhealthy."""

import msgspec
from msgspec import UNSET

from preflight.model.observation import (
    Certificate,
    Connection,
    DnsAnswer,
    DnsFacts,
    Hop,
    HttpFacts,
    Observation,
    ProxyFacts,
    ResolverFacts,
    SystemLookup,
    TcpFacts,
    TlsFacts,
    VantageFacts,
)
from preflight.model.plan import Check, Expect, Plan, Target, Task
from preflight.model.run import Evidence
from preflight.model.vocabulary import Phase, ProbeName, Severity

HOST = "stmlprod.blob.core.windows.net"
PUBLIC, PRIVATE = "20.60.1.4", "10.1.1.5"
STARTED = "2026-11-22T10:00:00.000Z"
MICROSOFT = "CN=Microsoft Azure RSA TLS Issuing CA 04,O=Microsoft Corporation,C=US"
CORPORATE = "CN=Corp Inspection CA,O=Corp"


def answer(*addresses, server="10.0.0.4:53", rtype="A", rcode="NOERROR", chain=(HOST,), result="answer", **more):
    base = {"transport": "udp", "at_ms": 0.0, "duration_ms": 3000.0 if result == "timeout" else 4.0}
    return DnsAnswer(
        server=server,
        rtype=rtype,
        result=result,
        rcode=rcode if result == "answer" else None,
        chain=chain,
        addresses=addresses,
        **(base | more),
    )


def timeout(**more):
    return answer(result="timeout", **more)


def nodata_aaaa(**more):
    return answer(rtype="AAAA", **more)


def dns(*answers, name=HOST, used=None, system=None, hosts=()):
    addresses = tuple(dict.fromkeys(a for one in answers if one.role == "configured" for a in one.addresses))
    lookup = system or SystemLookup(
        result="answer" if addresses or hosts else "failed", addresses=hosts or addresses, hosts_file=hosts
    )
    return DnsFacts(name=name, answers=answers, system=lookup, addresses=(hosts or addresses) if used is None else used)


def resolved(*addresses, name=HOST, **more):
    return dns(answer(*(addresses or (PUBLIC,)), chain=(name,), **more), nodata_aaaa(chain=(name,)), name=name)


def tcp(address=PUBLIC, result="connected", errno=None, port=443, **more):
    base = {"source": "10.240.8.17:51234", "cap_ms": 3000.0, "at_ms": 5.0}
    duration = {"timeout": 3000.0}.get(result, 2.0)
    return TcpFacts(address=address, port=port, result=result, errno=errno, duration_ms=duration, **(base | more))


def certificate(issuer=MICROSOFT, subject="CN=stmlprod", sans=(HOST,), not_after="2027-06-01T00:00:00Z", **more):
    return Certificate(
        subject=subject,
        issuer=issuer,
        sans=sans,
        not_before=more.pop("not_before", "2026-06-01T00:00:00Z"),
        not_after=not_after,
    )


def tls(result="ok", name=HOST, **more):
    base = {"at_ms": 8.0, "duration_ms": 3000.0 if result == "timeout" else 12.0}
    if result in ("ok", "unverified"):
        base |= {"version": "TLSv1.3", "alpn": "h2", "bytes_received": 4000, "chain": (certificate(),)}
    return TlsFacts(server_name=name, result=result, **(base | more))


def connection(address=PUBLIC, secure=None, **more):
    facts = tcp(address, **more)
    handshake = tls() if secure is None and facts.result == "connected" else secure
    return Connection(address=address, tcp=facts, tls=UNSET if handshake in (None, False) else handshake)


def http(status=200, body="", result="ok", headers=(("content-type", "application/json"),), **more):
    base = {"method": "GET", "at_ms": 20.0, "duration_ms": 10000.0 if result == "timeout" else 15.0}
    return HttpFacts(
        result=result,
        status=status if result == "ok" else None,
        headers=headers,
        body=body,
        body_bytes=len(body),
        body_complete=result == "ok",
        **(base | more),
    )


def hop(role="origin", url=f"https://{HOST}/", **stages):
    healthy = {"dns": resolved(), "connections": (connection(),), "http": http()}
    return Hop(role=role, url=url, started=STARTED, at_ms=0.0, duration_ms=40.0, **(healthy | stages))


def reused(role, url=f"https://{HOST}/", **stages):
    return Hop(
        role=role, url=url, started=STARTED, at_ms=30.0, duration_ms=10.0, reused=True, **({"http": http()} | stages)
    )


def through_proxy(status=200, **more):
    connect = http(status, method="CONNECT", **more.pop("connect", {})) if status else UNSET
    base = {
        "url": "http://proxy.corp:3128",
        "source": "environment HTTPS_PROXY",
        "dns": dns(answer("10.9.9.9", chain=("proxy.corp",)), name="proxy.corp"),
        "connections": (connection("10.9.9.9", secure=False, port=3128),),
        "connect": connect,
    }
    return ProxyFacts(**(base | more))


def proxied(status=200, *, proxy=None, **stages):
    """A hop through a proxy; nothing after CONNECT unless it was established."""
    after = {"tls": tls(), "http": http()} if status and 200 <= status < 300 else {"http": UNSET}
    facts = proxy or through_proxy(status)
    return hop(**({"dns": UNSET, "connections": (), "proxy": facts} | after | stages))


def vantage(name="node/user1", consumer="glibc", servers=("10.0.0.4:53",), families=("ipv4",), **more):
    told = {key: more.pop(key) for key in ("options", "search", "ndots") if key in more}
    resolver = ResolverFacts(consumer=consumer, nameservers=servers, source="/etc/resolv.conf", **told)
    return VantageFacts(
        vantage=name,
        tool_version="1.0.0",
        resolver=resolver,
        families=families,
        started=STARTED,
        **({"complete": True} | more),
    )


def observation(*hops, task="task", at="node/user1", probe=ProbeName.HTTP, **more):
    base = {"target": f"{HOST}:443", "started": STARTED, "duration_ms": 50.0, "deadline_ms": 30000.0}
    return Observation(task=task, vantage=at, probe=probe, hops=hops, **(base | more))


def check(requirement="storage.blob.reach", *judges, at="node/user1", target=f"{HOST}:443", **more):
    expect = more.pop("expect", Expect())
    base = {
        "title": requirement,
        "phase": Phase.MODEL_DEPLOY,
        "severity": Severity.REQUIRED,
        "task": "task",
        "decides": True,
        "breaks": "The model cannot be downloaded.",
    }
    return Check(
        id=f"{requirement}@{at}",
        requirement=requirement,
        vantage=at,
        target=target,
        judges=judges or ("origin",),
        expect=expect,
        **(base | more),
    )


def task(key="task", probe=ProbeName.HTTP, host=HOST):
    return Task(key=key, probe=probe, target=Target(scheme="https", host=host, port=443))


def plan(*checks, left_out=(), vantages=None, stand_in=()):
    names = vantages if vantages is not None else tuple(dict.fromkeys(one.vantage for one in checks))
    return Plan(
        catalogue_version="2026.11",
        vantages=names,
        stand_in=stand_in,
        tasks=tuple(task(key) for key in dict.fromkeys(one.task for one in checks)),
        runs={name: tuple(dict.fromkeys(c.task for c in checks if c.vantage == name)) for name in names},
        checks=checks,
        left_out=left_out,
    )


def evidence(the_plan, *observations, facts=None, environment=None, **more):
    places = facts if facts is not None else tuple(vantage(name) for name in the_plan.vantages)
    base = {"run_id": "r1", "started": STARTED, "finished": STARTED, "duration_ms": 100.0}
    return Evidence(
        environment=environment or {},
        vantages=places,
        plan=the_plan,
        observations=observations,
        **(base | more),
    )


def change(value, **fields):
    return msgspec.structs.replace(value, **fields)
