"""Who said by ICMP that a connection cannot be made, and why: Linux keeps it in the socket's error queue.

For TCP that works while connecting, since Linux 5.10 (net/ipv4/tcp_ipv4.c: ip_icmp_error in SYN_SENT). Elsewhere
nothing is known, which is no error.
"""

import contextlib
import ipaddress
import socket
import struct
import sys

import msgspec

# <linux/in.h>, <linux/in6.h>, <linux/errqueue.h>; Python names none of them.
_OPTIONS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_MSG_ERRQUEUE = 0x2000
_ORIGINS = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
_EXTENDED_ERROR = struct.Struct("IBBBBII")  # struct sock_extended_err; the offender's address follows


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A "destination unreachable" (ICMP type 3, ICMPv6 type 1)."""

    code: int
    by: str


def listen(sock: socket.socket, *, on: bool) -> None:
    """Keep such messages for `heard`; switch off once connected, where they would end a healthy connection."""
    if sys.platform == "linux":
        level, option = _OPTIONS[sock.family]
        with contextlib.suppress(OSError):
            sock.setsockopt(level, option, int(on))


def heard(sock: socket.socket) -> Said | None:
    """The first message, if there is one. Never waits."""
    if sys.platform != "linux":
        return None
    try:
        _, ancillary, _, _ = sock.recvmsg(1, 512, _MSG_ERRQUEUE)
    except OSError:
        return None
    for level, kind, data in ancillary:
        if (level, kind) == _OPTIONS[sock.family] and len(data) >= _EXTENDED_ERROR.size:
            return _said(data, sock.family)
    return None


def _said(data: bytes, family: int) -> Said | None:
    _, origin, _, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
    offender = data[_EXTENDED_ERROR.size :]  # a sockaddr_in or sockaddr_in6
    packed = offender[4:8] if family == socket.AF_INET else offender[8:24]
    if origin not in _ORIGINS or len(packed) not in (4, 16):
        return None
    return Said(code=code, by=str(ipaddress.ip_address(packed)))
