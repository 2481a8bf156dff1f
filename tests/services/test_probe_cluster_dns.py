"""The probe of cluster DNS at real servers: what it asks whom, over which transport, and in which order it writes."""

import dns.message
import dns.rcode
import msgspec
from probes_shared import facts, plan
from servers.dns import DnsServer

from preflight.model.observation import Hop
from preflight.model.plan import Target, Task
from preflight.model.vocabulary import ProbeName
from preflight.probes.dialer import Dialer
from preflight.probes.services import PROBES
from preflight.probes.trail import Trail

INSIDE, OUTSIDE = "kubernetes.default.svc.cluster.local", "mcr.example"
DOMAINS = ("ns.svc.cluster.local", "svc.cluster.local", "cluster.local")
RECORDS = {(INSIDE, "A"): ["10.96.0.1"], (OUTSIDE, "A"): ["20.1.1.1"]}


async def hops(service: DnsServer, *replicas: DnsServer, **resolver) -> dict[str, Hop]:
    host, port = service.address.split(":")
    params = {"inside": INSIDE, "outside": OUTSIDE, "replicas": ",".join(one.address for one in replicas)}
    target = Target(scheme="dns", host=host, port=int(port), path="")
    task = Task(key="task", probe=ProbeName.CLUSTER_DNS, target=target, params=params)
    settings = {"ndots": 5, "search": DOMAINS, "nameservers": (service.address,), **resolver}
    here = facts()
    here = msgspec.structs.replace(here, resolver=msgspec.structs.replace(here.resolver, **settings))
    async with Dialer(plan(tasks=(task,)), here, {}) as dialer:
        with Trail() as trail:
            await PROBES[ProbeName.CLUSTER_DNS](task, dialer, trail, {})
            return {hop.role: hop for hop in trail.hops}


async def test_the_service_is_asked_over_both_transports_and_replicas_behind_it():
    async with DnsServer(RECORDS) as service, DnsServer(RECORDS) as one, DnsServer(RECORDS) as two:
        seen = await hops(service, one, two)
        assert list(seen)[:6] == [
            "inside", "outside", "replica.1", "replica.1.outside", "replica.2", "replica.2.outside",
        ]  # fmt: skip
        assert {(t, n) for t, n, _ in one.queries} == {(t, n) for t in ("udp", "tcp") for n in (INSIDE, OUTSIDE)}
    inside = seen["inside"].dns
    assert [(a.transport, a.addresses) for a in inside.answers] == [("udp", ("10.96.0.1",)), ("tcp", ("10.96.0.1",))]
    outside = [a for a in seen["outside"].dns.answers if a.transport == "udp"]
    assert len(outside) == 12
    assert [a.attempt for a in outside] == list(range(1, 13))
    assert seen["inside"].url == f"dns://{service.address}/{INSIDE}"


async def test_the_search_list_is_followed_as_a_stub_resolver_does():
    async with DnsServer(RECORDS) as service:
        seen = await hops(service)
        names = [name for transport, name, _ in service.queries if transport == "udp"]
    assert {f"{OUTSIDE}.{domain}" for domain in ("ns.svc.cluster.local", "svc.cluster.local", "cluster.local")} <= set(
        names
    )
    told = seen["search"].service
    assert (told["queries"], told["found"], told["ndots"]) == ("8", OUTSIDE, "5")
    assert float(told["ms"]) >= float(told["plain_ms"]) >= 0


async def test_a_search_domain_that_answers_ends_the_search():
    records = {**RECORDS, (f"{OUTSIDE}.svc.cluster.local", "A"): ["10.9.9.9"]}
    async with DnsServer(records) as service:
        told = (await hops(service))["search"].service
    assert (told["queries"], told["found"]) == ("4", f"{OUTSIDE}.svc.cluster.local")
    assert "plain_ms" not in told


async def test_a_name_with_dots_enough_is_not_searched():
    async with DnsServer(RECORDS) as service:
        assert "search" not in await hops(service, ndots=1)


async def test_a_silent_service_is_not_searched_and_its_replicas_are_asked_all_the_same():
    async def silence(_query, _transport):
        return []

    async with DnsServer(RECORDS) as service, DnsServer(RECORDS) as one:
        service.script = silence
        seen = await hops(service, one)
    assert "search" not in seen
    assert {a.result for a in seen["outside"].dns.answers} == {"timeout"}
    assert seen["replica.1"].dns.answers[0].addresses == ("10.96.0.1",)


async def test_each_sample_counts_by_itself():
    failed = 0

    async def sometimes(query: dns.message.Message, _transport: str):
        nonlocal failed
        reply = service.answer(query)
        if str(query.question[0].name).startswith(OUTSIDE + ".") and failed < 2:
            failed += 1
            reply = dns.message.make_response(query)
            reply.set_rcode(dns.rcode.SERVFAIL)
        return [reply]

    async with DnsServer(RECORDS) as service:
        service.script = sometimes
        seen = await hops(service, ndots=1)
    rcodes = [a.rcode for a in seen["outside"].dns.answers if a.transport == "udp"]
    assert sorted(rcodes) == ["NOERROR"] * 2 + ["SERVFAIL"] * 2


async def test_another_resolver_of_the_place_is_asked_besides():
    async with DnsServer(RECORDS) as service, DnsServer(RECORDS) as cache:
        seen = await hops(service, nameservers=(cache.address,))
    assert seen["local"].dns.answers[0].server == cache.address
