"""A transparent filter on the firewall that looks at server names, as Azure Firewall's application rules do.

It takes part in the TCP handshake, reads the ClientHello (or the Host of plain HTTP), and then acts. What it does not
deny it forwards untouched. It never terminates TLS.
"""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from bed.loops import Loop
from bed.whole import Bed
from preflight.lab.stream import Socket, server_name

_PORT = 9943  # no port of the programs in parts/
_ORIGINAL_DESTINATION = 80  # SO_ORIGINAL_DST of <linux/netfilter_ipv4.h>
_UNRECOGNIZED_NAME = bytes((21, 3, 3, 0, 2, 2, 112))  # a fatal alert, RFC 8446 6
_LATER = 3600  # seconds


class Act(StrEnum):
    """What happens to a denied connection."""

    RESET = "reset"  # RST after the ClientHello
    FINISH = "finish"  # FIN after the ClientHello
    DROP = "drop"  # silence after the ClientHello
    ALERT = "alert"  # a TLS alert instead of the ServerHello
    STALL = "stall"  # silence after `after` bytes of the server's
    CUT = "cut"  # RST after `after` bytes of the server's
    PAGE = "page"  # plain HTTP: status 470 and the text of an Azure Firewall; TLS: RST


class Sni(msgspec.Struct, frozen=True, kw_only=True):
    """Deny connections for these server names (shell patterns; "" is a ClientHello without one)."""

    names: tuple[str, ...]
    act: Act
    after: int = 0


class SniFilter:
    """Listens on the firewall; connections come by a redirection in chain `rewrite`."""

    def __init__(self, bed: Bed) -> None:
        self._denied: tuple[Sni, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = Loop(bed.topology.firewall)
        self._loop.run(self._open())

    def reset(self) -> None:
        """Nothing is denied."""
        self._denied = ()

    def deny(self, rule: Sni) -> None:
        """From now on."""
        self._denied = (*self._denied, rule)

    def stop(self) -> None:
        """Close everything."""
        self._loop.close()
        self._listening.close()

    async def _open(self) -> None:
        self._listening = socket.create_server(("0.0.0.0", _PORT), backlog=128)
        self._listening.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listening)
            task = asyncio.create_task(self._one(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _one(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            place = _destination(client)
            stream = Socket(client)
            first = await stream.peek()
            name = server_name(first) if first[:1] == b"\x16" else _host(first)
            rule = next((one for one in self._denied if any(fnmatchcase(name or "", each) for each in one.names)), None)
            if rule is not None and rule.act in _AT_ONCE:
                await _AT_ONCE[rule.act](stream, first)
                return
            await _forward(stream, place, rule)


def _destination(client: socket.socket) -> tuple[str, int]:
    raw = client.getsockopt(socket.SOL_IP, _ORIGINAL_DESTINATION, 16)
    port, address = struct.unpack("!2xH4s", raw[:8])
    return socket.inet_ntoa(address), port


def _host(head: bytes) -> str | None:
    lines = head.decode("latin-1").split("\r\n")
    return next((line.partition(":")[2].strip().lower() for line in lines if line.lower().startswith("host:")), None)


async def _reset(stream: Socket, _first: bytes) -> None:
    stream.reset()


async def _finish(stream: Socket, _first: bytes) -> None:
    await stream.receive()  # an unread byte would make the kernel send RST instead
    stream.finish()


async def _drop(stream: Socket, _first: bytes) -> None:
    while await stream.receive():
        pass
    await asyncio.sleep(_LATER)


async def _alert(stream: Socket, _first: bytes) -> None:
    await stream.receive()
    await stream.send(_UNRECOGNIZED_NAME)
    stream.finish()


async def _page(stream: Socket, first: bytes) -> None:
    """Texts: MicrosoftDocs/azure-docs#46134, #70564."""
    if first[:1] == b"\x16":
        stream.reset()
        return
    await stream.receive()
    text = f"HTTP request from 10.70.0.10:49424 to {_host(first)}:80. Action: Deny. Reason: No rule matched."
    body = f"{text} Proceeding with default action.".encode()
    head = f"HTTP/1.1 470 status code 470\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    await stream.send(head.encode() + body)
    stream.finish()


_AT_ONCE: dict[Act, Callable[[Socket, bytes], Awaitable[None]]] = {
    Act.RESET: _reset,
    Act.FINISH: _finish,
    Act.DROP: _drop,
    Act.ALERT: _alert,
    Act.PAGE: _page,
}


async def _forward(client: Socket, place: tuple[str, int], rule: Sni | None) -> None:
    with socket.socket() as sock:
        upstream = Socket(sock)
        try:
            await asyncio.get_running_loop().sock_connect(sock, place)
        except OSError as error:
            if error.errno != errno.ECANCELED:
                client.reset()
            return
        up = asyncio.create_task(_up(client, upstream))
        try:
            await _down(upstream, client, rule)
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)


async def _up(source: Socket, sink: Socket) -> None:
    while data := await source.receive():
        await sink.send(data)
    sink.finish()


async def _down(source: Socket, sink: Socket, rule: Sni | None) -> None:
    passed = 0
    while data := await source.receive():
        if rule is not None and passed + len(data) > rule.after:
            await sink.send(data[: rule.after - passed])
            if rule.act is Act.CUT:
                sink.reset()
                return
            await asyncio.sleep(_LATER)
        await sink.send(data)
        passed += len(data)
    sink.finish()


@contextmanager
def sni(bed: Bed, action: Sni) -> Iterator[None]:
    """The filter in the way of all that the workstation sends to ports 80 and 443."""
    bed.part(SniFilter, SniFilter).deny(action)
    rule = f'iifname "to-workstation" ip daddr != 10.70.0.0/24 tcp dport {{ 80, 443 }} redirect to :{_PORT}'
    with bed.topology.rules(rule, chain="rewrite"):
        yield
