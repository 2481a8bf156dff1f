"""Whether one server's word on a name is good: rcode, sinkholes, private link. The table of azure-facts 3.2."""

from preflight.judge.addresses import AddressClass, block_device, block_name, classify, family, is_internal, is_public
from preflight.judge.answers import Kind, Said
from preflight.judge.outcome import Outcome, fail, good, unknown
from preflight.judge.scene import listed
from preflight.model.plan import Check
from preflight.model.vocabulary import Link

CAUSE_OF: dict[Kind, str] = {
    Kind.NODATA: "dns.nodata",
    Kind.NXDOMAIN: "dns.nxdomain",
    Kind.SERVFAIL: "dns.servfail",
    Kind.REFUSED: "dns.refused",
    Kind.TIMEOUT: "dns.timeout",
    Kind.TCP_BLOCKED: "dns.tcp-blocked",
    Kind.MALFORMED: "dns.malformed",
    Kind.UNREACHABLE: "route.unreachable",
    Kind.PROHIBITED: "route.prohibited",
}
_NOWHERE = (AddressClass.LOOPBACK, AddressClass.LINK_LOCAL, AddressClass.MULTICAST)


def judge(check: Check, name: str, word: Said, everyone: tuple[Said, ...]) -> Outcome:
    """Judge one server's word; `everyone` explains it where another server says more."""
    if word.kind is not Kind.ADDRESSES:
        return _without_addresses(check, name, word, everyone)
    trouble = _sinkhole(check, name, word) or _wrong_address(check, word)
    return trouble or _link(check, name, word) or good(_addresses(word))


def _addresses(word: Said) -> str:
    through = f" through {word.chain[-1]}" if len(word.chain) > 1 else ""
    return f"{listed(word.addresses)}{through}"


def _without_addresses(check: Check, name: str, word: Said, everyone: tuple[Said, ...]) -> Outcome:
    seen = f"{word.server} answers for {name}: {word.words}"
    match word.kind:
        case Kind.NXDOMAIN if _links(check, word.chain[1:]):
            return fail("dns.privatelink-record-missing", f"{seen}, behind {_link_name(check, word)}")
        case Kind.NXDOMAIN if "nxdomain" in check.expect.options:
            return unknown(check.expect.options["nxdomain"], seen)
        case Kind.NODATA | Kind.REFUSED if _stripped(check, word, everyone):
            elsewhere = next((other for other in everyone if _internal(other)), None)
            more = f"; {elsewhere.server} answers {elsewhere.words}" if elsewhere is not None else ""
            return fail("dns.rebind-filtered", f"{seen}{_behind(check, word)}{more}")
        case Kind.TIMEOUT | Kind.TCP_BLOCKED | Kind.UNREACHABLE | Kind.PROHIBITED:
            return fail(CAUSE_OF[word.kind], f"{word.server} asked for {name}: {word.words}")
        case _:
            return fail(CAUSE_OF[word.kind], seen)


def _stripped(check: Check, word: Said, everyone: tuple[Said, ...]) -> bool:
    """No address although one exists: the chain still leads into private link, or another server has a private one."""
    leads = word.kind is Kind.NODATA and bool(_links(check, word.chain[1:]))
    return leads or any(_internal(other) for other in everyone if other is not word)


def _internal(word: Said) -> bool:
    return word.kind is Kind.ADDRESSES and all(is_internal(address) for address in word.addresses)


def _sinkhole(check: Check, name: str, word: Said) -> Outcome | None:
    for link in word.chain[1:]:
        if device := block_name(link):
            return fail("dns.sinkhole", f"{word.server} sends {name} to {link}, the block name of {device}")
    for address in word.addresses:
        if device := block_device(address):
            return fail("dns.sinkhole", f"{word.server} answers {address} for {name}, a block address of {device}")
        kind = classify(address)
        if kind is AddressClass.UNSPECIFIED or (check.expect.catalogue_name and kind in _NOWHERE):
            return fail("dns.sinkhole", f"{word.server} answers {address} for {name} ({kind.value})")
    return None


def _wrong_address(check: Check, word: Said) -> Outcome | None:
    """An expectation speaks of its own family only: what the other one has to be, nobody said."""
    expected = check.expect.addresses
    spoken = [address for address in word.addresses if family(address) in map(family, expected)]
    wrong = [address for address in spoken or word.addresses if address not in expected]
    if not expected or not wrong:
        return None
    return fail("endpoint.wrong-address", f"{word.server} answers {listed(wrong)}; expected: {listed(expected)}")


def _link(check: Check, name: str, word: Said) -> Outcome | None:
    public = [address for address in word.addresses if is_public(address)]
    private = [address for address in word.addresses if is_internal(address)]
    expect = check.expect
    seen = f"{word.server} answers {listed(public or private)} for {name}"
    if public and (expect.link is Link.PRIVATE or expect.public_access_denied):
        why = "a private address is expected" if expect.link is Link.PRIVATE else "public access is denied"
        if _links(check, word.chain):
            return fail("dns.privatelink-public-answer", f"{seen}{_behind(check, word)}; {why}")
        return fail("dns.public-when-private-expected", f"{seen}, with no private link name in the chain; {why}")
    if private and expect.link is Link.PUBLIC:
        return fail("dns.private-when-public-expected", f"{seen}; a public address is expected")
    if public and _links(check, word.chain[1:]):
        return good(f"{_addresses(word)}: a private endpoint exists somewhere, this place takes the public path")
    return None


def _links(check: Check, chain: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a chain that lie in a private link zone."""
    zone = check.expect.private_zone
    return tuple(
        name
        for name in chain
        if "privatelink" in name.split(".") or (zone is not None and (name == zone or name.endswith(f".{zone}")))
    )


def _link_name(check: Check, word: Said) -> str:
    return (_links(check, word.chain[1:]) or _links(check, word.chain) or ("",))[0]


def _behind(check: Check, word: Said) -> str:
    name = _link_name(check, word)
    return f", behind {name}" if name else ""
