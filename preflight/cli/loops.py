"""Runs a command's coroutine to its end, whatever the size of what it gives, and whenever a signal comes."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from preflight.cli import signals

_T = TypeVar("_T")


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """`asyncio.run`, but for what its end costs.

    That asks for the handler of SIGINT, which holds the main task, and an enum answers no by way of the handler's
    `repr`: all of the task's result as text, hundreds of megabytes of a thousand places. So the task has no result.
    """
    found: list[_T] = []

    async def keep() -> None:
        found.append(await work)

    try:
        with contextlib.ExitStack() as stack:
            with signals.held():  # a loop that is half made cannot be closed, and says so with a traceback
                runner = stack.enter_context(asyncio.Runner())
            runner.run(keep())
    finally:
        work.close()
    return found[0]
