"""What a run gives is never turned into text when its loop ends: that of a thousand places is enormous."""

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
