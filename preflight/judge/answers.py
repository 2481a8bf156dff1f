"""What one DNS server said about one name, condensed from its queries. Judges nothing."""

from enum import StrEnum

import msgspec

from preflight.judge.addresses import family
from preflight.model.observation import DnsAnswer, DnsFacts


class Kind(StrEnum):
    """The condensed result of one server, or of one type at one server."""

    ADDRESSES = "addresses"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TCP_BLOCKED = "tcp-blocked"
    MALFORMED = "malformed"
    UNREACHABLE = "unreachable"
    PROHIBITED = "prohibited"


DEFINITE = (Kind.ADDRESSES, Kind.NODATA, Kind.NXDOMAIN)
SILENT = (Kind.TIMEOUT, Kind.TCP_BLOCKED, Kind.UNREACHABLE, Kind.PROHIBITED)

_RCODES = {"NXDOMAIN": Kind.NXDOMAIN, "SERVFAIL": Kind.SERVFAIL, "REFUSED": Kind.REFUSED}
_ERRNOS = {
    "ENETUNREACH": Kind.UNREACHABLE,
    "EHOSTUNREACH": Kind.UNREACHABLE,
    "EADDRNOTAVAIL": Kind.UNREACHABLE,
    "EACCES": Kind.PROHIBITED,
    "EPERM": Kind.PROHIBITED,
}


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One server's word on one name: what its A and AAAA answers come to together."""

    server: str
    role: str
    kind: Kind
    addresses: tuple[str, ...] = ()  # of the families that this place can use
    chain: tuple[str, ...] = ()
    words: str = ""  # "SERVFAIL", "no answer within 3.0 s", ... for a reason
    flaw: Kind | None = None  # how one type fails although the other has addresses
    flaw_type: str = ""
    flaw_words: str = ""


def kind_of(answer: DnsAnswer) -> Kind:
    """What one query came to."""
    if answer.result == "answer":
        if answer.rcode == "NOERROR":
            return Kind.ADDRESSES if answer.addresses else Kind.NODATA
        return _RCODES.get(answer.rcode or "", Kind.MALFORMED)
    if answer.truncated:
        return Kind.TCP_BLOCKED
    if answer.result == "malformed":
        return Kind.MALFORMED
    return _ERRNOS.get(answer.errno or "", Kind.TIMEOUT)


def words_of(answer: DnsAnswer) -> str:
    """What one query came to, for a sentence."""
    kind = kind_of(answer)
    if kind is Kind.ADDRESSES:
        return ", ".join(answer.addresses[:4])
    if kind is Kind.NODATA:
        return answer.detail[:80] or f"no {answer.rtype} record"
    if kind is Kind.TCP_BLOCKED:
        return f"truncated over UDP, then no answer over TCP ({answer.errno or answer.result})"
    if answer.result == "answer":
        return answer.rcode or "no rcode"
    if answer.result == "timeout":
        return f"no answer within {answer.duration_ms / 1000:.1f} s"
    return answer.errno or answer.detail[:80] or "not a DNS answer"


def by_server(dns: DnsFacts, families: tuple[str, ...]) -> tuple[Said, ...]:
    """Every server's word, configured ones in their order, then the compared ones."""
    groups: dict[tuple[str, str], list[DnsAnswer]] = {}
    for answer in dns.answers:
        if answer.rtype in ("A", "AAAA"):  # anything else is another version's, or somebody's own
            groups.setdefault((answer.role, answer.server), []).append(answer)
    said = [_condense(server, role, answers, families) for (role, server), answers in groups.items()]
    return tuple(sorted(said, key=lambda word: word.role != "configured"))


def _best(answers: list[DnsAnswer], rtype: str) -> DnsAnswer | None:
    """Of several attempts the one that settles it; one answer heard outweighs a datagram lost."""
    ours = [answer for answer in answers if answer.rtype == rtype]
    definite = [answer for answer in ours if kind_of(answer) in DEFINITE]
    heard = [answer for answer in ours if kind_of(answer) is not Kind.TIMEOUT]
    settled = definite or heard[-1:] or ours
    return settled[0] if settled else None


def _condense(server: str, role: str, answers: list[DnsAnswer], families: tuple[str, ...]) -> Said:
    order = ("AAAA", "A") if families == ("ipv6",) else ("A", "AAAA")
    heard = [best for rtype in order if (best := _best(answers, rtype)) is not None]
    offered = tuple(address for answer in heard if kind_of(answer) is Kind.ADDRESSES for address in answer.addresses)
    usable = tuple(address for address in offered if not families or family(address) in families)
    main = heard[0]
    flawed = next((answer for answer in heard if usable and kind_of(answer) not in (Kind.ADDRESSES, Kind.NODATA)), None)
    return Said(
        server=server,
        role=role,
        kind=_together(main, offered, usable),
        addresses=usable,
        chain=max((answer.chain for answer in heard), key=len),
        words=_words(main, offered, usable),
        flaw=None if flawed is None else kind_of(flawed),
        flaw_type="" if flawed is None else flawed.rtype,
        flaw_words="" if flawed is None else words_of(flawed),
    )


def _together(main: DnsAnswer, offered: tuple[str, ...], usable: tuple[str, ...]) -> Kind:
    """Addresses of a family that cannot be used here are as good as none."""
    if usable:
        return Kind.ADDRESSES
    return Kind.NODATA if offered else kind_of(main)


def _words(main: DnsAnswer, offered: tuple[str, ...], usable: tuple[str, ...]) -> str:
    if usable:
        return ", ".join(usable[:4])
    if offered:
        return f"only {', '.join(offered[:4])}, of a family that is not usable here"
    return words_of(main)
