"""What a failed image pull means, from the kubelet's words. Pure; what does not match is `pull.unclassified`.

The patterns hold for containerd 1.6 to 2.1 and for CRI-O's wording of the same errors; the corpus is in the tests.
"""

import re
from typing import Final

import msgspec


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A cause, and whether another try could end otherwise."""

    cause: str
    ambiguous: bool = False


def _p(pattern: str, cause: str, *, ambiguous: bool = False) -> tuple[re.Pattern[str], Pull]:
    return re.compile(pattern), Pull(cause=f"pull.{cause}", ambiguous=ambiguous)


# The first that matches counts, so that what is nearer to the wire's error comes first.
_TABLE: Final = (
    _p(r'failed to do request: \w+ "https?://localhost[:/]', "not-on-node"),
    _p(r"pull QPS exceeded", "kubelet-busy", ambiguous=True),
    _p(r"lookup \S+( on \S+)?: no such host", "name-unknown"),
    _p(r"lookup \S+ on \S+: .*(i/o timeout|connection refused|server misbehaving)|lookup \S+: .*(i/o timeout|Temporary failure|server misbehaving)", "dns-failing", ambiguous=True),
    _p(r"proxyconnect tcp: |Proxy Authentication Required", "proxy-failing"),
    _p(r"x509: certificate has expired or is not yet valid", "certificate-expired"),
    _p(r"x509: certificate (is valid for|is not valid for)|x509: cannot validate certificate for|x509: certificate relies on legacy Common Name", "wrong-name"),
    _p(r"x509: certificate signed by unknown authority|x509: .*(unknown authority|not trusted)", "untrusted"),
    _p(r"server gave HTTP response to HTTPS client|tls: first record does not look like a TLS handshake", "not-tls"),
    _p(r"remote error: tls: |tls: handshake failure", "tls-refused"),
    _p(r"TLS handshake timeout", "tls-timeout", ambiguous=True),
    _p(r"connect: connection refused", "refused"),
    _p(r"connect: no route to host|connect: network is unreachable|connect: permission denied", "unreachable"),
    _p(r"dial tcp \S+: (i/o timeout|connect: connection timed out)", "timeout", ambiguous=True),
    _p(r"connection reset by peer", "reset", ambiguous=True),
    _p(r"no match for platform in manifest|no matching manifest for|no image found in (manifest list|image index) for", "wrong-platform"),
    _p(r"insufficient_scope: authorization failed|pull access denied", "unauthorized"),
    _p(r"\b401 Unauthorized|unauthorized: authentication required|no basic auth credentials", "unauthorized"),
    _p(r"\b403 Forbidden|denied: client with IP", "denied"),
    _p(r"\b429 Too Many Requests|toomanyrequests", "throttled", ambiguous=True),
    _p(r"\b5\d\d (Internal Server Error|Bad Gateway|Service Unavailable|Gateway Timeout)", "server-error", ambiguous=True),
    _p(r"failed to authorize: ", "unauthorized"),
    _p(r"manifest unknown|: not found\b|\b404 Not Found", "not-found"),
    _p(r"couldn't parse image reference|invalid reference format|InvalidImageName", "bad-name"),
    _p(r"is not present with pull policy of Never|ErrImageNeverPull", "not-on-node"),
    _p(r"no space left on device", "no-space"),
    _p(r"failed to extract layer|failed to copy: |unexpected commit digest|failed size validation", "layer-broken", ambiguous=True),
    _p(r"request canceled while waiting for connection|Client\.Timeout exceeded|context deadline exceeded|net/http: timeout awaiting response", "no-answer", ambiguous=True),
    _p(r": EOF\b|unexpected EOF", "reset", ambiguous=True),
)  # fmt: skip
UNCLASSIFIED: Final = Pull(cause="pull.unclassified", ambiguous=True)
CAUSES: Final = frozenset((*(pull.cause for _, pull in _TABLE), UNCLASSIFIED.cause, "pull.no-answer"))
_PREFIX: Final = re.compile(r'^(Failed to pull image "[^"]*": )?(rpc error: code = \w+ desc = )?')
# Of several credentials the kubelet tries each, the node's own last, and tells all errors: "[…, …]".
_SEVERAL: Final = re.compile(r", (?=rpc error: code = \w+ desc = |failed to pull and unpack image )")
_ASKED: Final = re.compile(r'\b(?:Head|Get|Post) \\?"?https?://([^/\s:"\\]{1,255})(?::(\d{1,5}))?')
_DIALLED: Final = re.compile(r"dial tcp \[?([0-9A-Fa-f.:]{2,45}?)\]?:(\d{1,5}): ")
_BACK_OFF: Final = (
    "Back-off pulling image",
    "Error: ErrImagePull",
    "Error: ImagePullBackOff",
    "Error: InvalidImageName",
)


def classify(message: str) -> Pull:
    """The cause that a kubelet's message names. A registry's own text cannot pass for another: the tail decides."""
    said = _PREFIX.sub("", message)
    parts = _SEVERAL.split(said.strip("[]")) if said.startswith("[") else [said]
    found = [_one(part) for part in parts]
    # That nobody gets in without credentials is no news behind what happened with them.
    return next((pull for pull in found if pull.cause != "pull.unauthorized"), found[0])


def _one(said: str) -> Pull:
    return next((pull for pattern, pull in _TABLE if pattern.search(said)), UNCLASSIFIED)


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the node spoke to last: the data host, when layers fail; empty where the message does not say."""

    host: str = ""
    port: int = 0
    address: str = ""


def contact(message: str) -> Contact:
    """What the message says of the last request."""
    parts = _SEVERAL.split(message)
    asked, dialled = _ASKED.findall(parts[0]), _DIALLED.findall(parts[0])
    host, port = asked[-1] if asked else ("", "")
    return Contact(host=host.lower(), port=int(port or 443) if host else 0, address=dialled[-1][0] if dialled else "")


def says_why(message: str) -> bool:
    """Whether a message holds the error itself, and not only that it happened again."""
    return bool(message.strip()) and not message.startswith(_BACK_OFF)
