"""Translates what the HTTP libraries raise into results of the http stage; only this module knows their exceptions."""

import errno
import ssl

import h2.exceptions
import h11
import httpcore

from preflight.probes.redact import Redactor
from preflight.probes.wire import Wire

_ERRNOS = {
    **dict.fromkeys((errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED), "reset"),
    errno.EMSGSIZE: "too-large",  # our own limit on what TLS may send without saying anything
}
_MAX_DETAIL = 200

Told = tuple[str, str | None, str]  # result, errno, detail

# Every exception that httpcore has, and those of h2 and h11 that it lets through, with the result that they mean when
# the wire knows nothing more precise (see `told`).
RESULTS: dict[type[Exception], str] = {
    httpcore.RemoteProtocolError: "malformed",
    httpcore.LocalProtocolError: "error",
    httpcore.ProtocolError: "malformed",
    httpcore.ReadTimeout: "timeout",
    httpcore.WriteTimeout: "timeout",
    httpcore.ConnectTimeout: "timeout",
    httpcore.PoolTimeout: "timeout",
    httpcore.TimeoutException: "timeout",
    httpcore.ReadError: "error",
    httpcore.WriteError: "error",
    httpcore.ConnectError: "error",
    httpcore.NetworkError: "error",
    httpcore.ConnectionNotAvailable: "closed",
    httpcore.ProxyError: "error",
    httpcore.UnsupportedProtocol: "error",
    h2.exceptions.H2Error: "malformed",
    h11.RemoteProtocolError: "malformed",
}


def told(error: Exception, wire: Wire, redactor: Redactor) -> Told:
    """Result, errno and detail: how the wire ended outweighs what the parser made of it."""
    result = next(RESULTS[kind] for kind in type(error).__mro__ if kind in RESULTS)
    cause = error.__cause__ or next((one for one in error.args if isinstance(one, Exception)), None)
    if isinstance(error, httpcore.LocalProtocolError) and isinstance(cause, h11.LocalProtocolError):
        return "error", None, "the request is not legal HTTP"  # the library's text quotes it, secrets included
    if wire.broken is not None:
        words = redactor.text(wire.broken.strerror or str(wire.broken), _MAX_DETAIL)
        return _ERRNOS.get(wire.broken.errno or 0, "error"), errno_name(wire.broken), words
    if wire.ended:
        return "closed", None, redactor.text(str(error), _MAX_DETAIL)
    if getattr(cause, "error_status_hint", None) == 431 or isinstance(
        cause or error, h2.exceptions.DenialOfServiceError
    ):
        return "too-large", None, redactor.text(str(error), _MAX_DETAIL)
    if isinstance(cause, h2.exceptions.H2Error):
        result = "malformed"  # httpcore blames itself for what the peer sent
    return result, None, redactor.text(str(error), _MAX_DETAIL)


def is_something_else(wire: Wire, *, http2: bool) -> bool:
    """Whether what came back cannot be the beginning of an answer.

    HTTP/1 begins with "HTTP/", an HTTP/2 connection with a SETTINGS frame (type 4; RFC 9113, section 3.4).
    """
    if http2:
        return len(wire.opening) > 3 and wire.opening[3] != 4
    return bool(wire.first) and not (wire.first.startswith(b"HTTP/") or b"HTTP/".startswith(wire.first))


def quoted(first: bytes, redactor: Redactor) -> str:
    """The beginning of what came instead of HTTP, escaped."""
    return "not HTTP: " + redactor.text(repr(first)[2:-1], _MAX_DETAIL)


def errno_name(error: OSError) -> str | None:
    """ECONNRESET, ...; None for our own timeout and for what TLS says, whose numbers are not errno's."""
    if error.errno is None or isinstance(error, ssl.SSLError):
        return None
    return errno.errorcode.get(error.errno, str(error.errno))
