"""HTTP over a connection that was already judged, told as facts: httpx and httpcore on one stream, no pool, no client.

httpx's client is left out because it parses Location even when it follows nothing, and loses the answer when it cannot.
Bodies, headers and time are bounded; what is recorded is redacted; exceptions of the libraries end here.
"""

import logging
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpcore
import httpx
import msgspec

from preflight import __version__
from preflight.model.observation import HttpFacts
from preflight.probes import broken
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock
from preflight.probes.redact import MAX_HEADERS, MAX_TEXT, Redactor
from preflight.probes.single_stream import SingleStream
from preflight.probes.streams import ByteStream
from preflight.probes.wire import Enough, TooMuch, TunnelStream, Wire

MAX_EMPTY = 100  # pieces of a body that hold nothing: HTTP/2 allows any number of empty frames
_QUOTED = 4 * MAX_TEXT  # bytes of a body that are looked at for the facts
USER_AGENT = f"preflight/{__version__}"

# They log whole URLs and headers, secrets included, as soon as somebody turns logging on.
for _name in ("httpx", "httpcore", "hpack"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it goes out: everything that the dialer has decided."""

    method: str
    url: httpx.URL  # no userinfo
    headers: tuple[tuple[str, str], ...] = ()  # secrets in clear: this value is never recorded
    body: bytes = b""
    body_limit: int
    cap_s: float


class Answer:
    """What has come back so far."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.reason = ""
        self.version: str | None = None
        self.headers = httpx.Headers()
        self.body = bytearray()
        self.received = 0
        self.complete = False

    def begin(self, response: httpx.Response) -> None:
        """Status line and headers are here. Raises TooMuch for more fields than anybody needs."""
        self.status = response.status_code
        self.reason = response.reason_phrase[:200]
        self.version = response.http_version
        self.headers = response.headers
        if (count := len(response.headers.raw)) > MAX_HEADERS:
            raise TooMuch(f"{count} header fields, more than {MAX_HEADERS}")

    async def fill(self, chunks: AsyncIterator[bytes], limit: int, wire: Wire) -> None:
        """Reads the body up to the limit. The wire cuts it, so that every generator in between ends in order."""
        wire.body(limit)
        async for chunk in chunks:
            self.received += len(chunk)
            self.body += chunk[: max(limit - len(self.body), 0)]
            wire.enough = self.received > limit
        self.complete = self.received <= limit

    def content(self, limit: int) -> tuple[bytes, bool]:
        """The body, opened where the server encoded it although it was asked not to, and whether that is all of it."""
        opened, whole = _opened(bytes(self.body), self.headers.get("content-encoding", ""), limit)
        return opened, whole and self.complete


class Channel:
    """One HTTP conversation on one stream, for one origin; may be used again while it is `idle`."""

    def __init__(self, stream: ByteStream, origin: httpx.URL, alpn: str | None, *, absolute: bool = False) -> None:
        self._stream = stream
        self._wire = Wire(stream)
        self._origin = httpcore.Origin(origin.raw_scheme, origin.raw_host, _port(origin))
        self._absolute = absolute  # the request goes to a proxy, which wants the whole URL (RFC 9112, 3.2.2)
        self._http2 = alpn == "h2"
        kind = SingleStream if self._http2 else httpcore.AsyncHTTP11Connection
        self._connection = kind(origin=self._origin, stream=self._wire)

    @property
    def idle(self) -> bool:
        """Whether another request may be sent."""
        return self._connection.is_idle()

    def close(self) -> None:
        """Gives the socket back, at once."""
        self._stream.close()

    async def exchange(self, sent: Sent, clock: Clock, redactor: Redactor) -> tuple[HttpFacts, Answer]:
        """One request and its answer. The channel is closed unless the answer was complete."""

        async def conversation(answer: Answer) -> None:
            request = _request(sent)
            response = await self._send(
                httpcore.Request(
                    request.method, self._core_url(request.url), headers=request.headers.raw, content=request.stream
                )
            )
            try:
                answer.begin(response)
                await answer.fill(response.aiter_raw(), sent.body_limit, self._wire)
            finally:
                await response.aclose()

        facts, answer = await self._observe(sent, clock, redactor, conversation)
        if not answer.complete:
            self.close()
        return facts, answer

    async def tunnel(
        self, sent: Sent, target: str, clock: Clock, redactor: Redactor
    ) -> tuple[HttpFacts, ByteStream | None]:
        """CONNECT to `host:port`: the stream through the proxy when it agrees."""
        tunnels: list[ByteStream] = []

        async def conversation(answer: Answer) -> None:
            headers = [("host", target), ("user-agent", USER_AGENT), *sent.headers]
            url = httpcore.URL(
                scheme=self._origin.scheme, host=self._origin.host, port=self._origin.port, target=target.encode()
            )
            response = await self._send(httpcore.Request(b"CONNECT", url, headers=headers))
            answer.begin(response)
            if response.is_success:
                self._wire.tunnel()
                tunnels.append(TunnelStream(response.extensions["network_stream"], self._wire))
                answer.complete = True
                return
            await answer.fill(response.aiter_raw(), sent.body_limit, self._wire)

        facts, _ = await self._observe(sent, clock, redactor, conversation)
        if not tunnels:
            self.close()
        return facts, tunnels[0] if tunnels else None

    async def _observe(
        self, sent: Sent, clock: Clock, redactor: Redactor, conversation: Callable[[Answer], Awaitable[None]]
    ) -> tuple[HttpFacts, Answer]:
        at_ms, answer = clock.ms(), Answer()
        self._wire.begin()
        told: broken.Told = ("ok", None, "")
        try:
            async with Cap.after(sent.cap_s).hold():
                await conversation(answer)
        except Enough:
            pass  # our limit, and a good answer
        except TooMuch as error:
            told = ("too-large", None, str(error))
        except TimeoutError as error:
            told = ("timeout", broken.errno_name(error), "")
        except tuple(broken.RESULTS) as error:
            told = broken.told(error, self._wire, redactor)
        except BaseException:
            self.close()
            raise
        if told[0] != "ok" and answer.status is None and broken.is_something_else(self._wire, http2=self._http2):
            told = ("malformed", told[1], broken.quoted(self._wire.first, redactor))
        return _facts(sent, answer, told, self._wire, redactor, at_ms=at_ms, duration_ms=clock.since(at_ms)), answer

    async def _send(self, request: httpcore.Request) -> httpx.Response:
        try:
            response = await self._connection.handle_async_request(request)
        except ValueError as error:  # httpcore reads an HTTP/2 :status as a number without asking
            raise httpcore.RemoteProtocolError(type(error).__name__) from error
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    def _core_url(self, url: httpx.URL) -> httpcore.URL:
        """The request's URL as the connection wants it."""
        target = b"%s://%s%s" % (url.raw_scheme, url.netloc, url.raw_path) if self._absolute else url.raw_path
        return httpcore.URL(scheme=self._origin.scheme, host=self._origin.host, port=self._origin.port, target=target)


class _Body(httpx.AsyncByteStream):
    """httpcore's body as httpx's, which hides empty pieces; exceptions pass through."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        empty = 0
        async for chunk in self._response.aiter_stream():
            empty += not chunk
            if empty > MAX_EMPTY:
                raise TooMuch(f"more than {MAX_EMPTY} empty pieces of a body")
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


def _request(sent: Sent) -> httpx.Request:
    defaults = {"accept": "*/*", "accept-encoding": "identity", "user-agent": USER_AGENT}
    given = {name.lower() for name, _ in sent.headers}
    headers = [(name, value) for name, value in defaults.items() if name not in given] + list(sent.headers)
    return httpx.Request(sent.method, sent.url, headers=headers, content=sent.body or None)


def _facts(
    sent: Sent,
    answer: Answer,
    told: broken.Told,
    wire: Wire,
    redactor: Redactor,
    *,
    at_ms: float,
    duration_ms: float,
) -> HttpFacts:
    result, code, detail = told
    content, whole = answer.content(sent.body_limit)
    return HttpFacts(
        method=sent.method,
        result=result,
        status=answer.status,
        reason=redactor.text(answer.reason),
        version=answer.version,
        headers=redactor.headers(answer.headers.multi_items()),
        body=redactor.text(content[:_QUOTED].decode(_charset(answer.headers), "replace")),
        body_bytes=answer.received,
        body_complete=whole,
        sent_bytes=wire.sent,
        errno=code,
        detail=detail,
        at_ms=at_ms,
        duration_ms=duration_ms,
    )


def _charset(headers: httpx.Headers) -> str:
    """The charset that the answer names if it is a usual one; Python knows codecs that are no charsets."""
    named = headers.get("content-type", "").lower().rpartition("charset=")[2].strip("\"' ;")
    return named if named in {"iso-8859-1", "us-ascii", "utf-16", "windows-1252"} else "utf-8"


def _opened(body: bytes, encoding: str, limit: int) -> tuple[bytes, bool]:
    """Opens gzip and deflate, never more than `limit` bytes of it; anything else as it came. True: nothing is missing.

    One byte more is asked for, because a stream that ends exactly at the limit has not shown its end by then.
    """
    windows = {"gzip": 31, "x-gzip": 31, "deflate": 15}.get(encoding.strip().lower())
    if windows is None or not body:
        return body, True
    try:
        opened = zlib.decompressobj(windows).decompress(body, limit + 1)
    except zlib.error:
        return body, True
    return opened[:limit], len(opened) <= limit


def _port(url: httpx.URL) -> int:
    return url.port or {"https": 443}.get(url.scheme, 80)
