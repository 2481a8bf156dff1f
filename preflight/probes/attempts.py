"""A second attempt beside the first, for ambiguous results only, under one cap. Knows nothing of what is attempted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


_LATE_S = 0.05  # a loop that is later than this was held up itself: by its machine, not by the network
_GRACE_S = 0.25  # for what has come meanwhile


class Cap:
    """A point in loop time at which waiting ends; it can be brought forward, and then ends like any timeout.

    A process that was held up over its cap gets a moment more, once, to read what has come meanwhile: its own stall is
    no silence of the network.
    """

    def __init__(self, when: float) -> None:
        self.when = when
        self._expired = False
        self._holding: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def after(cls, seconds: float) -> "Cap":
        """A cap that many seconds from now."""
        return cls(asyncio.get_running_loop().time() + seconds)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Raises TimeoutError at the cap. One block at a time."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as timeout:
            self._holding = timeout
            self._timer = loop.call_at(self.when, self._due)
            try:
                yield
            finally:
                self._timer.cancel()
                self._holding = None

    def expire(self) -> None:
        """Ends the waiting now."""
        self._expired = True
        self.when = min(self.when, asyncio.get_running_loop().time())
        self._end()

    def _due(self) -> None:
        loop = asyncio.get_running_loop()
        if self._expired or loop.time() - self.when < _LATE_S:
            self._end()
        else:
            self._timer = loop.call_later(_GRACE_S, self._end)

    def _end(self) -> None:
        if self._holding is not None and not self._holding.expired():
            self._holding.reschedule(asyncio.get_running_loop().time())


async def twice(
    attempt: Callable[[int, Cap], Awaitable[T]],
    *,
    when: float,
    after: float,
    ambiguous: Callable[[T], bool],
    discard: Callable[[T], None] = lambda _: None,
) -> tuple[T, ...]:
    """One result, or two when the first is silent for `after` seconds or ambiguous; the last one settles it.

    An attempt ends by itself at its cap. When the second settles it, the first ends early and stands as evidence; when
    the first settles it after all, the second proves nothing and goes to `discard`, as everything does on cancellation.
    """
    tasks: list[asyncio.Task[T]] = []
    caps = (Cap(when), Cap(when))
    try:
        tasks.append(asyncio.ensure_future(_run(attempt, 1, caps[0])))
        await asyncio.wait(tasks, timeout=after)
        if tasks[0].done() and not ambiguous(tasks[0].result()):
            return (tasks[0].result(),)
        tasks.append(asyncio.ensure_future(_run(attempt, 2, caps[1])))
        await _until_settled(tasks, caps, ambiguous)
    except BaseException:
        await _abandon(tasks, discard)
        raise
    first, second = (task.result() for task in tasks)
    if not ambiguous(first):
        discard(second)
        return (first,)
    return (first, second)


async def _run(attempt: Callable[[int, Cap], Awaitable[T]], number: int, cap: Cap) -> T:
    return await attempt(number, cap)


async def _until_settled(tasks: list[asyncio.Task[T]], caps: tuple[Cap, ...], ambiguous: Callable[[T], bool]) -> None:
    """Waits for both, and ends the waiting of the other as soon as one is unambiguous."""
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if any(not ambiguous(task.result()) for task in done):
            for task, cap in zip(tasks, caps, strict=True):
                if task in pending:
                    cap.expire()


async def _abandon(tasks: list[asyncio.Task[T]], discard: Callable[[T], None]) -> None:
    """Cancels what runs and gives back what was already gained."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(outcome, BaseException):
            discard(outcome)
