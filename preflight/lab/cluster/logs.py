"""The log of one container: written once, read by many, rotated as a kubelet rotates. Keeps bytes, judges nothing.

After a rotation a new reader gets only the newest file, and one who follows goes on without a gap:
kubernetes.io/docs/concepts/cluster-administration/logging, "Log rotation".
"""

import asyncio
from collections.abc import AsyncIterator

TAIL_LINES, TAIL_BYTES = 80, 2048  # of a fallback message: kubernetes.io, "Determine the Reason for Pod Failure"


class Log:
    """Lines with their newlines; the last one may lack it."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._first = 0  # of the newest file
        self._done = False
        self._changed = asyncio.Condition()

    async def write(self, line: bytes) -> None:
        """One more line."""
        async with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    async def end(self) -> None:
        """Nothing more will come."""
        async with self._changed:
            self._done = True
            self._changed.notify_all()

    def rotate(self) -> None:
        """Start a new file: who reads from the beginning does not get what is in the old one."""
        self._first = len(self._lines)

    @property
    def tail(self) -> bytes:
        """What stands in for a termination message that was not written."""
        return b"".join(self._lines[-TAIL_LINES:])[-TAIL_BYTES:]

    async def read(self, *, follow: bool) -> AsyncIterator[bytes]:
        """From the first line of the newest file on; with `follow` until the container has ended."""
        at = self._first
        while True:
            async with self._changed:
                while follow and not self._done and at == len(self._lines):
                    await self._changed.wait()
                new, done = self._lines[at:], self._done
            at += len(new)
            for line in new:
                yield line
            if not new and (done or not follow):
                return
