"""DNS answers: the message alone, and the whole exchange over real UDP and TCP sockets on loopback."""

import asyncio
import socket
import struct
from functools import cache

from dns.message import Message

from fuzz import memory, onward
from fuzz.target import Depth, Feed, Target
from preflight.model.observation import DnsAnswer, DnsFacts, SystemLookup
from preflight.model.vocabulary import ProbeName
from preflight.probes import dns
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock

NAME = "stmlprod.blob.core.windows.net"
_CAP_S = 5.0
_RESULTS = {"answer", "timeout", "malformed", "error"}


@cache
def _query(rtype: str) -> Message:
    return dns._query(dns.Question(name=NAME, rtype=rtype, server="10.0.0.4:53"))


def _bounded(answer: DnsAnswer) -> None:
    assert answer.result in _RESULTS
    assert len(answer.addresses) <= dns.MAX_ADDRESSES
    assert len(answer.chain) <= dns.MAX_CHAIN + 2
    # 255 octets of a name are at most 1,020 characters: \DDD for each.
    assert all(len(name) <= 1_024 for name in answer.chain)
    assert len(answer.detail) <= 300


def _judged(answers: tuple[DnsAnswer, ...], *, depth: Depth) -> None:
    addresses = tuple(address for answer in answers for address in answer.addresses)
    facts = DnsFacts(name=NAME, answers=answers, system=SystemLookup(result="failed"), addresses=addresses)
    onward.seen(onward.task(ProbeName.BLOB), onward.hop(f"https://{NAME}/", dns=facts), depth=depth)


def _message(data: bytes, depth: Depth) -> None:
    """First byte: A or AAAA. Then the message without its id, which always fits: guessing 16 bits teaches nothing."""
    feed = Feed(data)
    rtype = "AAAA" if feed.byte() % 2 else "A"
    query = _query(rtype)
    heard = dns._Heard()
    response = dns._parse(struct.pack("!H", query.id) + feed.rest(), query, heard)
    if response is None:
        assert heard.strange == 1
        assert heard.detail
        return
    told = dns._read(response, rtype)
    answer = DnsAnswer(
        server="10.0.0.4:53", rtype=rtype, transport="udp", at_ms=0.0, duration_ms=1.0, **told
    )  # fmt: skip
    _bounded(answer)
    _judged((answer,), depth=depth)


class _Server:
    """One UDP and one TCP socket on the same port of loopback; says to each question what it was told to say."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.stream = b""
        self._ids: list[int] = []
        self.address = ""

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._tcp, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", port))
        sock.setblocking(False)
        loop.add_reader(sock, self._udp, sock)
        self.address = f"127.0.0.1:{port}"

        def close() -> None:
            server.close()
            loop.remove_reader(sock)
            sock.close()
            _SERVERS.clear()

        memory.at_close(close)

    def _udp(self, sock: socket.socket) -> None:
        query, client = sock.recvfrom(4_096)
        for datagram in self.datagrams:
            sock.sendto(query[:2] + datagram, client)

    async def _tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            query = await reader.readexactly(4)
            writer.write(self.stream.replace(b"{id}", query[2:]))
            writer.write_eof()
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


_SERVERS: list[_Server] = []


async def _exchange(server: _Server, rtype: str) -> DnsAnswer:
    if not server.address:
        await server.open()
    question = dns.Question(name=NAME, rtype=rtype, server=server.address)
    return await dns.ask(question, Cap.after(_CAP_S), Clock(), grace_s=0.0)


def _sockets(data: bytes, depth: Depth) -> None:
    """First byte: type, transport, number of datagrams. Over TCP the bytes are the stream, `{id}` is the query's id."""
    feed = Feed(data)
    choice = feed.byte()
    if not _SERVERS:
        _SERVERS.append(_Server())
    server, rtype = _SERVERS[0], "AAAA" if choice & 1 else "A"
    if choice & 2:
        truncated = struct.pack("!HHHHH", 0x8300, 1, 0, 0, 0) + _question(rtype)
        server.datagrams, server.stream = [truncated], feed.rest()
    else:
        one, _, other = feed.rest().partition(memory.NEXT)
        server.datagrams = [one, other] if choice & 4 else [one]
    answer = memory.run(_exchange(server, rtype))
    assert answer.result != "timeout" or choice & 2, "it waits although something strange came"
    _bounded(answer)
    _judged((answer,), depth=depth)


def _question(rtype: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in NAME.split("."))
    return labels + b"\x00" + struct.pack("!HH", 28 if rtype == "AAAA" else 1, 1)


TARGETS = (
    Target(
        name="dns-message",
        parses="DNS answers, the message",
        enters="probes.dns._parse, _read",
        run=_message,
        longest=2_048,
    ),
    Target(
        name="dns-sockets",
        parses="DNS answers over UDP and TCP sockets, truncated ones too",
        enters="probes.dns.ask",
        run=_sockets,
        longest=2_048,
        words=("{id}", memory.NEXT.decode()),
    ),
)
