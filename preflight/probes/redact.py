"""Takes secrets out of everything that is recorded, and bounds it. What is not redacted here must not be recorded."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote_plus

from preflight.model.secret import Secrets

GONE = "***"
MAX_HEADERS = 256  # fields of one answer; one with more is refused (see preflight.probes.http)
MAX_NAME = 100  # characters of a header's name
MAX_VALUE = 2_048  # characters of one header value
MAX_TEXT = 4_096  # characters of a body
MAX_URL = 2_048  # characters of a URL that is recorded
CUT = "…"  # ends what was cut, so that nobody takes it for the whole

# Public by nature: the admin user of a registry is the registry's own name, and would blot that name out everywhere.
_PUBLIC_CREDENTIALS = frozenset({"registry_user"})
_SHORTEST_SECRET = 6  # characters; shorter values occur by chance in any text

_SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "set-cookie2", "x-ms-refresh-token", "x-api-key"}
)
_URL_HEADERS = frozenset({"location", "content-location", "link", "refresh", "azure-asyncoperation"})

# Names of values in queries and forms: SAS `sig`, AWS and Google signed URLs, Azure CDN tokens (P4), OAuth.
_NAMES_OF_SECRETS = (
    r"sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|p4|token|access_token"
    r"|refresh_token|id_token|client_secret|client_assertion|assertion|password|passwd|secret|api[-_]?key"
    r"|subscription-key|sharedaccesskey|accountkey"
)
_NAMED = r"(?i)(?<![\w-])({})=[^&\s\"'<>;]+"
_QUERY = re.compile(_NAMED.format(_NAMES_OF_SECRETS))
_URL_CODE = re.compile(_NAMED.format("code"))  # a key of Azure Functions; elsewhere "code=470" is evidence
_JSON = re.compile(
    r"(?i)(\"(?:[a-z_]*token|client_secret|client_assertion|assertion|password|secret|id_token_hint)\"\s*:\s*)"
    r"\"(?:[^\"\\]|\\.)*\"?"
)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{12,}")
# Azure Storage quotes the signature that it was sent: "The MAC signature found in the HTTP request '...' is not ..."
_MAC = re.compile(r"(?i)(signature found in the HTTP request ')[^']*")
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^/\s?#\"'<>@]*@")


class Redactor:
    """Removes well-known shapes of secrets, and the values of the given ones wherever they are echoed."""

    def __init__(self, secrets: Secrets, more: Iterable[str] = ()) -> None:
        values = {secret.reveal() for name, secret in secrets.items() if name not in _PUBLIC_CREDENTIALS} | set(more)
        echoes = {echo for value in values for echo in _echoes(value) if len(echo) >= _SHORTEST_SECRET}
        self._values = re.compile(
            "|".join(re.escape(echo) for echo in sorted(echoes, key=len, reverse=True)) or r"(?!)",
            re.IGNORECASE,  # names of headers and hosts lose their case on the way
        )

    def text(self, text: str, limit: int = MAX_TEXT) -> str:
        """Bounded text without secrets. They are taken out first, so that no half of one survives at the cut."""
        clean = self._values.sub(GONE, text)
        for pattern, kept in ((_USERINFO, r"\1"), (_QUERY, r"\1="), (_JSON, r'\1"'), (_MAC, r"\1"), (_BEARER, r"\1 ")):
            ending = '"' if pattern is _JSON else "@" if pattern is _USERINFO else ""
            clean = pattern.sub(rf"{kept}{GONE}{ending}", clean)
        return _JWT.sub(GONE, clean)[:limit]

    def url(self, url: str) -> str:
        """The URL without userinfo, fragment and secret query values."""
        return _URL_CODE.sub(
            rf"\1={GONE}", cut(self.text(_without_userinfo(url.partition("#")[0]), MAX_URL + 1), MAX_URL)
        )

    def headers(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Lower-case names, bounded values, secrets removed; at most `MAX_HEADERS`."""
        clean: list[tuple[str, str]] = []
        for name, value in headers:
            if len(clean) == MAX_HEADERS:
                break
            lower = self._values.sub(GONE, name).lower()
            clean.append((cut(lower, MAX_NAME), self._value(lower, value)))
        return tuple(clean)

    def _value(self, name: str, value: str) -> str:
        if name in _SECRET_HEADERS:
            return GONE
        if name in _URL_HEADERS:
            return self.url(value)
        return cut(self.text(value, MAX_VALUE + 1), MAX_VALUE)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last one a mark when something is missing."""
    return text if len(text) <= limit else text[: limit - 1] + CUT


def without_credentials(url: str) -> str:
    """A proxy's URL without user and password; "proxy.corp:3128" stays as it is."""
    return _without_userinfo(url)


def _without_userinfo(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found:
        scheme, rest = "", url
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return f"{scheme}{found}{authority.rpartition('@')[2]}{rest[len(authority) :]}"


def _echoes(value: str) -> set[str]:
    """The forms in which a server may send a secret back: as it is, quoted, encoded, or the password alone.

    A SAS is many parameters of which only the signature is secret.
    """
    if "sig=" in value:
        signature = re.search(r"(?:^|[?&])sig=([^&]+)", value)
        return {signature[1], unquote_plus(signature[1])} if signature else {value}
    password = value.partition(":")[2] if ":" in value else ""
    encoded = base64.b64encode(value.encode()).decode()
    return {value, quote(value, safe=""), encoded, password, quote(password, safe="")} - {""}
