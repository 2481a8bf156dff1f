"""What DNS servers said, as the consumer at the place takes it."""

import pytest
from builders.facts import (
    HOST,
    PRIVATE,
    PUBLIC,
    answer,
    check,
    connection,
    dns,
    hop,
    nodata_aaaa,
    observation,
    proxied,
    resolved,
    timeout,
    tls,
    vantage,
)

from preflight.judge import dns as judge_dns
from preflight.judge.scene import Scene, moment
from preflight.model.observation import SystemLookup
from preflight.model.plan import Expect
from preflight.model.vocabulary import Link, Status

ZONE = "privatelink.blob.core.windows.net"
CHAIN = (HOST, f"stmlprod.{ZONE}")
SECOND = "10.0.0.5:53"
PRIVATE_LINK = Expect(link=Link.PRIVATE, private_zone=ZONE)
ANY = Expect(private_zone=ZONE)


def judged(facts, expect=ANY, place=None, **hop_stages):
    place = place or vantage()
    the_hop = hop(dns=facts, **hop_stages)
    scene = Scene(observation=observation(the_hop, at=place.vantage), facts=place, now=moment("2026-11-22T10:00:00Z"))
    return judge_dns.judge(check(expect=expect, at=place.vantage), the_hop, scene)


def one(**more):
    return dns(answer(**more), nodata_aaaa())


@pytest.mark.parametrize(
    ("facts", "expect", "cause"),
    [
        pytest.param(one(rcode="NXDOMAIN"), ANY, "dns.nxdomain", id="nxdomain"),
        pytest.param(one(), ANY, "dns.nodata", id="nodata in both families"),
        pytest.param(one(rcode="SERVFAIL"), ANY, "dns.servfail", id="servfail"),
        pytest.param(one(rcode="REFUSED"), ANY, "dns.refused", id="refused"),
        pytest.param(one(rcode="FORMERR"), ANY, "dns.malformed", id="an rcode that no resolver gives to a plain query"),
        pytest.param(one(result="malformed"), ANY, "dns.malformed", id="garbage"),
        pytest.param(one(result="timeout"), ANY, "dns.timeout", id="silence"),
        pytest.param(one(result="error", errno="ECONNREFUSED"), ANY, "dns.timeout", id="port closed"),
        pytest.param(one(result="error", errno="ENETUNREACH"), ANY, "route.unreachable", id="no route to the server"),
        pytest.param(one(result="error", errno="EPERM"), ANY, "route.prohibited", id="local firewall to the server"),
        pytest.param(
            one(result="timeout", transport="tcp", truncated=True), ANY, "dns.tcp-blocked", id="truncated, then no TCP"
        ),
        pytest.param(
            one(rcode="NXDOMAIN", chain=CHAIN), ANY, "dns.privatelink-record-missing", id="linked zone, no record"
        ),
        pytest.param(
            one(chain=CHAIN), ANY, "dns.rebind-filtered", id="the chain leads into private link, address stripped"
        ),
        pytest.param(
            dns(answer(PUBLIC, chain=CHAIN)),
            PRIVATE_LINK,
            "dns.privatelink-public-answer",
            id="private link name, public answer, private expected",
        ),
        pytest.param(
            dns(answer(PUBLIC, chain=CHAIN)),
            Expect(public_access_denied=True),
            "dns.privatelink-public-answer",
            id="private link name, public answer, public access denied",
        ),
        pytest.param(resolved(PUBLIC), PRIVATE_LINK, "dns.public-when-private-expected", id="no private endpoint"),
        pytest.param(
            resolved(PRIVATE),
            Expect(link=Link.PUBLIC),
            "dns.private-when-public-expected",
            id="private, public expected",
        ),
        pytest.param(resolved("0.0.0.0"), ANY, "dns.sinkhole", id="unspecified address"),
        pytest.param(resolved("127.0.0.1"), ANY, "dns.sinkhole", id="loopback for a catalogue name"),
        pytest.param(resolved("146.112.61.106"), ANY, "dns.sinkhole", id="known block address"),
        pytest.param(
            dns(answer(PUBLIC, chain=(HOST, "sinkhole.paloaltonetworks.com"))),
            ANY,
            "dns.sinkhole",
            id="known block name",
        ),
        pytest.param(
            resolved(PUBLIC), Expect(addresses=("20.1.2.3",)), "endpoint.wrong-address", id="another router's address"
        ),
        pytest.param(
            resolved("20.1.2.3", PUBLIC),
            Expect(addresses=("20.1.2.3",)),
            "endpoint.wrong-address",
            id="a stale second record",
        ),
        pytest.param(
            dns(answer("2603:1030::5", rtype="AAAA"), answer()),
            ANY,
            "dns.nodata",
            id="only a family without a route here",
        ),
    ],
)
def test_a_bad_answer_is_a_failure_with_its_own_cause(facts, expect, cause):
    outcome = judged(facts, expect)
    assert (outcome.status, outcome.cause) == (Status.FAIL, cause)
    assert outcome.reason


@pytest.mark.parametrize(
    ("facts", "expect"),
    [
        pytest.param(resolved(PUBLIC), ANY, id="public answer, nothing expected"),
        pytest.param(dns(answer(PRIVATE, chain=CHAIN), nodata_aaaa(chain=CHAIN)), PRIVATE_LINK, id="private endpoint"),
        pytest.param(dns(answer(PUBLIC, chain=CHAIN)), ANY, id="somebody's private endpoint, public path allowed"),
        pytest.param(resolved("203.0.113.20"), Expect(link=Link.PUBLIC), id="documentation ranges are public"),
        pytest.param(resolved("100.64.0.9"), PRIVATE_LINK, id="carrier-grade NAT range as internal"),
        pytest.param(resolved("fd00::7", rtype="AAAA"), Expect(catalogue_name=False), id="unique local"),
        pytest.param(resolved("20.1.2.3"), Expect(addresses=("20.1.2.3", "20.1.2.4")), id="the router's address"),
        pytest.param(
            dns(answer("20.1.2.3"), answer("2603:1030::5", rtype="AAAA")),
            Expect(addresses=("20.1.2.3",)),
            id="the router's address, and one of the family that nobody spoke of",
        ),
        pytest.param(resolved("127.0.0.1"), Expect(catalogue_name=False), id="loopback of a dependency"),
        pytest.param(dns(system=SystemLookup(result="literal", addresses=(PUBLIC,))), ANY, id="an address, no name"),
        pytest.param(
            dns(answer(PUBLIC), nodata_aaaa(), system=SystemLookup(result="replaced")), ANY, id="mapped resolver"
        ),
        pytest.param(
            dns(timeout(), answer(PUBLIC, attempt=2), nodata_aaaa()),
            ANY,
            id="a lost datagram, the second attempt answers",
        ),
        pytest.param(
            dns(answer(PUBLIC), answer("20.60.1.5", server=SECOND)), Expect(), id="servers rotate public addresses"
        ),
    ],
)
def test_a_healthy_answer_stays_clean(facts, expect):
    place = vantage(families=("ipv4", "ipv6"))
    outcome = judged(facts, expect, place)
    assert (outcome.status, outcome.cause) == (Status.PASS, None)


def test_an_undocumented_name_that_does_not_exist_is_unknown():
    expect = Expect(options={"nxdomain": "telemetry.name-undocumented"})
    outcome = judged(one(rcode="NXDOMAIN"), expect)
    assert (outcome.status, outcome.cause) == (Status.UNKNOWN, "telemetry.name-undocumented")


def test_no_configured_server_is_a_failure_unless_the_system_answers_by_other_means():
    place = vantage(servers=())
    assert judged(dns(), place=place).cause == "dns.no-resolver"
    assert judged(dns(system=SystemLookup(result="answer", addresses=(PUBLIC,))), place=place).status is Status.PASS


def test_a_lookup_that_was_never_finished_says_nothing():
    assert judged(dns()) is None


GOOD, DEAD, ABSENT = answer(PRIVATE, chain=CHAIN), timeout(), answer(rcode="NXDOMAIN")


def at(server, *answers):
    return tuple(answer_at(server, each) for each in answers)


def answer_at(server, each):
    import msgspec

    return msgspec.structs.replace(each, server=server)


@pytest.mark.parametrize(
    ("consumer", "first", "second", "expected"),
    [
        ("glibc", GOOD, DEAD, (Status.WARN, "dns.server-dead")),
        ("glibc", DEAD, GOOD, (Status.WARN, "dns.server-dead")),
        ("glibc", DEAD, DEAD, (Status.FAIL, "dns.timeout")),
        ("glibc", GOOD, ABSENT, (Status.WARN, "dns.inconsistent")),
        ("glibc", ABSENT, GOOD, (Status.FAIL, "dns.nxdomain")),
        ("glibc", answer(rcode="SERVFAIL"), GOOD, (Status.WARN, "dns.inconsistent")),
        ("glibc", answer(rcode="REFUSED"), DEAD, (Status.FAIL, "dns.refused")),
        ("systemd-resolved", DEAD, GOOD, (Status.WARN, "dns.server-dead")),
        ("systemd-resolved", GOOD, ABSENT, (Status.WARN, "dns.inconsistent")),
        ("coredns", GOOD, ABSENT, (Status.FAIL, "dns.inconsistent")),
        ("coredns", ABSENT, GOOD, (Status.FAIL, "dns.inconsistent")),
        ("coredns", GOOD, answer(PUBLIC, chain=CHAIN), (Status.FAIL, "dns.inconsistent")),
        ("coredns", GOOD, answer("10.1.1.99", chain=CHAIN), (Status.FAIL, "dns.inconsistent")),
        ("coredns", GOOD, DEAD, (Status.WARN, "dns.server-dead")),
        ("coredns", ABSENT, ABSENT, (Status.FAIL, "dns.nxdomain")),
        ("coredns", DEAD, DEAD, (Status.FAIL, "dns.timeout")),
        ("coredns", GOOD, GOOD, (Status.PASS, None)),
        ("glibc", GOOD, GOOD, (Status.PASS, None)),
    ],
)
def test_two_servers_are_judged_as_their_consumer_asks_them(consumer, first, second, expected):
    facts = dns(*at("10.0.0.4:53", first), *at(SECOND, second))
    place = vantage(consumer=consumer, servers=("10.0.0.4:53", SECOND))
    outcome = judged(facts, PRIVATE_LINK if GOOD in (first, second) else ANY, place)
    assert (outcome.status, outcome.cause) == expected


@pytest.mark.parametrize(
    ("stage", "status"),
    [(connection(PRIVATE), Status.WARN), (connection(PRIVATE, result="timeout"), Status.FAIL)],
)
def test_a_first_server_that_leads_to_nothing_is_to_blame_where_the_second_says_otherwise(stage, status):
    facts = dns(GOOD, answer_at(SECOND, answer("10.1.1.99", chain=CHAIN)))
    outcome = judged(facts, PRIVATE_LINK, vantage(servers=("10.0.0.4:53", SECOND)), connections=(stage,))
    assert (outcome.status, outcome.cause) == (status, "dns.inconsistent")


def test_rotate_makes_glibc_ask_any_server():
    facts = dns(GOOD, answer_at(SECOND, ABSENT))
    outcome = judged(facts, place=vantage(servers=("10.0.0.4:53", SECOND), options=("rotate",)))
    assert (outcome.status, outcome.cause) == (Status.FAIL, "dns.inconsistent")


def test_glibc_never_asks_a_fourth_server():
    servers = [f"10.0.0.{number}:53" for number in range(4, 8)]
    facts = dns(*(answer_at(server, GOOD) for server in servers[:3]), answer_at(servers[3], DEAD))
    assert judged(facts, PRIVATE_LINK, vantage(servers=tuple(servers))).status is Status.PASS


@pytest.mark.parametrize(
    "bad", [answer(rtype="AAAA", rcode="SERVFAIL"), timeout(rtype="AAAA"), answer(rtype="AAAA", rcode="NXDOMAIN")]
)
def test_failing_aaaa_beside_a_good_a_is_a_warning(bad):
    outcome = judged(dns(answer(PUBLIC), bad))
    assert (outcome.status, outcome.cause) == (Status.WARN, "dns.aaaa-failing")


def test_on_an_ipv6_only_place_the_a_record_is_the_side_show():
    place = vantage(families=("ipv6",))
    assert judged(dns(answer(), answer("2603:1030::5", rtype="AAAA")), place=place).status is Status.PASS
    assert judged(dns(answer(PUBLIC), nodata_aaaa()), place=place).cause == "dns.nodata"


def test_the_hosts_file_counts_and_a_difference_is_a_warning():
    outcome = judged(dns(answer(PUBLIC), hosts=("20.60.1.9",)))
    assert (outcome.status, outcome.cause) == (Status.WARN, "dns.hosts-override")


def test_a_hosts_file_that_says_what_dns_says_is_nothing():
    assert judged(dns(answer(PUBLIC), hosts=(PUBLIC,))).status is Status.PASS


def test_a_hosts_file_that_leads_astray_is_a_failure():
    outcome = judged(dns(answer(PRIVATE, chain=CHAIN), hosts=("127.0.0.1",)), PRIVATE_LINK)
    assert (outcome.status, outcome.cause) == (Status.FAIL, "dns.hosts-override")


@pytest.mark.parametrize(("place", "status"), [("node/user1", Status.PASS), ("pod/user1", Status.WARN)])
def test_aks_writes_the_api_server_into_the_hosts_file_of_nodes(place, status):
    facts = dns(ABSENT, hosts=("10.2.0.4",))
    outcome = judged(facts, Expect(trust="cluster-ca"), vantage(place))
    assert outcome.status is status
    assert ("proves nothing of DNS" in outcome.reason) is (status is Status.PASS)


def test_the_systems_own_lookup_shows_split_dns_that_no_query_shows():
    facts = dns(answer(PUBLIC), system=SystemLookup(result="answer", addresses=(PRIVATE,)))
    outcome = judged(facts)
    assert (outcome.status, outcome.cause) == (Status.WARN, "dns.inconsistent")


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        pytest.param(connection(address="20.60.1.9"), Status.WARN, id="the service answers there"),
        pytest.param(connection(address="20.60.1.9", result="timeout"), Status.FAIL, id="silence"),
        pytest.param(connection(address="20.60.1.9", result="error", errno="ECONNREFUSED"), Status.FAIL, id="refused"),
        pytest.param(
            connection(address="20.60.1.9", secure=tls("unverified", verify_code=62)), Status.FAIL, id="somebody else"
        ),
        pytest.param(
            connection(address="20.60.1.9", secure=tls("unverified", verify_code=20)), Status.WARN, id="inspection"
        ),
    ],
)
def test_a_hosts_file_line_is_to_blame_when_the_service_is_not_where_it_leads(stage, status):
    outcome = judged(dns(answer(PUBLIC), hosts=("20.60.1.9",)), connections=(stage,))
    assert (outcome.status, outcome.cause) == (status, "dns.hosts-override")


def test_a_hosts_file_line_that_says_what_dns_says_is_not_to_blame_for_silence():
    silent = connection(result="timeout")
    assert judged(dns(answer(PUBLIC), hosts=(PUBLIC,)), connections=(silent,)).status is Status.PASS


@pytest.mark.parametrize(
    ("own", "expect", "search", "ndots", "expected"),
    [
        (PRIVATE, ANY, ("corp.example",), 5, (Status.FAIL, "dns.search-domain")),
        (PRIVATE, ANY, ("corp.example",), 1, (Status.WARN, "dns.inconsistent")),
        (PRIVATE, ANY, (), 5, (Status.WARN, "dns.inconsistent")),
        (PUBLIC, ANY, ("corp.example",), 5, (Status.PASS, None)),
        ("20.60.1.77", ANY, ("corp.example",), 5, (Status.PASS, None)),  # public addresses change from answer to answer
    ],
)
def test_a_search_domain_that_answers_first_is_found_by_the_systems_own_lookup(own, expect, search, ndots, expected):
    facts = dns(answer(PUBLIC), system=SystemLookup(result="answer", addresses=(own,)))
    outcome = judged(facts, expect, vantage(search=search, ndots=ndots))
    assert (outcome.status, outcome.cause) == expected


def test_another_private_address_than_the_private_endpoints_is_a_difference():
    facts = dns(answer(PRIVATE, chain=CHAIN), system=SystemLookup(result="answer", addresses=("10.9.9.9",)))
    assert judged(facts, PRIVATE_LINK).cause == "dns.inconsistent"
    assert judged(facts, PRIVATE_LINK, vantage(search=("corp.example",), ndots=5)).cause == "dns.search-domain"


def test_a_compared_resolver_explains_and_changes_no_status():
    other = answer(PRIVATE, server="168.63.129.16:53", role="compared", chain=CHAIN)
    alone, compared = dns(answer(PUBLIC, chain=CHAIN)), dns(answer(PUBLIC, chain=CHAIN), other)
    for expect in (ANY, PRIVATE_LINK):
        before, after = judged(alone, expect), judged(compared, expect)
        assert (before.status, before.cause) == (after.status, after.cause)
        assert "168.63.129.16:53 says: 10.1.1.5" in after.reason


@pytest.mark.parametrize("said", [answer(), answer(rcode="REFUSED")])
def test_a_private_address_that_only_the_compared_resolver_gives_was_filtered(said):
    other = answer(PRIVATE, server="168.63.129.16:53", role="compared", chain=CHAIN)
    assert judged(dns(said, other)).cause == "dns.rebind-filtered"


def test_behind_a_proxy_the_targets_dns_is_side_evidence():
    bad = one(rcode="NXDOMAIN")
    the_hop = proxied(dns=bad)
    scene = Scene(observation=observation(the_hop), facts=vantage(), now=moment("2026-11-22T10:00:00Z"))
    outcome = judge_dns.judge(check(), the_hop, scene)
    assert outcome.status is Status.PASS
    assert "NXDOMAIN" in outcome.reason


def test_nothing_but_the_family_that_nobody_spoke_of_is_a_wrong_address():
    facts = dns(answer("2603:1030::5", rtype="AAAA"), answer())
    outcome = judged(facts, Expect(addresses=("20.1.2.3",)), vantage(families=("ipv4", "ipv6")))
    assert outcome.cause == "endpoint.wrong-address"


def test_a_name_that_only_the_system_s_own_lookup_could_be_asked_for_is_unresolved():
    failed = SystemLookup(result="failed", error="curl")
    assert judged(dns(system=failed)).cause == "dns.unresolved"
    silent = SystemLookup(result="timeout", error="getent", duration_ms=7000)
    assert judged(dns(system=silent)).cause == "dns.timeout"
