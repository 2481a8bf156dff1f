"""One question to one DNS server: UDP with TCP when the answer is truncated. Facts only; nothing is retried here."""

import asyncio
import errno
import itertools
import random
import socket
import struct
from collections.abc import Iterable
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import msgspec

from preflight.model.observation import DnsAnswer
from preflight.probes import names
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock

MAX_RECORDS = 1_024  # of one message; taking ten times as many apart would hold everything else up for seconds
MAX_ADDRESSES = 64  # of one answer that are kept
MAX_CHAIN = 16  # CNAME records that are followed, twice what resolvers in use do
MAX_STRANGE = 64  # datagrams that are no answer to the question; after as many nobody waits for another
_PAYLOAD = 1_232  # EDNS buffer size that passes every usual path (DNS flag day 2020)
TCP_AT_ONCE = 4  # connections to one server: unbound takes 10 from everybody, and cuts them early when half are in use
_PAUSES_S = (0.05, 0.1, 0.2)
_CUT = frozenset({errno.ECONNRESET, errno.EPIPE})
_HEADER, _RECORD = 12, 11  # bytes, of a header and at least of a record: RFC 1035, section 4.1
_UNREADABLE = (dns.exception.DNSException, ValueError, struct.error, IndexError)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, whom and how."""

    name: str  # ASCII, no final dot
    rtype: str  # "A" or "AAAA"
    server: str  # "10.0.0.4:53"
    role: str = "configured"
    edns: bool = True
    transport: str = "udp"  # or "tcp": not asked over UDP first
    attempt: int = 1


class _Heard:
    """What came over one transport besides the answer."""

    def __init__(self) -> None:
        self.strange = 0
        self.detail = ""

    def note(self, detail: str) -> None:
        self.strange += 1
        self.detail = detail


class _Failed(Exception):  # noqa: N818 - a result on its way out, not an error of ours
    """This transport gives no answer."""

    def __init__(self, result: str, *, number: int | None = None, detail: str = "", cut: bool = False) -> None:
        super().__init__(result)
        self.result = result
        self.cut = cut or number in _CUT  # the connection ended before its answer
        self.errno = errno.errorcode.get(number, str(number)) if number is not None else None
        self.detail = detail


async def ask(
    question: Question, cap: Cap, clock: Clock, *, grace_s: float, lanes: asyncio.Semaphore | None = None
) -> DnsAnswer:
    """Asks once. `grace_s` is how long an answer may follow after something that is none.

    `lanes`: what all who ask the same server share, so that it meets few TCP connections at once.
    """
    at_ms = clock.ms()
    transport, truncated = question.transport, False
    lanes = lanes or asyncio.Semaphore()
    try:
        query = _query(question)
        if transport == "tcp":
            response = await _over_tcp(query, question.server, cap, lanes)
        else:
            response = await _over_udp(query, question.server, cap, grace_s)
            if response.flags & dns.flags.TC:
                transport, truncated = "tcp", True
                response = await _over_tcp(query, question.server, cap, lanes)
        told: dict[str, Any] = _read(response, question.rtype)
    except _Failed as failed:
        told = {"result": failed.result, "errno": failed.errno, "detail": failed.detail}
    return DnsAnswer(
        server=question.server,
        role=question.role,
        rtype=question.rtype,
        transport=transport,
        truncated=truncated,
        attempt=question.attempt,
        at_ms=at_ms,
        duration_ms=clock.since(at_ms),
        **told,
    )


def _query(question: Question) -> dns.message.QueryMessage:
    """An absolute question: search domains have no part in it."""
    try:
        name = dns.name.from_text(question.name, origin=dns.name.root)
        return dns.message.make_query(
            name,
            question.rtype,
            use_edns=0 if question.edns else None,
            payload=_PAYLOAD if question.edns else None,
            id=random.SystemRandom().randrange(65_536),
        )
    except _UNREADABLE as error:
        raise _Failed("error", detail=f"not a legal name: {type(error).__name__}") from error


async def _over_udp(query: dns.message.Message, server: str, cap: Cap, grace_s: float) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    heard = _Heard()
    hurry: asyncio.TimerHandle | None = None
    try:
        with _socket(server, socket.SOCK_DGRAM) as sock:
            async with cap.hold():
                await loop.sock_sendall(sock, query.to_wire())
                while True:
                    wire = await loop.sock_recv(sock, 65_535)
                    response = _parse(wire, query, heard)
                    if response is not None:
                        return response
                    if heard.strange >= MAX_STRANGE:
                        raise _Failed("malformed", detail=f"{heard.strange} datagrams, the last one {heard.detail}")
                    # A strange datagram must not end the waiting, nor must it make us wait to the end.
                    hurry = hurry or loop.call_later(grace_s, cap.expire)
    except TimeoutError:
        raise _silence(heard) from None
    except OSError as error:
        raise _Failed("error", number=error.errno) from error
    finally:
        if hurry is not None:
            hurry.cancel()


async def _over_tcp(query: dns.message.Message, server: str, cap: Cap, lanes: asyncio.Semaphore) -> dns.message.Message:
    """Over few connections at once, and again when one is cut: RFC 7766 6.2.2 and 6.2.4."""
    last = _Failed("timeout", detail="no turn for a TCP connection")
    for pause in (0.0, *_PAUSES_S):
        try:
            async with cap.hold():
                await asyncio.sleep(pause)
                async with lanes:
                    last = _Failed("timeout", detail="no answer over TCP") if not pause else last
                    return await _connected(query, server)
        except TimeoutError:
            raise last from None
        except _Failed as failed:
            if not failed.cut:
                raise
            last = failed
    raise last


async def _connected(query: dns.message.Message, server: str) -> dns.message.Message:
    """The answer over a connection of its own."""
    loop = asyncio.get_running_loop()
    heard = _Heard()
    wire = query.to_wire()
    try:
        with _socket(server, socket.SOCK_STREAM, connect=False) as sock:
            host, port = names.split(server, 53)
            await loop.sock_connect(sock, names.socket_address(host, port, socket.SOCK_STREAM)[1])
            await loop.sock_sendall(sock, struct.pack("!H", len(wire)) + wire)
            (length,) = struct.unpack("!H", await _exactly(sock, 2))
            response = _parse(await _exactly(sock, length), query, heard)
    except EOFError:
        detail = "the server closed the TCP connection without an answer"
        raise _Failed("malformed", detail=detail, cut=True) from None
    except OSError as error:
        raise _Failed("error", number=error.errno, detail="over TCP") from error
    if response is None:
        raise _Failed("malformed", detail=heard.detail)
    return response


def _socket(server: str, kind: socket.SocketKind, *, connect: bool = True) -> socket.socket:
    """A non-blocking socket; a connected UDP socket hears ICMP errors and strangers not at all."""
    try:
        host, port = names.split(server, 53)
        family, address = names.socket_address(host, port, kind)
    except (ValueError, socket.gaierror):
        raise _Failed("error", detail=f"not an address: {server[:100]}") from None
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if connect:
            sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _exactly(sock: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    received = bytearray()
    while len(received) < size:
        part = await loop.sock_recv(sock, size - len(received))
        if not part:
            raise EOFError
        received += part
    return bytes(received)


def _silence(heard: _Heard) -> _Failed:
    return _Failed("malformed", detail=heard.detail) if heard.strange else _Failed("timeout")


def _parse(wire: bytes, query: dns.message.Message, heard: _Heard) -> dns.message.Message | None:
    """The response when it answers the query: id, question and the response bit are verified."""
    records = sum(struct.unpack_from("!HHH", wire, 6)) if len(wire) >= _HEADER else 0
    if records > MAX_RECORDS:
        honest = records * _RECORD <= len(wire)
        heard.note(f"{records} records" if honest else f"{len(wire)} bytes that are not a DNS message")
        return None
    try:
        response = dns.message.from_wire(wire, ignore_trailing=True)
    except _UNREADABLE as error:
        heard.note(f"{len(wire)} bytes that are not a DNS message ({type(error).__name__})")
        return None
    if not response.flags & dns.flags.QR:
        heard.note("a question came back instead of an answer")
    elif response.id != query.id:
        heard.note("an answer with a wrong id")
    elif not query.is_response(response):
        heard.note("an answer to another question")
    else:
        return response
    return None


def _read(response: dns.message.Message, rtype: str) -> dict[str, Any]:
    """rcode, CNAME chain, addresses and smallest TTL of the answer section."""
    wanted = dns.rdatatype.from_text(rtype)
    name = response.question[0].name if response.question else dns.name.root
    chain, ttls = [_text(name)], []
    sets = {(rrset.name, rrset.rdtype): rrset for rrset in response.answer if rrset.rdclass == dns.rdataclass.IN}
    while (name, wanted) not in sets and (alias := sets.get((name, dns.rdatatype.CNAME))) is not None:
        name = alias[0].target
        ttls.append(alias.ttl)
        if _text(name) in chain or len(chain) > MAX_CHAIN:
            return _told(response, chain, ttls, (), "the CNAME chain runs in a circle or is too long")
        chain.append(_text(name))
    final = sets.get((name, wanted))
    count = len(final) if final else 0
    addresses = (record.address for record in itertools.islice(final or (), MAX_ADDRESSES))
    detail = f"{count} addresses came, the first {MAX_ADDRESSES} are kept" if count > MAX_ADDRESSES else ""
    return _told(response, chain, ttls + ([final.ttl] if final else []), addresses, detail)


def _told(
    response: dns.message.Message, chain: list[str], ttls: list[int], addresses: Iterable[str], detail: str
) -> dict[str, Any]:
    return {
        "result": "answer",
        "rcode": dns.rcode.to_text(response.rcode()),
        "chain": tuple(chain),
        "addresses": tuple(addresses),
        "ttl": min(ttls, default=None),
        "detail": detail,
    }


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
