"""Route, TCP, proxy, TLS and HTTP: facts of one hop to one cause, and the shapes that must stay clean."""

import pytest
from builders.facts import (
    CORPORATE,
    HOST,
    PRIVATE,
    PUBLIC,
    answer,
    certificate,
    change,
    check,
    connection,
    dns,
    hop,
    http,
    observation,
    proxied,
    resolved,
    tcp,
    through_proxy,
    timeout,
    tls,
    vantage,
)
from msgspec import UNSET

from preflight.judge.outcome import PASS
from preflight.judge.scene import Scene, moment
from preflight.judge.verdicts import judge_task
from preflight.judge.walk import Tables
from preflight.model.causes import CAUSES
from preflight.model.observation import SystemLookup
from preflight.model.plan import Expect
from preflight.model.vocabulary import ProbeName, Severity, Status

NOW = moment("2026-11-22T10:00:00Z")
SECOND = "20.60.1.9"
V6 = "2603:1030::5"
ISSUERS = Expect(issuers=("Microsoft Azure", "DigiCert"))
DEPENDENCY = Expect(catalogue_name=False)
ALPN = Expect(alpn=("h2",))
CLUSTER_CA = Expect(trust="cluster-ca")
SILENT_SERVICES = Tables(
    answer=dict.fromkeys(ProbeName, lambda _check, _hop, _observation: PASS),
    missing=dict.fromkeys(ProbeName, lambda _check, _role, _observation: PASS),
)


def verdict(the_hop, expect=ISSUERS, *, probe=ProbeName.HTTP, families=("ipv4",), others=(), at="node/user1", **more):
    scene = Scene(
        observation=observation(the_hop, *others, probe=probe, at=at), facts=vantage(families=families), now=NOW
    )
    one = check(
        "mcr.reach",
        "origin.proxy",
        "origin.dns",
        "origin.tcp",
        "origin.tls",
        "origin.http",
        at=at,
        expect=expect,
        **more,
    )
    return judge_task([one], scene, tables=SILENT_SERVICES)[one.id]


def unconnected(**more):
    return hop(connections=(connection(secure=False, **more),), http=UNSET)


def told(code, errno="EHOSTUNREACH", address=PUBLIC):
    """A device on the way answered with ICMP."""
    seen = connection(address, secure=False, result="error", errno=errno, icmp_code=code, icmp_from="10.0.0.1")
    looked_up = dns(answer(address, rtype="AAAA"), answer()) if ":" in address else resolved(address)
    return hop(dns=looked_up, connections=(seen,), http=UNSET)


def handshake(result="ok", **more):
    after = http() if result == "ok" else UNSET
    return hop(connections=(connection(secure=tls(result, **more)),), http=after)


def unverified(code, issuer=CORPORATE, chain=None, **more):
    return handshake(
        "unverified", verify_code=code, verify_message="verify failed", chain=chain or (certificate(issuer),), **more
    )


def page(body, status=200, **more):
    return hop(http=http(status, body, headers=(("content-type", "text/html"),)), **more)


def clamped(result):
    plain = connection(secure=tls("timeout"))
    small = change(connection(secure=tls(result)), tcp=tcp(attempt=2, mss=1200))
    return hop(connections=(plain, small), http=http() if result == "ok" else UNSET)


REDIRECTS = [
    hop(role=f"origin.redirect{number}", http=http(302, headers=(("location", "/again"),))) for number in range(1, 6)
]
LOOP = hop(http=http(302, headers=(("location", "/again"),)))
AZURE_FIREWALL_TEXT = "Action: Deny. Reason: No rule matched. Proceeding with default action."

BAD = [
    # -- route, tcp
    ("route.unreachable", unconnected(result="error", errno="ENETUNREACH"), ISSUERS, "no route"),
    ("route.unreachable", unconnected(result="error", errno="EHOSTUNREACH"), ISSUERS, "icmp host unreachable"),
    ("route.prohibited", unconnected(result="error", errno="EACCES"), ISSUERS, "icmp administratively prohibited"),
    ("route.prohibited", told(13), ISSUERS, "icmp communication administratively prohibited"),
    ("route.prohibited", told(10), ISSUERS, "icmp host administratively prohibited"),
    ("route.unreachable", told(1), ISSUERS, "icmp host unreachable, with its sender"),
    ("tcp.refused", told(3, "ECONNREFUSED"), ISSUERS, "icmp port unreachable"),
    ("tcp.refused", unconnected(result="error", errno="ECONNREFUSED"), ISSUERS, "reset to the SYN"),
    ("tcp.reset", unconnected(result="error", errno="ECONNRESET"), ISSUERS, "reset while connecting"),
    ("tcp.timeout", unconnected(result="timeout"), ISSUERS, "silence"),
    (
        "tcp.timeout",
        hop(
            dns=resolved(PUBLIC, SECOND),
            connections=(connection(PUBLIC, result="timeout"), connection(SECOND, result="timeout")),
            http=UNSET,
        ),
        ISSUERS,
        "all addresses silent",
    ),
    (
        "tcp.refused",
        hop(
            connections=(connection(result="timeout"), connection(result="error", errno="ECONNREFUSED", attempt=2)),
            http=UNSET,
        ),
        ISSUERS,
        "the second attempt meets a device that speaks",
    ),
    (
        "tcp.timeout",
        hop(
            connections=(connection(V6, result="error", errno="ENETUNREACH"), connection(result="timeout")), http=UNSET
        ),
        ISSUERS,
        "what a usable family says outweighs the other",
    ),
    (
        "route.unreachable",
        hop(dns=dns(system=SystemLookup(result="literal", addresses=(V6,)), used=(V6,)), connections=(), http=UNSET),
        ISSUERS,
        "an address of a family that has no route here",
    ),
    # -- proxy
    (
        "proxy.unresolved",
        proxied(None, proxy=through_proxy(None, dns=dns(answer(rcode="NXDOMAIN")), connections=())),
        ISSUERS,
        "the proxy's name does not exist",
    ),
    (
        "proxy.unreachable",
        proxied(None, proxy=through_proxy(None, connections=(connection("10.9.9.9", result="timeout"),))),
        ISSUERS,
        "the proxy is silent",
    ),
    (
        "proxy.unreachable",
        proxied(None, proxy=through_proxy(None, connections=(connection("10.9.9.9", secure=tls("unverified")),))),
        ISSUERS,
        "the proxy's own certificate",
    ),
    ("proxy.auth-required", proxied(407), ISSUERS, "407"),
    ("proxy.denied", proxied(403), ISSUERS, "403 to CONNECT"),
    ("proxy.failed", proxied(503), ISSUERS, "503 to CONNECT"),
    (
        "proxy.failed",
        proxied(None, proxy=through_proxy(200, connect={"result": "reset"})),
        ISSUERS,
        "cut after CONNECT",
    ),
    (
        "proxy.failed",
        proxied(None, proxy=through_proxy(200, connect={"result": "timeout"})),
        ISSUERS,
        "no answer to CONNECT",
    ),
    (
        "proxy.auth-required",
        hop(url=f"http://{HOST}/", dns=UNSET, connections=(), proxy=through_proxy(None), http=http(407)),
        DEPENDENCY,
        "407 to a plain request",
    ),
    (
        "proxy.denied",
        hop(
            url=f"http://{HOST}/",
            dns=UNSET,
            connections=(),
            proxy=through_proxy(None),
            http=http(403, headers=(("X-Squid-Error", "ERR_ACCESS_DENIED 0"),)),
        ),
        DEPENDENCY,
        "the proxy's own 403 to a plain request",
    ),
    ("tls.closed", proxied(200, tls=tls("closed"), http=UNSET), ISSUERS, "closed inside the tunnel"),
    # -- tls
    ("tls.reset-after-hello", handshake("reset", errno="ECONNRESET"), ISSUERS, "reset before any byte"),
    ("tls.closed", handshake("closed"), ISSUERS, "end of file before any byte"),
    ("tls.closed", handshake("reset", bytes_received=1200), ISSUERS, "reset in mid-handshake"),
    ("tls.timeout", handshake("timeout"), ISSUERS, "silence after the ClientHello"),
    ("tls.not-tls", handshake("not-tls", first_bytes=b"HTTP/1.1 400 Bad Request".hex()), ISSUERS, "plain HTTP on 443"),
    ("tls.not-tls", handshake("error", detail="bad record"), ISSUERS, "nonsense"),
    ("tls.alert", handshake("alert", alert="handshake_failure"), ISSUERS, "alert"),
    ("tls.version", handshake("alert", alert="protocol_version"), ISSUERS, "alert for the version"),
    (
        "tls.version",
        handshake("error", detail="[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol"),
        ISSUERS,
        "local refusal",
    ),
    ("tls.expired", unverified(10), ISSUERS, "verify code 10"),
    ("tls.not-yet-valid", unverified(9), ISSUERS, "verify code 9"),
    ("tls.wrong-name", unverified(62), ISSUERS, "verify code 62"),
    ("tls.intercepted", unverified(20), ISSUERS, "another issuer than the expected ones"),
    ("tls.intercepted", unverified(18, chain=(certificate(CORPORATE, subject=CORPORATE),)), ISSUERS, "self-signed"),
    (
        "tls.untrusted",
        unverified(19, chain=(certificate(), certificate("CN=Microsoft Azure Root"))),
        ISSUERS,
        "own root missing",
    ),
    ("tls.untrusted", unverified(20), DEPENDENCY, "a dependency with a private authority"),
    ("tls.untrusted", unverified(20, issuer="CN=Contoso TLS Inspection CA"), DEPENDENCY, "a device's leaf alone"),
    (
        "tls.untrusted",
        unverified(18, chain=(certificate("CN=x", subject="CN=x"),)),
        DEPENDENCY,
        "self-signed dependency",
    ),
    ("tls.untrusted", unverified(20, issuer="CN=ca"), CLUSTER_CA, "a cluster CA, but not the one given"),
    ("tls.intercepted", unverified(20), CLUSTER_CA, "no cluster calls its CA like that"),
    ("tls.incomplete-chain", unverified(20, issuer="CN=Example Intermediate CA"), DEPENDENCY, "leaf alone"),
    (
        "tls.incomplete-chain",
        unverified(20, issuer="CN=Microsoft Azure RSA TLS Issuing CA 04"),
        ISSUERS,
        "expected, leaf alone",
    ),
    ("tls.alpn-stripped", handshake(alpn=None), ALPN, "ALPN expected, nothing negotiated"),
    # -- http
    ("http.timeout", hop(http=http(result="timeout")), ISSUERS, "no answer"),
    ("http.reset", hop(http=http(result="reset")), ISSUERS, "reset"),
    ("http.reset", hop(http=http(result="closed")), ISSUERS, "end of file"),
    ("http.malformed", hop(http=http(result="malformed")), ISSUERS, "not HTTP"),
    ("http.malformed", hop(http=http(result="too-large")), ISSUERS, "endless header"),
    ("http.block-page", hop(http=http(470, AZURE_FIREWALL_TEXT)), ISSUERS, "Azure Firewall's own text"),
    ("http.block-page", page("<html>Internet Security by Zscaler</html>", 403), DEPENDENCY, "Zscaler"),
    ("http.block-page", page("<h1>FortiGuard Intrusion Prevention - Access Blocked</h1>"), DEPENDENCY, "FortiGate"),
    ("http.block-page", hop(http=http(511)), DEPENDENCY, "captive portal"),
    ("http.stalled", clamped("ok"), ISSUERS, "the handshake passes with small segments"),
    ("http.stalled", hop(http=http(result="timeout"), clamped=http()), ISSUERS, "the answer comes with small segments"),
    ("http.redirect-loop", LOOP, ISSUERS, "redirects without end"),
]
ELSEWHERE = {"http.unexpected-status", "tls.expiring", "tcp.lossy"}  # a service's judge; warnings


@pytest.mark.parametrize(
    ("cause", "the_hop", "expect"), [row[:3] for row in BAD], ids=[f"{row[0]}: {row[3]}" for row in BAD]
)
def test_each_shape_of_failure_has_its_cause(cause, the_hop, expect):
    others = REDIRECTS if the_hop is LOOP else ()
    at = "pod/user1" if cause == "tls.intercepted" else "node/user1"  # at a node the kubelet's own pull decides
    found = verdict(the_hop, expect, others=others, at=at)
    assert (found.status, found.cause) == (Status.FAIL, cause)
    assert found.owner is CAUSES[cause].owner
    assert found.reason
    assert found.at


def test_every_cause_of_these_stages_stands_in_the_table():
    families = ("route", "tcp", "proxy", "tls", "http")
    wanted = {cause for cause in CAUSES if cause.partition(".")[0] in families}
    assert wanted - {row[0] for row in BAD} == ELSEWHERE


@pytest.mark.parametrize(
    ("the_hop", "expect"),
    [
        pytest.param(hop(), ISSUERS, id="healthy"),
        pytest.param(proxied(), ISSUERS, id="through a proxy"),
        pytest.param(
            proxied(dns=dns(answer(rcode="NXDOMAIN"))), ISSUERS, id="the proxy resolves what this place cannot"
        ),
        pytest.param(
            hop(connections=(connection(V6, result="error", errno="ENETUNREACH"), connection())),
            ISSUERS,
            id="no IPv6 here",
        ),
        pytest.param(
            hop(connections=(connection(result="timeout"), change(connection(), tcp=tcp(attempt=2)))),
            ISSUERS,
            id="the second attempt connects",
        ),
        pytest.param(
            handshake(chain=(certificate(CORPORATE),), trust="system+ca_file"),
            ISSUERS,
            id="inspected, trusted by ca_file",
        ),
        pytest.param(handshake(chain=(certificate(CORPORATE),)), DEPENDENCY, id="a dependency with any trusted issuer"),
        pytest.param(handshake(chain=()), ISSUERS, id="a chain that could not be read"),
        pytest.param(handshake(alpn=None), ISSUERS, id="no ALPN where none is expected"),
        pytest.param(handshake(chain=(certificate(not_after="2026-12-01T00:00:00Z"),)), ISSUERS, id="nine days left"),
        pytest.param(page("<html><title>Welcome</title></html>"), DEPENDENCY, id="a dependency may answer in HTML"),
        pytest.param(hop(http=http(200, '{"vendor": "Zscaler"}')), ISSUERS, id="data that mentions a product"),
        pytest.param(hop(dns=resolved(PRIVATE), connections=(connection(PRIVATE),)), ISSUERS, id="private endpoint"),
        pytest.param(hop(url=f"http://{HOST}/", connections=(connection(secure=False),)), DEPENDENCY, id="plain HTTP"),
    ],
)
def test_each_healthy_shape_stays_clean(the_hop, expect):
    found = verdict(the_hop, expect)
    assert (found.status, found.cause, found.owner, found.at) == (Status.PASS, None, None, None)


@pytest.mark.parametrize(
    ("the_hop", "cause"),
    [
        pytest.param(
            hop(connections=(connection(), connection(SECOND, result="timeout"))),
            "tcp.timeout",
            id="one of two is dead",
        ),
        pytest.param(
            hop(connections=(connection(V6, result="timeout"), connection())),
            "tcp.timeout",
            id="IPv6 is advertised, and dead",
        ),
        pytest.param(
            hop(connections=(connection(), connection(SECOND, secure=tls("reset")))),
            "tls.reset-after-hello",
            id="one of two is cut",
        ),
        pytest.param(
            handshake(chain=(certificate(not_after="2026-11-25T00:00:00Z"),)), "tls.expiring", id="three days left"
        ),
        pytest.param(
            handshake(chain=(certificate(CORPORATE),)),
            "tls.intercepted",
            id="inspected, trusted by this place's store only",
        ),
    ],
)
def test_what_holds_with_a_reservation_is_a_warning(the_hop, cause):
    found = verdict(the_hop, families=("ipv4", "ipv6"))
    assert (found.status, found.cause) == (Status.WARN, cause)


@pytest.mark.parametrize(
    ("probe", "status", "body", "found"),
    [
        (ProbeName.REGISTRY, 200, "<html><title>Guest access</title></html>", "http.block-page"),
        (ProbeName.ENTRA, 403, "<html><h1>Access to this site is blocked</h1></html>", "http.block-page"),
        (ProbeName.ENTRA, 404, "<html>not found</html>", None),
        (ProbeName.HTTP, 200, "<html>Welcome</html>", None),
        (ProbeName.HTTP, 403, "<html><body>Access denied by policy</body></html>", "http.block-page"),
        (ProbeName.HTTP, 403, "<html>The firewall blocked this category</html>", "http.block-page"),
        (ProbeName.HTTP, 200, "<html><title>Web Page Blocked</title></html>", "http.block-page"),
        (ProbeName.HTTP, 200, "<html><title>Docs</title><p>How a firewall policy blocks a page</html>", None),
    ],
)
def test_html_where_a_service_answers_with_data_is_somebody_elses(probe, status, body, found):
    assert verdict(page(body, status), probe=probe).cause == found


def test_the_second_attempt_is_told_in_the_reason():
    found = verdict(
        hop(connections=(connection(result="timeout"), connection(result="timeout", attempt=2)), http=UNSET)
    )
    assert "2 attempts" in found.reason


def test_a_recommended_requirement_only_warns():
    found = verdict(unconnected(result="timeout"), severity=Severity.RECOMMENDED)
    assert (found.status, found.cause) == (Status.WARN, "tcp.timeout")


def test_a_socket_error_of_our_own_says_nothing_about_the_network():
    found = verdict(unconnected(result="error", errno="EMFILE"))
    assert (found.status, found.cause) == (Status.UNKNOWN, "preflight.internal")


def test_now_is_the_runs_start_and_never_the_clock():
    the_hop = handshake(chain=(certificate(not_after="2020-01-05T00:00:00Z"),))
    one = check()
    scene = Scene(observation=observation(the_hop), facts=vantage(), now=moment("2020-01-01T00:00:00Z"))
    assert judge_task([one], scene, tables=SILENT_SERVICES)[one.id].cause == "tls.expiring"


def test_silence_of_all_servers_is_judged_before_any_connection():
    found = verdict(hop(dns=dns(timeout()), connections=(), http=UNSET))
    assert (found.cause, found.at) == ("dns.timeout", "origin.dns")


@pytest.mark.parametrize(("code", "cause"), [(0, "route.unreachable"), (6, "route.prohibited")])
def test_icmpv6_has_codes_of_its_own(code, cause):
    assert verdict(told(code, "ENETUNREACH", V6), families=("ipv4", "ipv6")).cause == cause


@pytest.mark.parametrize(
    ("at", "reach", "manifest"),
    [
        ("node/user1", Status.WARN, Status.UNKNOWN),
        ("pod/user1", Status.FAIL, Status.BLOCKED),
        ("workstation", Status.FAIL, Status.BLOCKED),
    ],
)
def test_at_a_node_an_authority_that_the_image_does_not_trust_is_a_reservation_and_the_rest_is_unknown(
    at, reach, manifest
):
    seen = observation(unverified(20), at=at, finished=True)
    scene = Scene(observation=seen, facts=vantage(at), now=NOW)
    one = check("mcr.reach", "origin.proxy", "origin.tcp", "origin.tls", at=at, expect=ISSUERS)
    two = check("mcr.manifest", "origin.http", at=at, expect=ISSUERS)
    found = judge_task([one, two], scene, tables=SILENT_SERVICES)
    assert (found[one.id].status, found[one.id].cause) == (reach, "tls.intercepted")
    assert found[two.id].status is manifest
    if manifest is Status.UNKNOWN:
        assert found[two.id].cause == "tls.intercepted"
        assert "its own pull decides" in found[two.id].reason


@pytest.mark.parametrize(
    ("trust", "name", "result", "received", "cause"),
    [
        ("pods-ca", "10.96.0.1", "reset", 0, "kube.sni-missing"),
        ("pods-ca", "10.96.0.1", "closed", 0, "kube.sni-missing"),
        ("pods-ca", "10.96.0.1", "reset", 1200, "tls.closed"),
        ("pods-ca", "kubernetes.default.svc.cluster.local", "reset", 0, "tls.reset-after-hello"),
        ("cluster-ca", "a.hcp.westeurope.azmk8s.io", "reset", 0, "tls.reset-after-hello"),
        ("system", "10.1.1.5", "reset", 0, "tls.reset-after-hello"),
    ],
)
def test_an_api_server_that_is_cut_off_when_called_by_address_misses_a_server_name(
    trust, name, result, received, cause
):
    cut = tls(result, name, bytes_received=received)
    found = verdict(
        hop(url=f"https://{name}/version", connections=(connection(secure=cut),), http=UNSET), Expect(trust=trust)
    )
    assert (found.status, found.cause) == (Status.FAIL, cause)
