"""What a probe asks the dialer for, and what it gets back. Values only; secrets live in `secret_headers` and `body`."""

import httpx
import msgspec

from preflight.model.observation import Hop
from preflight.model.secret import Secret

BODY_LIMIT = 65_536
ALPN = ("h2", "http/1.1")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. Neither `secret_headers` nor `body` is ever recorded; `url` is, without its query secrets."""

    method: str = "GET"
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    secret_headers: tuple[tuple[str, Secret], ...] = ()  # ("authorization", Secret("Bearer ...")): same origin only
    body: bytes = b""
    body_limit: int = BODY_LIMIT  # bytes of the answer's body that are read; the rest is not waited for
    alpn: tuple[str, ...] = ALPN  # offered
    trust: str = "system"  # "system" (with the configured CA) or "cluster-ca", "pods-ca"
    server_name: str | None = None  # SNI and certificate name when it differs from the URL's host
    follow: int = 0  # redirects to follow, each a hop "role.redirectN"

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url.partition('?')[0]})"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The last answer: `hop` is the last redirect's when redirects were followed; `status` is None when none came."""

    hop: Hop
    status: int | None = None
    headers: httpx.Headers = msgspec.field(default_factory=httpx.Headers)
    body: bytes = b""  # decoded, at most `Request.body_limit` bytes; not redacted: it stays inside the probe


class Beyond(Exception):  # noqa: N818 - an end, not an error
    """The dialer of this place goes no further; the text says what stays untested by that."""
