"""What tools of other versions and other makers say is read alike, and nothing that they could say breaks the reader."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from preflight.model.observation import ResolverFacts
from preflight.model.plan import Target, Task, VantagePlan
from preflight.model.vocabulary import ProbeName
from preflight.vantages.shell import lookups, openssl, replay, trace
from preflight.vantages.shell.stages import Place
from preflight.vantages.shell.words import told

HOST = "acr.example"
RESOLVER = ResolverFacts(consumer="coredns", nameservers=("10.0.0.10:53",))
PLACE = Place(resolver=RESOLVER)


def observed(section: dict[str, list[str]], scheme: str = "https", probe: ProbeName = ProbeName.REGISTRY):
    target = Target(scheme=scheme, host=HOST, port=443, path="/v2/" if scheme != "tcp" else "")
    plan = VantagePlan(run_id="r", vantage="pod/a", tasks=(Task(key="k", probe=probe, target=target),))

    async def go():
        (ask,) = await replay.asks(plan)
        return await replay.observe(ask, section, PLACE, plan)

    return asyncio.run(go())


OLD = """\
10:00:00.000000 *   Trying 10.1.2.3...
10:00:00.004000 * TCP_NODELAY set
10:00:00.005000 * Connected to acr.example (10.1.2.3) port 443 (#0)
10:00:00.006000 * ALPN, offering h2
10:00:00.020000 * TLSv1.2 (IN), TLS handshake, Server hello (2):
10:00:00.050000 * SSL connection using TLSv1.2 / ECDHE-RSA-AES256-GCM-SHA384
10:00:00.051000 * ALPN, server accepted to use http/1.1
10:00:00.052000 *  subject: CN=*.example
10:00:00.052000 *  issuer: C=US; O=Microsoft Corporation; CN=Microsoft Azure TLS Issuing CA 01
10:00:00.053000 > GET /v2/ HTTP/1.1
10:00:00.090000 < HTTP/1.1 401 Unauthorized
10:00:00.090000 < Www-Authenticate: Bearer realm="https://acr.example/oauth2/token",service="acr.example"
rc=0""".splitlines()
NEW = """\
23:59:59.990000 * Host acr.example:443 was resolved.
23:59:59.991000 * IPv4: 10.1.2.3
23:59:59.992000 *   Trying 10.1.2.3:443...
23:59:59.995000 * ALPN: curl offers h2,http/1.1
00:00:00.010000 * SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384 / x25519 / RSASSA-PSS
00:00:00.011000 * ALPN: server accepted h2
00:00:00.012000 *   issuer: C=US; O=Microsoft Corporation; CN=Microsoft Azure RSA TLS Issuing CA 07
00:00:00.012500 * Established connection to acr.example (10.1.2.3 port 443) from 10.9.9.9 port 50000\x20
00:00:00.013000 > GET /v2/ HTTP/2
00:00:00.050000 < HTTP/2 401\x20
00:00:00.050000 < www-authenticate: Bearer realm="https://acr.example/oauth2/token",service="acr.example"
rc=0""".splitlines()


@pytest.mark.parametrize(("lines", "alpn", "version"), [(OLD, "http/1.1", "TLSv1.2"), (NEW, "h2", "TLSv1.3")])
def test_curl_of_2018_and_of_2026_say_the_same(lines: list[str], alpn: str, version: str):
    hop = observed({"c": lines}).hops[0]
    (one,) = hop.connections
    assert (one.address, one.tcp.result, one.tls.result, one.tls.alpn, one.tls.version) == (
        "10.1.2.3", "connected", "ok", alpn, version,
    )  # fmt: skip
    assert "O=Microsoft Corporation" in one.tls.chain[0].issuer
    assert hop.http.status == 401
    assert hop.service["challenge"] == "bearer"
    assert 0 <= hop.http.duration_ms < 100


def ending(message: str, code: int, *before: str) -> list[str]:
    return [f"10:00:00.00{number}000 {line}" for number, line in enumerate(before)] + [
        f"curl: ({code}) {message}", f"rc={code}",
    ]  # fmt: skip


TRY, THERE = "*   Trying 10.1.2.3:443...", "* Connected to acr.example (10.1.2.3) port 443 (#0)"
HELLO = "* ALPN: offers h2,http/1.1"
ENDS = [
    pytest.param(ending("Connection timed out", 28, TRY), ("tcp", "timeout"), id="silence"),
    pytest.param(
        ending("Failed to connect", 7, TRY, "* connect to 10.1.2.3 port 443 from 10.9.9.9 port 5 failed: Connection refused"),
        ("tcp", "ECONNREFUSED"), id="refused, curl 8",
    ),
    pytest.param(
        ending("Couldn't connect", 7, TRY, "* connect to 10.1.2.3 port 443 failed: No route to host"),
        ("tcp", "EHOSTUNREACH"), id="no route",
    ),
    pytest.param(
        ending("Couldn't connect", 7, TRY, "* Immediate connect fail for 10.1.2.3: Network is unreachable"),
        ("tcp", "ENETUNREACH"), id="no network",
    ),
    pytest.param(ending("SSL connection timeout", 28, TRY, THERE, HELLO), ("tls", "timeout"), id="handshake hangs"),
    pytest.param(
        ending("OpenSSL SSL_connect: Connection reset by peer in connection to acr.example:443", 35, TRY, THERE, HELLO),
        ("tls", "reset"), id="reset after hello",
    ),
    pytest.param(
        ending("OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to acr.example:443", 35, TRY, THERE, HELLO),
        ("tls", "closed"), id="closed after hello",
    ),
    pytest.param(
        ending("error:0A00010B:SSL routines::wrong version number", 35, TRY, THERE, HELLO), ("tls", "not-tls"), id="plain",
    ),
    pytest.param(
        ending("OpenSSL/3.0.19: error:0A000458:SSL routines::tlsv1 unrecognized name", 35, TRY, THERE, HELLO),
        ("tls", "alert"), id="alert, OpenSSL 3",
    ),
    pytest.param(
        ending("error:0A000410:SSL routines::sslv3 alert handshake failure", 35, TRY, THERE, HELLO),
        ("tls", "alert"), id="alert",
    ),
    pytest.param(
        ending("SSL certificate problem: unable to get local issuer certificate", 60, TRY, THERE, HELLO),
        ("tls", "20"), id="unknown authority",
    ),
    pytest.param(
        ending("SSL: no alternative certificate subject name matches target host name 'acr.example'", 60, TRY, THERE),
        ("tls", "62"), id="wrong name",
    ),
    pytest.param(ending("SSL certificate problem: certificate has expired", 60, TRY, THERE), ("tls", "10"), id="expired"),
    pytest.param(
        ending("Empty reply from server", 52, TRY, THERE, "* SSL connection using TLSv1.3 / X", "> GET /v2/ HTTP/1.1"),
        ("http", "closed"), id="no answer",
    ),
    pytest.param(
        ending("Operation timed out", 28, TRY, THERE, "* SSL connection using TLSv1.3 / X", "> GET /v2/ HTTP/1.1"),
        ("http", "timeout"), id="answer hangs",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "end"), ENDS)
def test_each_way_to_fail_is_the_fact_that_the_engine_would_have_written(lines: list[str], end: tuple[str, str]):
    seen = observed({"c": lines})
    hop = seen.hops[0]
    one = hop.connections[0]
    facts = {
        "tcp": one.tcp.errno or one.tcp.result,
        "tls": UNSET if one.tls is UNSET else str(one.tls.verify_code or one.tls.result),
        "http": UNSET if hop.http is UNSET else hop.http.result,
    }
    stage, what = end
    assert facts[stage] == what
    later = {"tcp": ("tls", "http"), "tls": ("http",), "http": ()}[stage]
    assert all(facts[name] is UNSET for name in later)
    assert seen.untested is UNSET


def test_what_curl_cannot_do_is_untested_and_says_nothing_of_the_network():
    seen = observed({"c": ending("option --cacert: is unknown", 2)})
    assert "cannot do it: option --cacert" in seen.untested
    assert seen.hops[0].connections == ()


def test_a_name_that_only_curl_could_look_up_is_a_result_not_a_gap():
    seen = observed({"c": ending("Could not resolve host: acr.example", 6)})
    assert seen.hops[0].dns.system.result == "failed"
    assert seen.untested is UNSET


def test_a_proxy_that_refuses_is_the_proxy_s_answer():
    lines = ending(
        "CONNECT tunnel failed, response 403", 56,
        "* Uses proxy env variable https_proxy == 'http://user:hunter22@10.7.7.7:3128'",
        "*   Trying 10.7.7.7:3128...", "* Connected to 10.7.7.7 (10.7.7.7) port 3128 (#0)",
        "> CONNECT acr.example:443 HTTP/1.1", "< HTTP/1.1 403 Forbidden", "< X-Squid-Error: ERR_ACCESS_DENIED 0",
    )  # fmt: skip
    hop = observed({"c": lines}).hops[0]
    assert (hop.proxy.url, hop.proxy.connect.status) == ("http://10.7.7.7:3128", 403)
    assert (hop.connections, hop.tls, hop.http) == ((), UNSET, UNSET)


DIG = """\
@1795613568
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1
;; QUESTION SECTION:
;acr.example.\t\t\tIN\tA
;; ANSWER SECTION:
acr.example.\t\t60\tIN\tCNAME\tacr.privatelink.example.
acr.privatelink.example.\t30\tIN\tA\t10.1.2.3
;; Query time: 4 msec
;; SERVER: 10.0.0.10#53(10.0.0.10) (UDP)
;; ->>HEADER<<- opcode: QUERY, status: SERVFAIL, id: 2
;; QUESTION SECTION:
;acr.example.\t\t\tIN\tAAAA
;; Query time: 9 msec
;; SERVER: 10.0.0.10#53(10.0.0.10)
@1795613569
rc=0""".splitlines()


def test_dig_tells_chain_addresses_and_rcode_of_each_type():
    four, six = lookups.from_dig(told(DIG), RESOLVER)
    assert (four.rtype, four.rcode, four.addresses, four.ttl) == ("A", "NOERROR", ("10.1.2.3",), 30)
    assert four.chain == (HOST, "acr.privatelink.example")
    assert (six.rtype, six.rcode, six.server, six.duration_ms) == ("AAAA", "SERVFAIL", "10.0.0.10:53", 9.0)


@pytest.mark.parametrize(
    ("text", "result", "truncated"),
    [
        (";; Got bad packet: bad compression pointer\n42 bytes", "malformed", False),
        (
            ";; Truncated, retrying in TCP mode.\n;; communications error to 10.0.0.10#53: connection reset", "timeout", True,
        ),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_and_one_that_does_not_fit_are_told_apart(text: str, result: str, truncated: bool):
    lines = ["@1795613568", *text.splitlines(), "@1795613568", "rc=9"]
    for one in lookups.from_dig(told(lines), RESOLVER):
        assert (one.result, one.truncated) == (result, truncated)


@pytest.mark.parametrize(
    ("text", "result", "errno"),
    [
        (";; communications error to 10.0.0.10#53: timed out\n;; no servers could be reached", "timeout", None),
        (";; communications error to 10.0.0.10#53: connection refused\n;; no servers could be reached", "error", "ECONNREFUSED"),
        (";; connection timed out; no servers could be reached", "timeout", None),
    ],
)  # fmt: skip
def test_servers_that_dig_cannot_reach_are_silent_or_refuse(text: str, result: str, errno: str | None):
    lines = ["@1795613568", *text.splitlines(), "@1795613576", "rc=9"]
    answers = lookups.from_dig(told(lines), RESOLVER)
    assert {(one.rtype, one.result, one.errno, one.server) for one in answers} == {
        (rtype, result, errno, "10.0.0.10:53") for rtype in ("A", "AAAA")
    }
    assert sum(one.duration_ms for one in answers) == 8_000


NSLOOKUPS = [
    pytest.param(
        "Server:\t\t10.0.0.10\nAddress:\t10.0.0.10#53\n\nacr.example\tcanonical name = acr.privatelink.example.\n"
        "Name:\tacr.privatelink.example\nAddress: 10.1.2.3\n", "NOERROR", ("10.1.2.3",), id="BIND",
    ),
    pytest.param(
        "Server:\t\t10.0.0.10\nAddress:\t10.0.0.10:53\n\nNon-authoritative answer:\nName:\tacr.example\n"
        "Address: 10.1.2.3\n\n*** Can't find acr.example.: No answer", "NOERROR", ("10.1.2.3",), id="BusyBox",
    ),
    pytest.param(
        "Server:\t\t10.0.0.10\nAddress:\t10.0.0.10:53\n\n** server can't find acr.example.: NXDOMAIN\n",
        "NXDOMAIN", (), id="NXDOMAIN",
    ),
    pytest.param(
        "Server:\t\t10.0.0.10\nAddress:\t10.0.0.10#53\n\n** server can't find acr.example: SERVFAIL\n",
        "SERVFAIL", (), id="SERVFAIL",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rcode", "addresses"), NSLOOKUPS)
def test_both_nslookups_are_read(text: str, rcode: str, addresses: tuple[str, ...]):
    (one,) = lookups.from_nslookup(told([*text.splitlines(), "rc=0"]), RESOLVER, HOST)
    assert (one.rcode, one.addresses, one.server) == (rcode, addresses, "10.0.0.10:53")


def test_nslookup_without_a_server_that_answers_is_a_timeout():
    text = "@1795613568\n;; connection timed out; no servers could be reached\n\n@1795613583\nrc=1"
    (one,) = lookups.from_nslookup(told(text.splitlines()), RESOLVER, HOST)
    assert (one.result, one.server, one.duration_ms) == ("timeout", "10.0.0.10:53", 15_000)


def test_openssl_of_1_1_without_dates_keeps_the_chain():
    lines = [
        "CONNECTED(00000003)", "Certificate chain", " 0 s:CN = acr.example", "   i:C = US, O = Contoso, CN = Inspection",
        " 1 s:C = US, O = Contoso, CN = Inspection", "   i:CN = Root", "Verify return code: 20 (unable to get local issuer)",
        "rc=0",
    ]  # fmt: skip
    facts = openssl.tls(told(lines), HOST, "system", ())
    assert facts.chain == ()  # without the leaf's own bytes there is no chain to speak of
    assert openssl.name("C = US, O = Contoso") == "C=US, O=Contoso"
    assert openssl.date("Nov  5 13:32:47 2026 GMT") == "2026-11-05T13:32:47Z"


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [*OLD, *NEW, *DIG, "rc=0", "rc=60", "rc=28", "@1795613568", "CONNECTED(00000003)", "bash", "nc"]
        ),
        st.text(max_size=200),
        st.from_regex(r"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6} [*<>{}] .{0,80}", fullmatch=True),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(
    section=st.dictionaries(st.sampled_from(list("idngcbstw")), LINES, max_size=6),
    scheme=st.sampled_from(["https", "http", "tcp"]),
    probe=st.sampled_from(sorted(replay.ASKABLE - {ProbeName.TCP})),
)
def test_nothing_that_a_container_could_say_breaks_the_reader(section, scheme: str, probe: ProbeName):
    seen = observed(section, scheme, ProbeName.TCP if scheme == "tcp" else probe)
    assert seen.tool_error is None


def test_times_go_on_over_midnight():
    (run,) = trace.runs(NEW, 443)
    assert run.end_ms == pytest.approx(60.0)
