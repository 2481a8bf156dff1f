"""The seam between our byte streams and httpcore's: counts, keeps first bytes, and knows how a connection ended."""

import httpcore

from preflight.probes.streams import ByteStream

_FIRST = 64
# Both far above what services send and below where httpcore's own (100 KiB of one HTTP/1 event) would begin.
HEAD_LIMIT = 65_536  # bytes until the headers of the final answer are complete; interim answers and frames count
OVERHEAD_LIMIT = 262_144  # bytes around a body: headers, chunk sizes, their extensions, trailers, HTTP/2 frames


class Enough(Exception):  # noqa: N818 - our own limit, not an error
    """The limit on the answer is reached: nothing more is read."""


class TooMuch(Exception):  # noqa: N818 - our own limit, not an error
    """What came is larger than any honest answer; the message says what was."""


class Wire(httpcore.AsyncNetworkStream):
    """A byte stream as httpcore wants it; counts, keeps the first bytes of the answer, and knows how it ended."""

    def __init__(self, below: ByteStream) -> None:
        self.below = below
        self.opening = b""  # of the connection; `first` is of the current answer
        self.begin()

    def begin(self) -> None:
        """A new request: its answer's headers come first."""
        self._end: int | None = HEAD_LIMIT
        self._what = f"more than {HEAD_LIMIT:,} bytes before the headers were complete"
        self.sent = self.received = 0
        self.first = b""
        self.ended = self.enough = False
        self.broken: OSError | None = None

    def body(self, limit: int) -> None:
        """The headers are complete: a body of at most `limit` bytes follows, in whatever framing."""
        self._end = limit + OVERHEAD_LIMIT
        self._what = f"more than {OVERHEAD_LIMIT:,} bytes around the body"

    def tunnel(self) -> None:
        """What follows is somebody else's conversation."""
        self._end = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - httpcore's
        """Bytes of the answer; `timeout` is not used, since the cap is on the whole exchange."""
        if self.enough:
            raise Enough
        room = max_bytes if self._end is None else self._end - self.received
        if room <= 0:
            raise TooMuch(self._what)
        try:
            data = await self.below.recv(min(max_bytes, room))
        except OSError as error:
            self.broken = error
            raise httpcore.ReadError(error) from error
        self.received += len(data)
        self.first = (self.first + data)[:_FIRST]
        self.opening = (self.opening + data)[:_FIRST]
        self.ended = not data
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - httpcore's
        """Bytes of the request."""
        if not buffer:
            return
        try:
            await self.below.send(buffer)
        except OSError as error:
            self.broken = self.broken or error
            raise httpcore.WriteError(error) from error
        self.sent += len(buffer)

    async def aclose(self) -> None:
        """At once."""
        self.below.close()


class TunnelStream:
    """What a CONNECT leaves behind, as a byte stream again."""

    def __init__(self, tunnel: httpcore.AsyncNetworkStream, wire: Wire) -> None:
        self._tunnel = tunnel  # reads first what the proxy sent right behind its answer
        self._wire = wire

    async def recv(self, size: int) -> bytes:
        """At least one byte, or b"" at the end."""
        try:
            return await self._tunnel.read(size)
        except httpcore.NetworkError as error:
            raise self._wire.broken or OSError(str(error)) from error

    async def send(self, data: bytes) -> None:
        """All of the data."""
        try:
            await self._tunnel.write(data)
        except httpcore.NetworkError as error:
            raise self._wire.broken or OSError(str(error)) from error

    def close(self) -> None:
        """Closes the connection to the proxy."""
        self._wire.below.close()
