"""What is true of this place before anything is sent: resolvers, proxies, address families, trust store."""

import ipaddress
import os
import platform
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from preflight import __version__
from preflight.model.observation import ResolverFacts, VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.vocabulary import NODE_VARIABLE, VantageKind, vantage_kind
from preflight.probes import proxy, resolv_conf, trust
from preflight.probes.clock import utc_now
from preflight.probes.redact import without_credentials

# Connecting a datagram socket sends nothing; the kernel only chooses route and source. Both are Microsoft's own ranges.
_SOMEWHERE = (("ipv4", socket.AF_INET, "20.60.0.1"), ("ipv6", socket.AF_INET6, "2603:1000::1"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")  # RFC 4193; `is_private` holds documentation ranges and more
_VARIABLES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy")
_UPSTREAM = Path("/run/systemd/resolve/resolv.conf")  # what systemd-resolved forwards to


def look(
    plan: VantagePlan,
    *,
    environ: Mapping[str, str] | None = None,
    resolv_conf_file: Path = resolv_conf.RESOLV_CONF,
) -> VantageFacts:
    """The facts of the vantage that runs this plan, here and now. No packet is sent."""
    environ = {name: _text(value) for name, value in (os.environ if environ is None else environ).items()}
    mapped = bool(plan.mapping.nameservers or plan.mapping.connect_to)
    resolver = _resolver(plan, resolv_conf_file)
    families, family_notices = (("ipv4",), ()) if mapped else _families()
    proxies = _proxies(environ, plan.no_proxy_as)
    return VantageFacts(
        vantage=plan.vantage,
        tool_version=__version__,
        host=socket.gethostname(),
        node=environ.get(NODE_VARIABLE, ""),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}",
        resolver=resolver,
        proxies=proxies,
        families=families,
        trust=trust.describe(environ),
        notices=(
            *_resolver_notices(resolver),
            *family_notices,
            *_proxy_notices(environ, proxies, plan),
            *_trust_notices(environ),
        ),
        started=utc_now(),
    )


def _text(value: str) -> str:
    """A variable may hold bytes that are no text, which no JSON could carry."""
    return value.encode("utf-8", "replace").decode()


def _resolver(plan: VantagePlan, file: Path) -> ResolverFacts:
    if plan.mapping.nameservers:
        return ResolverFacts(
            consumer=plan.resolver_consumer or "mapped",
            nameservers=plan.mapping.nameservers,
            source="preflight.toml mapping.nameservers",
        )
    facts = resolv_conf.read(file, plan.resolver_consumer)
    if facts.consumer == "glibc":
        return msgspec.structs.replace(facts, nameservers=facts.nameservers[: resolv_conf.GLIBC_MAX_SERVERS])
    return facts


def _resolver_notices(resolver: ResolverFacts) -> Iterator[str]:
    if not resolver.nameservers:
        yield f"{resolver.source} names no DNS server"
    if resolver.consumer == "systemd-resolved" and _UPSTREAM.is_file():
        upstream = ", ".join(resolv_conf.read(_UPSTREAM).nameservers) or "none"
        yield f"systemd-resolved answers here; its upstream servers are {upstream}"


def _families() -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tried({name: source for name, family, address in _SOMEWHERE if (source := _source(family, address))})


def tried(sources: Mapping[str, Address]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Families by their source addresses, and notices. A unique local IPv6 one counts only where there is no IPv4.

    RFC 6724 prefers IPv4 to a unique local source, so no consumer would use it otherwise.
    """
    six = sources.get("ipv6")
    if six is not None and six in _UNIQUE_LOCAL and "ipv4" in sources:
        return ("ipv4",), (f"IPv6 has only the unique local address {six} here and is not tried",)
    return tuple(sources), ()


def _source(family: socket.AddressFamily, address: str) -> Address | None:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 443))
            source = ipaddress.ip_address(sock.getsockname()[0].partition("%")[0])
    except OSError:
        return None
    return None if source.is_loopback or source.is_link_local or source.is_unspecified else source


def _proxies(environ: Mapping[str, str], semantics: str) -> dict[str, str]:
    """Effective values under lower-case names. Go reads upper case first and knows no ALL_PROXY."""
    found = {}
    for name in _VARIABLES:
        if name == "all_proxy" and semantics == "go":
            continue
        spellings = (name.upper(), name) if semantics == "go" else (name, name.upper())
        value = next((environ[spelling] for spelling in spellings if environ.get(spelling)), None)
        if value is not None:
            found[name] = value if name == "no_proxy" else without_credentials(value)
    return found


def _proxy_notices(environ: Mapping[str, str], proxies: Mapping[str, str], plan: VantagePlan) -> Iterator[str]:
    named = [name for name in proxies if name != "no_proxy"]
    mapped = plan.mapping.nameservers or plan.mapping.connect_to
    if named and vantage_kind(plan.vantage) is VantageKind.NODE and not (plan.proxy.https or plan.proxy.http or mapped):
        yield (
            f"{named[0]} is {proxies[named[0]][:200]} in this pod: a webhook's, not containerd's, so it is not used;"
            " if nodes go through a proxy, say so in [proxy]"
        )
    if not plan.proxy.from_environment:
        return
    for name in _VARIABLES:
        lower, upper = environ.get(name), environ.get(name.upper())
        if lower and upper and lower != upper:
            yield f"{name} and {name.upper()} differ; Go reads {name.upper()}, curl and Python read {name}"
    if environ.get("HTTP_PROXY") and not environ.get("http_proxy"):
        yield "HTTP_PROXY is set and http_proxy is not: curl ignores HTTP_PROXY, Go and Python use it"
    for name, value in proxies.items():
        if name != "no_proxy" and proxy.parse(value, "") is None:
            yield f"{name} is {value[:200]}, which is no HTTP proxy; targets are tried directly"


def _trust_notices(environ: Mapping[str, str]) -> Iterator[str]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if value := environ.get(name):
            yield f"{name} is set to {value[:200]}: requests and curl trust that file instead of the system store"
