"""A second link between the namespaces on which every packet takes its time: two TUN devices and a queue in between.

Started by `stage` with the process id of the servers' namespace. This kernel has no netem. Measured: 10 ms become 10.3.
"""

import contextlib
import ctypes
import fcntl
import os
import selectors
import struct
import sys
import time
from collections import deque

NEAR_DEVICE, FAR_DEVICE = "bench2", "bench3"
ONE_WAY_S = 0.005
_TUNSETIFF, _TUN, _NO_PACKET_INFO = 0x400454CA, 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000


def _device(name: str) -> int:
    handle = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(handle, _TUNSETIFF, struct.pack("16sH", name.encode(), _TUN | _NO_PACKET_INFO))
    return handle


def _enter(process: int) -> None:
    """Moves this process into the network namespace of another; `os.setns` is Python 3.12's."""
    handle = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(handle)


def _forward(near: int, far: int) -> None:
    other = {near: far, far: near}
    waiting: deque[tuple[float, int, bytes]] = deque()  # the delay is the same for all, so they stay in order
    with selectors.DefaultSelector() as ready:
        for handle in other:
            ready.register(handle, selectors.EVENT_READ)
        while True:
            left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            for key, _ in ready.select(left):
                _take(key.fd, other[key.fd], waiting)
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, handle, packet = waiting.popleft()
                with contextlib.suppress(OSError):  # a device that is not up yet takes none
                    os.write(handle, packet)


def _take(source: int, destination: int, waiting: "deque[tuple[float, int, bytes]]") -> None:
    due = time.monotonic() + ONE_WAY_S
    while True:
        try:
            waiting.append((due, destination, os.read(source, 2048)))
        except BlockingIOError:
            return


def main(process: int) -> None:
    """Forwards until it is ended."""
    near = _device(NEAR_DEVICE)
    _enter(process)
    _forward(near, _device(FAR_DEVICE))


if __name__ == "__main__":
    main(int(sys.argv[1]))
