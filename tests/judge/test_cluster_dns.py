"""Cluster DNS: what the service says decides, what single replicas say tells where. Tables, no socket."""

import msgspec
import pytest
from builders.facts import answer, check, dns, evidence, hop, observation, plan, timeout, vantage
from msgspec import UNSET

from preflight.judge import dns_places, judge, local_cache
from preflight.judge.dns_places import Leg
from preflight.model.cluster import ClusterFacts, DnsReplica, ServiceFacts
from preflight.model.observation import ResolverFacts
from preflight.model.vocabulary import ProbeName, Status
from preflight.render.formats import RENDERERS, Format

SERVICE, A, B = "10.96.0.10:53", "10.251.1.4:53", "10.251.2.9:53"
INSIDE, OUTSIDE = "kubernetes.default.svc.cluster.local", "mcr.microsoft.com"
REPLICAS = (
    DnsReplica(address="10.251.1.4", ready=True, pod="coredns-a", node="n1", pool="system"),
    DnsReplica(address="10.251.2.9", ready=True, pod="coredns-b", node="n2", pool="user1"),
)
CLUSTER = ClusterFacts(
    dns_service=ServiceFacts(name="kube-dns", namespace="kube-system", addresses=("10.96.0.10",)), dns_replicas=REPLICAS
)


def ok(server, name=INSIDE, **more):
    return answer("10.96.0.1" if name == INSIDE else "20.1.1.1", server=server, chain=(name,), **more)


def servfail(server, name=OUTSIDE, **more):
    return answer(server=server, rcode="SERVFAIL", chain=(name,), **more)


def asked(role, name, *answers):
    facts = dns(*answers, name=name)
    return hop(role, f"dns://{answers[0].server}/{name}", dns=facts, connections=(), http=UNSET)


def both(server, name=INSIDE, make=ok):
    return (make(server, name), make(server, name, transport="tcp"))


def silent(server, name=INSIDE, **more):
    return timeout(server=server, chain=(name,), **more)


def straight(number, server, inside=ok, outside=ok):
    return (
        asked(f"replica.{number}", INSIDE, *both(server, INSIDE, inside)),
        asked(f"replica.{number}.outside", OUTSIDE, *both(server, OUTSIDE, outside)),
    )


def samples(*makes):
    udp = [make(SERVICE, OUTSIDE, attempt=number) for number, make in enumerate(makes, start=1)]
    return asked("outside", OUTSIDE, *udp, makes[0](SERVICE, OUTSIDE, transport="tcp"))


GOOD = asked("inside", INSIDE, *both(SERVICE))
MUTE = asked("inside", INSIDE, *both(SERVICE, INSIDE, silent))


def seen(*hops, at="pod/user1"):
    return observation(*hops, at=at, probe=ProbeName.CLUSTER_DNS, task="cluster_dns", target=SERVICE, finished=True)


def checks(at="pod/user1"):
    base = {"at": at, "target": SERVICE, "task": "cluster_dns"}
    return check("cluster-dns.answers", "inside", **base), check("cluster-dns.forwards", "outside", **base)


def judged(*hops, cluster=CLUSTER, facts=None):
    one, two = checks()
    the_plan = msgspec.structs.replace(plan(one, two), cluster=cluster)
    run = judge(evidence(the_plan, seen(*hops), facts=(facts or vantage("pod/user1", "coredns", (SERVICE,)),)))
    return run, {verdict.requirement: (verdict.status, verdict.cause) for verdict in run.verdicts}


PASS, WARN, FAIL = (Status.PASS, None), Status.WARN, Status.FAIL
TCP_ONLY = asked("inside", INSIDE, silent(SERVICE), ok(SERVICE, transport="tcp"))
UDP_ONLY = asked("inside", INSIDE, ok(SERVICE), silent(SERVICE, transport="tcp"))
NO_NAME = asked("inside", INSIDE, *both(SERVICE, INSIDE, lambda s, n, **m: answer(server=s, rcode="NXDOMAIN", **m)))
GONE = lambda s, n, **m: answer(server=s, rcode="NXDOMAIN", chain=(n,), **m)  # noqa: E731
VERDICTS = [
    pytest.param((GOOD, samples(ok, ok, ok, ok)), PASS, PASS, id="healthy"),
    pytest.param((GOOD, samples(ok, ok, ok, silent)), PASS, PASS, id="one lost datagram"),
    pytest.param((GOOD, samples(GONE, GONE)), PASS, PASS, id="a name that does not exist was answered"),
    pytest.param((UDP_ONLY, samples(ok, ok)), (WARN, "dns.tcp-blocked"), PASS, id="no TCP"),
    pytest.param((TCP_ONLY, samples(ok, ok)), (FAIL, "dns.timeout"), (FAIL, "dns.timeout"), id="no UDP"),
    pytest.param(
        (TCP_ONLY, samples(ok, ok), *straight(1, A), *straight(2, B, inside=silent, outside=silent)),
        (FAIL, "dns.replica-failing"), (FAIL, None), id="a dead replica was met twice",
    ),
    pytest.param(
        (UDP_ONLY, samples(ok, silent, silent), *straight(1, A), *straight(2, B, inside=silent, outside=silent)),
        PASS, (FAIL, "dns.replica-failing"), id="a dead replica was met over TCP",
    ),
    pytest.param((NO_NAME, samples(ok, ok)), (FAIL, "dns.cluster-names"), (FAIL, None), id="no cluster names"),
    pytest.param((GOOD, samples(servfail, servfail)), PASS, (FAIL, "dns.servfail"), id="no upstream"),
    pytest.param((GOOD, samples(silent, silent)), PASS, (FAIL, "dns.timeout"), id="upstream silent"),
    pytest.param((GOOD, samples(silent, servfail)), PASS, (FAIL, "dns.servfail"), id="what speaks tells more"),
    pytest.param((GOOD, samples(ok, servfail, ok, servfail)), PASS, (FAIL, "dns.replica-failing"), id="some"),
    pytest.param(
        (GOOD, samples(ok, ok, ok, servfail), *straight(1, A), *straight(2, B, outside=servfail)),
        PASS, (FAIL, "dns.replica-failing"), id="one, and a replica that fails straight",
    ),
    pytest.param((GOOD, samples(ok, GONE)), PASS, (FAIL, "dns.inconsistent"), id="different answers"),
    pytest.param(
        (GOOD, samples(ok, ok, ok, ok), *straight(1, A), *straight(2, B, inside=silent, outside=silent)),
        PASS, PASS, id="a replica that fails straight, alone, is information",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("hops", "answers", "forwards"), VERDICTS)
def test_the_service_decides(hops, answers, forwards):
    _, found = judged(*hops)
    assert found["cluster-dns.answers"] == answers
    status, cause = forwards
    blocked = answers[0] is FAIL
    assert found["cluster-dns.forwards"] == ((Status.BLOCKED, None) if blocked else (status, cause))


def places(*views, cluster=CLUSTER, extra=()):
    every = [check for view in views for check in checks(view.vantage)]
    the_plan = msgspec.structs.replace(plan(*every), cluster=cluster)
    return dns_places.find(evidence(the_plan, *views, *extra))


DEAD_B = straight(2, B, inside=silent, outside=silent)
ALL_MUTE = (*straight(1, A, silent, silent), *DEAD_B)
STUCK_B = straight(2, B, outside=servfail)
BOTH, ONE = ("coredns-a", "coredns-b"), ("coredns-b",)
PLACES = [
    pytest.param((GOOD, samples(ok, ok), *straight(1, A), *straight(2, B)), None, (), id="nothing fails"),
    pytest.param((GOOD, samples(ok, ok), *straight(1, A), *DEAD_B), None, (), id="nothing fails through the service"),
    pytest.param((MUTE, samples(silent, silent), *ALL_MUTE), Leg.TO_DNS, BOTH, id="nobody answers"),
    pytest.param((MUTE, samples(silent, silent)), Leg.TO_DNS, (), id="replicas not known"),
    pytest.param(
        (MUTE, samples(silent, silent), *straight(1, A), *straight(2, B)), Leg.SERVICE, BOTH,
        id="only the service address is silent",
    ),
    pytest.param(
        (GOOD, samples(ok, silent, silent), *straight(1, A), *DEAD_B), Leg.REPLICAS, ONE, id="one is dead"
    ),
    pytest.param(
        (GOOD, samples(ok, servfail, servfail), *straight(1, A), *STUCK_B), Leg.UPSTREAM, ONE, id="one upstream"
    ),
    pytest.param(
        (GOOD, samples(servfail, servfail), *straight(1, A, outside=servfail), *STUCK_B), Leg.UPSTREAM,
        BOTH, id="every upstream",
    ),
    pytest.param((GOOD, samples(servfail, servfail)), Leg.UPSTREAM, (), id="upstream, replicas not known"),
    pytest.param(
        (GOOD, samples(servfail, servfail, ok), *straight(1, A), *straight(2, B)), None, (), id="straight all is well"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("hops", "leg", "pods"), PLACES)
def test_the_leg_that_fails_is_named_with_its_replicas(hops, leg, pods):
    place = places(seen(*hops)).get("pod/user1")
    if leg is None:
        assert place is None
        return
    assert place is not None
    assert (place.leg, tuple(one.pod for one in place.replicas)) == (leg, pods)
    assert place.candidates
    assert place.settle


def test_a_replica_that_others_reach_makes_it_the_way_from_here():
    here = seen(MUTE, samples(silent, silent), *ALL_MUTE)
    there = seen(GOOD, samples(ok, ok), *straight(1, A), *straight(2, B), at="pod/system")
    found = places(here, there)
    assert list(found) == ["pod/user1"]
    assert found["pod/user1"].leg is Leg.TO_DNS
    assert "pod/system gets answers there" in found["pod/user1"].words
    assert "coredns-a (on n1, pool system)" in found["pod/user1"].words


@pytest.mark.parametrize(
    ("node_says", "words", "first"),
    [
        (ok, "the nodes of user1 resolve it themselves", "CoreDNS of the cluster"),
        (servfail, "the nodes of user1 do not resolve it either", "the way from the node"),
    ],
)
def test_the_replica_s_own_node_is_compared(node_says, words, first):
    pod = seen(GOOD, samples(ok, servfail, servfail), *straight(1, A), *STUCK_B, at="pod/system")
    lookup = dns(node_says("168.63.129.16:53", OUTSIDE), name=OUTSIDE)
    node = observation(hop(url=f"https://{OUTSIDE}/", dns=lookup, connections=(), http=UNSET), at="node/user1")
    place = places(pod, extra=(node,))["pod/system"]
    assert place.leg is Leg.UPSTREAM
    assert words in place.words
    assert place.candidates[0].what.startswith(first)


def test_one_broken_place_is_one_finding_with_pod_node_and_pool():
    run, _ = judged(GOOD, samples(ok, servfail, silent, ok), *straight(1, A), *STUCK_B)
    (finding,) = run.findings
    assert finding.cause == "dns.replica-failing"
    assert any("coredns-b (on n2, pool user1)" in line for line in finding.why)
    assert any("forwards from its own node" in line for line in finding.why)


def test_judging_again_gives_the_same_place():
    run, _ = judged(GOOD, samples(servfail, servfail), *straight(1, A, outside=servfail), *STUCK_B)
    again = msgspec.json.decode(msgspec.json.encode(run), type=type(run))
    assert again.findings == run.findings
    assert again.plan.cluster == CLUSTER


@pytest.mark.parametrize(
    ("server", "name"),
    [("169.254.10.10:53", "LocalDNS"), ("169.254.10.11:53", "LocalDNS"), ("169.254.20.10:53", "NodeLocal"), (SERVICE, "")],  # noqa: E501
)  # fmt: skip
def test_caches_on_nodes_are_known_by_their_addresses(server, name):
    assert local_cache.name(server).startswith(name)
    assert bool(local_cache.name(server)) is bool(name)
    assert bool(local_cache.remark(ResolverFacts(consumer="coredns", nameservers=(server,)))) is bool(name)


def cached(*addresses, server="169.254.10.11:53", rcode="NOERROR"):
    return asked("local", OUTSIDE, answer(*addresses, server=server, chain=(OUTSIDE,), rcode=rcode))


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        (cached("20.1.1.1"), PASS),
        (cached("20.9.9.9"), PASS),
        (cached("10.1.1.5"), (WARN, "dns.local-cache-differs")),
        (cached(rcode="NXDOMAIN"), (WARN, "dns.local-cache-differs")),
        (cached("10.1.1.5", server="10.0.0.4:53"), PASS),
    ],
)
def test_a_cache_that_answers_otherwise_is_a_reservation(local, expected):
    _, found = judged(GOOD, samples(ok, ok, ok), local)
    assert found["cluster-dns.forwards"] == expected


def test_the_search_list_is_a_fact_and_no_reservation():
    facts = {"ndots": "5", "queries": "8", "ms": "12.0", "plain_ms": "3.0", "found": OUTSIDE}
    looked = msgspec.structs.replace(asked("search", OUTSIDE, ok(SERVICE, OUTSIDE)), service=facts)
    run, found = judged(GOOD, samples(ok, ok, ok), looked)
    assert found["cluster-dns.forwards"] == PASS
    (said,) = [one.reason for one in run.verdicts if one.requirement == "cluster-dns.forwards"]
    assert "ndots:5 makes 8 queries of one lookup (12.0 ms instead of 3.0)" in said


@pytest.mark.parametrize(("server", "words"), [("169.254.10.11:53", "may answer what is stale"), ("10.0.0.4:53", "")])
def test_a_lookup_that_fails_behind_a_cache_says_so(server, words):
    one = check("storage.blob.resolve", "origin.dns", at="pod/user1")
    seen_there = observation(hop(dns=dns(servfail(server)), connections=(), http=UNSET), at="pod/user1")
    run = judge(evidence(plan(one), seen_there, facts=(vantage("pod/user1", "coredns", (server,)),)))
    assert run.verdicts[0].cause == "dns.servfail"
    assert ("stale" in run.verdicts[0].reason) is bool(words)
    assert words in run.verdicts[0].reason


@pytest.mark.parametrize("wanted", list(Format))
def test_every_format_shows_it(wanted):
    run, _ = judged(GOOD, samples(ok, servfail, silent, ok), *straight(1, A), *STUCK_B)
    shown = RENDERERS[wanted](run)
    assert "coredns-b" in shown or wanted is Format.JUNIT  # which shows verdicts, not findings
    assert "10.96.0.10:53" in shown


def test_many_places_behind_one_broken_way_are_one_finding_of_few_lines():
    names = [f"pod/p{number}" for number in range(9)]
    views = [seen(MUTE, samples(silent, silent), *ALL_MUTE, at=name) for name in names]
    works = seen(GOOD, samples(ok, ok), *straight(1, A), *straight(2, B), at="pod/system")
    every = [one for view in (*views, works) for one in checks(view.vantage)]
    the_plan = msgspec.structs.replace(plan(*every), cluster=CLUSTER)
    (finding,) = judge(evidence(the_plan, *views, works)).findings
    assert list(finding.vantages) == names
    assert sum("pod to CoreDNS" in line for line in finding.why) == 4
    assert "and the same from 5 more places" in finding.why
    assert finding.title.startswith("Open UDP and TCP 53 from pod/p0")
