"""A small HTTP/1.1 server over any stream: parses requests, frames answers, keeps the connection. Knows no service."""

from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from preflight.lab.stream import Stream

_HEAD_LIMIT, _BODY_LIMIT = 65536, 1 << 20


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request; header names are lower case, repeated headers are joined with commas (RFC 9110 5.3)."""

    method: str
    host: str
    target: str  # path and query as sent
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    source: str = ""  # the address that the service sees

    @property
    def form(self) -> dict[str, str]:
        """The body as application/x-www-form-urlencoded."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))

    @property
    def authorized(self) -> bool:
        """Whether any credentials came with it."""
        return "authorization" in self.headers or "sig" in self.query


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One answer; Content-Length is added unless the headers have one."""

    status: int = 200
    reason: str | None = None
    headers: dict[str, str] = {}
    body: bytes = b""


Handler = Callable[[Request], Response]


def document(status: int, content: Any, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(
        status=status,
        headers={"Content-Type": "application/json; charset=utf-8", **(headers or {})},
        body=msgspec.json.encode(content),
    )


def page(status: int, text: str, headers: dict[str, str] | None = None, *, reason: str | None = None) -> Response:
    """An HTML or plain text answer, by its first character."""
    kind = "text/html" if text.startswith("<") else "text/plain"
    return Response(
        status=status,
        reason=reason,
        headers={"Content-Type": f"{kind}; charset=utf-8", **(headers or {})},
        body=text.encode(),
    )


def head(response: Response, *, length: int | None = None) -> bytes:
    """Status line and headers; `length` announces another body than the one there is."""
    reason = response.reason or _phrase(response.status)
    size = len(response.body) if length is None else length
    fields = {"Date": formatdate(usegmt=True), "Content-Length": str(size), **response.headers}
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "status"


async def requests(stream: Stream, source: str) -> AsyncIterator[Request]:
    """The requests of one connection, until the client ends it or speaks no HTTP."""
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            data = await stream.receive()
            if not data or len(buffer) > _HEAD_LIMIT:
                return
            buffer += data
        top, _, buffer = buffer.partition(b"\r\n\r\n")
        request = _parse(top.decode("latin-1"), source)
        if request is None:
            return
        size = min(int(request.headers.get("content-length", "0")), _BODY_LIMIT)
        while len(buffer) < size:
            data = await stream.receive()
            if not data:
                return
            buffer += data
        body, buffer = buffer[:size], buffer[size:]
        yield msgspec.structs.replace(request, body=body)


def _parse(top: str, source: str) -> Request | None:
    first, *rest = top.split("\r\n")
    method, _, tail = first.partition(" ")
    target, _, version = tail.rpartition(" ")
    if not version.startswith("HTTP/1."):
        return None
    headers: dict[str, str] = {}
    for line in rest:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    parts = urlsplit(target)
    return Request(
        method=method, host=headers.get("host", "").partition(":")[0].lower(), target=target, path=parts.path,
        query=dict(parse_qsl(parts.query)), headers=headers, source=source,
    )  # fmt: skip


async def answer(stream: Stream, request: Request, response: Response) -> None:
    """Send one answer; HEAD gets the headers only."""
    await stream.send(head(response) + (b"" if request.method == "HEAD" else response.body))
