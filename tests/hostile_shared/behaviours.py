# ruff: noqa: E501 - one behaviour a line
"""What hostile servers do, as a table: tests run every row, and tools/robustness.py measures them for the page.

`expect` is what the plain HTTP probe makes of it: the result of the stage that met it, the status, the cause.
"""

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import dns.flags
import dns.message
import dns.rrset
import msgspec
from servers import hostile, raw
from servers.certs import Authority
from servers.dns import DnsServer, always, truncated
from servers.raw import Handler
from servers.web import response

from hostile_shared import ADDRESS, NAME, PROBES, Seen, visit
from preflight.model.vocabulary import ProbeName

Visit = Callable[[Authority], AbstractAsyncContextManager[Seen]]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a server does."""

    group: str
    name: str
    visit: Visit
    expect: tuple[str, str, str | None]  # result, status, cause


def _over(handler: Callable[[], Handler], **how: object) -> Visit:
    """Plain HTTP, asked by every probe."""

    @asynccontextmanager
    async def visited(_authority: Authority) -> AsyncIterator[Seen]:
        async with DnsServer({(NAME, "A"): [ADDRESS]}) as names, raw.serve(handler()) as server:
            yield await visit(server.port, names.address, **{"probes": PROBES, **how})  # type: ignore[arg-type]

    return visited


def _over_tls(handler: Callable[[], Handler], *, alpn: tuple[str, ...] = (), size: int = 0) -> Visit:
    """HTTP inside TLS; `size` bytes of an extension nobody needs stand in the certificate."""

    @asynccontextmanager
    async def visited(authority: Authority) -> AsyncIterator[Seen]:
        context = authority.issue(NAME, padding=size).context(alpn=alpn)
        async with DnsServer({(NAME, "A"): [ADDRESS]}) as names, raw.serve(handler(), context=context) as server:
            seen = await visit(server.port, names.address, probes=PROBES, scheme="https", pem=authority.pem)
            yield seen

    return visited


def _instead_of_tls(handler: Callable[[Authority], Handler]) -> Visit:
    """Raw bytes where TLS is expected."""

    @asynccontextmanager
    async def visited(authority: Authority) -> AsyncIterator[Seen]:
        async with DnsServer({(NAME, "A"): [ADDRESS]}) as names, raw.serve(handler(authority)) as server:
            seen = await visit(server.port, names.address, scheme="https", pem=authority.pem)
            yield seen

    return visited


def _by_dns(
    script: Callable[[], object],
    records: dict[tuple[str, str], list[str]] | None = None,
    over_tcp: Callable[[], Handler] = lambda: None,  # type: ignore[assignment, return-value]
) -> Visit:
    """A hostile name server; what the name leads to, if anywhere, is loopback."""

    @asynccontextmanager
    async def visited(_authority: Authority) -> AsyncIterator[Seen]:
        async with DnsServer(records) as names, raw.serve(hostile.parts([response()])) as server:
            names.script = script()  # type: ignore[assignment]
            names.over_tcp = over_tcp()
            seen = await visit(server.port, names.address)
            yield seen

    return visited


def _dripping_body() -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hostile.OK + _LENGTH)
        await hostile.drip(b"z" * 1_000)(reader, writer)

    return handler


def _drip_in_tls(authority: Authority) -> Handler:
    """A record that announces 16 KB and sends a byte per second."""
    del authority
    return hostile.drip(b"\x16\x03\x03\x40\x00\x02" + bytes(16_384), wait_for=b"")


def _records(authority: Authority) -> Handler:
    """Handshake records for ever, each of a HelloRequest that nobody asked for."""
    del authority
    return hostile.endless(raw.server_hello((3, 3)), b"\x16\x03\x03\x00\x04\x00\x00\x00\x00" * 1_000, wait_for=b"\x01")


@asynccontextmanager
async def _tickets(authority: Authority) -> AsyncIterator[Seen]:
    """A thousand session tickets behind the handshake, and no answer."""
    context = authority.issue(NAME).context()
    context.num_tickets = 1_000
    async with DnsServer({(NAME, "A"): [ADDRESS]}) as names, raw.serve(raw.silent, context=context) as server:
        yield await visit(server.port, names.address, scheme="https", pem=authority.pem)


def _loopbacks(count: int) -> list[str]:
    return [f"127.{n // 65_536 + 1}.{n // 256 % 256}.{n % 256}" for n in range(1, count + 1)]


def _chain(length: int) -> dict[tuple[str, str], list[str]]:
    names = [NAME, *(f"hop{n}.example" for n in range(1, length + 1))]
    return {(one, "CNAME"): [other] for one, other in itertools.pairwise(names)} | {(names[-1], "A"): [ADDRESS]}


def _pointers(query: dns.message.Message) -> bytes:
    """Four thousand records whose names are pointers into one of 126 labels."""
    head = struct.pack("!HHHHHH", query.id, 0x8180, 1, 4_000, 0, 0)
    question = query.question[0].name.to_wire() + b"\x00\x01\x00\x01"
    first = b"\x01a" * 126 + b"\x00" + struct.pack("!HHIH", 1, 1, 30, 4) + bytes([127, 0, 0, 9])
    at = 0xC000 | (12 + len(question))
    rest = b"".join(struct.pack("!HHHIHBBH", at, 1, 1, 30, 4, 127, 9, n) for n in range(3_999))
    return head + question + first + rest


def _over_tcp(make: Callable[[dns.message.Message], dns.message.Message | bytes]) -> Callable[[], object]:
    """Truncated over UDP, and this over TCP."""

    async def script(query: dns.message.Message, transport: str) -> list[dns.message.Message | bytes]:
        return [truncated(query) if transport == "udp" else make(query)]

    return lambda: script


def _garbage() -> object:
    async def script(query: dns.message.Message, transport: str) -> list[dns.message.Message | bytes]:
        return [b"\xff" * 900] * 500

    return script


def _circle() -> object:
    def answer(query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query, recursion_available=True)
        reply.answer.append(dns.rrset.from_text(f"{NAME}.", 30, "IN", "CNAME", "b.example."))
        reply.answer.append(dns.rrset.from_text("b.example.", 30, "IN", "CNAME", f"{NAME}."))
        return reply

    return always(answer)


_MANY = {(NAME, "A"): _loopbacks(1_000)}
_FLOOD = b"X-Flood: " + b"y" * 5_000 + b"\r\n"
_HEADERS = b"".join(b"X-%d: y\r\n" % n for n in range(5_000))
_LENGTH = b"Content-Length: 1000000\r\n\r\n"
_H200 = hostile.frame(hostile.HEADERS, 0x4, 1, b"\x88")
_EMPTY = b"".join(hostile.frame(hostile.DATA, 0, 1) for _ in range(200))
_PINGS = b"".join(hostile.frame(hostile.PING, 0, 0, bytes(8)) for _ in range(200))
_SETTINGS = hostile.SETTINGS * 200
_BIG_LOCATION = response(302, b"", (("Location", "/" + "a" * 60_000),), "Found")
_PROXY = {"proxy": "http://203.0.113.10:3128", "probes": (ProbeName.HTTP,)}
_XML = (
    b"<!DOCTYPE a ["
    + b"".join(b'<!ENTITY e%d "%s">' % (n + 1, b"&e%d;" % n * 10) for n in range(12))
    + b"]><a>&e12;</a>"
)
_OBJECTS = b"[" + b"{}," * 1_398_000 + b"{}]"

BEHAVIOURS = (
    Behaviour(group="HTTP", name="the head, one byte per second", visit=_over(lambda: hostile.drip(hostile.OK * 10)), expect=("timeout", "fail", "http.timeout")),
    Behaviour(group="HTTP", name="a body, one byte per second", visit=_over(_dripping_body), expect=("timeout", "fail", "http.timeout")),
    Behaviour(group="HTTP", name="header after header, without end", visit=_over(lambda: hostile.endless(hostile.OK, _FLOOD)), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP", name="one header without end", visit=_over(lambda: hostile.endless(hostile.OK + b"X: ", b"y" * 65_536)), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP", name="5,000 small headers", visit=_over(lambda: hostile.parts([hostile.OK + _HEADERS + b"Content-Length: 0\r\n\r\n"])), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP", name="interim answers (100) without end", visit=_over(lambda: hostile.endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP", name="a body of 100 MB", visit=_over(hostile.hundred_megabytes), expect=("ok", "pass", None)),
    Behaviour(group="HTTP", name="a gzip bomb of 100 MB, unasked", visit=_over(hostile.gzip_bomb), expect=("ok", "pass", None)),
    Behaviour(group="HTTP", name="chunks of one byte with extensions of 1,000", visit=_over(lambda: hostile.endless(hostile.CHUNKED, hostile.chunks(b"z", b";x=" + b"e" * 1_000))), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP", name="one chunk extension without end", visit=_over(lambda: hostile.endless(hostile.CHUNKED + b"1;x=", b"e" * 65_536)), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP", name="a chunk of 16 exabytes", visit=_over(lambda: hostile.endless(hostile.CHUNKED + b"f" * 16 + b"\r\n", b"z" * 65_536)), expect=("ok", "pass", None)),
    Behaviour(group="HTTP", name="trailers without end", visit=_over(lambda: hostile.endless(hostile.CHUNKED + b"0\r\n", _FLOOD)), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP", name="redirects without end", visit=_over(hostile.redirecting), expect=("ok", "fail", "http.redirect-loop")),
    Behaviour(group="HTTP", name="a redirect to a URL of 60,000 characters", visit=_over(lambda: hostile.parts([_BIG_LOCATION])), expect=("ok", "fail", "http.malformed")),
    Behaviour(group="HTTP", name="4 MiB of JSON, 1.4 million objects", visit=_over(lambda: hostile.parts([response(200, _OBJECTS)])), expect=("ok", "pass", None)),
    Behaviour(group="HTTP", name="JSON nested 60,000 deep", visit=_over(lambda: hostile.parts([response(200, b"[" * 60_000)])), expect=("ok", "pass", None)),
    Behaviour(group="HTTP", name="an XML entity bomb in a storage error", visit=_over(lambda: hostile.parts([response(403, _XML, (("x-ms-request-id", "1"),), "Forbidden")])), expect=("ok", "fail", "http.unexpected-status")),
    Behaviour(group="proxy", name="CONNECT answered by headers without end", visit=_over(lambda: hostile.endless(hostile.OK, _FLOOD), scheme="https", **_PROXY), expect=("too-large", "fail", "proxy.failed")),
    Behaviour(group="proxy", name="CONNECT refused with a page of 100 MB", visit=_over(lambda: hostile.parts([b"HTTP/1.1 403 No\r\nContent-Length: 104857600\r\n\r\n", *[hostile.MEGABYTE] * 100]), scheme="https", **_PROXY), expect=("ok", "fail", "proxy.denied")),
    Behaviour(group="proxy", name="CONNECT answered one byte per second", visit=_over(lambda: hostile.drip(b"HTTP/1.1 200 OK\r\n\r\n"), scheme="https", **_PROXY), expect=("timeout", "fail", "proxy.failed")),
    Behaviour(group="HTTP/2", name="headers in CONTINUATION frames without end", visit=_over_tls(lambda: hostile.h2([hostile.frame(hostile.HEADERS, 0, 1, b"\x88")], then=hostile.frame(hostile.CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100)), alpn=("h2",)), expect=("malformed", "fail", "http.malformed")),
    Behaviour(group="HTTP/2", name="an HPACK bomb: 4 KB named 1,000 times", visit=_over_tls(lambda: hostile.h2(hostile.hpack_bomb()), alpn=("h2",)), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP/2", name="SETTINGS without end", visit=_over_tls(lambda: hostile.h2([], then=_SETTINGS), alpn=("h2",)), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP/2", name="PING without end", visit=_over_tls(lambda: hostile.h2([], then=_PINGS), alpn=("h2",)), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="HTTP/2", name="empty DATA frames without end", visit=_over_tls(lambda: hostile.h2([_H200], then=_EMPTY), alpn=("h2",)), expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="TLS", name="a certificate with an extension of 1 MB", visit=_over_tls(lambda: hostile.parts([response()]), size=1_048_576), expect=("too-large", "fail", "tls.not-tls")),
    Behaviour(group="TLS", name="a certificate with an extension of 90 KB", visit=_over_tls(lambda: hostile.parts([response()]), size=90_000), expect=("ok", "pass", None)),
    Behaviour(group="TLS", name="a record, one byte per second", visit=_instead_of_tls(_drip_in_tls), expect=("timeout", "fail", "tls.timeout")),
    Behaviour(group="TLS", name="handshake records without end", visit=_instead_of_tls(_records), expect=("error", "fail", "tls.not-tls")),
    Behaviour(group="TLS", name="plain text without end", visit=_instead_of_tls(lambda _: hostile.endless(b"", b"z" * 65_536, wait_for=b"\x01")), expect=("not-tls", "fail", "tls.not-tls")),
    Behaviour(group="TLS", name="1,000 session tickets and no answer", visit=_tickets, expect=("too-large", "fail", "http.malformed")),
    Behaviour(group="DNS", name="1,000 addresses, over TCP", visit=_by_dns(lambda: None, _MANY), expect=("error", "fail", "tcp.refused")),
    Behaviour(group="DNS", name="a CNAME loop of two", visit=_by_dns(_circle), expect=("answer", "fail", "dns.nodata")),
    Behaviour(group="DNS", name="a CNAME chain of 60", visit=_by_dns(lambda: None, _chain(60)), expect=("answer", "fail", "dns.nodata")),
    Behaviour(group="DNS", name="4,000 records behind compression pointers", visit=_by_dns(_over_tcp(_pointers)), expect=("malformed", "fail", "dns.tcp-blocked")),
    Behaviour(group="DNS", name="500 datagrams of garbage per question", visit=_by_dns(_garbage), expect=("malformed", "fail", "dns.malformed")),
    Behaviour(group="DNS", name="truncated, then one byte per second over TCP", visit=_by_dns(lambda: always(truncated), over_tcp=lambda: hostile.drip(b"\x02" + bytes(600), wait_for=b"")), expect=("timeout", "fail", "dns.tcp-blocked")),
)  # fmt: skip


def pleasant(*, secure: bool) -> Visit:
    """What all of them are compared with."""
    return _over_tls(_good) if secure else _over(_good)


def _good() -> Handler:
    return hostile.parts([response(200, b"{}")])
