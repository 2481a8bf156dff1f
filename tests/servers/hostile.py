"""Servers that want to wear their client out: without end, without haste, or far larger than anybody needs."""

import asyncio
import gzip
import struct
from collections.abc import Iterable, Iterator

from servers.raw import Handler
from servers.web import response

ONE_SECOND = 1.0
MEGABYTE = b"z" * 1_048_576
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


async def pushed(writer: asyncio.StreamWriter) -> None:
    """`drain` gives nobody else a turn while the buffer has room, not even the news that the peer is gone."""
    await writer.drain()
    await asyncio.sleep(0)


def endless(head: bytes, piece: bytes, *, wait_for: bytes = b"\r\n\r\n") -> Handler:
    """The head, then the piece for ever, as fast as it is read."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if wait_for:
            await reader.readuntil(wait_for)
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await pushed(writer)

    return handler


def drip(whole: bytes, every: float = ONE_SECOND, *, wait_for: bytes = b"\r\n\r\n") -> Handler:
    """Byte after byte, one per second."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if wait_for:
            await reader.readuntil(wait_for)
        else:
            await reader.read(1)
        for byte in whole:
            writer.write(bytes([byte]))
            await pushed(writer)
            await asyncio.sleep(every)
        await asyncio.Event().wait()

    return handler


def parts(pieces: Iterable[bytes]) -> Handler:
    """The same pieces for every request, and then nothing."""
    kept = list(pieces)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            for piece in kept:
                if writer.is_closing():
                    return
                writer.write(piece)
                await pushed(writer)

    return handler


def hundred_megabytes() -> Handler:
    return parts([OK + b"Content-Length: 104857600\r\n\r\n", *[MEGABYTE] * 100])


def gzip_bomb(megabytes: int = 100) -> Handler:
    """A thousandth of what it opens to."""
    packed = gzip.compress(bytes(megabytes * 1_048_576))
    return parts([response(200, packed, (("Content-Encoding", "gzip"), ("Content-Type", "application/json")))])


def chunks(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


def redirecting() -> Handler:
    """Every answer sends on to a place that was never asked for before."""
    count = iter(range(10**9))

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response(302, b"", (("Location", f"/{next(count)}"),), "Found"))
            await pushed(writer)

    return handler


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack("!I", stream) + payload


SETTINGS = frame(4, 0, 0)
DATA, HEADERS, PING, CONTINUATION = 0, 1, 6, 9
_STATUS_200 = b"\x88"  # indexed header field 8 of the static table


def h2(pieces: Iterable[bytes], *, then: bytes = b"") -> Handler:
    """HTTP/2 from its preface on: the pieces, then one of them for ever."""
    kept = list(pieces)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"SM\r\n\r\n")
        reading = asyncio.ensure_future(_drain(reader))
        try:
            writer.write(SETTINGS)
            for piece in kept:
                writer.write(piece)
                await pushed(writer)
            while then and not writer.is_closing():
                writer.write(then)
                await pushed(writer)
            await reading
        finally:
            reading.cancel()

    return handler


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


def hpack_bomb() -> Iterator[bytes]:
    """One header of 4 KB in the dynamic table, then named a thousand times in one byte each."""
    literal = b"\x40" + b"\x01a" + b"\x7f" + _integer(4_000 - 127) + b"v" * 4_000
    yield frame(HEADERS, 0x4, 1, _STATUS_200 + literal + b"\xbe" * 1_000)


def _integer(value: int) -> bytes:
    """The rest of an HPACK integer with a full prefix (RFC 7541, 5.1)."""
    out = bytearray()
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def h2_header_block(*sizes: int) -> bytes:
    """HEADERS and CONTINUATION frames with one header of each size (name of one byte), ended."""
    block = _STATUS_200
    for size in sizes:
        prefix = b"\x7f" + _integer(size - 127) if size >= 127 else bytes([size])
        block += b"\x00" + b"\x01a" + prefix + b"v" * size
    cut = [block[at : at + 16_384] for at in range(0, len(block), 16_384)]
    frames = [
        frame(HEADERS if n == 0 else CONTINUATION, 0x4 if n == len(cut) - 1 else 0, 1, one) for n, one in enumerate(cut)
    ]
    return b"".join(frames)
