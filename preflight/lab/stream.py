"""Byte streams of the lab's servers over non-blocking sockets: plain, TLS, and the look at a ClientHello before it.

Own TLS on memory BIOs, because faults act between TCP and TLS and because a reset must be a reset.
"""

import asyncio
import socket
import ssl
import struct
from typing import Protocol

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: close() sends RST instead of FIN
_CLIENT_HELLO, _SERVER_NAME = 22, 0


class Stream(Protocol):
    """What a server speaks over."""

    async def receive(self) -> bytes:
        """Next bytes, empty at the end of file."""

    async def send(self, data: bytes) -> None:
        """All of `data`."""


class Socket:
    """A plain connection; `reset()` makes its closing an RST."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._ahead = b""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def receive(self) -> bytes:
        """Next bytes, empty at the end of file."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        return await asyncio.get_running_loop().sock_recv(self._sock, _CHUNK)

    async def send(self, data: bytes) -> None:
        """All of `data`."""
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def peek(self) -> bytes:
        """The first record of the client, left in place for the next `receive`: a whole ClientHello, or what came."""
        while not _whole(self._ahead) and len(self._ahead) < _CHUNK:
            more = await asyncio.get_running_loop().sock_recv(self._sock, _CHUNK)
            if not more:
                break
            self._ahead += more
        return self._ahead

    @property
    def segment(self) -> int:
        """The largest segment that may be sent: what the client announced, when that is less than the path's."""
        return self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)

    def reset(self) -> None:
        """Close with RST, whatever is still to be read."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._sock.close()

    def finish(self) -> None:
        """Say that nothing more will be sent (FIN)."""
        self._sock.shutdown(socket.SHUT_WR)


def _whole(data: bytes) -> bool:
    if len(data) < 5:
        return False
    return data[0] != _CLIENT_HELLO or len(data) >= 5 + int(struct.unpack("!H", data[3:5])[0])


def server_name(hello: bytes) -> str | None:
    """The SNI of a ClientHello, lower case; None when it has none or is none (RFC 8446 4.1.2, RFC 6066 3)."""
    try:
        return _server_name(hello) if hello[:1] == bytes([_CLIENT_HELLO]) else None
    except (IndexError, struct.error):
        return None


def _server_name(hello: bytes) -> str | None:
    at = 5 + 4 + 2 + 32  # record header, handshake header, version, random
    at += 1 + hello[at]  # session id
    at += 2 + _u16(hello, at)  # cipher suites
    at += 1 + hello[at]  # compression methods
    end = at + 2 + _u16(hello, at)
    at += 2
    while at + 4 <= end:
        kind, length = _u16(hello, at), _u16(hello, at + 2)
        if kind == _SERVER_NAME:
            size = _u16(hello, at + 7)
            return hello[at + 9 : at + 9 + size].decode("ascii", "replace").lower()
        at += 4 + length
    return None


def _u16(data: bytes, at: int) -> int:
    return int(struct.unpack("!H", data[at : at + 2])[0])


class Tls:
    """The server side of TLS over any stream below."""

    def __init__(self, below: Stream, context: ssl.SSLContext) -> None:
        self._below = below
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)

    async def handshake(self) -> None:
        """Finish the handshake; raises `ssl.SSLError` when the client breaks it off."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError:
                await self._flush()  # the alert that says why
                raise
            else:
                return await self._flush()

    async def receive(self) -> bytes:
        """Next bytes, empty at the end of file."""
        while True:
            try:
                return self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                if not await self._fill():
                    return b""
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def send(self, data: bytes) -> None:
        """All of `data`."""
        self._tls.write(data)
        await self._flush()

    async def _fill(self) -> bool:
        data = await self._below.receive()
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()
        return bool(data)

    async def _flush(self) -> None:
        if data := self._out.read():
            await self._below.send(data)
