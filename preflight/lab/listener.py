"""One listening socket that serves, refuses or keeps silent; closes everything it opened."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable
from enum import StrEnum

Serve = Callable[[socket.socket], Awaitable[None]]
_BACKLOG = 128
_IP_FREEBIND = 15  # Linux: bind an address that is local by route only
_FILLERS = 8


class State(StrEnum):
    """What meets a client that connects."""

    SERVING = "serving"
    REFUSING = "refusing"  # bound and not listening: the kernel answers with a reset
    SILENT = "silent"  # the backlog is full: the kernel drops the SYN


class Listener:
    """A socket on (address, port); port 0 takes a free one, which it then keeps through all its states."""

    def __init__(self, address: str, port: int, serve: Serve) -> None:
        self._address, self._port, self._serve = address, port, serve
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self.state: State | None = None

    @property
    def port(self) -> int:
        """The port it is bound to."""
        return self._port

    async def enter(self, state: State) -> None:
        """Become this; established connections stay."""
        if state is self.state:
            return
        await self._leave()
        self._socket = _bound(self._address, self._port)
        self._port = int(self._socket.getsockname()[1])
        self.state = state
        if state is State.SERVING:
            self._socket.listen(_BACKLOG)
            self._accepting = asyncio.create_task(self._accept(self._socket))
        elif state is State.SILENT:
            self._socket.listen(0)
            self._fillers = [_filler(self._address, self._port) for _ in range(_FILLERS)]

    async def drop(self) -> None:
        """Close every connection; the listening socket stays as it is."""
        ending = tuple(self._tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def close(self) -> None:
        """Close the socket and every connection."""
        await self._leave()
        await self.drop()

    async def _leave(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
            self._accepting = None
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self.state = None

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:  # the client was gone before it was accepted, or descriptors ran out
                if error.errno == errno.EBADF:
                    return
                await asyncio.sleep(0.01)
                continue
            task = asyncio.create_task(self._one(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # ssl.SSLError is one: the client broke off
            await self._serve(connection)


def family(address: str) -> socket.AddressFamily:
    """Of an address as text."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _bound(address: str, port: int) -> socket.socket:
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _allow_routed_address(sock, address)
        sock.setblocking(False)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def _allow_routed_address(sock: socket.socket, address: str) -> None:
    if ":" not in address and not address.startswith("127."):
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)


def _filler(address: str, port: int) -> socket.socket:
    """A connection of our own that is never accepted."""
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.connect_ex((address, port))
    return sock
