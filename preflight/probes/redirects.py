"""Where an answer sends its client next, and what must not go along. Values only."""

import httpx
import msgspec

from preflight.probes import names
from preflight.probes.request import Reply, Request

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
MAX_LOCATION = 8_192  # characters; the longest signed URLs of registries and storage have a fifth of this


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """The request to make, or why none is made: "malformed", "too-long", "to-http", "with-body", "loop", "too-many"."""

    request: Request | None = None
    refused: str | None = None


def parse(url: str) -> httpx.URL | None:
    """An absolute http or https URL without userinfo and fragment; None when it is none."""
    try:
        parsed = httpx.URL(url)
        if parsed.scheme not in {"http", "https"} or not parsed.host or not 0 <= (parsed.port or 0) <= 65_535:
            return None
        return parsed.copy_with(userinfo=b"", fragment=None)
    except (httpx.InvalidURL, ValueError):
        return None


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port: what credentials belong to (RFC 6454)."""
    return url.scheme, url.host, port(url)


def port(url: httpx.URL) -> int:
    """The URL's port, or its scheme's."""
    return url.port or {"https": 443}.get(url.scheme, 80)


def following(request: Request, reply: Reply, seen: frozenset[str], left: int) -> Next | None:
    """The next request after a redirect; None when the answer is none. `seen` are the URLs asked so far."""
    location = reply.headers.get("location")
    if reply.status not in _REDIRECTS or not location:
        return None
    if len(location) > MAX_LOCATION:
        return Next(refused="too-long")
    here = httpx.URL(request.url)
    there = _joined(here, location)
    if there is None:
        return Next(refused="malformed")
    if (here.scheme, there.scheme) == ("https", "http"):
        return Next(refused="to-http")  # what would answer there proves nothing about the service
    if str(there) in seen:
        return Next(refused="loop")
    if not left:
        return Next(refused="too-many")
    return _next(request, here, there, reply.status)


def _joined(here: httpx.URL, location: str) -> httpx.URL | None:
    try:
        there = parse(str(here.join(location)))
    except (httpx.InvalidURL, ValueError):
        return None
    host = there.raw_host.decode("ascii") if there is not None else ""
    return there if names.literal(host) or names.ascii_name(host) else None


def _next(request: Request, here: httpx.URL, there: httpx.URL, status: int) -> Next:
    """RFC 9110, 15.4: 303 becomes GET, and so does a POST after 301 and 302, as every client does it."""
    method, body = request.method, request.body
    if (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST"):
        method, body = "GET", b""
    if origin(here) == origin(there):
        return Next(request=msgspec.structs.replace(request, url=str(there), method=method, body=body))
    if body:
        return Next(refused="with-body")  # a body may hold credentials, which stay at their origin
    same_host = here.host == there.host
    return Next(
        request=msgspec.structs.replace(
            request,
            url=str(there),
            method=method,
            body=body,
            headers=tuple((name, value) for name, value in request.headers if name.lower() not in _CREDENTIALS),
            secret_headers=(),
            trust=request.trust if same_host else "system",
            server_name=request.server_name if same_host else None,
        )
    )
