"""The few Linux calls that namespaces need and Python 3.11 lacks. Standard library only: `launch.py` runs it bare."""

import contextlib
import ctypes
import os
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Give the calling thread namespaces of its own."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """mount(2)."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    options = None if data is None else data.encode()
    _checked(_libc.mount(*words, ctypes.c_ulong(flags), options), f"mount {source} on {target}")


def keep_mounts_private() -> None:
    """No mount made from here on shows outside."""
    mount("none", "/", None, _MS_REC | _MS_PRIVATE)


def die_with_parent() -> None:
    """The kernel kills this process when the thread that started it ends, however it ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL), "prctl")


def enter_network(path: str) -> None:
    """Move the calling thread into the network namespace bound at `path`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(descriptor, CLONE_NEWNET), f"setns {path}")
    finally:
        os.close(descriptor)


def own_files(etc: str) -> None:
    """Own mounts for the calling thread: every file of `etc` over its namesake in /etc, a /sys of this network."""
    unshare(CLONE_NEWNS)  # implies CLONE_FS, so it is legal in one thread of many
    mount("none", "/", None, _MS_REC | _MS_SLAVE)
    mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777")  # no stale segments between two runs of squid
    mount("sysfs", "/sys", "sysfs")  # else /sys/class/net still shows the first namespace
    for file in Path(etc).iterdir():
        mount(str(file), _target(file.name), None, _MS_BIND)


def _target(name: str) -> str:
    """/etc/NAME, or the file that it links to; systemd-resolved's link dangles once /run is our own."""
    place = Path("/etc", name).resolve()
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    return str(place)
