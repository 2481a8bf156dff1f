"""Certificates of every wrong kind, from EC keys made in microseconds."""

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Authority:
    """A CA: issues leaves and intermediates. `pem` is its own certificate."""

    def __init__(self, name: str = "Test Root", parent: "Authority | None" = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.parent = parent
        issuer = parent or self
        self.certificate = _sign(
            _builder(self.name, issuer.name, self.key, -DAY, 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False),
            issuer,
        )

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self,
        *hosts: str,
        not_before: timedelta = -DAY,
        not_after: timedelta = 10 * DAY,
        chain: bool = True,
        subject: str | None = None,
        self_signed: bool = False,
        padding: int = 0,
    ) -> "Leaf":
        """A certificate for these names and addresses; times count from now. `padding`: bytes that mean nothing."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or hosts[0][:64])])
        alternatives = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        issuer = name if self_signed else self.name
        builder = _builder(name, issuer, key, not_before, not_after).add_extension(alternatives, critical=False)
        if padding:
            filler = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), bytes(padding))
            builder = builder.add_extension(filler, critical=False)
        certificate = builder.sign(key if self_signed else self.key, hashes.SHA256())
        above = [] if self_signed or not chain or self.parent is None else [self.certificate]
        return Leaf(key, [certificate, *above])


class Leaf:
    """A key with its chain, as a server presents it."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, chain: list[x509.Certificate]) -> None:
        self.key = key
        self.chain = chain

    @property
    def files(self) -> dict[str, bytes]:
        """As a Secret of Kubernetes has them."""
        plain = serialization.NoEncryption()
        key = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        return {
            "tls.crt": b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain),
            "tls.key": key,
        }

    def context(
        self,
        *,
        alpn: tuple[str, ...] = (),
        at_most: ssl.TLSVersion | None = None,
        at_least: ssl.TLSVersion | None = None,
    ) -> ssl.SSLContext:
        """A server's context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "both.pem"
            file.write_bytes(
                self.key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
                + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain)
            )
            context.load_cert_chain(file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if at_least is not None:
            context.minimum_version = at_least
        if at_most is not None:
            context.maximum_version = at_most
        return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, not_before: timedelta, not_after: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + not_before)
        .not_valid_after(now + not_after)
    )


def _sign(builder: x509.CertificateBuilder, issuer: Authority) -> x509.Certificate:
    return builder.sign(issuer.key, hashes.SHA256())


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
