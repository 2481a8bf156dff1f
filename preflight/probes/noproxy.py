"""NO_PROXY as its readers understand it: Go, curl, Python and .NET differ, and each decides for its own consumer.

Sources, read 2026-11:
- Go (containerd, kubelet): golang.org/x/net/http/httpproxy, `config.useProxy` and `config.init`
- curl: lib/noproxy.c (8.x) and the man page, section --noproxy
- Python: `requests.utils.should_bypass_proxies` (requests 2.32), which most model code uses; urllib alone knows no CIDR
- .NET: System.Net.Http `HttpEnvironmentProxy.IsMatchInBypassList` and `HttpEnvironmentProxy.GetBypassRules`
"""

import ipaddress
from collections.abc import Callable, Iterable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def applies(no_proxy: str, host: str, port: int, semantics: str = "go") -> bool:
    """Whether the list exempts the host: true means that the connection bypasses the proxy.

    `semantics` is "go", "curl", "python" or "dotnet". Names are never looked up: no reader does that.
    """
    plain = host.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    address = _address(plain)
    if semantics == "go" and (plain == "localhost" or (address is not None and address.is_loopback)):
        return True
    matches = _RULES[semantics]
    return any(matches(entry, plain, port, address) for entry in _entries(no_proxy, semantics))


def disagreements(no_proxy: str, hosts: Iterable[str], port: int = 443) -> tuple[str, ...]:
    """A sentence for each entry that one reader applies to one of the hosts and another does not."""
    notices = []
    for entry in dict.fromkeys(_entries(no_proxy, "python")):
        for host in dict.fromkeys(hosts):
            views = {reader: applies(entry, host, port, reader) for reader in _RULES}
            if len(set(views.values())) > 1:
                bypass = " and ".join(_NAMES[reader] for reader, view in views.items() if view)
                proxied = " and ".join(_NAMES[reader] for reader, view in views.items() if not view)
                notices.append(
                    f'NO_PROXY entry "{entry}" is read differently for {host}: {bypass} bypass the proxy, {proxied} use it'
                )
                break  # one host is enough to show it
    return tuple(notices)


def _entries(no_proxy: str, semantics: str) -> list[str]:
    """curl also separates by spaces; the others trim them."""
    text = no_proxy.replace(" ", ",") if semantics in {"curl", "python"} else no_proxy
    return [entry for part in text.split(",") if (entry := part.strip().lower())]


def _go(entry: str, host: str, port: int, address: _Address | None) -> bool:
    """A name matches itself and what is below it, ".name" and "*.name" only what is below; CIDR and port are known."""
    if entry == "*":
        return True
    network = _network(entry) if "/" in entry else None
    if network is not None:
        return address is not None and address in network
    entry, entry_port = _with_port(entry)
    if entry_port is not None and entry_port != port:
        return False
    literal = _address(entry)
    if literal is not None:
        return address == literal
    if address is not None or not entry:
        return False
    entry = entry.removeprefix("*") if entry.startswith("*.") else entry
    return host.endswith(entry) if entry.startswith(".") else host == entry or host.endswith(f".{entry}")


def _curl(entry: str, host: str, port: int, address: _Address | None) -> bool:  # noqa: ARG001 - ports are not known to curl
    """A leading dot means nothing; "*" alone is everything; CIDR for addresses (7.86 and newer); no ports."""
    if entry == "*":
        return True
    if address is not None:
        network = _network(entry.removeprefix("[").removesuffix("]"))
        return network is not None and address in network
    entry = entry.removeprefix(".").removesuffix(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _python(entry: str, host: str, port: int, address: _Address | None) -> bool:
    """requests: a plain suffix of the host or of host:port for names; CIDR and equality for IPv4; urllib: "*" alone."""
    if entry == "*":
        return True
    if isinstance(address, ipaddress.IPv4Address):
        network = _network(entry) if "/" in entry else None
        return address in network if network is not None else host == entry
    # urllib.request.proxy_bypass_environment, which requests asks as well, puts a dot in front of the entry.
    suffix = entry.removeprefix(".")
    with_port = f"{host}:{port}"
    return host.endswith(entry) or with_port.endswith(entry) or host == suffix or host.endswith(f".{suffix}")


def _dotnet(entry: str, host: str, port: int, address: _Address | None) -> bool:  # noqa: ARG001 - neither is known to .NET
    """An exact name, or ".name" and "*.name" for what is below it; "*" is everything; neither CIDR nor ports."""
    if entry == "*":
        return True
    if entry.startswith(("*.", ".")):
        suffix = entry.removeprefix("*")
        return host.endswith(suffix) or host == suffix.removeprefix(".")
    return host == entry


_RULES: dict[str, Callable[[str, str, int, _Address | None], bool]] = {
    "go": _go,
    "curl": _curl,
    "python": _python,
    "dotnet": _dotnet,
}
_NAMES = {"go": "Go", "curl": "curl", "python": "Python", "dotnet": ".NET"}


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _with_port(entry: str) -> tuple[str, int | None]:
    """Splits "name:8080" and "[::1]:8080"; a bare IPv6 address has no port."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, int(rest[1:]) if rest[1:].isdigit() else None
    host, colon, port = entry.rpartition(":")
    return (host, int(port)) if colon and port.isdigit() and ":" not in host else (entry, None)
