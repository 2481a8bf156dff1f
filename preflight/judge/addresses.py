"""What kind of address an answer is. Not `ipaddress.is_private`: it calls documentation ranges private."""

from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


class AddressClass(StrEnum):
    """Where an address can live."""

    PUBLIC = "public"
    PRIVATE = "private"  # RFC 1918, RFC 4193
    CGNAT = "carrier-grade NAT"  # RFC 6598; Azure networks may use it, so it counts as internal
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    UNSPECIFIED = "unspecified"
    MULTICAST = "multicast"


Network = IPv4Network | IPv6Network

_RANGES: tuple[tuple[Network, AddressClass], ...] = tuple(
    (ip_network(text), kind)
    for text, kind in (
        ("0.0.0.0/8", AddressClass.UNSPECIFIED),
        ("10.0.0.0/8", AddressClass.PRIVATE),
        ("172.16.0.0/12", AddressClass.PRIVATE),
        ("192.168.0.0/16", AddressClass.PRIVATE),
        ("100.64.0.0/10", AddressClass.CGNAT),
        ("127.0.0.0/8", AddressClass.LOOPBACK),
        ("169.254.0.0/16", AddressClass.LINK_LOCAL),
        ("224.0.0.0/4", AddressClass.MULTICAST),
        ("255.255.255.255/32", AddressClass.MULTICAST),
        ("::/128", AddressClass.UNSPECIFIED),
        ("::1/128", AddressClass.LOOPBACK),
        ("fc00::/7", AddressClass.PRIVATE),
        ("fe80::/10", AddressClass.LINK_LOCAL),
        ("ff00::/8", AddressClass.MULTICAST),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address stands in the last 32 bits

# Addresses that DNS filters answer with instead of the service's, and whose filter that is.
_BLOCK: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(text), device)
    for text, device in (
        # https://support.opendns.com/hc/en-us/articles/227986927 (block page addresses)
        ("146.112.61.104/29", "Cisco Umbrella"),
        ("::ffff:146.112.61.104/125", "Cisco Umbrella"),
        # https://docs.paloaltonetworks.com/dns-security/administration/configure-dns-security/enable-dns-security
        ("198.135.184.22/32", "Palo Alto Networks DNS Security"),
        ("72.5.65.111/32", "Palo Alto Networks DNS Security"),
        # FortiGuard's default redirect portal for the DNS filter
        ("208.91.112.53/32", "FortiGuard DNS filter"),
        ("208.91.112.55/32", "FortiGuard DNS filter"),
    )
)
_BLOCK_NAMES = {
    "sinkhole.paloaltonetworks.com": "Palo Alto Networks DNS Security",
    "block.opendns.com": "Cisco Umbrella",
    "hit-block.opendns.com": "Cisco Umbrella",
}


def parse(address: str) -> IPv4Address | IPv6Address | None:
    """The address without zone index; IPv4 inside mapped and NAT64 addresses is unwrapped; None when it is none."""
    try:
        parsed = ip_address(address.partition("%")[0].strip("[]"))
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return parsed.ipv4_mapped
        if parsed in _NAT64:
            return IPv4Address(int(parsed) & 0xFFFFFFFF)
    return parsed


def is_address(text: str) -> bool:
    """Whether the text is an address rather than a name."""
    return parse(text) is not None


@lru_cache(maxsize=4096)
def classify(address: str) -> AddressClass:
    """The class of an address; a text that is no address counts as public, so that nothing is claimed of it."""
    parsed = parse(address)
    if parsed is None:
        return AddressClass.PUBLIC
    return next((kind for network, kind in _RANGES if parsed in network), AddressClass.PUBLIC)


def is_internal(address: str) -> bool:
    """Whether a private endpoint or an internal load balancer may have it."""
    return classify(address) in (AddressClass.PRIVATE, AddressClass.CGNAT)


def is_public(address: str) -> bool:
    """Whether it is reached over the public path."""
    return classify(address) is AddressClass.PUBLIC


def family(address: str) -> str:
    """`ipv4` or `ipv6`, by how it is written: that is the socket that is opened."""
    return "ipv6" if ":" in address else "ipv4"


@lru_cache(maxsize=4096)
def block_device(address: str) -> str | None:
    """The DNS filter whose block address this is."""
    parsed = parse(address)
    return None if parsed is None else next((device for network, device in _BLOCK if parsed in network), None)


def block_name(name: str) -> str | None:
    """The DNS filter whose block name this is."""
    return _BLOCK_NAMES.get(name.rstrip(".").lower())
