"""TLS: hostile first bytes, certificates as DER, and chains in a handshake up to where the signature is checked."""

import struct

from fuzz import memory, onward
from fuzz.memory import Peer
from fuzz.target import Depth, Feed, Target
from preflight.model.observation import Certificate, Connection, TcpFacts, TlsFacts
from preflight.model.vocabulary import ProbeName
from preflight.probes import certificates, tls
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock
from preflight.probes.trust import Judge, Judges

NAME = "stmlprod.blob.core.windows.net"
_RESULTS = {"ok", "timeout", "reset", "closed", "alert", "unverified", "not-tls", "error"}
_JUDGES: list[Judge] = []


def _judge() -> Judge:
    if not _JUDGES:
        _JUDGES.append(Judges(onward.vantage_plan()).get("cluster-ca", ("h2", "http/1.1")))
    return _JUDGES[0]


def _certificates_bounded(chain: tuple[Certificate, ...]) -> None:
    for one in chain:
        assert len(one.subject) <= 500
        assert len(one.issuer) <= 500
        assert len(one.serial) <= 500
        assert len(one.sans) <= 100
        assert all(len(name) <= 253 for name in one.sans)
        assert len(one.sha256) == 64


def _bounded(facts: TlsFacts) -> None:
    assert facts.result in _RESULTS
    assert len(facts.first_bytes) <= 128
    assert len(facts.detail) <= 200
    assert len(facts.chain) <= certificates.MAX_CHAIN
    _certificates_bounded(facts.chain)


def _judged(facts: TlsFacts, *, depth: Depth) -> None:
    tcp = TcpFacts(address="20.60.1.4", port=443, result="connected", cap_ms=3000.0, at_ms=0.0, duration_ms=1.0)
    connections = (Connection(address="20.60.1.4", tcp=tcp, tls=facts),)
    onward.seen(onward.task(ProbeName.BLOB), onward.hop(f"https://{NAME}/", connections=connections), depth=depth)


async def _shake(peer: Peer) -> TlsFacts:
    facts, stream = await tls.handshake(peer, _judge(), NAME, Cap.after(30.0), Clock())
    assert stream is None, "a handshake with a peer that cannot know our random"
    assert peer.closed, "the socket stays open"
    return facts


def _first_bytes(data: bytes, depth: Depth) -> None:
    """First byte: pieces and end. Then what the server says to a ClientHello."""
    feed = Feed(data)
    choice = feed.byte()
    facts = memory.run(_shake(Peer(feed.rest(), choice)))
    _bounded(facts)
    _judged(facts, depth=depth)


def _der(data: bytes, depth: Depth) -> None:
    """One certificate, as DER: its facts stand in a chain that was not trusted."""
    chain = certificates.read((data,))
    _certificates_bounded(chain)
    facts = TlsFacts(
        server_name=NAME, result="unverified", verify_code=20, chain=chain, chain_source="handshake", at_ms=0.0,
        duration_ms=1.0,
    )  # fmt: skip
    _judged(facts, depth=depth)


def _chain(data: bytes, depth: Depth) -> None:
    """First byte: whether to cut the bytes into certificates, and how often to present them. It is TLS 1.2."""
    feed = Feed(data)
    choice, ders = feed.byte(), feed.rest()
    parts = split(ders) if choice & 8 else [ders]
    facts = memory.run(_shake(Peer(flight(parts * (choice // 64 + 1)), choice & 7)))
    _bounded(facts)
    _judged(facts, depth=depth)


def split(ders: bytes) -> list[bytes]:
    """DER values one behind the other; what is left over is the last one."""
    found = []
    while len(ders) > 4 and ders[:2] == b"\x30\x82":
        size = 4 + int(struct.unpack("!H", ders[2:4])[0])
        found.append(ders[:size])
        ders = ders[size:]
    return [*found, ders] if ders or not found else found


def _handshake(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + struct.pack("!I", len(body))[1:] + body


def _records(message: bytes) -> bytes:
    parts = [message[at : at + 16_384] for at in range(0, len(message), 16_384)]
    return b"".join(b"\x16\x03\x03" + struct.pack("!H", len(part)) + part for part in parts)


def flight(ders: list[bytes]) -> bytes:
    """ServerHello (TLS 1.2, ECDHE-ECDSA-AES128-GCM-SHA256) and Certificate (RFC 5246, 7.4.1.3 and 7.4.2)."""
    extensions = b"\xff\x01\x00\x01\x00" + b"\x00\x17\x00\x00"  # renegotiation_info, extended_master_secret
    hello = b"\x03\x03" + b"\x55" * 32 + b"\x00" + b"\xc0\x2b" + b"\x00" + struct.pack("!H", len(extensions))
    listed = b"".join(struct.pack("!I", len(der))[1:] + der for der in ders)
    certificate = struct.pack("!I", len(listed) & 0xFFFFFF)[1:] + listed
    exchange = b"\x03\x00\x17\x01\x04" + b"\x00" * 4  # a server key exchange that fails, so that the end is near
    return _records(
        _handshake(2, hello + extensions) + _handshake(11, certificate) + _handshake(12, exchange) + _handshake(14, b"")
    )


TARGETS = (
    Target(
        name="tls-first-bytes",
        parses="what comes in place of a TLS server's hello",
        enters="probes.tls.handshake",
        run=_first_bytes,
    ),
    Target(
        name="certificate",
        parses="certificates, DER",
        enters="probes.certificates.read",
        run=_der,
        longest=8_192,
        mutator="der",
    ),
    Target(
        name="tls-chain",
        parses="certificate chains in a handshake",
        enters="probes.tls.handshake, probes.certificates.presented",
        run=_chain,
        longest=16_384,
        mutator="der",
    ),
)
