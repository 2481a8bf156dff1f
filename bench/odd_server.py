"""Reads a ClientHello and cuts the connection with a reset (port 8443), or says nothing at all (port 8444).

Started by `stage` in the servers' namespace, where nftables sends the connections of the cut and stalled endpoints.
"""

import asyncio
import socket
import struct

CUT, STALL = 8443, 8444


async def _cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(16_384)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends a reset
    writer.transport.abort()


async def _stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(16_384):
        pass
    writer.close()


async def _serve() -> None:
    servers = [await asyncio.start_server(_cut, "0.0.0.0", CUT), await asyncio.start_server(_stall, "0.0.0.0", STALL)]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(_serve())
