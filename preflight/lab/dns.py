"""The lab's DNS server: one view per vantage over UDP and TCP, and every way in which a resolver misbehaves.

What each private link case looks like on the wire: private-endpoint-dns.md, Azure/AKS#1839.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from enum import StrEnum

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from preflight.lab import deployment as at
from preflight.lab.effects import Effects, Layer
from preflight.lab.listener import Listener, State, family
from preflight.lab.script import Cut, Script, Silence, play
from preflight.lab.stream import Socket

_TTL = 30
_MAX_UDP = 4096
_TRIES = 20
_ZONES = (
    "azmk8s.io", "azurecr.io", "azureml.ms", "azureml.net", "azure.com", "cloudapp.azure.com", "contoso.com",
    "contoso.internal", "mcr-msedge.net", "microsoft.com", "microsoftonline.com", "msidentity.com",
    "trafficmanager.net", "windows.net",
)  # fmt: skip

Six = Callable[[str | None], str | None]


class Part(StrEnum):
    """Which resolver of a vantage this is."""

    FIRST = "first"
    SECOND = "second"  # there only while servers are to disagree, or one of them to be dead
    COMPARED = "compared"  # a resolver inside the network, beside the one that is used


_RCODES = {
    "dns.nxdomain": dns.rcode.NXDOMAIN,
    "telemetry.name-undocumented": dns.rcode.NXDOMAIN,
    "dns.servfail": dns.rcode.SERVFAIL,
    "dns.refused": dns.rcode.REFUSED,
    "dns.nodata": dns.rcode.NOERROR,
    "dns.rebind-filtered": dns.rcode.NOERROR,  # dnsmasq --stop-dns-rebind: NOERROR, answer section emptied
}


class View:
    """What one resolver answers to a vantage; `six` gives the IPv6 address that goes with a public one."""

    def __init__(
        self,
        vantage: str,
        effects: Effects,
        names: Mapping[str, at.Host],
        *,
        part: Part = Part.FIRST,
        six: Six,
        moves: Mapping[str, str] = {},
    ) -> None:
        self._vantage, self._effects, self._names = vantage, effects, names
        self._part, self._six, self._moves = part, six, moves
        self._private = vantage.partition("/")[0] in at.INSIDE

    def respond(self, wire: bytes, *, tcp: bool) -> bytes:
        """The packet to send back; raises `Silence` or `Cut`."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        cause = self._cause(self._owner(name))
        match cause:
            case "dns.timeout" | "dns.server-dead":
                raise Silence
            case "dns.tcp-blocked" if tcp:
                raise Cut
            case "dns.malformed":
                return wire[:2] + b"\xff" * 40
            case _:
                response = self._answer(query, name, dns.rdatatype.to_text(question.rdtype), cause)
        if cause == "dns.tcp-blocked":
            response.answer.clear()
            response.flags |= dns.flags.TC
        return _packed(query, response, tcp=tcp)

    def _cause(self, name: str) -> str | None:
        if self._part is Part.COMPARED:
            return None
        if self._part is Part.SECOND and self._effects.any(self._vantage, "dns.server-dead"):
            return "dns.server-dead"
        cause = self._effects.at(self._vantage, name, Layer.DNS)
        if cause == "dns.inconsistent":  # the second server lacks the zone
            return "dns.nxdomain" if self._part is Part.SECOND else None
        if cause == "dns.server-dead":
            return None
        if name == at.PROXY.name and self._effects.any(self._vantage, "proxy.unresolved"):
            return "dns.nxdomain"
        return cause

    def _answer(self, query: dns.message.Message, name: str, rtype: str, cause: str | None) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        if cause == "dns.aaaa-failing" and rtype == "AAAA":
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        rcode = _RCODES.get(cause or "")
        host = self._names.get(self._owner(name))
        if rcode is not None or host is None:
            response.set_rcode(dns.rcode.NXDOMAIN if rcode is None else rcode)
            return self._with_soa(response, name)
        chain, address = self._resolution(host, cause)
        if name in host.chain and name not in chain:  # the public names behind a service lead to it from everywhere
            chain, address = host.chain, host.public
        chain = chain[chain.index(name) + 1 :] if name in chain else chain
        owner = name
        for target in chain:
            response.answer.append(dns.rrset.from_text(owner + ".", _TTL, "IN", "CNAME", target + "."))
            owner = target
        if address is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return self._with_soa(response, owner)
        six = self._six(address) if host.name in self._effects.six else None
        found = {"A": address, "AAAA": six}.get(rtype)
        if found is None:
            return self._with_soa(response, owner)
        response.answer.append(dns.rrset.from_text(owner + ".", _TTL, "IN", rtype, found))
        return response

    def _resolution(self, host: at.Host, cause: str | None) -> tuple[tuple[str, ...], str | None]:
        """CNAME chain and address (None: the end of the chain does not exist)."""
        link = (host.link,) if host.link else ()
        match cause:
            case "dns.sinkhole":
                return (), at.SINKHOLE
            case "endpoint.wrong-address":
                return (), self._moves.get(at.STALE_ADDRESS, at.STALE_ADDRESS)
            case "dns.private-when-public-expected":
                return (), self._moves.get(at.SPLIT_ADDRESS, at.SPLIT_ADDRESS)
            case "dns.public-when-private-expected":
                return host.chain, host.public
            case "dns.privatelink-record-missing":
                return link, None
            case "dns.privatelink-public-answer":
                return (*link, *host.chain), host.public
            case _:
                pass
        if host.private and (self._private or self._part is Part.COMPARED):
            return link, host.private
        return (*link, *host.chain), host.public

    def _owner(self, name: str) -> str:
        """The name whose CNAME chain a name belongs to: resolvers ask for each name of a chain by itself."""
        owners = (host.name for host in self._names.values() if name in (host.link, *host.chain))
        return name if name in self._names else next(owners, name)

    def _with_soa(self, response: dns.message.Message, name: str) -> dns.message.Message:
        """A negative answer carries its zone's SOA (RFC 2308), except a filter's, which nobody signs."""
        zone = self._zone(name)
        if zone and response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            text = f"ns1.{zone}. hostmaster.{zone}. 1 3600 300 2419200 {_TTL}"
            response.authority.append(dns.rrset.from_text(zone + ".", _TTL, "IN", "SOA", text))
        return response

    def _zone(self, name: str) -> str | None:
        _, link, parent = name.partition(".privatelink.")
        if link and any(host.link == name for host in self._names.values()):
            return f"privatelink.{parent}"
        return next((zone for zone in _ZONES if name == zone or name.endswith("." + zone)), None)


def _packed(query: dns.message.Message, response: dns.message.Message, *, tcp: bool) -> bytes:
    size = 65535 if tcp else max(512, query.payload)
    try:
        return response.to_wire(max_size=size)
    except dns.exception.TooBig:
        short = dns.message.make_response(query, recursion_available=True)
        short.flags |= dns.flags.TC
        return short.to_wire()


class DnsServer:
    """UDP and TCP on one (address, port); `view` chooses by the client's address. Port 0 takes a free one."""

    def __init__(self, address: str, port: int, view: Callable[[str], View], script: Script) -> None:
        self._address, self._port, self._view, self._script = address, port, view, script
        self._answering: set[asyncio.Task[None]] = set()
        self._udp: socket.socket | None = None
        self._reading: asyncio.Task[None] | None = None
        self._tcp: Listener | None = None

    @property
    def nameserver(self) -> str:
        """`address:port`."""
        return f"{self._address}:{self._port}"

    async def open(self) -> None:
        """Bind both; the port of UDP may be taken for TCP, then another is tried."""
        for attempt in range(_TRIES):
            try:
                await self._open()
            except OSError:
                await self.close()
                if self._address != "127.0.0.1" or attempt == _TRIES - 1:
                    raise
            else:
                return

    async def _open(self) -> None:
        udp = self._udp = socket.socket(family(self._address), socket.SOCK_DGRAM)
        udp.setblocking(False)
        udp.bind((self._address, self._port))
        port = int(udp.getsockname()[1])
        self._tcp = Listener(self._address, port, self._stream)
        await self._tcp.enter(State.SERVING)
        self._port = port
        self._reading = asyncio.create_task(self._datagrams(udp))

    async def close(self) -> None:
        """Release both."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)
        if self._tcp is not None:
            await self._tcp.close()
            self._tcp = None
        if self._udp is not None:
            self._udp.close()
            self._udp = None

    async def _datagrams(self, udp: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # A client that has closed its socket shows as an error of the next read; it is no concern of the others.
            with contextlib.suppress(ConnectionError):
                wire, client = await loop.sock_recvfrom(udp, _MAX_UDP)
                task = asyncio.create_task(self._datagram(udp, wire, client))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)

    async def _datagram(self, udp: socket.socket, wire: bytes, client: tuple[str, int]) -> None:
        with contextlib.suppress(OSError, dns.exception.DNSException, Silence, Cut):
            packet = await self._respond(client[0], wire, tcp=False)
            await asyncio.get_running_loop().sock_sendto(udp, packet, client)

    async def _respond(self, client: str, wire: bytes, *, tcp: bool) -> bytes:
        def usual() -> bytes:
            return self._view(client).respond(wire, tcp=tcp)

        written = self._script.find(wire, server=self._address, tcp=tcp)
        return usual() if written is None else await play(written, wire, usual)

    async def _stream(self, connection: socket.socket) -> None:
        client = connection.getpeername()[0]
        stream = Socket(connection)
        buffer = b""
        while True:
            while len(buffer) < 2 or len(buffer) < 2 + struct.unpack("!H", buffer[:2])[0]:
                data = await stream.receive()
                if not data:
                    return
                buffer += data
            size = 2 + struct.unpack("!H", buffer[:2])[0]
            await self._reply(stream, client, buffer[2:size])
            buffer = buffer[size:]

    async def _reply(self, stream: Socket, client: str, wire: bytes) -> None:
        try:
            packet = await self._respond(client, wire, tcp=True)
        except Silence:
            return
        except (Cut, dns.exception.DNSException):
            stream.reset()
            raise ConnectionAbortedError from None
        await stream.send(struct.pack("!H", len(packet)) + packet)
