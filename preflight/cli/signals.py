"""SIGINT, SIGTERM and SIGHUP mean the same: stop, and keep what there is. A second one means: at once.

What was ignored when we were started (`nohup`, `&` in a script) stays ignored.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from types import FrameType
from typing import Any

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ONCE_MORE = "; once more to stop at once"


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """SIGTERM and SIGHUP become SIGINT, so that everything is cleaned up on the same way, start-up included."""
    with _restored() as numbers:
        for number in numbers:
            if number is not signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _as_interrupt)
        yield


@contextlib.contextmanager
def deferred(what: str = "finishing the reports") -> Iterator[None]:
    """Let the work inside finish when the first signal comes; the second one is a KeyboardInterrupt."""
    word = f"preflight: {what}{_ONCE_MORE}\n".encode()
    with _restored() as numbers:

        def note(_number: int, _frame: FrameType | None) -> None:
            _next_at_once(numbers)
            with contextlib.suppress(OSError):
                os.write(2, word)  # not through a stream, which may be in the middle of a write

        for number in numbers:
            signal.signal(number, note)
        yield


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Signals come when the work inside is done: for moments."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def until_signalled(work: Coroutine[Any, Any, None]) -> bool:
    """Await the work; True when a signal cancelled it. A second signal is a KeyboardInterrupt."""
    import asyncio  # noqa: PLC0415 - keeps --help quick

    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    signalled = False

    def stop() -> None:
        nonlocal signalled
        signalled = True
        for number in numbers:
            loop.remove_signal_handler(number)
        _next_at_once(numbers)
        task.cancel()

    with _restored() as numbers:
        for number in numbers:
            loop.add_signal_handler(number, stop)
        try:
            await task
        except asyncio.CancelledError:
            if not signalled:
                raise
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)
    return signalled


@contextlib.contextmanager
def _restored() -> Iterator[tuple[signal.Signals, ...]]:
    """The numbers to heed, none outside the main thread; afterwards their handlers are what they were before."""
    here = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _NUMBERS if here}
    heeded = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    try:
        yield tuple(heeded)
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)


def _next_at_once(numbers: tuple[signal.Signals, ...]) -> None:
    for number in numbers:
        signal.signal(number, signal.default_int_handler)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    """Whoever handles SIGINT at the moment (asyncio, or Python itself) handles this one."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)
