"""NO_PROXY as its readers understand it: Go, curl, Python and .NET differ, and each decides for its own consumer.

Read from the sources in 2026-11:
- Go (containerd, kubelet): golang.org/x/net/http/httpproxy, `config.init` and `config.useProxy`
- curl 8: lib/noproxy.c, `Curl_check_noproxy`
- Python: requests 2.34 `utils.should_bypass_proxies`, which goes on with `urllib.request.proxy_bypass_environment`
- .NET: System.Net.Http `HttpEnvironmentProxy.IsMatchInBypassList` and the documentation of `HttpClient.DefaultProxy`
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

_PORT = re.compile(r"[0-9]{1,9}")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def applies(no_proxy: str, host: str, port: int, semantics: str = "go") -> bool:
    """Whether the list exempts the host: true means that the connection bypasses the proxy.

    `semantics` is "go", "curl", "python" or "dotnet". No reader looks a name up, so neither does this: a network in
    the list speaks of literal addresses only.
    """
    plain = _plain(host)
    if semantics == "go" and (plain == "localhost" or _is_loopback(plain)):
        return True
    return _READERS[semantics](no_proxy.lower(), plain, port)


def disagreements(no_proxy: str, hosts: Iterable[str], port: int = 443) -> tuple[str, ...]:
    """A sentence for each entry that one reader applies to one of the hosts and another does not."""
    entries = [entry for part in re.split(r"[,\s]+", no_proxy) if (entry := part.strip())]
    notices = (_disagreement(entry, hosts, port, alone=len(entries) == 1) for entry in dict.fromkeys(entries))
    return tuple(notice for notice in notices if notice)


def _disagreement(entry: str, hosts: Iterable[str], port: int, *, alone: bool) -> str | None:
    """One host is enough to show it. For curl and Python "*" is everything only when nothing else is in the list."""
    text = entry.lower() if alone else f"{entry.lower()},"
    for host in hosts:
        views = {reader: read(text, _plain(host), port) for reader, read in _READERS.items()}
        if len(set(views.values())) > 1:
            bypass = " and ".join(_NAMES[reader] for reader, view in views.items() if view)
            proxied = " and ".join(_NAMES[reader] for reader, view in views.items() if not view)
            return f'NO_PROXY entry "{entry}" is read differently for {host}: exempt for {bypass}, not for {proxied}'
    return None


def _go(no_proxy: str, host: str, port: int) -> bool:
    """A name is itself and what is below it; ".name" and "*.name" only what is below; networks and ports are known."""
    return any(_go_entry(entry, host, port) for entry in _by_comma(no_proxy))


def _go_entry(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address, network = _address(host), _network(entry)
    if network is not None:
        return address is not None and address in network
    name, wanted_port = _with_port(entry)
    if not name or wanted_port not in (None, port):
        return False
    if (literal := _address(name)) is not None:
        return literal == address
    below = name[1:] if name.startswith("*.") else name
    return host.endswith(below) if below.startswith(".") else host == below or host.endswith(f".{below}")


def _curl(no_proxy: str, host: str, port: int) -> bool:  # noqa: ARG001 - curl knows no ports
    """A leading dot means nothing; networks for addresses; "*" only alone; a blank without comma ends the list."""
    if no_proxy == "*":
        return True
    address = _address(host)
    for part in no_proxy.split(","):
        words = part.split()
        if words and _curl_entry(words[0], host, address):
            return True
        if len(words) > 1:
            return False
    return False


def _curl_entry(entry: str, host: str, address: _Address | None) -> bool:
    if address is not None:
        network = _network(entry if "/" in entry else f"{entry}/{address.max_prefixlen}")
        return network is not None and address in network
    name = entry.removesuffix(".").removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _python(no_proxy: str, host: str, port: int) -> bool:
    """A name, dotted or not, is itself and what is below it; networks for IPv4; "*" only alone; unusual ports count."""
    if no_proxy == "*":
        return True
    address = _address(host)
    forms = [host] if port in {80, 443} else [host, f"{host}:{port}"]  # a default port does not stand in the URL
    for entry in _by_comma(no_proxy):
        network = _network(entry)
        if isinstance(address, ipaddress.IPv4Address) and network is not None and address in network:
            return True
        name = entry.lstrip(".")
        if any(form == name or form.endswith(f".{name}") for form in forms):
            return True
    return False


def _dotnet(no_proxy: str, host: str, port: int) -> bool:  # noqa: ARG001 - .NET knows no ports
    """An exact name; ".name" is the name and what is below it; neither asterisks nor networks nor ports."""
    return any(
        host == entry or (entry.startswith(".") and (host.endswith(entry) or host == entry[1:]))
        for entry in _by_comma(no_proxy)
    )


_READERS: dict[str, Callable[[str, str, int], bool]] = {"go": _go, "curl": _curl, "python": _python, "dotnet": _dotnet}
_NAMES = {"go": "Go", "curl": "curl", "python": "Python", "dotnet": ".NET"}


def _plain(host: str) -> str:
    return host.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def _by_comma(no_proxy: str) -> list[str]:
    return [entry for part in no_proxy.split(",") if (entry := part.strip())]


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_loopback


@lru_cache(maxsize=4_096)
def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=4_096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """A network in CIDR notation; a single address is none."""
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _with_port(entry: str) -> tuple[str, int | None]:
    """Splits "name:8080" and "[::1]:8080"; a bare IPv6 address has no port."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, int(rest[1:]) if _PORT.fullmatch(rest[1:]) else None
    host, colon, port = entry.rpartition(":")
    return (host, int(port)) if colon and _PORT.fullmatch(port) and ":" not in host else (entry, None)
