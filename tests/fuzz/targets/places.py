"""What the machine's own files and variables say: resolv.conf, hosts, NO_PROXY, proxies."""

import msgspec

from fuzz import onward
from fuzz.files import in_memory
from fuzz.target import Depth, Feed, Target
from preflight.model.plan import Proxy
from preflight.probes import local, names, noproxy, proxy, resolv_conf, system_lookup
from preflight.probes.resolvers import Resolvers

NAME = "stmlprod.blob.core.windows.net"
_HOSTS = (NAME, "10.0.0.7", "fd00::7", "localhost", "acrprod.privatelink.azurecr.io")


def _resolv_conf(data: bytes, depth: Depth) -> None:
    """The file; its servers are then handed to the resolvers of a vantage."""
    facts = resolv_conf.read(in_memory(data))
    assert len(facts.search) <= 16
    assert len(facts.options) <= 32
    assert 0 <= facts.ndots <= 15
    for server in facts.nameservers:
        host, port = names.split(server, 53)
        assert names.literal(host)
        assert port == 53
    Resolvers(onward.plain_plan(), msgspec.structs.replace(onward.facts(), resolver=facts))


def _hosts(data: bytes, depth: Depth) -> None:
    """The file; the name is looked for in it."""
    found = system_lookup.from_hosts_file(NAME, in_memory(data))
    assert len(found) <= 64
    assert all(names.literal(address) for address in found)


def _no_proxy(data: bytes, depth: Depth) -> None:
    """First byte: port; then the list, read as each of its readers does."""
    feed = Feed(data)
    port = (443, 80, 8080, 0)[feed.byte() % 4]
    text = feed.rest().decode("utf-8", "replace")
    for host in _HOSTS:
        for semantics in ("go", "curl", "python", "dotnet"):
            assert noproxy.applies(text, host, port, semantics) in (True, False)
    for notice in noproxy.disagreements(text, _HOSTS, port):
        assert notice


def _variables(data: bytes, depth: Depth) -> None:
    """https_proxy and NO_PROXY, a line each: facts, notices, and the route of each target."""
    first, _, second = data.decode("utf-8", "replace").partition("\n")
    environ = {
        "https_proxy": first,
        "HTTPS_PROXY": second,
        "http_proxy": second,
        "no_proxy": second,
        "ALL_PROXY": first,
    }
    plan = msgspec.structs.replace(onward.plain_plan(), proxy=Proxy(from_environment=True))
    proxies = local._proxies(environ, "python")
    notices = tuple(local._proxy_notices(environ, proxies, plan))
    assert len(notices) <= 8
    facts = msgspec.structs.replace(onward.facts(), proxies=proxies)
    chosen = proxy.Proxies(plan, facts, {}, environ)
    chosen.logins()
    for host in _HOSTS:
        route = chosen.route("https", host, 443)
        assert route is None or (route.host and route.scheme in ("http", "https"))
        assert route is None or 0 < route.port < 65_536


TARGETS = (
    Target(
        name="resolv-conf", parses="resolv.conf", enters="probes.resolv_conf.read, probes.resolvers.Resolvers",
        run=_resolv_conf, words=("nameserver ", "search ", "options ndots:", "fe80::1%eth0", "127.0.0.53", ";", "#"),
    ),
    Target(
        name="hosts-file", parses="hosts files", enters="probes.system_lookup.from_hosts_file", run=_hosts,
        words=(NAME, "10.0.0.1 ", "::1 ", "#", "\t"),
    ),
    Target(
        name="no-proxy", parses="NO_PROXY", enters="probes.noproxy.applies, disagreements", run=_no_proxy, longest=512,
        words=("*", ",", ".", "10.0.0.0/8", "::1/128", "[::1]:443", NAME, ":443", "localhost", " "),
    ),
    Target(
        name="proxy-variables", parses="HTTPS_PROXY and its kin", enters="probes.local._proxies, probes.proxy.Proxies",
        run=_variables, longest=512, words=("http://", "https://", "user:pass@", ":3128", "[::1]", "socks5://", "%"),
    ),
)  # fmt: skip
