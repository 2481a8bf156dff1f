"""Second attempts: when one is started, which one counts, and what becomes of the other."""

import asyncio
import socket
import time

import pytest

from preflight.probes.attempts import Cap, twice


async def run(script, *, when=2.0, after=0.05):
    """`script` is (delay, result) per attempt; "late" results lose to their cap and become "timeout"."""
    started, discarded = [], []

    async def attempt(number, cap):
        started.append(number)
        delay, result = script[number - 1]
        try:
            async with cap.hold():
                await asyncio.sleep(delay)
        except TimeoutError:
            return f"timeout{number}"
        return result

    loop = asyncio.get_running_loop()
    results = await twice(
        attempt,
        when=loop.time() + when,
        after=after,
        ambiguous=lambda result: result.startswith(("timeout", "reset")),
        discard=discarded.append,
    )
    return results, started, discarded


@pytest.mark.parametrize(
    ("script", "results", "started", "discarded"),
    [
        ([(0, "ok")], ("ok",), [1], []),
        ([(0, "refused")], ("refused",), [1], []),
        ([(0, "reset"), (0, "ok")], ("reset", "ok"), [1, 2], []),
        ([(0, "reset"), (0, "reset")], ("reset", "reset"), [1, 2], []),
        ([(9, "late"), (0, "ok")], ("timeout1", "ok"), [1, 2], []),
        ([(0.2, "ok"), (9, "late")], ("ok",), [1, 2], ["timeout2"]),
        ([(9, "late"), (9, "late")], ("timeout1", "timeout2"), [1, 2], []),
        ([(9, "late"), (0, "reset")], ("timeout1", "reset"), [1, 2], []),
    ],
)
async def test_what_counts(script, results, started, discarded):
    assert await run(script, when=0.5) == (results, started, discarded)


async def test_cancelling_gives_back_what_was_gained():
    discarded = []

    async def attempt(number, cap):
        if number == 1:
            return "reset with a socket"
        return await asyncio.Event().wait()

    task = asyncio.ensure_future(twice(attempt, when=1e9, after=1, ambiguous=lambda _: True, discard=discarded.append))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert discarded == ["reset with a socket"]


async def test_a_bug_in_an_attempt_is_not_swallowed():
    async def attempt(number, cap):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await twice(attempt, when=1e9, after=1, ambiguous=lambda _: True)


async def test_a_cap_that_has_passed_ends_at_once():
    with pytest.raises(TimeoutError):
        async with Cap.after(-1).hold():
            await asyncio.sleep(60)


async def test_what_came_while_the_process_was_held_up_is_read_after_the_cap():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, lambda: (theirs.send(b"in time"), time.sleep(0.3)))
        async with Cap.after(0.1).hold():
            assert await loop.sock_recv(ours, 100) == b"in time"


async def test_a_process_that_was_held_up_waits_no_longer_than_a_moment_more():
    loop = asyncio.get_running_loop()
    loop.call_later(0.02, time.sleep, 0.3)
    with pytest.raises(TimeoutError):
        async with Cap.after(0.1).hold(), asyncio.timeout(5):
            await asyncio.Event().wait()


async def test_a_cap_that_was_brought_forward_gives_no_moment_more():
    cap, loop = Cap.after(60), asyncio.get_running_loop()
    loop.call_soon(cap.expire)
    loop.call_soon(time.sleep, 0.1)  # held up: late, and expired all the same
    with pytest.raises(TimeoutError):
        async with cap.hold():
            await asyncio.sleep(0.2)
