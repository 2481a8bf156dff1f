"""What `openssl s_client` said: connection, handshake, presented chain. Verification is openssl's. Pure."""

import binascii
import re
import ssl
from datetime import UTC, datetime

from preflight.model.observation import Certificate, TcpFacts, TlsFacts
from preflight.probes import certificates
from preflight.vantages.shell import words
from preflight.vantages.shell.words import Told

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{100,20000}-----END CERTIFICATE-----")
_SUBJECT, _ISSUER = re.compile(r"\s*[0-9]+ s:(.*)"), re.compile(r"\s+i:(.*)")
_DATES = re.compile(r"\s+v:NotBefore: (.*?); NotAfter: (.*)")
_CODE = re.compile(r"Verify return code: ([0-9]{1,3}) \((.*?)\)")
_VERSION = re.compile(r"New, (TLSv[0-9.]+), Cipher is (\S+)|Protocol\s*: (TLSv[0-9.]+)")
_ALPN = re.compile(r"ALPN protocol: (\S+)")
_NOT_TLS = (
    "wrong version number",
    "packet length too long",
    "http request",
    "unknown protocol",
    "record layer failure",
)
_ALWAYS = ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z")  # dates that are not told speak against nothing
_MAX = 300


def tcp(told: Told, address: str, port: int, cap_ms: float) -> TcpFacts:
    """Whether it connected. It tries the addresses of a name itself; `address` is the one to name."""
    connected = "CONNECTED(" in told.text
    code = None if connected else words.errno(told.text)
    silent = not connected and code is None
    return TcpFacts(
        address=address,
        port=port,
        result="connected" if connected else "timeout" if silent else "error",
        errno=code,
        cap_ms=cap_ms,
        at_ms=0.0,
        duration_ms=0.0 if connected else told.seconds * 1000,
    )


def tls(told: Told, name: str, trust: str, offered: tuple[str, ...]) -> TlsFacts | None:
    """The handshake, None when it was not reached."""
    if "CONNECTED(" not in told.text:
        return None
    chain = _chain(told)
    verify, version = _CODE.search(told.text), _VERSION.search(told.text)
    code = int(verify[1]) if verify else None
    shaken = bool(chain)
    result = _result(told) if not shaken else "ok" if code == 0 else "unverified" if code is not None else "timeout"
    alpn = _ALPN.search(told.text)
    return TlsFacts(
        server_name=name,
        result=result,
        trust=trust,
        version=(version[1] or version[3]) if version and shaken else None,
        cipher=version[2] if version and shaken else None,
        alpn_offered=offered,
        alpn=alpn[1][:32] if alpn and shaken else None,
        verify_code=code if shaken and code else None,
        verify_message=verify[2][:_MAX] if verify and shaken and code else None,
        alert=words.alert(told.text) if result == "alert" else None,
        bytes_received=_received(told),
        chain=chain,
        chain_source="handshake" if chain else None,
        detail="" if result in ("ok", "unverified") else _detail(told),
        at_ms=0.0,
        duration_ms=told.seconds * 1000,
    )


def _result(told: Told) -> str:
    """How a handshake without a certificate ended."""
    text = told.text.lower()
    if any(word in text for word in _NOT_TLS):
        return "not-tls"
    if words.alert(text) is not None:
        return "alert"
    if words.errno(text) == "ECONNRESET":
        return "reset"
    if told.exit_code is None or told.exit_code >= words.KILLED or words.is_silence(text):
        return "timeout"
    return "closed"


def _received(told: Told) -> int:
    match = re.search(r"SSL handshake has read ([0-9]{1,9}) bytes", told.text)
    return int(match[1]) if match else 0


def _detail(told: Told) -> str:
    return next((line.strip()[:_MAX] for line in told.lines if "error" in line.lower()), "")


def _chain(told: Told) -> tuple[Certificate, ...]:
    """The leaf is read from its own bytes; of the others only names and dates are printed."""
    pem = _PEM.search(told.text)
    try:
        leaf = certificates.read((ssl.PEM_cert_to_DER_cert(pem[0]),)) if pem else ()
    except (ValueError, binascii.Error):
        leaf = ()
    return (*leaf, *_above(told)[len(leaf) :])[: certificates.MAX_CHAIN] if leaf else ()


def _above(told: Told) -> list[Certificate]:
    found: list[Certificate] = []
    subject, issuer = "", ""
    for line in told.lines:
        if (match := _SUBJECT.fullmatch(line)) is not None:
            subject = name(match[1])
        elif (match := _ISSUER.fullmatch(line)) is not None and subject:
            issuer = name(match[1])
            found.append(Certificate(subject=subject, issuer=issuer, not_before=_ALWAYS[0], not_after=_ALWAYS[1]))
        elif (match := _DATES.fullmatch(line)) is not None and found:
            dated = found.pop()
            found.append(
                Certificate(
                    subject=dated.subject, issuer=dated.issuer,
                    not_before=date(match[1]) or _ALWAYS[0], not_after=date(match[2]) or _ALWAYS[1],
                )
            )  # fmt: skip
    return found


def name(text: str) -> str:
    """`C = US, O = X` and `C=US; O=X` in the one form that judging reads."""
    return re.sub(r"\s*=\s*", "=", text.strip().replace("; ", ","))[: certificates.MAX_TEXT]


def date(text: str) -> str:
    """`Nov 25 13:32:47 2026 GMT` as ISO 8601; empty when it is none."""
    try:
        parsed = datetime.strptime(" ".join(text.split()), "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except ValueError:
        return ""
    return parsed.isoformat().replace("+00:00", "Z")
