"""TCP and TLS servers that do exactly one wrong thing. `async with serve(handler) as server: server.port`."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A listening socket, what it has accepted, and how many."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = port
        self.accepted = 0
        self.peers: list[tuple[str, int]] = []
        self._news = asyncio.Event()

    def note(self, peer: tuple[str, int]) -> None:
        """One more connection."""
        self.accepted += 1
        self.peers.append(peer)
        self._news.set()

    async def reached(self, count: int) -> None:
        """Waits for that many connections."""
        while self.accepted < count:
            self._news.clear()
            await self._news.wait()

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@asynccontextmanager
async def serve(
    handler: Handler, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    """Runs until the block is left; whatever a handler still does is then cancelled, and every socket closed."""
    running: set[asyncio.Task[None]] = set()
    server = Server(0, host)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.note(writer.get_extra_info("peername")[:2])
        task = asyncio.current_task()
        running.add(task)
        try:
            await handler(reader, writer)
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            running.discard(task)
            writer.transport.abort()

    listening = await asyncio.start_server(accept, host, 0, ssl=context, backlog=128)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tuple(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, and then nothing, for ever."""
    await asyncio.Event().wait()


async def reset_after_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What many a firewall does to a server name that it does not like."""
    await reader.read(1)
    reset(writer)


async def fin_after_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The same, politely."""
    await reader.read(4096)
    writer.close()


def saying(data: bytes, *, then: str = "close", wait_for: int = 1) -> Handler:
    """Reads something, sends this, and then "close"s, "reset"s, goes silent ("hang") or half-closes ("half")."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if wait_for:
            await reader.read(65536)
        writer.write(data)
        await writer.drain()
        if then == "reset":
            await asyncio.sleep(0.02)  # or the RST overtakes the data
            reset(writer)
        elif then == "hang":
            await asyncio.Event().wait()
        elif then == "half":
            writer.write_eof()
            await asyncio.Event().wait()
        else:
            writer.close()
            await writer.wait_closed()

    return handler


def alert(code: int) -> Handler:
    """A fatal TLS alert in answer to the ClientHello."""
    return saying(bytes([21, 3, 3, 0, 2, 2, code]))


def first_then(first: Handler, then: Handler) -> Handler:
    """One behaviour for the first connection, another for the later ones."""
    handlers = [first]

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (handlers.pop() if handlers else then)(reader, writer)

    return handler


@contextmanager
def refusing() -> Iterator[int]:
    """A port on which nothing listens, kept from others while the block runs."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextmanager
def dropping() -> Iterator[int]:
    """A port that drops SYNs silently: its backlog is full and nobody accepts (Linux)."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", port))
        yield port


def shaking(context: ssl.SSLContext) -> Handler:
    """A TLS server that sends its alert when the handshake fails, as real ones do (asyncio's keeps it to itself)."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_side=True)
        while data := await reader.read(65536):
            incoming.write(data)
            with contextlib.suppress(ssl.SSLError):
                session.do_handshake()
            writer.write(outgoing.read())
            await writer.drain()

    return handler


def server_hello(version: tuple[int, int]) -> bytes:
    """The ServerHello of a server that insists on an old version (3, 1 is TLS 1.0)."""
    body = bytes(version) + bytes(32) + b"\x00" + b"\xc0\x13" + b"\x00"
    return bytes([22, *version]) + struct.pack("!H", len(body) + 4) + b"\x02" + len(body).to_bytes(3, "big") + body
