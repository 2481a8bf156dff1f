"""What a run gives is never turned into text when its loop ends: that of a thousand places is enormous. And signals."""

import asyncio
import signal

import pytest

from preflight.cli import loops


class Told:
    """Remembers whether somebody wanted it as text."""

    shown = 0

    def __repr__(self) -> str:
        self.shown += 1
        return "x"


def test_the_result_comes_back_and_nobody_wrote_it_down():
    told = Told()

    async def work() -> Told:
        return told

    assert loops.run(work()) is told
    assert told.shown == 0


def test_what_is_raised_comes_through():
    async def work() -> None:
        raise ValueError("so")

    with pytest.raises(ValueError, match="so"):
        loops.run(work())


def test_a_signal_waits_until_the_loop_is_whole(monkeypatch: pytest.MonkeyPatch):
    """Half a loop cannot be closed: Python would print a traceback about it."""
    made: list[asyncio.AbstractEventLoop] = []
    whole = asyncio.events.new_event_loop

    def interrupted() -> asyncio.AbstractEventLoop:
        signal.raise_signal(signal.SIGINT)
        made.append(whole())
        return made[0]

    async def work() -> int:
        return 3

    monkeypatch.setattr(asyncio.events, "new_event_loop", interrupted)
    begun = work()
    with pytest.raises(KeyboardInterrupt):
        loops.run(begun)
    assert made[0].is_closed()
    assert begun.cr_frame is None  # closed, so that nobody warns that it was never awaited
