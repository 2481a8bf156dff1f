"""Reads a file that somebody names, never more than a limit of it. Says nothing of what the file should hold.

Its size is not asked for: a device tells none, and a file may grow while it is read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


class TooLarge(Exception):  # noqa: N818 - the answer to one question; callers turn it into a Failure of their own
    """The file holds more than the limit."""


def read(path: Path, largest: int) -> bytes:
    """The content. Raises `TooLarge` for more than `largest` bytes, OSError as it comes."""
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise TooLarge
    return content


def lines(head: bytes, file: BinaryIO, largest: int, longest: int) -> Iterator[bytes]:
    """The lines of a file of which the beginning was read, with their ends.

    Raises `TooLarge` for more than `largest` bytes or a line of more than `longest`, OSError as it comes.
    """
    left = largest
    while line := head + file.readline(min(left, longest) + 1 - len(head)):
        left -= len(line)
        if left < 0 or len(line) > longest:
            raise TooLarge
        yield line
        head = b""
