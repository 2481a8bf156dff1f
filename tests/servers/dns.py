"""A programmable DNS server, UDP and TCP on one port of loopback: any record, and any misbehaviour.

`async with DnsServer({("name", "A"): ["10.0.0.1"]}) as server`, then `server.script = ...` for what is not an answer.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Records = Mapping[tuple[str, str], Sequence[str]]
# What to do with a query: messages or raw packets to send back, in order; nothing at all for silence.
Script = Callable[[dns.message.Message, str], Awaitable[list[dns.message.Message | bytes]]]


class DnsServer:
    """Answers from `records`, chasing CNAMEs; unknown names are NXDOMAIN, known ones without the type NODATA."""

    def __init__(self, records: Records | None = None, *, ttl: int = 30) -> None:
        self.records = {(name.lower(), rtype): list(values) for (name, rtype), values in (records or {}).items()}
        self.ttl = ttl
        self.script: Script | None = None
        self.tcp = True  # false: nothing listens on TCP
        self.tcp_slots = 1000  # connections beyond are reset at once
        self._connections = 0
        self.over_tcp: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None
        self.queries: list[tuple[str, str, str]] = []  # transport, name, type
        self.messages: list[dns.message.Message] = []
        self.address = ""
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        sock, port = self._bind()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), sock=sock)
        self._tcp = await asyncio.start_server(self._over_tcp, "127.0.0.1", port) if self.tcp else None
        self.address = f"127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._udp.abort()
        if self._tcp is not None:
            self._tcp.close()
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await asyncio.sleep(0)

    def _bind(self) -> tuple[socket.socket, int]:
        """A port that is free for both transports."""
        while True:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    sock.close()
                    continue
            return sock, port

    def start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def respond(self, wire: bytes, transport: str) -> list[bytes]:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        rtype = dns.rdatatype.to_text(question.rdtype)
        self.queries.append((transport, text(question.name), rtype))
        self.messages.append(query)
        replies = await self.script(query, transport) if self.script else [self.answer(query)]
        return [reply if isinstance(reply, bytes) else self._wire(reply, query, transport) for reply in replies]

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The proper answer."""
        reply = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name, rtype = text(question.name), dns.rdatatype.to_text(question.rdtype)
        for _ in range(64):
            if values := self.records.get((name, rtype)):
                reply.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", rtype, *values))
                return reply
            alias = self.records.get((name, "CNAME"))
            if alias is None:
                break
            reply.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "CNAME", f"{alias[0]}."))
            name = alias[0].lower()
        if not any(known == name for known, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def _wire(self, reply: dns.message.Message, query: dns.message.Message, transport: str) -> bytes:
        if transport == "tcp":
            return reply.to_wire(max_size=65535)
        try:
            return reply.to_wire(max_size=max(512, query.payload if query.edns >= 0 else 512))
        except dns.exception.TooBig:
            return truncated(query).to_wire()

    async def _over_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._running.add(asyncio.current_task())
        self._connections += 1
        try:
            if self._connections > self.tcp_slots:
                return
            if self.over_tcp is not None:
                await self.over_tcp(reader, writer)
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                for packet in await self.respond(await reader.readexactly(length), "tcp"):
                    writer.write(struct.pack("!H", len(packet)) + packet)
                await writer.drain()
        except (EOFError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections -= 1
            self._running.discard(asyncio.current_task())
            writer.transport.abort()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self._server.start(self._go(data, address))

    async def _go(self, data: bytes, address: tuple[str, int]) -> None:
        for packet in await self._server.respond(data, "udp"):
            self._transport.sendto(packet, address)


def text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def with_rcode(query: dns.message.Message, rcode: str) -> dns.message.Message:
    reply = dns.message.make_response(query, recursion_available=True)
    reply.set_rcode(dns.rcode.from_text(rcode))
    return reply


def truncated(query: dns.message.Message) -> dns.message.Message:
    reply = dns.message.make_response(query, recursion_available=True)
    reply.flags |= dns.flags.TC
    return reply


def always(make: Callable[[dns.message.Message], dns.message.Message | bytes]) -> Script:
    """The same for every query."""

    async def script(query: dns.message.Message, transport: str) -> list[dns.message.Message | bytes]:
        return [make(query)]

    return script


async def silence(query: dns.message.Message, transport: str) -> list[dns.message.Message | bytes]:
    return []
