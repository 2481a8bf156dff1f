"""A verdict that names a cause, together with what a finding quotes of its evidence."""

import msgspec
from msgspec import UNSET

from preflight.judge.addresses import AddressClass, classify, is_internal
from preflight.judge.answers import Kind, by_server
from preflight.judge.blockpages import device_in
from preflight.judge.intercepted import device_of, issuer_of
from preflight.judge.pulls import contact
from preflight.judge.scene import host_of, is_literal, number, port_of
from preflight.judge.services import peers
from preflight.model.causes import CAUSES
from preflight.model.observation import DnsFacts, Hop, Observation, VantageFacts
from preflight.model.plan import Check
from preflight.model.run import Evidence, Verdict
from preflight.model.vocabulary import Phase, ProbeName, Severity, Status


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict and its surroundings; empty where the evidence has nothing."""

    verdict: Verdict
    cause: str
    host: str
    port: int = 0
    addresses: tuple[str, ...] = ()  # destinations tried
    sources: tuple[str, ...] = ()  # addresses sent from, without ports
    sent: tuple[str, ...] = ()  # the same with their ports, as a log would show them
    times: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()  # resolvers that answered badly, or all
    zone: str = ""  # private link zone, else the name without its first label
    issuer: str = ""
    device: str = ""  # only when its own text proved it
    proxy: str = ""
    opens: tuple[str, ...] = ()  # patterns that the catalogue says to open besides: "*.data.mcr.microsoft.com"
    egress: str = ""  # the source address that the service says it saw
    api_server: bool = False
    pulled: bool = False  # seen by a kubelet that pulled for proof, not by a probe
    breaks: str = ""
    peer: str = ""  # "pod/user1": the pod that was asked, for connections between pods
    ports: tuple[int, ...] = ()  # where several are one check: those that fail
    blamed: str = ""  # the place that the trouble is at, where that is not the one that saw it

    @property
    def vantage(self) -> str:
        """Where it was seen, or what it is about."""
        return self.blamed or self.verdict.vantage

    @property
    def inside(self) -> bool:
        """Whether the destinations are private."""
        return bool(self.addresses) and all(is_internal(address) for address in self.addresses)


def cases(evidence: Evidence, verdicts: tuple[Verdict, ...]) -> list[Case]:
    """All verdicts that decide and name a cause, in their order."""
    checks = {check.id: check for check in evidence.plan.checks}
    seen = {(observation.vantage, observation.task): observation for observation in evidence.observations}
    facts = {fact.vantage: fact for fact in evidence.vantages}
    troubled = (Status.FAIL, Status.WARN, Status.UNKNOWN)
    found = [
        _case(verdict, verdict.cause, checks.get(verdict.check), seen.get((verdict.vantage, verdict.task or "")), facts)
        for verdict in verdicts
        if verdict.decides and verdict.cause is not None and verdict.status in troubled
    ]
    told = {(case.vantage, case.cause) for case in found}
    return found + [_of_place(fact) for fact in evidence.vantages if _is_news(fact, told)]


def _is_news(fact: VantageFacts, told: set[tuple[str, str]]) -> bool:
    """Whether a place that was observed in full has a trouble of its own, which no verdict speaks of."""
    return fact.complete and fact.error_cause in CAUSES and (fact.vantage, fact.error_cause) not in told


def _of_place(fact: VantageFacts) -> Case:
    return of_no_requirement(fact.error_cause or "", fact.vantage, fact.error or "", Phase.ROUTER_INSTALL)


def of_no_requirement(cause: str, vantage: str, reason: str, phase: Phase, *, host: str = "") -> Case:
    """A trouble of the place itself, or of what runs there: it warns, and belongs to no requirement."""
    verdict = Verdict(
        check="",
        requirement="",
        title="",
        phase=phase,
        severity=Severity.RECOMMENDED,
        vantage=vantage,
        target="",
        status=Status.WARN,
        decides=True,
        cause=cause,
        owner=CAUSES[cause].owner,
        reason=reason,
    )
    return Case(verdict=verdict, cause=cause, host=host)


def _case(
    verdict: Verdict,
    cause: str,
    check: Check | None,
    observation: Observation | None,
    facts: dict[str, VantageFacts],
) -> Case:
    hop = _hop(verdict, observation)
    host, _, port = verdict.target.rpartition(":")
    case = Case(
        verdict=verdict,
        cause=cause,
        host=host.strip("[]") or verdict.target,
        port=number(port),
        api_server=check is not None and check.expect.trust != "system",
        pulled=observation is not None and observation.probe is ProbeName.PULL,
        breaks=check.breaks if check is not None else "",
    )
    if hop is None or observation is None:
        return case
    if case.pulled:
        return _with_pull(case, hop)
    case = _with_hop(case, hop, check, facts.get(verdict.vantage))
    return _with_peer(case, hop, observation) if observation.probe is ProbeName.PEERS else case


def _with_peer(case: Case, hop: Hop, observation: Observation) -> Case:
    """Both ends; a pod that does not run is its own pool's trouble, whoever wanted to ask it."""
    peer = peers.place(hop)
    blamed = peer if hop.service.get("trouble") else ""
    return msgspec.structs.replace(case, peer=peer, ports=peers.failing(observation), blamed=blamed)


def _with_pull(case: Case, hop: Hop) -> Case:
    """A pull is one word, "acrprod.azurecr.io", until the kubelet names the host at which it failed."""
    spoken = contact(hop.service.get("message", ""))
    return msgspec.structs.replace(
        case,
        host=spoken.host or case.host,
        port=spoken.port or case.port,
        addresses=(spoken.address,) if spoken.address else (),
        times=(hop.started,),
    )


def _hop(verdict: Verdict, observation: Observation | None) -> Hop | None:
    """The hop that the verdict speaks of, else the last one."""
    if observation is None or not observation.hops:
        return None
    at = verdict.at or ""
    named = (hop for hop in observation.hops if at in (hop.role, f"{hop.role}.{at.rpartition('.')[2]}"))
    return next(named, observation.hops[-1])


def _with_hop(case: Case, hop: Hop, check: Check | None, facts: VantageFacts | None) -> Case:
    connections = hop.connections or (hop.proxy.connections if hop.proxy is not UNSET else ())
    chains = [connection.tls for connection in connections if connection.tls is not UNSET and connection.tls.chain]
    tls = hop.tls if hop.tls is not UNSET and hop.tls.chain else (chains[-1] if chains else None)
    sent = [one.tcp.source for one in connections if one.tcp.source is not None and _leaves(_bare(one.tcp.source))]
    families = facts.families if facts is not None else ("ipv4",)
    page = (
        device_in(hop.http) if hop.http is not UNSET and case.cause in ("http.block-page", "kube.sni-missing") else None
    )
    said = [one.tcp.icmp_from for one in connections if one.tcp.icmp_from] if case.cause.startswith("route.") else []
    intercepted = case.cause in ("tls.intercepted", "tls.untrusted", "tls.incomplete-chain")
    return msgspec.structs.replace(
        case,
        host=host_of(hop),
        port=port_of(hop),
        addresses=tuple(dict.fromkeys(connection.address for connection in connections)),
        sources=tuple(dict.fromkeys(map(_bare, sent))),
        sent=tuple(dict.fromkeys(sent)),
        times=(hop.started,),
        servers=_servers(hop.dns, families) if hop.dns is not UNSET else (),
        opens=tuple(entry.rpartition(":")[0] for entry in check.opens) if check is not None else (),
        egress=hop.service.get("denied_source", ""),
        zone="" if is_literal(hop) else _zone(hop, check),
        issuer=issuer_of(tls) if tls is not None and intercepted else "",
        device=next(iter(said), None) or page or (device_of(tls) if tls is not None and intercepted else None) or "",
        proxy=hop.proxy.url if hop.proxy is not UNSET else "",
    )


def _servers(dns: DnsFacts, families: tuple[str, ...]) -> tuple[str, ...]:
    """The configured servers that gave no address; all of them when each did."""
    words = [word for word in by_server(dns, families) if word.role == "configured"]
    bad = tuple(word.server for word in words if word.kind is not Kind.ADDRESSES)
    return bad or tuple(word.server for word in words)


def _zone(hop: Hop, check: Check | None) -> str:
    if check is not None and check.expect.private_zone is not None:
        return check.expect.private_zone
    chain = [name for answer in (hop.dns.answers if hop.dns is not UNSET else ()) for name in answer.chain[1:]]
    linked = next((name for name in chain if "privatelink" in name.split(".")), None)
    return (linked or host_of(hop)).partition(".")[2]


def _leaves(address: str) -> bool:
    """What is sent from loopback never meets a network (the lab, a local proxy)."""
    return classify(address) is not AddressClass.LOOPBACK


def _bare(source: str) -> str:
    """`10.0.0.7:51234` without the port."""
    return source.rpartition(":")[0].strip("[]")
