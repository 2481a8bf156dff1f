"""Legal messages with hostile content: what random bytes seldom build. The same targets, one structured input each."""

import gzip
import struct
from datetime import datetime
from itertools import pairwise

import dns.message
import dns.name
import dns.rdata
import dns.rrset
import h2.config
import h2.connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.memory import NEXT
from fuzz.table import TARGETS
from fuzz.target import Depth
from fuzz.targets.dns import NAME

BOUNDED = settings.get_profile("fuzz")
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "\x1b[2J",
            "\u202egnp.exe",
            "<script>alert(1)</script>",
            "]]><x>",
            "`a`|b",
            "=1+1",
            "a" * 5_000,
            "{{7*7}}",
            "\x00",
        ]
    ),
)
BYTES = st.binary(max_size=200)


def go(target, data, depth=Depth.SHOWN):
    TARGETS[target].run(data, depth)


LABELS = st.binary(min_size=1, max_size=63)


@st.composite
def names(draw):
    """A legal name of hostile labels, or one of those that are asked for."""
    if draw(st.booleans()):
        return dns.name.from_text(draw(st.sampled_from([NAME, "a.privatelink.blob.core.windows.net", "b.example"])))
    labels = draw(st.lists(LABELS, min_size=1, max_size=4))
    while sum(len(label) + 1 for label in labels) > 250:
        labels.pop()
    return dns.name.Name([*labels, b""])


@st.composite
def answers(draw):
    """A DNS answer to our question: chains that loop, end, or lead elsewhere, and addresses of every kind."""
    rtype = draw(st.sampled_from(["A", "AAAA"]))
    response = dns.message.make_response(dns.message.make_query(NAME, rtype, id=1))
    response.set_rcode(draw(st.sampled_from([0, 1, 2, 3, 4, 5, 9, 16, 23])))
    chain = [dns.name.from_text(NAME), *draw(st.lists(names(), max_size=20))]
    for owner, target in pairwise(chain):
        if owner != target:
            response.answer.append(dns.rrset.from_rdata(owner, draw(st.integers(0, 2**31 - 1)), _cname(target)))
    texts = st.ip_addresses(v=4 if rtype == "A" else 6).map(str)
    addresses = draw(st.lists(texts, max_size=90, unique=True))
    if addresses:
        response.answer.append(dns.rrset.from_text_list(chain[-1], 30, "IN", rtype, addresses))
    return rtype, response.to_wire(max_size=65_535, want_shuffle=False)


def _cname(target):
    return dns.rdata.from_wire("IN", "CNAME", target.to_wire(), 0, len(target.to_wire()))


@BOUNDED
@given(answers())
def test_any_legal_dns_answer_is_read_judged_and_shown(given_answer):
    rtype, wire = given_answer
    go("dns-message", bytes([rtype == "AAAA"]) + wire[2:])


@settings(BOUNDED, max_examples=20)
@given(answers(), st.booleans())
def test_any_legal_dns_answer_comes_through_udp_and_tcp(given_answer, tcp):
    rtype, wire = given_answer
    choice = int(rtype == "AAAA")
    if tcp:
        go("dns-sockets", bytes([choice | 2]) + struct.pack("!H", len(wire)) + b"{id}" + wire[2:])
    elif len(wire) < 60_000:
        go("dns-sockets", bytes([choice]) + wire[2:])


HEADER_NAMES = st.sampled_from(
    [
        "content-type",
        "content-encoding",
        "location",
        "www-authenticate",
        "server",
        "x-ms-error-code",
        "x-ms-request-id",
        "docker-content-digest",
        "set-cookie",
        "retry-after",
        "date",
        "x-odd",
    ]
)
HEADER_VALUES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80),
    st.sampled_from(
        [
            "gzip",
            "deflate",
            "br",
            "text/html; charset=utf-16",
            "text/html; charset=rot13",
            "https://[::1",
            "//x",
            "/a b",
            'Bearer realm="https://acrprod.azurecr.io/oauth2/token",service="a\\"b"',
            "Basic",
            "sha256:" + "a" * 64,
            "AuthorizationFailure",
            "Mon, 32 Jan 2026 25:61:61 GMT",
            "9" * 400,
            "ZScaler",
            "x" * 3_000,
        ]
    ),
)
HEADERS = st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=8)
BODIES = st.one_of(
    BYTES,
    HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass")),
    HOSTILE.map(lambda text: gzip.compress(text.encode("utf-8", "surrogatepass"))),
    st.sampled_from(
        [
            b"{}",
            b"[]",
            b'{"errors":[{"code":null,"message":["x"]}]}',
            b'{"error":{"code":{},"message":7}}',
            b'{"token":"' + b"a" * 99 + b'"}',
            b'{"manifests":[{"digest":1,"size":-1}]}',
            b"[" * 4_000,
            b"<Error><Code>A</Code>",
            b"<html><title>Access denied by policy</title>",
            b'{"kind":"Status","apiVersion":"v1","message":{}}',
            b"\xff\xfe\x00",
        ]
    ),
)
STATUSES = st.sampled_from(
    [200, 204, 206, 301, 302, 303, 307, 400, 401, 403, 404, 407, 429, 470, 500, 503, 511, 600, 999]
)


@st.composite
def responses(draw):
    """A legal HTTP/1.1 answer: hostile in every field, framed in each of the three ways."""
    status, headers, body = draw(STATUSES), draw(HEADERS), draw(BODIES)
    reason = draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
    lines = [f"HTTP/1.1 {status} {reason}".encode("latin-1")]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in headers]
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if framing == "length":
        lines.append(f"content-length: {len(body)}".encode())
    if framing == "chunked":
        lines.append(b"transfer-encoding: chunked")
        body = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    return b"\r\n".join([*lines, b"", b""]) + body


CHOICES = st.integers(0, 7)


@BOUNDED
@given(CHOICES, responses())
def test_any_legal_http1_answer_becomes_bounded_facts_without_secrets(choice, response):
    go("http1", bytes([choice]) + response)


@settings(BOUNDED, max_examples=15)
@given(
    st.sampled_from(sorted(name for name in TARGETS if name.startswith("service-"))),
    CHOICES,
    st.lists(responses(), max_size=5),
)
def test_any_conversation_with_a_service_is_judged_and_shown(target, choice, said):
    go(target, bytes([choice]) + NEXT.join(said))


def _over_http2(status, headers, body, extra):
    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(
        1, [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")], end_stream=True
    )
    config = h2.config.H2Configuration(
        client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False
    )
    server = h2.connection.H2Connection(config)
    server.initiate_connection()
    said = server.data_to_send()
    server.receive_data(client.data_to_send())
    server.send_headers(1, [(":status", status), *headers])
    server.send_data(1, body, end_stream=True)
    return said + server.data_to_send() + extra


@BOUNDED
@given(
    st.one_of(STATUSES.map(str), st.sampled_from(["", "20", "abc", "-1", "200 OK", "²00"])),
    HEADERS,
    BODIES,
    BYTES,
    CHOICES,
)
def test_any_http2_answer_becomes_bounded_facts_without_secrets(status, headers, body, extra, choice):
    go("http2", bytes([choice]) + _over_http2(status, headers, body[:10_000], extra))


@BOUNDED
@given(CHOICES, responses(), BYTES)
def test_any_answer_to_connect_leaves_no_socket_and_no_secret(choice, response, behind):
    go("proxy-connect", bytes([choice]) + response + behind)


KEY = ec.generate_private_key(ec.SECP256R1())
# X.520 bounds a name to 64, and `cryptography` counts bytes.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).map(
    lambda text: text.encode()[:64].decode(errors="ignore")
)
ATTRIBUTES = [NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME]


@st.composite
def certificates(draw):
    """A signed certificate with hostile names, dates at the ends of time, and many or strange alternatives."""
    subject = x509.Name(
        [x509.NameAttribute(kind, draw(NAMES)) for kind in draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=3))]
    )
    start = datetime(draw(st.sampled_from([1950, 1970, 2026, 2049, 2050])), 1, 1)  # noqa: DTZ001 - as it is encoded
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(draw(st.integers(1, 2**159 - 1)))
        .not_valid_before(start)
        .not_valid_after(start.replace(year=draw(st.sampled_from([2050, 9999]))))
    )
    labels = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
    alternatives = draw(
        st.lists(st.one_of(labels.map(x509.DNSName), st.ip_addresses().map(x509.IPAddress)), max_size=130)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=draw(st.booleans()))
    oid = x509.ObjectIdentifier("1.2.3.4.5")
    builder = builder.add_extension(x509.UnrecognizedExtension(oid, draw(BYTES)), critical=draw(st.booleans()))
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


@settings(BOUNDED, max_examples=40)
@given(certificates())
def test_any_certificate_is_read_judged_and_shown(der):
    go("certificate", der)


@settings(BOUNDED, max_examples=25)
@given(st.lists(certificates(), min_size=1, max_size=4), CHOICES)
def test_any_chain_in_a_handshake_is_read_judged_and_shown(ders, choice):
    go("tls-chain", bytes([8 | choice]) + b"".join(ders))
