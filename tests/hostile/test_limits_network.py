"""What comes over the network, one below its limit, at it, and one above; over real sockets."""

import gzip
import itertools

import dns.message
import dns.rrset
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from probes_shared import NAME
from servers import hostile, raw
from servers.certs import Authority
from servers.dns import DnsServer, always
from servers.web import Web, response

from preflight.model.plan import Limits
from preflight.probes import certificates, redirects
from preflight.probes import dns as probe
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock
from preflight.probes.http import MAX_EMPTY
from preflight.probes.redact import CUT, MAX_HEADERS, MAX_NAME, MAX_TEXT, MAX_URL, MAX_VALUE, Redactor
from preflight.probes.request import Request
from preflight.probes.tls import FLIGHT_LIMIT
from preflight.probes.wire import HEAD_LIMIT, OVERHEAD_LIMIT

PATIENT = Limits(connect_cap_s=5, second_attempt_s=2, answer_cap_s=8)
BODY = 1_000


async def ask(to, trail, handler, *, context=None, **request):
    async with raw.serve(handler, context=context) as server:
        url = f"https://{NAME}/" if context else f"http://{NAME}/"
        reply = await to(server.port, limits=PATIENT).fetch(trail, "origin", Request(url=url, **request))
        trail.close()
    return reply


def head(size: int) -> bytes:
    start, end = hostile.OK + b"Content-Length: 2\r\nX: ", b"\r\n\r\n"
    return start + b"y" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize(("more", "result"), [(-1, "ok"), (0, "ok"), (1, "too-large")])
async def test_bytes_before_the_headers_are_complete(to, trail, more, result):
    reply = await ask(to, trail, hostile.parts([head(HEAD_LIMIT + more) + b"ok"]))
    assert (reply.hop.http.result, reply.status) == (result, 200 if result == "ok" else None)


@pytest.mark.parametrize(("more", "result"), [(-1, "ok"), (0, "ok"), (1, "too-large")])
async def test_interim_answers_count_as_headers(to, trail, more, result):
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000
    last = head(HEAD_LIMIT + more - len(interim))
    assert (await ask(to, trail, hostile.parts([interim + last + b"ok"]))).hop.http.result == result


@pytest.mark.parametrize(("more", "result"), [(-1, "ok"), (0, "ok"), (1, "too-large")])
async def test_header_fields(to, trail, more, result):
    fields = tuple((f"X-{number}", "v") for number in range(MAX_HEADERS - 1 + more))  # and Content-Length
    seen = (await ask(to, trail, hostile.parts([response(headers=fields)]))).hop.http
    assert (seen.result, seen.status, len(seen.headers)) == (result, 200, min(MAX_HEADERS, MAX_HEADERS + more))


@pytest.mark.parametrize(("more", "complete"), [(-1, True), (0, True), (1, False)])
async def test_a_body(to, trail, more, complete):
    body = b"z" * (BODY + more)
    reply = await ask(to, trail, hostile.parts([response(body=body)]), body_limit=BODY)
    assert (reply.hop.http.result, reply.hop.http.body_complete, reply.body) == ("ok", complete, body[:BODY])


@pytest.mark.parametrize(("more", "complete"), [(-1, True), (0, True), (1, False)])
async def test_a_body_that_is_opened(to, trail, more, complete):
    packed = gzip.compress(b"z" * (BODY + more))
    handler = hostile.parts([response(200, packed, (("Content-Encoding", "gzip"),))])
    reply = await ask(to, trail, handler, body_limit=BODY)
    assert reply.hop.http.body_complete is complete
    assert len(reply.body) == min(BODY, BODY + more)


@pytest.mark.parametrize(("more", "result"), [(-1, "ok"), (0, "ok"), (1, "too-large")])
async def test_bytes_around_a_body(to, trail, more, result):
    """The whole answer on the wire is as long as the limit of the body and the one around it together."""
    end, whole = b"0\r\n\r\n", BODY + OVERHEAD_LIMIT + more - len(hostile.CHUNKED)
    extension = b";x=" + b"e" * 50_000
    chunk = hostile.chunks(b"z", extension)
    count, rest = divmod(whole - len(end), len(chunk))
    last = hostile.chunks(b"z", b";x=" + b"e" * (rest - len(hostile.chunks(b"z", b";x="))))
    reply = await ask(to, trail, hostile.parts([hostile.CHUNKED + chunk * count + last + end]), body_limit=BODY)
    assert reply.hop.http.result == result


@pytest.mark.parametrize(("more", "result"), [(-1, "ok"), (0, "ok"), (1, "too-large")])
async def test_empty_pieces_of_a_body(to, trail, authority, more, result):
    empty = hostile.frame(hostile.DATA, 0, 1) * (MAX_EMPTY + more - 1)
    pieces = [hostile.frame(hostile.HEADERS, 0x4, 1, b"\x88"), empty, hostile.frame(hostile.DATA, 0x1, 1)]
    context = authority.issue(NAME).context(alpn=("h2",))
    assert (await ask(to, trail, hostile.h2(pieces), context=context)).hop.http.result == result


@pytest.mark.parametrize(("more", "result"), [(-1, "ok"), (0, "ok"), (1, "too-large")])
async def test_a_header_list_of_http2(to, trail, authority, more, result):
    """RFC 9113, 6.5.2: name, value and 32 bytes of each field. The bytes on the wire stay below the limit."""
    status = len(":status") + len("200") + 32
    block = hostile.h2_header_block(HEAD_LIMIT + more - status - 33 - 20_033, 20_000)
    pieces = [block, hostile.frame(hostile.DATA, 0x1, 1, b"ok")]
    context = authority.issue(NAME).context(alpn=("h2",))
    seen = (await ask(to, trail, hostile.h2(pieces), context=context)).hop.http
    assert seen.result == result


@pytest.mark.parametrize(("more", "refused"), [(-1, None), (0, None), (1, "too-long")])
async def test_a_location(to, trail, more, refused):
    location = "/" + "a" * (redirects.MAX_LOCATION - 1 + more)
    first = response(302, b"", (("Location", location),), "Found")
    reply = await ask(to, trail, hostile.parts([first]), follow=1)
    assert (reply.hop.service.get("redirect"), len(trail.hops)) == (refused or "loop", 1 if refused else 2)


@pytest.mark.parametrize(("more", "refused"), [(-1, None), (0, None), (1, "too-many")])
async def test_a_chain_of_redirects(to, trail, more, refused):
    limit = 5
    pages = {f"/{n}": response(302, b"", (("Location", f"/{n + 1}"),), "Found") for n in range(1, limit + more + 1)}
    pages["/"] = response(302, b"", (("Location", "/1"),), "Found") if limit + more else response()
    del pages[f"/{limit + more}"]
    reply = await ask(to, trail, Web(pages), follow=limit)
    assert (reply.hop.service.get("redirect"), len(trail.hops)) == (refused, limit + 1 + min(more, 0))


async def _handshake(to, trail, authority, padding):
    context = authority.issue(NAME, padding=padding).context()
    reply = await ask(to, trail, hostile.parts([response()]), context=context)
    return reply.hop.connections[0].tls


async def test_bytes_of_a_handshake(to, trail, authority):
    """Signatures differ by some bytes from one handshake to the next, so the edge is found by what was received."""
    base = (await _handshake(to, trail, authority, 60_000)).bytes_received - 60_000
    seen = [await _handshake(to, trail, authority, FLIGHT_LIMIT - base + more) for more in (-700, -200, 1_000)]
    good = [one for one in seen if one.result == "ok"]
    assert [one.result for one in seen[::2]] == ["ok", "too-large"]
    assert all(one.bytes_received <= FLIGHT_LIMIT + 2_000 for one in good)
    assert seen[-1].bytes_received <= FLIGHT_LIMIT


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_names_of_a_certificate(more):
    count = certificates.MAX_SANS + more
    names = tuple(f"a{number}.example" for number in range(count))
    (seen,) = certificates.read([Authority().issue(*names).chain[0].public_bytes(Encoding.DER)])
    assert len(seen.sans) == min(count, certificates.MAX_SANS)
    assert (seen.sans[-1] == names[-1]) is (more <= 0)
    assert seen.sans[-1].startswith(CUT) is (more > 0)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_characters_of_a_certificates_names(more):
    """33 names of 245 characters leave room for one more of 107."""
    names = [f"{number:02}" + ".a" * 121 + "b" for number in range(33)]
    rest = certificates.MAX_SANS_TEXT + more - sum(map(len, names))
    names.append("c" * (rest - 62) + "." + "d" * 61)
    (seen,) = certificates.read([Authority().issue(*names).chain[0].public_bytes(Encoding.DER)])
    assert seen.sans[-1] == (f"{CUT} and 1 more" if more > 0 else names[-1])


@pytest.mark.parametrize(("limit", "cut"), [(MAX_VALUE, "value"), (MAX_NAME, "name")])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_header_that_is_recorded(limit, cut, more):
    text = "x" * (limit + more)
    ((name, value),) = Redactor({}).headers([(text, "v") if cut == "name" else ("x", text)])
    kept = name if cut == "name" else value
    assert kept == (text if more <= 0 else "x" * (limit - 1) + CUT)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_texts_that_are_recorded(more):
    url = "https://a.example/" + "x" * (MAX_URL + more - 18)
    assert Redactor({}).url(url) == (url if more <= 0 else url[: MAX_URL - 1] + CUT)
    assert len(Redactor({}).text("x" * (MAX_TEXT + more))) == min(MAX_TEXT, MAX_TEXT + more)


async def _dns(script=None, records=None):
    async with DnsServer(records) as server:
        server.script = script
        question = probe.Question(name=NAME, rtype="A", server=server.address)
        return await probe.ask(question, Cap.after(8), Clock(), grace_s=2)


@pytest.mark.parametrize("more", [-1, 0, 1])
async def test_addresses_of_an_answer(more):
    count = probe.MAX_ADDRESSES + more
    answer = await _dns(records={(NAME, "A"): [f"192.0.2.{n}" for n in range(count)]})
    assert (answer.result, len(answer.addresses)) == ("answer", min(count, probe.MAX_ADDRESSES))
    assert bool(answer.detail) is (more > 0)


@pytest.mark.parametrize("more", [-1, 0, 1])
async def test_a_cname_chain(more):
    names = [NAME, *(f"c{n}.example" for n in range(probe.MAX_CHAIN + more))]
    records = {(one, "CNAME"): [other] for one, other in itertools.pairwise(names)}
    answer = await _dns(records=records | {(names[-1], "A"): ["192.0.2.1"]})
    assert (answer.addresses, bool(answer.detail)) == ((), True) if more > 0 else (("192.0.2.1",), False)
    assert len(answer.chain) == min(len(names), probe.MAX_CHAIN + 1)


@pytest.mark.parametrize("more", [-1, 0, 1])
async def test_records_of_a_message(more):
    def answer(query: dns.message.Message) -> bytes:
        reply = dns.message.make_response(query, recursion_available=True)
        count = probe.MAX_RECORDS + more - (1 if query.edns >= 0 else 0)
        reply.answer.append(
            dns.rrset.from_text(f"{NAME}.", 30, "IN", "A", *(f"10.0.{n // 256}.{n % 256}" for n in range(count)))
        )
        return reply.to_wire(max_size=65_535)

    seen = await _dns(always(answer))
    assert seen.result == ("answer" if more <= 0 else "malformed")
    assert (f"{probe.MAX_RECORDS + 1} records" in seen.detail) is (more > 0)


@pytest.mark.parametrize("more", [-1, 0, 1])
async def test_datagrams_that_are_no_answer(more):
    """The right one comes behind so many wrong ones; UDP on loopback keeps their order."""

    async def script(query, transport):
        reply = dns.message.make_response(query, recursion_available=True)
        reply.answer.append(dns.rrset.from_text(f"{NAME}.", 30, "IN", "A", "192.0.2.1"))
        return [*[b"\xff" * 20] * (probe.MAX_STRANGE + more), reply]

    seen = await _dns(script)
    assert seen.result == ("answer" if more < 0 else "malformed")
