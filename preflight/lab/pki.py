"""Certificates of the lab: a public authority, the cluster's own, an inspection device's, and every wrong leaf.

Made in memory with elliptic curve keys when first asked for; what a server presents touches a temporary folder once.
"""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ORGANISATION = "preflight lab"
PUBLIC_CA = "preflight lab Public TLS CA"  # plays DigiCert's and Microsoft's issuers
CLUSTER_CA = "preflight lab Kubernetes CA"  # an AKS cluster's CA is its own and in no public store
INSPECTION_CA = "Contoso TLS Inspection CA"  # a middle-box that terminates and re-signs
_DAY = timedelta(days=1)


class Leaf(StrEnum):
    """Which certificate a server presents."""

    GOOD = "good"
    EXPIRED = "expired"
    NOT_YET = "not-yet-valid"
    EXPIRING = "expiring"
    WRONG_NAME = "wrong-name"
    INTERCEPTED = "intercepted"
    SELF_SIGNED = "self-signed"
    NO_INTERMEDIATE = "no-intermediate"
    EXPIRED_INTERMEDIATE = "expired-intermediate"
    LONG = "long"  # a chain as long as a public one with RSA keys: it does not fit one segment


_VALIDITY = {
    Leaf.EXPIRED: (-30 * _DAY, -1 * _DAY),
    Leaf.NOT_YET: (10 * _DAY, 90 * _DAY),
    Leaf.EXPIRING: (-80 * _DAY, 3 * _DAY),
}
_GOOD = (-30 * _DAY, 90 * _DAY)
_OTHER_NAME = "appliance.contoso.internal"


class Authority:
    """One certificate authority: a root, or an intermediate below `parent`."""

    def __init__(
        self, name: str, parent: "Authority | None" = None, *,
        valid: tuple[timedelta, timedelta] = (-365 * _DAY, 3650 * _DAY),
    ) -> None:  # fmt: skip
        self.name = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name),
                x509.NameAttribute(
                    NameOID.ORGANIZATION_NAME, ORGANISATION if name.startswith(ORGANISATION) else "Contoso"
                ),
            ]
        )
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        issuer = parent or self
        builder = _builder(self.name, issuer, self.key, now + valid[0], now + valid[1])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.add_extension(usage, critical=True).sign(issuer.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """The authority's certificate."""
        return _pem(self.certificate)

    @property
    def key_pem(self) -> str:
        """Its private key, for a program that signs by itself, as an inspection device does."""
        return _private(self.key)

    def issue(
        self, host: str, key: ec.EllipticCurvePrivateKey, begin: timedelta, end: timedelta, *more: str
    ) -> x509.Certificate:
        """A server certificate for one name, or several, valid from now + `begin` to now + `end`."""
        now = datetime.now(UTC)
        builder = _builder(_common_name(host), self, key, now + begin, now + end)
        return _server(builder, host, *more).sign(self.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: Authority, key: ec.EllipticCurvePrivateKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(
        issuer_name=issuer.name, subject_name=subject, public_key=key.public_key(),
        serial_number=x509.random_serial_number(), not_valid_before=begin, not_valid_after=end,
    )  # fmt: skip
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return builder.add_extension(identifier, critical=False).add_extension(authority, critical=False)


def _server(builder: x509.CertificateBuilder, *hosts: str) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
    builder = builder.add_extension(names, critical=False)
    return builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _common_name(host: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])


class Pki:
    """All authorities of one lab and the server contexts made from them; `folder` holds a chain while it is loaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.public, self.cluster = Authority(PUBLIC_CA), Authority(CLUSTER_CA)
        self.inspection = Authority(INSPECTION_CA)
        self._intermediate = Authority("preflight lab Issuing CA 01", self.public)
        self._old = Authority("preflight lab Issuing CA 00", self.public, valid=(-200 * _DAY, -2 * _DAY))
        self._key = ec.generate_private_key(ec.SECP256R1())  # one key for all leaves: only chains are judged
        self._contexts: dict[tuple[str, Leaf, bool, tuple[str, ...]], ssl.SSLContext] = {}

    def context(self, host: str, leaf: Leaf, *, cluster: bool, alpn: tuple[str, ...]) -> ssl.SSLContext:
        """The server side of one handshake. `cluster`: the genuine authority is the cluster's, not the public one."""
        key = (host, leaf, cluster, alpn)
        if key not in self._contexts:
            self._contexts[key] = self._load(self._chain(host, leaf, cluster=cluster), alpn)
        return self._contexts[key]

    def api_server(self, *hosts: str) -> ssl.SSLContext:
        """The server side of an API server that has all these names and addresses, by the cluster's own authority."""
        return self._load([self.cluster.issue(hosts[0], self._key, *_GOOD, *hosts[1:])], ("http/1.1",))

    def server(self, *hosts: str) -> tuple[str, str]:
        """Certificate chain and key of a genuine server for these names, as PEM, for a program of its own."""
        leaf = self._intermediate.issue(hosts[0], self._key, *_GOOD, *hosts[1:])
        return _pem(leaf, self._intermediate.certificate), _private(self._key)

    def _chain(self, host: str, leaf: Leaf, *, cluster: bool) -> list[x509.Certificate]:
        begin, end = _VALIDITY.get(leaf, _GOOD)
        if leaf is Leaf.INTERCEPTED:
            return [self.inspection.issue(host, self._key, begin, end), self.inspection.certificate]
        if leaf is Leaf.SELF_SIGNED:
            return [_self_signed(host, self._key)]
        name = _OTHER_NAME if leaf is Leaf.WRONG_NAME else host
        if cluster:  # kube-apiserver's certificate is issued by the cluster's root without an intermediate
            return [self.cluster.issue(name, self._key, begin, end)]
        if leaf is Leaf.EXPIRED_INTERMEDIATE:
            return [self._old.issue(name, self._key, begin, end), self._old.certificate]
        if leaf is Leaf.LONG:
            more = (f"{number:03}.{_OTHER_NAME}" for number in range(80))
            return [self._intermediate.issue(name, self._key, begin, end, *more), self._intermediate.certificate]
        certificate = self._intermediate.issue(name, self._key, begin, end)
        return [certificate] if leaf is Leaf.NO_INTERMEDIATE else [certificate, self._intermediate.certificate]

    def _load(self, chain: list[x509.Certificate], alpn: tuple[str, ...]) -> ssl.SSLContext:
        path = self._folder / "chain.pem"  # load_cert_chain takes files only
        path.write_text(_private(self._key) + _pem(*chain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        path.unlink()
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _pem(*chain: x509.Certificate) -> str:
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in chain)


def _self_signed(host: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now, name = datetime.now(UTC), _common_name(host)
    builder = x509.CertificateBuilder(
        issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=x509.random_serial_number(),
        not_valid_before=now - _DAY, not_valid_after=now + 90 * _DAY,
    )  # fmt: skip
    return _server(builder, host).sign(key, hashes.SHA256())
