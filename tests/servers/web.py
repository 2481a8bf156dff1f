"""HTTP/1.1 servers and proxies, written byte by byte so that they can be wrong."""

import asyncio
import contextlib
from collections.abc import Callable

from servers.raw import Handler

Answer = Callable[[str, str, dict[str, str]], bytes]  # method, target, headers -> the whole answer


def response(
    status: int = 200, body: bytes = b"ok", headers: tuple[tuple[str, str], ...] = (), reason: str = "OK"
) -> bytes:
    """A whole, correct answer."""
    lines = [
        f"HTTP/1.1 {status} {reason}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    """Method, target, lower-case headers, body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return method, target, headers, body


class Web:
    """Keep-alive HTTP/1.1; `answers` maps a target to an answer or to a function; `seen` are the requests."""

    def __init__(self, answers: dict[str, bytes | Answer] | None = None, default: bytes | None = None) -> None:
        self.answers = answers or {}
        self.default = default if default is not None else response()
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            method, target, headers, body = await read_request(reader)
            self.seen.append((method, target, headers, body))
            answer = self.answers.get(target, self.default)
            writer.write(answer if isinstance(answer, bytes) else answer(method, target, headers))
            await writer.drain()


def dripping(head: bytes, drop: bytes = b"x", every: float = 0.05) -> Handler:
    """Sends the head, then one drop after the other, for ever."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(every)

    return handler


def flooding(head: bytes, chunk: bytes, count: int) -> Handler:
    """Sends the head and then the chunk as often as said, as fast as it is read."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        for _ in range(count):
            writer.write(chunk)
            await writer.drain()
        await asyncio.Event().wait()

    return handler


class ConnectProxy:
    """A forward proxy: CONNECT and absolute-form GET, with basic authentication if `login` is given.

    `refuse` is a whole answer that it gives instead; `to` maps "host:port" to where it really connects.
    """

    def __init__(
        self, to: dict[str, tuple[str, int]], *, login: str | None = None, refuse: bytes | None = None
    ) -> None:
        self.to = to
        self.login = login
        self.refuse = refuse
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, headers, _ = await read_request(reader)
        self.seen.append((method, target, headers))
        refusal = self._refusal(headers)
        if refusal is not None:
            writer.write(refusal)
            await writer.drain()
            return
        if method != "CONNECT":
            writer.write(response(200, b"fetched by the proxy"))
            await writer.drain()
            return
        host, port = self.to[target]
        up_reader, up_writer = await asyncio.open_connection(host, port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        finally:
            up_writer.transport.abort()

    def _refusal(self, headers: dict[str, str]) -> bytes | None:
        if self.refuse is not None:
            return self.refuse
        if self.login is not None and headers.get("proxy-authorization") != self.login:
            challenge = (("Proxy-Authenticate", 'Basic realm="corp"'),)
            return response(407, b"<html>who are you</html>", challenge, "Proxy Authentication Required")
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof() if writer.can_write_eof() else writer.transport.abort()
