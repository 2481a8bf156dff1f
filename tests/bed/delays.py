"""Delays and losses of packets on the firewall, in user space over NFQUEUE: netem is a module that many kernels lack.

The rule goes in through iptables-nft, because the xt target NFQUEUE is there where nft's own `queue` is not.
"""

import heapq
import itertools
import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from bed.namespaces import Namespace
from bed.whole import Bed

_NETLINK_NETFILTER, _SUBSYSTEM = 12, 3 << 8
_PACKET, _VERDICT, _CONFIG = 0, 1, 2
_CFG_COMMAND, _CFG_PARAMETERS, _CFG_LENGTH = 1, 2, 3
_PACKET_HEADER, _VERDICT_HEADER = 1, 2
_DROP, _ACCEPT = 0, 1
_REQUEST, _ACKNOWLEDGE = 1, 4
_COPY_META = 1  # the kernel keeps the packet and tells of it
_QUEUE, _WAIT = 7, 0.05


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """Packets that `match` (words of iptables) wait so long, or are lost with a probability."""

    match: tuple[str, ...]
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    seed: int = 1


@contextmanager
def delay(bed: Bed, action: Delay) -> Iterator[None]:
    """The delayer while the context is open."""
    firewall = bed.topology.firewall
    queue = _Queue(firewall, action)
    rule = ("FORWARD", *action.match, "-j", "NFQUEUE", "--queue-num", str(_QUEUE), "--queue-bypass")
    firewall.run("iptables-nft", "-A", *rule)
    try:
        yield
    finally:
        firewall.run("iptables-nft", "-D", *rule)
        queue.close()


def _attribute(kind: int, data: bytes) -> bytes:
    size = 4 + len(data)
    return struct.pack("HH", size, kind) + data + b"\0" * (-size % 4)


class _Queue:
    def __init__(self, namespace: Namespace, action: Delay) -> None:
        self._action, self._random = action, random.Random(action.seed)
        self._numbers = itertools.count(1)
        self._waiting: list[tuple[float, int, int]] = []  # (due, order, packet)
        self._socket = namespace.call(_netlink)
        for payload in (
            _attribute(_CFG_COMMAND, struct.pack("!BxH", 1, 0)),  # bind
            _attribute(_CFG_PARAMETERS, struct.pack("!IB", 40, _COPY_META)),
            _attribute(_CFG_LENGTH, struct.pack("!I", 4096)),
        ):
            self._send(_CONFIG, payload, _REQUEST | _ACKNOWLEDGE)
            number = -struct.unpack("i", self._socket.recv(4096)[16:20])[0]
            if number:
                raise OSError(number, f"nfqueue: {os.strerror(number)}")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="delays", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Whatever still waits is lost."""
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _send(self, kind: int, payload: bytes, flags: int = _REQUEST) -> None:
        body = struct.pack("!BBH", socket.AF_UNSPEC, 0, _QUEUE) + payload
        self._socket.send(struct.pack("IHHII", 16 + len(body), _SUBSYSTEM | kind, flags, next(self._numbers), 0) + body)

    def _decide(self, packet: int, verdict: int) -> None:
        self._send(_VERDICT, _attribute(_VERDICT_HEADER, struct.pack("!II", verdict, packet)))

    def _serve(self) -> None:
        while not self._stopping.is_set():
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                self._decide(heapq.heappop(self._waiting)[2], _ACCEPT)
            wait = min(_WAIT, self._waiting[0][0] - now) if self._waiting else _WAIT
            if select.select([self._socket], [], [], max(0, wait))[0]:
                for packet in _packets(self._socket.recv(65536)):
                    self._take(packet)

    def _take(self, packet: int) -> None:
        if self._random.random() < self._action.loss:
            self._decide(packet, _DROP)
            return
        jitter = self._random.uniform(-1, 1) * self._action.jitter_s
        due = time.monotonic() + self._action.delay_s + jitter
        heapq.heappush(self._waiting, (due, next(self._numbers), packet))


def _netlink() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    sock.bind((0, 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    return sock


def _packets(received: bytes) -> Iterator[int]:
    """Ids of the packets that a read of the netlink socket tells of."""
    at = 0
    while at + 16 <= len(received):
        size, kind = struct.unpack_from("IH", received, at)
        if kind == _SUBSYSTEM | _PACKET:
            yield from _ids(received[at + 20 : at + size])
        at += (size + 3) & ~3


def _ids(attributes: bytes) -> Iterator[int]:
    at = 0
    while at + 4 <= len(attributes):
        size, kind = struct.unpack_from("HH", attributes, at)
        if kind & 0x7FFF == _PACKET_HEADER:
            yield struct.unpack_from("!I", attributes, at + 4)[0]
        at += (size + 3) & ~3
