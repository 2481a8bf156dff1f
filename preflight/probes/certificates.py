"""Certificates as facts: reads DER that somebody presented, trusts nothing of it, and never fails on it."""

import hashlib
import ssl
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from preflight.model.observation import Certificate
from preflight.probes.redact import CUT, cut

if TYPE_CHECKING:
    from cryptography import x509

MAX_CHAIN = 10  # certificates of one handshake that are kept
MAX_SANS = 100  # names of one certificate
MAX_SANS_TEXT = 8_192  # characters of them together
MAX_TEXT = 500  # characters of a subject, an issuer or a serial number
_KNOWN = 4_096  # certificates that are remembered, by digest
_ENCODING_DER = 2  # _ssl.ENCODING_DER, which has no public name before Python 3.13


def presented(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The chain that the peer sent, leaf first, as DER; also after a failed verification. Empty when Python hides it.

    Public from Python 3.13 (`SSLObject.get_unverified_chain`); before that the same function of the object inside.
    """
    return _chain(tls, "get_unverified_chain")


def verified(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The chain that verification built, from the leaf to an authority of the store, as DER; empty without success."""
    return _chain(tls, "get_verified_chain")


def _chain(tls: ssl.SSLObject, name: str) -> tuple[bytes, ...]:
    public = getattr(tls, name, None)
    if public is not None:
        return tuple(public() or ())
    inner: Any = getattr(tls, "_sslobj", None)
    if not hasattr(inner, name):
        return ()
    return tuple(bytes(one.public_bytes(_ENCODING_DER)) for one in getattr(inner, name)() or ())


def read(chain: Iterable[bytes]) -> tuple[Certificate, ...]:
    """The facts of each certificate; one that cannot be read has its digest only."""
    return tuple(_remembered(der) for der in chain)


_seen: dict[str, Certificate] = {}


def _remembered(der: bytes) -> Certificate:
    """Many servers present the same authorities. The DER itself is not kept: it can be large."""
    sha256 = hashlib.sha256(der).hexdigest()
    known = _seen.get(sha256)
    if known is None:
        if len(_seen) >= _KNOWN:
            _seen.clear()
        known = _seen[sha256] = _read(der, sha256)
    return known


def _read(der: bytes, sha256: str) -> Certificate:
    from cryptography import x509  # noqa: PLC0415 - a quarter of a second of start-up that a TCP check does not need

    unreadable = (
        ValueError,
        TypeError,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        OverflowError,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography warns of what old issuers did wrong: serials, parameters
        try:
            return _facts(x509.load_der_x509_certificate(der), sha256)
        except unreadable as error:
            detail = f"unreadable certificate ({type(error).__name__})"
            return Certificate(subject=detail, issuer="", not_before="", not_after="", sha256=sha256)


def _facts(certificate: "x509.Certificate", sha256: str) -> Certificate:
    return Certificate(
        subject=cut(certificate.subject.rfc4514_string(), MAX_TEXT),
        issuer=cut(certificate.issuer.rfc4514_string(), MAX_TEXT),
        sans=tuple(_sans(certificate)),
        not_before=_utc(certificate.not_valid_before_utc.isoformat()),
        not_after=_utc(certificate.not_valid_after_utc.isoformat()),
        serial=cut(f"{certificate.serial_number:x}", MAX_TEXT),
        sha256=sha256,
    )


def _sans(certificate: "x509.Certificate") -> Iterator[str]:
    from cryptography import x509  # noqa: PLC0415 - see _read

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    texts = [cut(str(name.value), 253) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]
    room = MAX_SANS_TEXT
    for number, text in enumerate(texts):
        room -= len(text)
        if room < 0 or (number == MAX_SANS - 1 and len(texts) > MAX_SANS):
            yield f"{CUT} and {len(texts) - number} more"
            return
        yield text


def _utc(text: str) -> str:
    return text.replace("+00:00", "Z")
