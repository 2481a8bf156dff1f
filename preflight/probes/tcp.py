"""One TCP connect to one address, with its errno, its source port and its cap. Nothing is retried here."""

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Mapping

from preflight.model.observation import TcpFacts
from preflight.probes import icmp, names
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock
from preflight.probes.streams import TcpStream

CLAMPED_MSS = 1_200  # passes every tunnel in use (IPv6's smallest MTU is 1280)
# tcpi_total_retrans of struct tcp_info, <linux/tcp.h>: where it stands has not changed since Linux 2.6.
_TOTAL_RETRANS_AT = 100


async def connect(
    address: str,
    port: int,
    cap: Cap,
    clock: Clock,
    *,
    connect_to: Mapping[str, str],
    mss: int | None = None,
    attempt: int = 1,
) -> tuple[TcpFacts, TcpStream | None]:
    """Connects, or says why not. `connect_to` replaces the destination, visibly; `mss` clamps segments both ways."""
    at_ms, loop = clock.ms(), asyncio.get_running_loop()
    cap_ms = round(max(cap.when - loop.time(), 0.0) * 1000, 3)
    mapped_to = connect_to.get(names.join(address, port))
    result, code, source, stream, said, again = "connected", None, None, None, None, 0
    try:
        sock, where = _socket(*(names.split(mapped_to, port) if mapped_to else (address, port)), mss)
    except OSError as error:
        result, code = "error", _name(error)
    else:
        try:
            async with cap.hold():
                await loop.sock_connect(sock, where)
        except TimeoutError as error:  # the cap's has no errno, the kernel's is ETIMEDOUT
            result, code = "timeout", _name(error)
        except OSError as error:
            result, code = "error", _name(error)
        except BaseException:
            sock.close()
            raise
        source = _source(sock)
        if result == "connected":
            icmp.listen(sock, on=False)
            again = _retransmits(sock)
            stream = TcpStream(sock)
        else:
            said = icmp.heard(sock)
            sock.close()
    facts = TcpFacts(
        address=address,
        port=port,
        result=result,
        errno=code,
        icmp_code=said.code if said else None,
        icmp_from=said.by if said else None,
        source=source,
        mapped_to=mapped_to,
        mss=mss,
        attempt=attempt,
        retransmits=again,
        cap_ms=cap_ms,
        at_ms=at_ms,
        duration_ms=clock.since(at_ms),
    )
    return facts, stream


def _socket(host: str, port: int, mss: int | None) -> tuple[socket.socket, tuple[object, ...]]:
    family, where = names.socket_address(host, port, socket.SOCK_STREAM)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        icmp.listen(sock, on=True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if mss is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    except BaseException:
        sock.close()
        raise
    return sock, where


def _retransmits(sock: socket.socket) -> int:
    """How often the SYN was sent again, asked right after connecting; 0 where the kernel does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TOTAL_RETRANS_AT + 4)
    except OSError:
        return 0
    return int(struct.unpack_from("=I", info, _TOTAL_RETRANS_AT)[0]) if len(info) >= _TOTAL_RETRANS_AT + 4 else 0


def _source(sock: socket.socket) -> str | None:
    """The local address and port: firewall and flow logs are searched by it, for silent drops above all."""
    try:
        host, port = sock.getsockname()[:2]
    except OSError:
        return None
    return names.join(host, port) if port else None


def _name(error: OSError) -> str | None:
    return None if error.errno is None else errno.errorcode.get(error.errno, str(error.errno))
