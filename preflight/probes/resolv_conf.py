"""Reads resolv.conf as its reader does (resolv.conf(5)) and says who that reader is. Sends nothing."""

import platform
from collections.abc import Iterable
from pathlib import Path

from preflight.model.observation import ResolverFacts
from preflight.probes import names

RESOLV_CONF = Path("/etc/resolv.conf")
GLIBC_MAX_SERVERS = 3  # MAXNS: glibc and musl ignore further ones
MAX_SERVERS = 16  # where the reader knows no limit of its own
MAX_BYTES = 65_536  # of the file
_STUBS = {
    "127.0.0.53": "systemd-resolved",  # systemd-resolved.service(8)
    "127.0.0.54": "systemd-resolved",
    "127.0.0.1": "dnsmasq",
    "127.0.1.1": "dnsmasq",  # NetworkManager's
    "::1": "dnsmasq",
}


def read(path: Path = RESOLV_CONF, consumer: str | None = None) -> ResolverFacts:
    """The resolvers of this place. A file that is missing, unreadable or empty has no nameservers."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_BYTES)
    except OSError:
        text = ""
    return parse(text, source=str(path), consumer=consumer)


def parse(text: str, *, source: str, consumer: str | None = None) -> ResolverFacts:
    """`consumer` is what is known beforehand ("coredns" for pods); otherwise it is found out."""
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        keyword, *values = line.split("#")[0].split(";")[0].split() or [""]
        match keyword:
            case "nameserver" if values and (address := names.literal(values[0])):
                servers.append(address)
            case "search" | "domain":
                search = values[:16]  # the last line counts, of either keyword
            case "options":
                options += values
            case _:
                pass
    kept = tuple(names.join(server, 53) for server in dict.fromkeys(servers))
    if len(kept) > MAX_SERVERS:
        source = f"{source}, of whose {len(kept)} servers the first {MAX_SERVERS} are asked"
    return ResolverFacts(
        consumer=consumer or _consumer(servers, search, options),
        nameservers=kept[:MAX_SERVERS],
        search=tuple(search),
        ndots=_ndots(options),
        options=tuple(options[:32]),
        source=source,
    )


def _consumer(servers: list[str], search: Iterable[str], options: list[str]) -> str:
    """CoreDNS shows by what the kubelet writes for `dnsPolicy: ClusterFirst`; stubs show by their address."""
    if _ndots(options) == 5 and any(domain.startswith("svc.") or ".svc." in domain for domain in search):
        return "coredns"
    for server in servers:
        if server in _STUBS:
            return _STUBS[server]
    return "glibc" if platform.libc_ver()[0] == "glibc" else "other"


def _ndots(options: Iterable[str]) -> int:
    """Capped at 15, as both libraries do."""
    for option in reversed(list(options)):
        value = option.removeprefix("ndots:")
        if value != option and value.isascii() and value.isdecimal():
            return min(int(value[:9]), 15)
    return 1
