"""Whose certificate it is: expected issuers, inspection devices, and what an incomplete chain looks like."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import UNSET

from preflight.model.observation import Certificate, Observation, TlsFacts
from preflight.model.plan import Check

# Names that inspection products put into the authority they sign with, unless their owner renames it.
DEVICES: tuple[tuple[str, str], ...] = (
    ("zscaler", "Zscaler"),
    ("fortinet", "FortiGate"),
    ("fortigate", "FortiGate"),
    ("palo alto", "Palo Alto Networks"),
    ("blue coat", "Blue Coat / Symantec ProxySG"),
    ("bluecoat", "Blue Coat / Symantec ProxySG"),
    ("mcafee web gateway", "McAfee / Skyhigh Web Gateway"),
    ("skyhigh", "McAfee / Skyhigh Web Gateway"),
    ("cisco umbrella", "Cisco Umbrella"),
    ("cisco secure access", "Cisco Secure Access"),
    ("netskope", "Netskope"),
    ("goskope", "Netskope"),
    ("check point", "Check Point"),
    ("sophos", "Sophos"),
    ("forcepoint", "Forcepoint"),
    ("websense", "Forcepoint"),
    ("barracuda", "Barracuda"),
    ("watchguard", "WatchGuard"),
    ("fireware", "WatchGuard"),
    ("sonicwall", "SonicWall"),
    ("cloudflare gateway", "Cloudflare Gateway"),
    ("iboss", "iboss"),
    ("menlo security", "Menlo Security"),
    ("azure firewall", "Azure Firewall"),
    ("mitmproxy", "mitmproxy"),
    ("squid", "Squid"),
)

# The API server's certificate comes from a CA of the cluster's own, which these tools name like that
# (AKS and kubeadm: "ca", "kubernetes"; k3s: "k3s-server-ca@...").
_CLUSTER_CAS = re.compile(r"^(ca|kubernetes(-ca)?|k3s-server-ca.*|.*cluster[ -]ca)$", re.IGNORECASE)

# Authorities that sign with intermediates only, and words that intermediates carry: a leaf alone is then half a chain.
_INTERMEDIATE = re.compile(
    r"intermediate|issuing|\bsub[ -]?ca\b|server ca|tls (rsa|ecc|ca)|\b[a-z]{0,3} ?tls\b|digicert|geotrust|sectigo"
    r"|let's encrypt|globalsign|entrust|amazon|google trust|microsoft azure|microsoft corporation|zerossl|godaddy",
    re.IGNORECASE,
)
# ... and words of authorities that stand in for others, which send no certificate of their own either.
_INSPECTING = re.compile(
    r"inspect|intercept|decrypt|proxy|firewall|forward[ -]trust|web[ -]?filter|mitm", re.IGNORECASE
)
_COMMON_NAME = re.compile(r"(?:^|,)\s*CN=((?:\\.|[^,\\])*)", re.IGNORECASE)
_ORGANISATION = re.compile(r"(?:^|,)\s*O=((?:\\.|[^,\\])*)", re.IGNORECASE)


def common_name(subject: str) -> str:
    """CN of an RFC 4514 name, else its organisation, else all of it; bounded."""
    match = _COMMON_NAME.search(subject) or _ORGANISATION.search(subject)
    return (match[1].replace("\\", "") if match else subject)[:100]


def issuer_of(facts: TlsFacts) -> str:
    """The leaf's issuer, for a sentence."""
    return common_name(facts.chain[0].issuer) if facts.chain else "an unknown authority"


def device_of(facts: TlsFacts) -> str | None:
    """The inspection product that an issuer names."""
    issuers = " ".join(certificate.issuer for certificate in facts.chain).lower()
    return next((device for text, device in DEVICES if text in issuers), None)


def is_foreign(check: Check, facts: TlsFacts) -> bool:
    """Whether none of the expected issuers stands in the presented chain; never where nothing is expected or known."""
    if not check.expect.issuers or not facts.chain:
        return False
    issuers = " | ".join(certificate.issuer for certificate in facts.chain).lower()
    return not any(expected.lower() in issuers for expected in check.expect.issuers)


def inspectors(seen: Iterable[tuple[Check, Observation]]) -> frozenset[str]:
    """Issuers that several services of different names show in place of their own authorities."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for check, observation in seen:
        for facts in handshakes(observation):
            if is_foreign(check, facts) and facts.server_name:
                names[facts.chain[0].issuer].add(facts.server_name)
    return frozenset(issuer for issuer, several in names.items() if len(several) > 1)


def handshakes(observation: Observation) -> Iterator[TlsFacts]:
    """Every handshake with a target."""
    for hop in observation.hops:
        for facts in (hop.tls, *(connection.tls for connection in hop.connections)):
            if facts is not UNSET:
                yield facts


def is_cluster_ca(facts: TlsFacts) -> bool:
    """Whether the issuer is named as clusters name their own CA."""
    return bool(facts.chain) and bool(_CLUSTER_CAS.match(common_name(facts.chain[0].issuer)))


def is_self_signed(facts: TlsFacts) -> bool:
    """Whether the leaf vouches for itself."""
    return bool(facts.chain) and _same(facts.chain[0], facts.chain[0])


def lacks_intermediate(check: Check, facts: TlsFacts) -> bool:
    """Whether the chain ends below its intermediate: verify code 20 alone cannot tell that from an unknown CA.

    Only the leaf was sent, its issuer is another, and that issuer is an expected one or is named as intermediates are.
    """
    if len(facts.chain) != 1 or is_self_signed(facts):
        return False
    if device_of(facts) or _INSPECTING.search(common_name(facts.chain[0].issuer)):
        return False
    expected = bool(check.expect.issuers) and not is_foreign(check, facts)
    return expected or bool(_INTERMEDIATE.search(common_name(facts.chain[0].issuer)))


def _same(child: Certificate, parent: Certificate) -> bool:
    return child.issuer == parent.subject
