"""A script run by `sh` in a container that is there already: exec over a websocket, output bounded. Creates nothing.

Channels of v4.channel.k8s.io: 0 standard input, 1 output, 2 error output, 3 a Status that says how it ended.
"""

from collections.abc import AsyncGenerator
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure
from preflight.kube import objects
from preflight.kube.client import Client

MAX_OUTPUT: Final = 8 * 1024 * 1024  # bytes of one exec
MAX_LINE: Final = 64 * 1024
_CHUNK: Final = 16 * 1024  # of what is sent at once
_STDIN, _OUTPUT, _ERROR = b"\x00", (1, 2), 3
_SHELL: Final = ("sh", "-s")
_NO_SHELL: Final = ("executable file not found", "no such file or directory", "exec format error")


class _Status(msgspec.Struct, frozen=True):
    """How it ended, as the API server tells it."""

    status: str = ""
    message: str = ""
    reason: str = ""


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """One container of one pod."""

    namespace: str
    pod: str
    container: str


async def shell(client: Client, spot: Spot, text: str) -> AsyncGenerator[bytes, None]:
    """The lines that `sh` writes while it reads the script from its input. Raises `ClusterFailure`.

    An exit code of the script's own is no failure: whoever reads the lines knows whether the last one came.
    """
    path = f"{objects.path('Pod', spot.namespace, spot.pod)}/exec"
    streams = [("stdin", "true"), ("stdout", "true"), ("stderr", "true"), ("tty", "false")]
    query = [*(("command", word) for word in _SHELL), ("container", spot.container), *streams]
    pending, received = b"", 0
    async with client.socket(path, query) as socket:
        await _feed(socket, text.encode())
        async for channel, data in _messages(socket, path):
            if channel == _ERROR:
                _ended(data, spot)
                break
            if channel not in _OUTPUT:
                continue
            received += len(data)
            if received > MAX_OUTPUT:
                raise ClusterFailure("kube.unexpected-answer", f"{path}: more than {MAX_OUTPUT} bytes of output")
            *whole, pending = (pending + data).split(b"\n")
            pending = pending[:MAX_LINE]
            for line in whole:
                yield line[:MAX_LINE]
    if pending:
        yield pending


async def _feed(socket: Any, script: bytes) -> None:
    for start in range(0, len(script), _CHUNK):
        await socket.send_bytes(_STDIN + script[start : start + _CHUNK])


async def _messages(socket: Any, path: str) -> AsyncGenerator[tuple[int, bytes], None]:
    """Channel and data, until the other end closes."""
    import aiohttp  # noqa: PLC0415 - the library's own transport: slow to import

    while True:
        message = await socket.receive()
        match message.type:
            case aiohttp.WSMsgType.BINARY | aiohttp.WSMsgType.TEXT:
                data = message.data.encode() if isinstance(message.data, str) else bytes(message.data)
                if data:
                    yield data[0], data[1:]
            case aiohttp.WSMsgType.CLOSE | aiohttp.WSMsgType.CLOSING | aiohttp.WSMsgType.CLOSED:
                return
            case aiohttp.WSMsgType.ERROR:
                raise ClusterFailure("kube.unreachable", f"{path}: the stream broke: {str(message.data)[:200]}")
            case _:
                pass


def _ended(data: bytes, spot: Spot) -> None:
    """Raises `ClusterFailure` when nothing was run at all."""
    try:
        status = msgspec.json.decode(data, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        status = _Status(status="Failure", message=data[:300].decode(errors="replace"))
    if status.status == "Success" or status.reason == "NonZeroExitCode":
        return
    where = f"container {spot.container} of pod {spot.namespace}/{spot.pod}"
    said = status.message[:500]
    if any(text in said.lower() for text in _NO_SHELL):
        raise ClusterFailure("pod.no-shell", f"{where} has no sh: {said}")
    raise ClusterFailure("kube.unavailable", f"nothing could be run in {where}: {said}")
