"""Addresses of nodes and pods: loopback ones, since all are processes of this machine. Nothing else is ever given out.

Each cluster takes a random part of 127.0.0.0/8, so that two of them side by side do not meet. Where the system has one
loopback address only (macOS), all share it.
"""

import ipaddress
import secrets
import socket
from collections.abc import Iterable

_ONLY = "127.0.0.1"


class Addresses:
    """Gives each node and each pod its own."""

    def __init__(self) -> None:
        # Above what distributions and tools are known to use (127.0.0.53, 127.0.1.1, ...).
        first = int(ipaddress.IPv4Address("127.64.0.0")) + secrets.randbelow(190 << 8) * 256
        self._next = first + 1
        self._many = _answers(str(ipaddress.IPv4Address(first + 1)))
        self._nodes: dict[str, str] = {}

    def pod(self) -> str:
        """A new one."""
        if not self._many:
            return _ONLY
        self._next += 1 if self._next % 256 < 254 else 3  # neither .255 nor .0
        return str(ipaddress.IPv4Address(self._next))

    def node(self, name: str) -> str:
        """Always the same one, which its pods in the host's network have too."""
        if name not in self._nodes:
            self._nodes[name] = self.pod()
        return self._nodes[name]


def occupied(ports: Iterable[int]) -> tuple[int, ...]:
    """Those on which something of this machine listens at every address, so that no pod can."""
    address = Addresses().pod()
    return tuple(port for port in ports if not _answers(address, port))


def _answers(address: str, port: int = 0) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
        except OSError:
            return False
    return True
