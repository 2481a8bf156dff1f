"""`kubectl exec` of the stand-in: a websocket, and a process of this machine in place of one in a container.

Channels: k8s.io/apimachinery/pkg/util/remotecommand, v4.channel.k8s.io. Frames: RFC 6455. What a process runs here is
what whoever holds the kubeconfig's token asks for, as for the pods of the stand-in.
"""

import asyncio
import base64
import contextlib
import hashlib
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from preflight.lab.cluster import errors
from preflight.lab.cluster.api import Call, Upgrade
from preflight.lab.cluster.errors import ApiError
from preflight.lab.cluster.store import Store
from preflight.lab.http import Request
from preflight.lab.stream import Stream

Json = dict[str, Any]
_PROTOCOL: Final = "v4.channel.k8s.io"
_MAGIC: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_BINARY, _CLOSE = 0x2, 0x8
_MAX_FRAME: Final = 1 << 20
_SUCCESS: Final[Json] = {"metadata": {}, "status": "Success"}


def exec_into(store: Store, environ: Mapping[str, str]) -> Upgrade:
    """What takes over a connection to `pods/exec`; processes get these variables."""

    async def talk(stream: Stream, request: Request, call: Call) -> None:
        pod = store.get(call.key)
        query = parse_qs(urlsplit(request.target).query)
        _check(pod, call.name, query.get("container", [""])[0])
        key = request.headers.get("sec-websocket-key")
        if key is None or _PROTOCOL not in request.headers.get("sec-websocket-protocol", ""):
            raise ApiError(400, "BadRequest", "Upgrade request required")
        await stream.send(_accepted(key))
        told = await _run(stream, query.get("command", []), environ)
        await stream.send(_frame(_BINARY, b"\x03" + msgspec.json.encode(told)))
        await stream.send(_frame(_CLOSE, struct.pack("!H", 1000)))

    return talk


def _check(pod: Json, name: str, container: str) -> None:
    there = [one["name"] for one in pod["spec"]["containers"]]
    if container not in there:
        raise ApiError(400, "BadRequest", f"container {container} is not valid for pod {name}")
    if (pod.get("status") or {}).get("phase") != "Running":
        raise errors.forbidden("pods", name, "cannot exec in a stopped state")


def _accepted(key: str) -> bytes:
    digest = base64.b64encode(hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()).decode()
    lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
    more = (f"Sec-WebSocket-Accept: {digest}", f"Sec-WebSocket-Protocol: {_PROTOCOL}", "", "")
    return "\r\n".join((*lines, *more)).encode()


async def _run(stream: Stream, command: list[str], environ: Mapping[str, str]) -> Json:
    """The process from its start to its end; its status as the API server words it."""
    try:
        child = await asyncio.create_subprocess_exec(
            *command, env=dict(environ), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
    except FileNotFoundError:
        told = (
            'error executing command in container: failed to exec in container: failed to start exec "1": OCI runtime'
            f' exec failed: exec failed: unable to start container process: exec: "{command[0]}": executable file not'
            " found in $PATH: unknown"
        )
        return {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": told, "code": 500}
    feeding = asyncio.create_task(_feed(stream, child))
    try:
        assert child.stdout is not None
        while data := await child.stdout.read(16384):
            await stream.send(_frame(_BINARY, b"\x01" + data))
        return _status(await child.wait())
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        with contextlib.suppress(ProcessLookupError):
            child.kill()


def _status(code: int) -> Json:
    if code == 0:
        return _SUCCESS
    told = f"command terminated with non-zero exit code: exit status {code}"
    causes = {"causes": [{"reason": "ExitCode", "message": str(code)}]}
    return {"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "message": told, "details": causes}


async def _feed(stream: Stream, child: asyncio.subprocess.Process) -> None:
    """Channel 0 of the client to the process."""
    assert child.stdin is not None
    async for data in _messages(stream):
        if data[:1] == b"\x00":
            child.stdin.write(data[1:])
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                await child.stdin.drain()


async def _messages(stream: Stream) -> AsyncIterator[bytes]:
    """Payloads of the client's frames, which are masked, until it closes."""
    buffer = b""
    while True:
        frame = _read(buffer)
        if frame is None:
            data = await stream.receive()
            if not data or len(buffer) > _MAX_FRAME:
                return
            buffer += data
            continue
        kind, payload, size = frame
        buffer = buffer[size:]
        if kind == _CLOSE:
            return
        yield payload


def _read(buffer: bytes) -> tuple[int, bytes, int] | None:
    """Opcode, payload and length of the first frame; None while it is not whole."""
    if len(buffer) < 2:
        return None
    size, at = buffer[1] & 0x7F, 2
    extended = {126: ("!H", 2), 127: ("!Q", 8)}.get(size)
    if extended is not None:
        form, length = extended
        if len(buffer) < at + length:
            return None
        (size,) = struct.unpack(form, buffer[at : at + length])
        at += length
    masked = bool(buffer[1] & 0x80)
    mask = buffer[at : at + 4] if masked else b"\x00" * 4
    at += 4 if masked else 0
    if len(mask) < 4 or len(buffer) < at + size:
        return None
    payload = bytes(one ^ mask[number % 4] for number, one in enumerate(buffer[at : at + size]))
    return buffer[0] & 0x0F, payload, at + size


def _frame(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | kind, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, 127, size)
    return head + payload
