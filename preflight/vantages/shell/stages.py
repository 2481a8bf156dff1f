"""What the tools said about one target, joined to the stages of one hop; and what no tool there could test. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from preflight.model.observation import (
    Connection,
    DnsAnswer,
    DnsFacts,
    HttpFacts,
    ProxyFacts,
    ResolverFacts,
    SystemLookup,
    TcpFacts,
    TlsFacts,
)  # fmt: skip
from preflight.model.plan import Task, VantagePlan
from preflight.model.vocabulary import ProbeName
from preflight.probes import names, noproxy
from preflight.vantages.shell import connects, curl, lookups, openssl, trace
from preflight.vantages.shell.curl import Terms
from preflight.vantages.shell.heard import Section
from preflight.vantages.shell.words import told

_ALPN: Final = ("h2", "http/1.1")
_CLUSTER: Final = "cluster-ca"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of the container, as far as reading the tools needs it."""

    tools: tuple[str, ...] = ()
    resolver: ResolverFacts
    hosts: tuple[str, ...] = ()  # lines of /etc/hosts
    proxies: Mapping[str, str] = {}  # "https_proxy" -> URL, "no_proxy" -> list


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """One hop; a stage that was not reached is UNSET."""

    dns: DnsFacts | UnsetType = UNSET
    proxy: ProxyFacts | UnsetType = UNSET
    connections: tuple[Connection, ...] = ()
    tls: TlsFacts | UnsetType = UNSET
    http: HttpFacts | UnsetType = UNSET
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    duration_ms: float = 0.0
    untested: str = ""


def stages(task: Task, section: Section, place: Place, plan: VantagePlan) -> Stages:
    """All that is known of the task's first request."""
    terms = _terms(task, section, plan)
    if "c" in section:
        found = _by_curl(task, section, terms, plan)
    elif _proxied(task, place, plan):
        found = Stages(untested=f"a proxy applies, and only curl could speak through it{_has(place)}")
    elif "s" in section:
        found = _by_openssl(task, section, terms, place)
    else:
        found = _by_connect(task, section, terms, place)
    addresses = tuple(dict.fromkeys(one.address for one in found.connections))
    dns = _dns(task.target.host, section, place, addresses, unresolved=found.untested == _UNRESOLVED)
    if found.untested == _UNRESOLVED:
        found = msgspec.structs.replace(found, untested="")
    nothing = "" if section else "the shell probe said nothing about this target"
    return msgspec.structs.replace(found, dns=dns, untested=nothing or found.untested)


_UNRESOLVED: Final = "\0"  # in place of a reason: the tool's own lookup failed, which is a result


def _proxied(task: Task, place: Place, plan: VantagePlan) -> bool:
    target = task.target
    return f"{target.scheme}_proxy" in place.proxies and not noproxy.applies(
        place.proxies.get("no_proxy", ""), target.host, target.port, plan.no_proxy_as
    )


def _terms(task: Task, section: Section, plan: VantagePlan) -> Terms:
    again = sum(line.startswith("rc=") for line in section.get("c", ())) > 1
    more = "system+ca_file" if again or ("s" in section and "c" not in section and plan.ca_pem) else "system"
    return Terms(
        scheme=task.target.scheme,
        host=task.target.host,
        port=task.target.port,
        trust=_CLUSTER if task.trust == _CLUSTER else more,
        connect_cap_ms=plan.limits.connect_cap_s * 1000,
        answer_cap_ms=plan.limits.answer_cap_s * 1000,
    )


def _by_curl(task: Task, section: Section, terms: Terms, plan: VantagePlan) -> Stages:
    runs = trace.runs(section["c"], task.target.port)
    if not runs:
        return Stages(untested="curl of this container said nothing")
    beside = openssl.tls(told(section["s"]), terms.host, terms.trust, _ALPN) if "s" in section else None
    body = section.get("b", [])
    seen = curl.seen(runs[-1], terms, body, beside)
    found = Stages(
        proxy=seen.proxy,
        connections=seen.connections,
        tls=seen.tls,
        http=seen.http,
        headers=seen.headers,
        body="\n".join(body).encode(),
        duration_ms=seen.duration_ms,
        untested=_UNRESOLVED if seen.unresolved else seen.untested,
    )
    if task.trust == _CLUSTER and not plan.cluster_ca_pem:  # nothing there could have judged its certificate
        bare = tuple(msgspec.structs.replace(one, tls=UNSET) for one in found.connections)
        return msgspec.structs.replace(found, connections=bare, tls=UNSET, http=UNSET)
    return found


def _by_openssl(task: Task, section: Section, terms: Terms, place: Place) -> Stages:
    said = told(section["s"])
    address = _address(task.target.host, section, place)
    tcp = openssl.tcp(said, address, task.target.port, terms.connect_cap_ms)
    tls = openssl.tls(said, terms.host, terms.trust, _ALPN)
    return Stages(
        connections=(Connection(address=address, tcp=tcp, tls=UNSET if tls is None else tls),) if address else (),
        duration_ms=said.seconds * 1000,
        untested=f"no request was sent: the container has no curl{_has(place)}",
    )


def _by_connect(task: Task, section: Section, terms: Terms, place: Place) -> Stages:
    """Bash or nc, and wget for plain HTTP; TLS is never left out and passed over."""
    said = told(section.get("t", []))
    address = _address(task.target.host, section, place)
    tcp = connects.tcp(said, address, task.target.port, terms.connect_cap_ms) if address and "t" in section else None
    http = connects.http(told(section["w"])) if "w" in section and task.target.scheme == "http" else None
    return Stages(
        connections=() if tcp is None else (Connection(address=address, tcp=tcp),),
        http=http if http is not None and tcp is not None else UNSET,
        headers=http.headers if http is not None else (),
        duration_ms=said.seconds * 1000,
        # Without an address the tools had nothing to connect to: the name is the trouble, and it was tested.
        untested="" if "t" in section and not address else _lack(task, tcp, http, place),
    )


def _lack(task: Task, tcp: TcpFacts | None, http: HttpFacts | None, place: Place) -> str:
    if tcp is None:
        return (
            f"no connection was made: the container has none of curl, openssl, bash, nc that could make it{_has(place)}"
        )
    if task.target.scheme == "https":
        return f"TLS was not tested: the container has neither curl nor openssl{_has(place)}"
    asks = task.target.scheme == "http" and task.probe is not ProbeName.TCP
    return f"no request was sent: the container has neither curl nor wget{_has(place)}" if asks and http is None else ""


def _has(place: Place) -> str:
    return f" (it has {', '.join(place.tools)})" if place.tools else " (it has none of the tools that the probe knows)"


def _address(host: str, section: Section, place: Place) -> str:
    """Where a tool that does not say it has most likely gone: the first address that its lookup gave."""
    literal = names.literal(host)
    if literal:
        return literal
    system = lookups.from_getent(told(section["g"])) if "g" in section else None
    lookup = system.addresses if system is not None else lookups.hosts_file(place.hosts, host)
    answered = tuple(address for answer in _answers(host, section, place.resolver) for address in answer.addresses)
    return next(iter((*lookup, *answered)), "")


def _answers(host: str, section: Section, resolver: ResolverFacts) -> tuple[DnsAnswer, ...]:
    if "d" in section:
        return lookups.from_dig(told(section["d"]), resolver)
    return lookups.from_nslookup(told(section["n"]), resolver, host) if "n" in section else ()


def _dns(
    host: str, section: Section, place: Place, connected: tuple[str, ...], *, unresolved: bool
) -> DnsFacts | UnsetType:
    """The servers' word where dig or nslookup asked them, and the system's own as getent or curl used it."""
    if names.literal(host):
        return DnsFacts(name=host, system=SystemLookup(result="literal", addresses=(host,)), addresses=(host,))
    answers = _answers(host, section, place.resolver)
    system = _system(section, connected, unresolved=unresolved)
    if not answers and system is None:
        return UNSET
    system = system or SystemLookup(result="not-made")
    hosts = lookups.hosts_file(place.hosts, host)
    found = connected or system.addresses or tuple(address for one in answers for address in one.addresses)
    return DnsFacts(
        name=host,
        answers=answers,
        system=msgspec.structs.replace(system, hosts_file=hosts),
        addresses=found,
    )


def _system(section: Section, connected: tuple[str, ...], *, unresolved: bool) -> SystemLookup | None:
    if "g" in section:
        return lookups.from_getent(told(section["g"]))
    if connected:
        return SystemLookup(result="answer", addresses=connected)
    return SystemLookup(result="failed", error="curl") if unresolved else None
