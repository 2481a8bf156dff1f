"""Certificates of the bench: a root that clients trust, its issuing CA, an inspecting CA that nobody trusts."""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bench.world import Endpoint, Kind

_NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


class _Authority:
    """A name, a key and a certificate that may sign others."""

    def __init__(self, name: str, signed_by: "_Authority | None" = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _named(name)
        above = signed_by or self
        self.certificate = (
            _begin(self.name, above.name, self.key, days=365)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(_usage(authority=True), critical=True)
            .sign(above.key, hashes.SHA256())
        )

    def leaf(self, host: str, key: ec.EllipticCurvePrivateKey) -> bytes:
        """A server certificate for one name, as PEM, with this authority's own behind it."""
        certificate = (
            _begin(_named(host), self.name, key, days=90)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return pem(certificate) + pem(self.certificate)


def make(folder: Path, endpoints: Iterable[Endpoint]) -> bytes:
    """One file with chain and key per endpoint, named as the endpoint; returns the root to trust, as PEM."""
    root = _Authority("Bench Root CA")
    issuing = _Authority("Bench Issuing CA", root)
    inspecting = _Authority("Corp Inspection CA")
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for one in endpoints:
        signer = inspecting if one.kind is Kind.INSPECTED else issuing
        (folder / f"{one.host}.pem").write_bytes(signer.leaf(one.host, key) + private)
    return pem(root.certificate)


def pem(certificate: x509.Certificate) -> bytes:
    """PEM of one certificate."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - dt.timedelta(days=1))
        .not_valid_after(_NOW + dt.timedelta(days=days))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
