"""TCP and TLS against servers that refuse, drop, cut, lie and present every wrong certificate."""

import asyncio
import socket
import ssl
import warnings

import msgspec
import pytest
from msgspec import UNSET
from probes_shared import NAME, QUICK, plan
from servers import raw
from servers.certs import DAY, Authority
from servers.web import Web

from preflight.model.plan import Limits, Target
from preflight.probes import certificates, tcp, tls
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock
from preflight.probes.request import Request
from preflight.probes.trust import Judges

URL = f"https://{NAME}/"
TARGET = Target(scheme="tcp", host=NAME, port=443)


async def shake(to, trail, handler, *, context=None, limits=QUICK, **request):
    """One https request to a server; the hop, and the server that saw it."""
    async with raw.serve(handler, context=context) as server:
        reply = await to(server.port, limits=limits).fetch(trail, "origin", Request(url=URL, **request))
        trail.close()
    return reply.hop, server


async def test_a_connection_has_its_source_port_its_cap_and_where_it_was_mapped_to(to, trail):
    async with raw.serve(raw.silent) as server:
        hop = await to(server.port).connect(trail, "origin", TARGET)
        peer = server.peers[0]
    (connection,) = hop.connections
    assert connection.tcp.result == "connected"
    assert connection.tcp.source == f"{peer[0]}:{peer[1]}"
    assert connection.tcp.mapped_to == server.address
    assert connection.tcp.cap_ms == pytest.approx(QUICK.connect_cap_s * 1000, abs=50)
    assert (connection.tls, hop.http, hop.proxy) == (UNSET, UNSET, UNSET)


async def test_a_refused_connection_is_definite_and_not_repeated(to, trail):
    with raw.refusing() as port:
        hop = await to(port).connect(trail, "origin", TARGET)
    assert [(one.tcp.result, one.tcp.errno, one.tcp.attempt) for one in hop.connections] == [
        ("error", "ECONNREFUSED", 1)
    ]


async def test_a_silent_drop_gets_a_second_socket_beside_the_first(to, trail):
    with raw.dropping() as port:
        hop = await to(port).connect(trail, "origin", TARGET)
    told = [(one.tcp.result, one.tcp.attempt) for one in hop.connections]
    assert told == [("timeout", 1), ("timeout", 2)]
    first, second = (one.tcp for one in hop.connections)
    assert first.source != second.source
    assert second.at_ms - first.at_ms >= QUICK.second_attempt_s * 1000 * 0.9
    assert second.cap_ms < first.cap_ms


async def test_every_address_is_tried_and_recorded_in_order(to, trail):
    with raw.refusing() as closed:
        async with raw.serve(raw.silent) as server:
            records = {(NAME, "A"): ["203.0.113.1", "203.0.113.2"]}
            ports = {"203.0.113.1:443": f"127.0.0.1:{closed}", "203.0.113.2:443": server.address}
            dialer = to(0, records=records, ports=ports)
            hop = await dialer.connect(trail, "origin", TARGET)
    assert sorted((one.address, one.tcp.result) for one in hop.connections) == [
        ("203.0.113.1", "error"),
        ("203.0.113.2", "connected"),
    ]
    assert [one.address for one in hop.connections] == list(hop.dns.addresses)


async def test_many_addresses_are_bounded(to, trail):
    with raw.refusing() as port:
        addresses = [f"203.0.113.{n}" for n in range(1, 31)]
        ports = {f"{address}:443": f"127.0.0.1:{port}" for address in addresses}
        hop = await to(0, records={(NAME, "A"): addresses}, ports=ports).connect(trail, "origin", TARGET)
    assert len(hop.connections) == 8
    assert len(hop.dns.answers[0].addresses) == 30


async def test_tls_is_tried_on_four_addresses_only(to, trail, authority):
    context = authority.issue(NAME).context()
    addresses = [f"203.0.113.{n}" for n in range(1, 7)]
    async with raw.serve(Web(), context=context) as server:
        ports = {f"{address}:443": server.address for address in addresses}
        dialer = to(0, records={(NAME, "A"): addresses}, ports=ports)
        reply = await dialer.fetch(trail, "origin", Request(url=URL))
        trail.close()
    assert reply.status == 200
    assert sum(one.tls is not UNSET for one in reply.hop.connections) == 4
    assert len(reply.hop.connections) == 6


async def test_http_goes_over_the_first_address_where_all_is_well(to, trail, authority):
    context = authority.issue(NAME).context()
    wrong = authority.issue("elsewhere.example").context()
    async with raw.serve(Web(), context=wrong) as bad, raw.serve(Web(), context=context) as good:
        addresses = ["203.0.113.1", "203.0.113.2"]
        ports = {"203.0.113.1:443": bad.address, "203.0.113.2:443": good.address}
        dialer = to(0, records={(NAME, "A"): addresses}, ports=ports)
        reply = await dialer.fetch(trail, "origin", Request(url=URL))
        trail.close()
    assert {one.address: one.tls.result for one in reply.hop.connections} == {
        "203.0.113.1": "unverified",
        "203.0.113.2": "ok",
    }
    assert reply.status == 200


async def test_a_good_handshake_has_version_cipher_alpn_and_chain(to, trail, authority):
    context = authority.issue(NAME, "*.other.example").context(alpn=("http/1.1",))
    hop, _ = await shake(to, trail, Web(), context=context)
    seen = hop.connections[0].tls
    assert (seen.result, seen.version, seen.alpn, seen.server_name) == ("ok", "TLSv1.3", "http/1.1", NAME)
    assert (seen.trust, seen.alpn_offered, seen.chain_source) == ("ca_file", ("h2", "http/1.1"), "handshake")
    assert seen.chain[0].sans == (NAME, "*.other.example")
    assert seen.chain[0].issuer == "CN=Test Root"
    assert seen.cipher.startswith("TLS_")


async def test_what_only_the_system_s_store_vouches_for_is_told_from_what_ca_file_does(
    to, trail, authority, tmp_path, monkeypatch
):
    (tmp_path / "store.pem").write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "store.pem"))
    async with raw.serve(Web(), context=authority.issue(NAME).context()) as server:
        reply = await to(server.port, ca_pem=Authority("Another Root").pem).fetch(trail, "origin", Request(url=URL))
        trail.close()
    seen = reply.hop.connections[0].tls
    assert (seen.result, seen.trust) == ("ok", "system")


@pytest.mark.parametrize(
    ("leaf", "code"),
    [
        ({"not_before": -3 * DAY, "not_after": -1 * DAY}, 10),
        ({"not_before": 1 * DAY, "not_after": 3 * DAY}, 9),
        ({"self_signed": True}, 18),
    ],
    ids=["expired", "not yet valid", "self-signed"],
)
async def test_a_bad_certificate_has_its_verify_code_and_its_chain(to, trail, authority, leaf, code):
    context = authority.issue(NAME, **leaf).context()
    hop, _ = await shake(to, trail, Web(), context=context)
    seen = hop.connections[0].tls
    assert (seen.result, seen.verify_code) == ("unverified", code)
    assert seen.verify_message
    assert [one.subject for one in seen.chain] == [f"CN={NAME}"]
    assert hop.http is UNSET
    assert len(hop.connections) == 1


async def test_a_certificate_for_another_name_is_code_62(to, trail, authority):
    hop, _ = await shake(to, trail, Web(), context=authority.issue("elsewhere.example").context())
    assert hop.connections[0].tls.verify_code == 62
    assert hop.connections[0].tls.chain[0].sans == ("elsewhere.example",)


async def test_an_interceptors_chain_is_shown_with_its_issuer(to, trail):
    stranger = Authority("Contoso TLS Inspection")
    hop, _ = await shake(to, trail, Web(), context=stranger.issue(NAME).context())
    seen = hop.connections[0].tls
    assert (seen.verify_code, seen.chain[0].issuer) == (20, "CN=Contoso TLS Inspection")


async def test_a_missing_intermediate_shows_by_the_chain(to, trail, authority):
    middle = Authority("Middle", parent=authority)
    complete, _ = await shake(to, trail, Web(), context=middle.issue(NAME).context())
    assert [one.subject for one in complete.connections[0].tls.chain] == [f"CN={NAME}", "CN=Middle"]
    incomplete, _ = await shake(to, trail, Web(), context=middle.issue(NAME, chain=False).context())
    seen = incomplete.connections[0].tls
    assert (seen.result, seen.verify_code, len(seen.chain)) == ("unverified", 20, 1)


@pytest.mark.parametrize("then", ["elsewhere", "cluster-ca"])
async def test_the_cluster_ca_judges_alone(to, trail, authority, then):
    cluster = Authority("kubernetes")
    issuer = cluster if then == "cluster-ca" else authority
    async with raw.serve(Web(), context=issuer.issue(NAME).context()) as server:
        dialer = to(server.port, cluster_ca_pem=cluster.pem)
        reply = await dialer.fetch(trail, "origin", Request(url=URL, trust="cluster-ca"))
        trail.close()
    seen = reply.hop.connections[0].tls
    assert seen.trust == "cluster-ca"
    assert seen.result == ("ok" if then == "cluster-ca" else "unverified")


async def test_without_a_cluster_ca_nothing_is_trusted(to, trail, authority):
    async with raw.serve(Web(), context=authority.issue(NAME).context()) as server:
        reply = await to(server.port).fetch(trail, "origin", Request(url=URL, trust="cluster-ca"))
    assert reply.hop.connections[0].tls.result == "unverified"


async def test_the_server_name_can_be_another_one_than_the_host(to, trail, authority):
    names = []
    context = authority.issue("kubernetes.default").context()
    context.sni_callback = lambda _, name, __: names.append(name)
    hop, _ = await shake(to, trail, Web(), context=context, server_name="kubernetes.default")
    assert hop.connections[0].tls.result == "ok"
    assert names == ["kubernetes.default"]


async def test_an_address_as_host_sends_no_server_name_and_verifies_the_address(to, trail, authority):
    names = []
    context = authority.issue("203.0.113.77").context()
    context.sni_callback = lambda _, name, __: names.append(name)
    async with raw.serve(Web(), context=context) as server:
        dialer = to(0, ports={"203.0.113.77:443": server.address})
        reply = await dialer.fetch(trail, "origin", Request(url="https://203.0.113.77/"))
        trail.close()
    assert reply.status == 200
    assert reply.hop.connections[0].tls.server_name is None
    assert reply.hop.dns.system.result == "literal"
    assert names == [None]


async def test_an_ipv6_address_as_host_works_with_brackets_and_mapping(to, trail, authority):
    async with raw.serve(Web(), context=authority.issue("2001:db8::7").context()) as server:
        dialer = to(0, ports={"[2001:db8::7]:8443": server.address})
        reply = await dialer.fetch(trail, "origin", Request(url="https://[2001:db8::7]:8443/x"))
        trail.close()
    assert (reply.status, reply.hop.url) == (200, "https://[2001:db8::7]:8443/x")
    assert reply.hop.connections[0].tcp.mapped_to == server.address


async def test_a_final_dot_is_not_part_of_the_server_name(to, trail, authority):
    async with raw.serve(Web(), context=authority.issue(NAME).context()) as server:
        reply = await to(server.port).fetch(trail, "origin", Request(url=f"https://{NAME}./"))
        trail.close()
    assert reply.hop.connections[0].tls.server_name == NAME
    assert reply.status == 200


async def test_a_reset_after_the_hello_is_tried_once_more_and_both_are_evidence(to, trail):
    hop, server = await shake(to, trail, raw.reset_after_hello)
    told = [(one.tls.result, one.tls.errno, one.tls.bytes_received, one.tcp.attempt) for one in hop.connections]
    assert told == [("reset", "ECONNRESET", 0, 1), ("reset", "ECONNRESET", 0, 2)]
    assert server.accepted == 2
    assert [one.tcp.mss for one in hop.connections] == [None, None]


async def test_an_end_of_file_after_the_hello_is_closed_and_no_reset(to, trail):
    hop, _ = await shake(to, trail, raw.fin_after_hello)
    assert [(one.tls.result, one.tls.errno, one.tls.bytes_received) for one in hop.connections] == [
        ("closed", None, 0)
    ] * 2


async def test_a_cut_that_happens_once_only_does_not_fail_the_hop(to, trail, authority):
    context = authority.issue(NAME).context()
    async with raw.serve(Web(), context=context) as good:

        async def forward(reader, writer):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", good.port)
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))

        async with raw.serve(raw.first_then(raw.reset_after_hello, forward)) as server:
            reply = await to(server.port).fetch(trail, "origin", Request(url=URL))
            trail.close()
    assert [one.tls.result for one in reply.hop.connections] == ["reset", "ok"]
    assert reply.status == 200


async def _pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.transport.abort()


async def test_a_silent_handshake_gets_a_second_connection_with_small_segments(to, trail, authority):
    context = authority.issue(NAME).context()
    async with raw.serve(Web(), context=context) as good:

        async def forward(reader, writer):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", good.port)
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))

        async with raw.serve(raw.first_then(raw.silent, forward)) as server:
            reply = await to(server.port).fetch(trail, "origin", Request(url=URL))
            trail.close()
    first, second = reply.hop.connections
    assert (first.tls.result, first.tcp.mss, first.tcp.attempt) == ("timeout", None, 1)
    assert (second.tls.result, second.tcp.mss, second.tcp.attempt) == ("ok", 1200, 2)
    assert reply.status == 200


async def test_small_segments_are_agreed_with_the_server(to, trail):
    sizes = []

    async def measure(reader, writer):
        sizes.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
        await asyncio.Event().wait()

    await shake(to, trail, measure)
    assert sizes[0] > 1200 >= sizes[1]


async def test_a_handshake_that_is_never_answered_times_out_twice(to, trail):
    hop, _ = await shake(to, trail, raw.silent)
    assert [one.tls.result for one in hop.connections] == ["timeout", "timeout"]
    assert hop.http is UNSET


async def test_bytes_that_drip_do_not_stretch_the_cap(to, trail):
    async def drip(reader, writer):
        await reader.read(1)
        writer.write(b"\x16\x03\x03\x40\x00")
        while True:
            writer.write(b"\x02")
            await writer.drain()
            await asyncio.sleep(0.02)

    hop, _ = await shake(to, trail, drip)
    assert hop.connections[0].tls.result == "timeout"
    assert hop.connections[0].tls.bytes_received > 5
    assert hop.connections[0].tls.duration_ms < 5_000


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"hi", b"\x15\x02\x00\x00\x02"]
)
async def test_what_is_not_tls_is_named_by_its_first_bytes(to, trail, data):
    hop, _ = await shake(to, trail, raw.saying(data))
    seen = hop.connections[0].tls
    assert seen.result == "not-tls"
    assert bytes.fromhex(seen.first_bytes) == data[:64]
    assert len(hop.connections) == 1


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (40, "handshake_failure"),
        (70, "protocol_version"),
        (112, "unrecognized_name"),
        (120, "no_application_protocol"),
        (49, "access_denied"),
        (99, "alert 99"),
    ],
)
async def test_an_alert_has_its_name(to, trail, code, name):
    hop, _ = await shake(to, trail, raw.alert(code))
    assert [(one.tls.result, one.tls.alert) for one in hop.connections] == [("alert", name)]


async def test_a_server_that_knows_only_old_versions_sends_an_alert(to, trail, authority):
    context = authority.issue(NAME).context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    hop, _ = await shake(to, trail, raw.shaking(context))
    assert [(one.tls.result, one.tls.alert) for one in hop.connections] == [("alert", "protocol_version")]


@pytest.mark.parametrize("version", [(3, 1), (3, 2)])
async def test_a_server_that_insists_on_an_old_version_is_told_by_the_reason(to, trail, version):
    hop, _ = await shake(to, trail, raw.saying(raw.server_hello(version), then="hang"))
    assert [(one.tls.result, one.tls.detail) for one in hop.connections] == [("error", "UNSUPPORTED_PROTOCOL")]


async def test_a_huge_certificate_is_bounded(to, trail, authority):
    hosts = (NAME, *(f"host-{n}.service.example" for n in range(1500)))
    hop, _ = await shake(to, trail, Web(), context=authority.issue(*hosts).context())
    assert hop.connections[0].tls.result == "ok"
    assert len(hop.connections[0].tls.chain[0].sans) == 100


async def test_hostile_texts_in_a_certificate_stay_texts(to, trail, authority):
    subject = "<script>alert(1)</script>\x1b[31m"
    hop, _ = await shake(to, trail, Web(), context=authority.issue(NAME, subject=subject).context())
    assert "script" in hop.connections[0].tls.chain[0].subject
    assert msgspec.json.decode(msgspec.json.encode(hop))["connections"][0]["tls"]["result"] == "ok"


async def test_cancelling_in_any_stage_closes_sockets_and_keeps_what_was_seen(to, trail):
    limits = Limits(connect_cap_s=30, second_attempt_s=0.05, answer_cap_s=30)
    async with raw.serve(raw.silent) as server:
        fetching = asyncio.ensure_future(to(server.port, limits=limits).fetch(trail, "origin", Request(url=URL)))
        await server.reached(2)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
    (hop,) = trail.hops
    assert hop.dns.addresses
    assert hop.connections[0].tcp.result == "connected"
    assert hop.connections[0].tls is UNSET


async def test_the_fallback_reader_reads_what_a_failed_verification_would_hide():
    stranger = Authority("Stranger")
    async with raw.serve(raw.silent, context=stranger.issue(NAME).context()) as server:
        _, stream = await tcp.connect("127.0.0.1", server.port, Cap.after(5), Clock(), connect_to={})
        chain = certificates.read(await tls.read_chain(stream, NAME, (), Cap.after(5)))
    assert chain[0].issuer == "CN=Stranger"


async def test_the_fallback_reader_gives_up_quietly():
    async with raw.serve(raw.fin_after_hello) as server:
        _, stream = await tcp.connect("127.0.0.1", server.port, Cap.after(5), Clock(), connect_to={})
        assert await tls.read_chain(stream, NAME, (), Cap.after(5)) == ()


def test_a_certificate_that_cannot_be_read_has_its_digest():
    (seen,) = certificates.read([b"not a certificate"])
    assert seen.subject.startswith("unreadable")
    assert len(seen.sha256) == 64


def test_every_context_verifies_and_no_python_version_changes_that(authority):
    judges = Judges(plan(ca_pem=authority.pem))
    for trust in ("system", "cluster-ca"):
        context = judges.get(trust, ("h2",)).context
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert not context.verify_flags & (ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert judges.get(trust, ("h2",)).context is context


def test_a_ca_that_is_no_certificate_is_a_clear_message():
    from preflight.failures import UsageFailure

    with pytest.raises(UsageFailure, match="CA certificates"):
        Judges(plan(ca_pem="-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")).get("system", ())
