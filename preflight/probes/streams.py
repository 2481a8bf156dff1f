"""Byte streams that stack: a socket, and whatever is put on top of it. They translate nothing and judge nothing."""

import asyncio
import socket
from typing import Protocol


class ByteStream(Protocol):
    """Bytes both ways. `recv` gives b"" at the end of file; errors are OSError with their errno."""

    async def recv(self, size: int) -> bytes:
        """At least one byte, or b"" at the end."""

    async def send(self, data: bytes) -> None:
        """All of the data."""

    def close(self) -> None:
        """Gives the socket back at once; may be called again."""


class TcpStream:
    """A connected, non-blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()

    async def recv(self, size: int) -> bytes:
        """At least one byte, or b"" at the end."""
        return await self._loop.sock_recv(self._sock, size)

    async def send(self, data: bytes) -> None:
        """All of the data."""
        await self._loop.sock_sendall(self._sock, data)

    def close(self) -> None:
        """Gives the socket back at once."""
        self._sock.close()
