"""The stores that judge certificates, and their TLS contexts: one for each trust and ALPN offer.

Every context here verifies. `VERIFY_X509_STRICT` (on from Python 3.13) and `PARTIAL_CHAIN` are cleared, so that the
Python version never changes a verdict.
"""

import contextlib
import functools
import os
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import certifi
import msgspec

from preflight.failures import UsageFailure
from preflight.model.plan import VantagePlan


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """A context and the name of the store in it, as `TlsFacts.trust` has it."""

    context: ssl.SSLContext
    label: str
    alpn: tuple[str, ...]
    given: frozenset[bytes] = frozenset()  # what environment.ca_file adds to the system's store, as DER
    timeless: Callable[[], ssl.SSLContext]  # the same in everything but the dates, to ask a service for the time

    def vouching(self, chain: Sequence[bytes]) -> str:
        """Which of the two stores vouches for a chain that was verified: nodes and images have one of them only."""
        if not self.given or not chain:
            return self.label
        return "ca_file" if self.given.intersection(chain) else "system"


_BOTH = "system+ca_file"
_OF_CLUSTER = {"cluster-ca": "cluster_ca_pem", "pods-ca": "pods_ca_pem"}  # each judges alone
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME of <openssl/x509_vfy.h>, unnamed in Python


class Judges:
    """Made when first needed, kept for the run."""

    def __init__(self, plan: VantagePlan) -> None:
        self._plan = plan
        self._made: dict[tuple[str, tuple[str, ...]], Judge] = {}

    def get(self, trust: str, alpn: tuple[str, ...]) -> Judge:
        """The judge for a trust of the catalogue. Raises UsageFailure when a configured CA cannot be read."""
        if (trust, alpn) not in self._made:
            self._made[trust, alpn] = self._make(trust, alpn)
        return self._made[trust, alpn]

    def _make(self, trust: str, alpn: tuple[str, ...]) -> Judge:
        label, context = self._context(trust)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return Judge(
            context=context,
            label=label,
            alpn=alpn,
            given=_certificates(self._plan.ca_pem) if label == _BOTH else frozenset(),
            timeless=functools.cache(functools.partial(self._timeless, trust)),
        )

    def _timeless(self, trust: str) -> ssl.SSLContext:
        _, context = self._context(trust)
        context.verify_flags |= _NO_CHECK_TIME
        return context

    def _context(self, trust: str) -> tuple[str, ssl.SSLContext]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags &= ~(ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
        if trust in _OF_CLUSTER:
            label, pem = trust, getattr(self._plan, _OF_CLUSTER[trust])
        else:
            label, pem = (_BOTH if self._plan.ca_pem else "system"), self._plan.ca_pem
            _load_system(context)
        if pem:
            _load(context, pem, label)
        return label, context


def _load(context: ssl.SSLContext, pem: str, label: str) -> None:
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError, TypeError) as error:  # TypeError: text that is not ASCII
        raise UsageFailure(f"the CA certificates for {label} cannot be read: {error}") from error


def _certificates(pem: str) -> frozenset[bytes]:
    return frozenset(ssl.PEM_cert_to_DER_cert(block) for block in _PEM.findall(pem))


def certificates_of(pem: str) -> frozenset[bytes]:
    """The certificates of a bundle as DER; a block that is none is left out."""
    found = set()
    for block in _PEM.findall(pem):
        with contextlib.suppress(ValueError):
            found.add(ssl.PEM_cert_to_DER_cert(block))
    return frozenset(found)


def own() -> frozenset[bytes]:
    """The authorities of this place's store, as DER; empty where OpenSSL reads a folder as it goes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load_system(context)
    return frozenset(context.get_ca_certs(binary_form=True))


def _load_system(context: ssl.SSLContext) -> None:
    """The system's store; certifi's list where there is none at all (slim images, python.org's Python on macOS)."""
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if not context.get_ca_certs() and not _folder_has_certificates():
        context.load_verify_locations(certifi.where())


def _folder_has_certificates() -> bool:
    """OpenSSL reads its folder only when a chain needs it, so the count of loaded certificates says nothing."""
    folder = ssl.get_default_verify_paths().capath
    try:
        return bool(folder) and next(Path(folder).glob("*.0"), None) is not None
    except OSError:
        return False


def describe(environ: Mapping[str, str] = os.environ) -> str:
    """Which store judges here: "system: 142 certificates, /etc/ssl/certs/ca-certificates.crt"."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    count = len(context.get_ca_certs())
    paths = ssl.get_default_verify_paths()
    named = environ.get(paths.openssl_cafile_env)
    if count:
        origin = f"{named} (SSL_CERT_FILE)" if named else paths.cafile or paths.openssl_cafile
        return f"system: {count} certificates, {origin}"
    if _folder_has_certificates():
        return f"system: folder {paths.capath}"
    context.load_verify_locations(certifi.where())
    return f"certifi: {len(context.get_ca_certs())} certificates (there is no system store here)"
