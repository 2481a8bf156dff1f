"""A pod that answers others: on each port one line back for one line, with the nonce and the source that it sees.

It holds no plan and no secret, keeps nothing, and answers only those who greet it as a probe of ours does. Bounded: one
line of `MAX_LINE` bytes per connection, within a few seconds, and so many connections at once.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from preflight.failures import UsageFailure
from preflight.model.vocabulary import ADDRESS_VARIABLE, NODE_VARIABLE
from preflight.probes import names
from preflight.probes.services.peers import GREETING, MAX_LINE, Answer

MOST_PORTS: Final = 32
_MOST_AT_ONCE: Final = 256
_LINE_S: Final = 5.0
_NONCE: Final = 32  # hexadecimal digits


def ports_of(text: str) -> tuple[int, ...]:
    """`5001,8000`. Raises `UsageFailure`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    good = [word for word in words if word.isascii() and word.isdecimal() and 0 < int(word[:6]) < 65_536]
    if not words or len(good) != len(words) or len(words) > MOST_PORTS:
        raise UsageFailure(f"--listen {text[:80]}: is no list of at most {MOST_PORTS} ports\n  for example 5001,8000")
    return tuple(dict.fromkeys(map(int, words)))


async def answer(ports: Sequence[int], environ: Mapping[str, str] = os.environ) -> None:
    """Answer on all ports until cancelled, on the pod's own address when it is told. Raises `UsageFailure`."""
    async with contextlib.AsyncExitStack() as stack:
        one = _Answerer(environ.get(NODE_VARIABLE, ""))
        for port in ports:
            try:
                server = await asyncio.start_server(
                    one.serve, environ.get(ADDRESS_VARIABLE) or None, port, limit=MAX_LINE, reuse_address=True
                )
            except OSError as error:
                raise UsageFailure(f"--listen: port {port} cannot be opened: {error.strerror}") from error
            await stack.enter_async_context(server)
        await asyncio.Event().wait()


class _Answerer:
    def __init__(self, node: str) -> None:
        self._node = node
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; whatever goes wrong ends it, and nothing else."""
        try:
            if self._slots.locked():
                return
            async with self._slots, asyncio.timeout(_LINE_S):
                line = await reader.readline()
                nonce = _nonce(line)
                if nonce:
                    source = names.join(*writer.get_extra_info("peername")[:2])
                    writer.write(msgspec.json.encode(Answer(nonce=nonce, source=source, node=self._node)) + b"\n")
                    await writer.drain()
        except (OSError, TimeoutError, ValueError):  # ValueError: a line that is too long
            pass
        finally:
            writer.close()


def _nonce(line: bytes) -> str:
    """Of a greeting; empty for anything else."""
    word = line.removeprefix(GREETING).strip() if line.startswith(GREETING) else b""
    good = len(word) == _NONCE and all(byte in b"0123456789abcdef" for byte in word)
    return word.decode() if good else ""
