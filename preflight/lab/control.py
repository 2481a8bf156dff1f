"""Switches the faults of a lab that runs in another process, over a unix socket, which crosses network namespaces.

One JSON line each way. Whoever may open the socket may break the lab and nothing else: it is the owner's alone.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec

from preflight.failures import UsageFailure
from preflight.lab.embedded import Lab
from preflight.lab.faults import parse

_MAX_LINE = 64 * 1024
_PATIENCE_S = 10.0  # for an answer: listeners are opened and closed meanwhile
_MAX_PATH = 107  # sun_path of Linux, without its final zero


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Break these too, after mending all others if `clear`."""

    add: tuple[str, ...] = ()
    clear: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is broken now, or why nothing was changed."""

    faults: tuple[str, ...] = ()
    error: str | None = None


@contextlib.asynccontextmanager
async def listening(lab: Lab, path: Path) -> AsyncIterator[None]:
    """Take requests for `lab` at `path` until the block is left; the socket is then removed."""
    opened = _bound(path)
    with contextlib.ExitStack() as stack:
        stack.callback(path.unlink, missing_ok=True)
        server = await asyncio.start_unix_server(_conversation(lab), sock=opened, limit=_MAX_LINE)
        stack.callback(server.close)
        yield


def _bound(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _MAX_PATH:
        raise UsageFailure(f"--control {path}: longer than the {_MAX_PATH} bytes that a socket's path may have")
    opened = socket.socket(socket.AF_UNIX)
    try:
        _remove_stale(path)
        before = os.umask(0o077)
        try:
            opened.bind(str(path))
        finally:
            os.umask(before)
    except OSError as error:
        opened.close()
        raise UsageFailure(f"--control {path}: cannot listen there: {error.strerror}") from error
    return opened


def _remove_stale(path: Path) -> None:
    """A socket that a killed lab left behind; another lab's, or any other file, stays."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)


def _conversation(lab: Lab) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    turn = asyncio.Lock()  # listeners are not switched by two at once

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):  # who hangs up, or sends no line, gets no answer
            line = await reader.readline()
            async with turn:
                answer = await _obey(lab, line)
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
        writer.close()

    return talk


async def _obey(lab: Lab, line: bytes) -> Answer:
    try:
        request = msgspec.json.decode(line, type=Request)
        faults = [parse(text, lab.vantages) for text in request.add]
        lab.check(faults, running=True)
    except (UsageFailure, msgspec.DecodeError) as error:
        return Answer(error=str(error), faults=_texts(lab))
    kept = () if request.clear else lab.faults
    await lab.replace([*kept, *(fault for fault in faults if fault not in kept)])
    return Answer(faults=_texts(lab))


def _texts(lab: Lab) -> tuple[str, ...]:
    return tuple(str(fault) for fault in lab.faults)


async def ask(path: Path, request: Request) -> tuple[str, ...]:
    """What is broken after the lab at `path` has done as asked; raises UsageFailure with the lab's own reason."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_LINE)
            with contextlib.closing(writer):
                writer.write(msgspec.json.encode(request) + b"\n")
                line = await reader.readline()
        answer = msgspec.json.decode(line, type=Answer)
    except TimeoutError as error:
        raise UsageFailure(f"--control {path}: no answer within {_PATIENCE_S:.0f} s") from error
    except OSError as error:
        hint = "\n  give the --control of a running `preflight lab serve`"
        raise UsageFailure(f"--control {path}: no lab answers there: {error.strerror or error}{hint}") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageFailure(f"--control {path}: what answers there is not a lab") from error
    if answer.error is not None:
        raise UsageFailure(answer.error)
    return answer.faults
