"""The system's own lookup: getaddrinfo in daemon threads, with a deadline, and the hosts file.

The default executor is not used: the interpreter waits for its threads, and a truncated answer with TCP 53 blocked
keeps glibc's getaddrinfo busy for 133 seconds.
"""

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from preflight.model.observation import SystemLookup
from preflight.probes import names
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock

HOSTS_FILE = Path("/etc/hosts")
MAX_THREADS = 64
_IDLE_S = 1.0  # a new thread costs as much as the lookup itself
MAX_HOSTS_FILE = 16 * 1_024 * 1_024  # characters; block lists of that size exist
MAX_ADDRESSES = 64  # of the lookup, and of the hosts file for one name

Lookup = Callable[[str], list[str]]


def _getaddrinfo(name: str) -> list[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Threads:
    """Up to 64 daemon threads; one that has nothing to look up for a second ends."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._running = self._idle = 0

    def submit(self, job: Callable[[], None]) -> None:
        with self._change:
            self._waiting.append(job)
            if self._idle >= len(self._waiting):
                self._change.notify()
                return
            if self._running == MAX_THREADS:
                return
            self._running += 1
        threading.Thread(target=self._work, name="preflight-lookup", daemon=True).start()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Callable[[], None] | None:
        with self._change:
            self._idle += 1
            self._change.wait_for(lambda: self._waiting, timeout=_IDLE_S)
            self._idle -= 1
            if self._waiting:
                return self._waiting.popleft()
            self._running -= 1
            return None


_THREADS = _Threads()


async def look_up(name: str, cap: Cap, *, hosts_file: Path = HOSTS_FILE, lookup: Lookup = _getaddrinfo) -> SystemLookup:
    """What getaddrinfo says about the name, and what the hosts file has for it."""
    clock = Clock()
    hosts = from_hosts_file(name, hosts_file)
    addresses: tuple[str, ...] = ()
    error, result = None, "answer"
    try:
        async with cap.hold():
            addresses = tuple((await _in_thread(lookup, name))[:MAX_ADDRESSES])
    except TimeoutError:
        result = "timeout"
    except (OSError, UnicodeError) as failure:
        result, error = "failed", _error_name(failure)
    return SystemLookup(result=result, addresses=addresses, hosts_file=hosts, error=error, duration_ms=clock.ms())


async def _in_thread(lookup: Lookup, name: str) -> list[str]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[str]] = loop.create_future()

    def settle(set_it: Callable[[Any], None], value: object) -> None:
        if not future.done():
            set_it(value)

    def job() -> None:
        if future.done():  # gave up while it waited for a thread
            return
        try:
            outcome: tuple[Callable[[Any], None], object] = (future.set_result, lookup(name))
        except (OSError, UnicodeError) as failure:
            outcome = (future.set_exception, failure)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    _THREADS.submit(job)
    return await future


def _error_name(failure: Exception) -> str:
    """EAI_NONAME, EAI_AGAIN, ...; aliases of the same number are one name everywhere."""
    if not isinstance(failure, socket.gaierror):
        return type(failure).__name__
    known = {getattr(socket, name): name for name in sorted(dir(socket), reverse=True) if name.startswith("EAI_")}
    return known.get(failure.errno, str(failure.errno))


def from_hosts_file(name: str, path: Path = HOSTS_FILE) -> tuple[str, ...]:
    """Addresses of the name in a hosts file, in file order (hosts(5)); an unreadable file has none."""
    try:
        there = path.stat()
        text = _read(path, (there.st_ino, there.st_mtime_ns, there.st_size))
    except OSError:
        return ()
    wanted = name.lower()
    if wanted not in text:
        return ()
    found = []
    for line in text.splitlines():
        address, *hosts = line.partition("#")[0].split() or [""]
        if wanted in (host.removesuffix(".") for host in hosts) and names.literal(address):
            found.append(address)
    return tuple(dict.fromkeys(found))[:MAX_ADDRESSES]


@lru_cache(maxsize=1)
def _read(path: Path, version: tuple[int, ...]) -> str:  # noqa: ARG001 - a changed file is another version
    """In lower case; read once for all names, since such files can have megabytes."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(MAX_HOSTS_FILE).lower()
