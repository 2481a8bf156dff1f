"""An HTTP/1.1 server that answers each request from a script, byte by byte as told: a API server that misbehaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A status with a body; `chunks` are sent one by one instead, and `cut` resets before the end."""

    status: int = 200
    body: object = None
    chunks: tuple[bytes, ...] = ()
    cut: bool = False
    hold_s: float = 0  # after the chunks


Script = Callable[[str, str], Reply]  # method, target


def failing(status: int, message: str, reason: str = "") -> Reply:
    """The API's own kind of error."""
    return Reply(status=status, body={"kind": "Status", "message": message, "reason": reason, "code": status})


@asynccontextmanager
async def served(script: Script) -> AsyncIterator[tuple[int, list[str]]]:
    """Port, and the requests so far."""
    seen: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.decode().split("\r\n")[0].split(" ")
            length = next(
                (
                    int(line.split(":")[1])
                    for line in head.decode().split("\r\n")
                    if line.lower().startswith("content-length:")
                ),
                0,
            )
            await reader.readexactly(length)
            seen.append(f"{method} {target}")
            await _send(writer, script(method, target))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    head = f"HTTP/1.1 {reply.status} x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    if not reply.chunks:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    for chunk in reply.chunks:
        writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)
    if reply.hold_s:
        await asyncio.sleep(reply.hold_s)
    if reply.cut:
        writer.transport.abort()
    else:
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def kubeconfig(folder: Path, port: int) -> str:
    """A kubeconfig for it."""
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return str(path)
