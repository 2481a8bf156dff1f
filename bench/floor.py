"""The floor: the same DNS, TCP, TLS and HTTP exchanges by a bare asyncio loop that looks at nothing and keeps nothing.

A process of its own, measured like the others. Host names on standard input; prints how many answered with 200.
"""

import asyncio
import random
import ssl
import struct
import sys
from pathlib import Path

WIDTH = 64


class _Answer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _: object) -> None:
        if not self.got.done():
            self.got.set_result(data)


async def _ask(server: str, host: str, rtype: int) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in host.split("."))
    query = struct.pack("!6H", random.randrange(65_536), 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, rtype, 1)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Answer, remote_addr=(server, 53))
    try:
        transport.sendto(query)
        return await asyncio.wait_for(protocol.got, 3)
    finally:
        transport.close()


async def _reach(server: str, host: str, context: ssl.SSLContext) -> bool:
    answer, _ = await asyncio.gather(_ask(server, host, 1), _ask(server, host, 28))
    address = ".".join(str(byte) for byte in answer[-4:])
    reader, writer = await asyncio.wait_for(asyncio.open_connection(address, 443, ssl=context, server_hostname=host), 3)
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    status = await reader.read(65_536)
    writer.transport.abort()
    return status.startswith(b"HTTP/1.1 200")


async def _all(hosts: list[str]) -> int:
    server = Path("/etc/resolv.conf").read_text().split()[1]  # noqa: ASYNC240 - once, before anything waits
    context = ssl.create_default_context()
    width = asyncio.Semaphore(WIDTH)

    async def one(host: str) -> bool:
        async with width:
            return await _reach(server, host, context)

    return sum(await asyncio.gather(*(one(host) for host in hosts)))


if __name__ == "__main__":
    print(asyncio.run(_all(sys.stdin.read().split())))
