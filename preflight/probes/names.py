"""Host names and host:port texts as the wire needs them: ASCII, no final dot. Nothing is looked up here."""

import ipaddress
import re
import socket

import idna

_ZONE = re.compile(r"[A-Za-z0-9_.~-]{1,64}")  # an interface's name or number (RFC 6874)
_LABEL = re.compile(r"[A-Za-z0-9_-]+")


def ascii_name(host: str) -> str | None:
    """The name in lower-case ASCII (IDNA 2008 with UTS 46 mapping) without final dot; None when it is not a legal name.

    Underscores are allowed: they occur in names that resolve. Lengths as RFC 1035, section 2.3.4.
    """
    name = host.removesuffix(".")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    labels = name.split(".")
    legal = len(name) <= 253 and all(len(label) <= 63 and _LABEL.fullmatch(label) for label in labels)
    return name.lower() if legal else None


def literal(host: str) -> str | None:
    """The address, when the host is one and not a name; brackets and zone are kept out and in respectively."""
    text = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    zone = getattr(address, "scope_id", None)  # Python takes any text for one, brackets and colons included
    return str(address) if zone is None or _ZONE.fullmatch(zone) else None


def is_ipv6(address: str) -> bool:
    """Whether the address is an IPv6 one."""
    return ":" in address


def join(host: str, port: int) -> str:
    """`host:port`, brackets around IPv6 addresses."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split(text: str, default_port: int) -> tuple[str, int]:
    """`10.0.0.4`, `10.0.0.4:53`, `fd00::4`, `[fd00::4]:53` to host and port. Raises ValueError for anything else."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest.removeprefix(":")) if rest else default_port
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, int(port)
    return text, default_port


def socket_address(address: str, port: int, kind: socket.SocketKind) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    """Family and address for `socket.connect`, of a literal address; a zone ("fe80::1%eth0") is understood."""
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    found = socket.getaddrinfo(address, port, type=kind, flags=flags)
    return found[0][0], found[0][4]
