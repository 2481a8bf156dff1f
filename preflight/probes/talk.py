"""One line there and one line back over a byte stream, within a cap. Knows nothing of what the lines say."""

import asyncio

import msgspec

from preflight.probes.streams import ByteStream


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: a line without its end, or how it ended without one."""

    line: bytes = b""
    result: str = "line"  # "line", "silent" (the cap passed) or "closed" (end of file or reset)
    source: str = ""  # the local address


async def talk(stream: ByteStream, words: bytes, limit: int, cap_s: float) -> Said:
    """Send `words` and read up to a newline, the end, `limit` bytes, or the cap."""
    heard = b""
    try:
        async with asyncio.timeout(cap_s):
            await stream.send(words)
            while b"\n" not in heard and len(heard) < limit:
                part = await stream.recv(limit - len(heard))
                if not part:
                    break
                heard += part
    except TimeoutError:
        return Said(line=heard, result="silent")
    except OSError:
        return Said(line=heard, result="closed")
    line = heard.partition(b"\n")[0]
    return Said(line=line, result="line" if line else "closed")
