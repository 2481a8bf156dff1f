"""Verdicts into findings: one thing to change each, with evidence, doubt, candidates, queries and how to verify."""

import shlex
from collections.abc import Callable
from fnmatch import fnmatchcase

import msgspec
from msgspec import UNSET

from preflight.judge import attribution, dns_places, naming, policies, queries, remedies, router, viewing
from preflight.judge.cases import Case, cases
from preflight.judge.grouping import Group, groups
from preflight.judge.pattern import View
from preflight.judge.scene import listed
from preflight.judge.standing import standing
from preflight.model.causes import CAUSES
from preflight.model.run import Candidate, Evidence, Finding, Query, Verdict
from preflight.model.vocabulary import Confidence, Owner, VantageKind

_MOST_LINES = 8
_DNS = "53"

# What the evidence itself proves needs no more; these say what somebody else would have to confirm.
_LIKELY = {
    "router.restart-needed": "the deployment's own variables: does anything but AKS set them?",
    "peers.other-answer": "what was injected into the pods, and what stands between them",
    "dns.rebind-filtered": "the private address at the authoritative server, beside the resolver's answer",
    "dns.privatelink-public-answer": "what the zone's network links and the resolver's forwarders are",
    "dns.timeout": "the same query from the resolver's own network",
    "tcp.timeout": "a log line or a rule that denies it, or Azure's own effective rules",
    "tcp.refused": "whether the address is still the service's",
    "tcp.reset": "a capture at both ends",
    "tcp.lossy": "the drop and SNAT counters of the devices on the way at that time",
    "route.unreachable": "effective routes of the source",
    "route.prohibited": "the device that sent the message: its address in a capture, or the local firewall's rules",
    "kube.sni-missing": "the firewall's log, or the same with a server name (api-server.reach)",
    "tls.reset-after-hello": "the firewall's application rule log for the name at that time",
    "tls.closed": "the firewall's application rule log for the name at that time",
    "tls.timeout": "the firewall's log, or the same with a clamped MSS",
    "tls.not-tls": "who owns the address that answered",
    "tls.wrong-name": "who owns the address that answered",
    "tls.incomplete-chain": "the chain as seen from a network without inspection",
    "http.timeout": "the service's health at that time",
    "http.reset": "the service's own log: did the request arrive?",
    "storage.denied-by-network": "the account's networkRuleSet (az storage account show)",
    "path.firewall-resolved-public": "what the firewall's DNS answers for the name",
    "check.load-induced": "the same run with fewer places at once (--pool), or with a lower limits.connects_per_s",
    "registry.no-challenge": "what publicNetworkAccess of the registry is, and whose the address is",
}


# What only a pattern, or only the objects of the cluster, speak for: nothing was seen to fail for good.
_POSSIBLE = {
    policies.MAY_DENY: "the same checks from beside the real pods (--pod-as), under the same policies",
    "snat.exhaustion-suspected": "metrics at that time: failed SNAT connections, dropped packets, port utilization",
}


def find(evidence: Evidence, verdicts: tuple[Verdict, ...]) -> tuple[Finding, ...]:
    """All findings, heaviest first."""
    places, stand = dns_places.find(evidence), standing(evidence)
    every = [*cases(evidence, verdicts), *router.stale(evidence)]
    found = groups(every, verdicts, cluster_dns=dns_places.service_of(evidence), places=places)
    views = [(group, viewing.view(group, evidence, verdicts, stand, places)) for group in found]
    return tuple(
        _finding(str(number), group, view, evidence, verdicts) for number, (group, view) in enumerate(views, start=1)
    )


def _finding(number: str, group: Group, view: View, evidence: Evidence, verdicts: tuple[Verdict, ...]) -> Finding:
    cause = CAUSES[group.cause]
    sure = _confidence(group, view)
    title = _title(group, view)
    return Finding(
        id=number,
        cause=group.cause,
        owner=cause.owner,
        severity=group.severity,
        status=group.status,
        title=title,
        change=_change(title, group, view),
        why=(*_why(group), *viewing.side_by_side(group, view, evidence, verdicts)),
        contradicts=attribution.contradicts(view),
        confidence=sure,
        settle=_settle(group, view) if sure is not Confidence.PROVEN else "",
        candidates=_candidates(group, view, sure),
        queries=_queries(group, view),
        verify=_verify(group, verdicts, evidence),
        checks=group.checks,
        targets=tuple(dict.fromkeys(case.verdict.target for case in group.cases if case.verdict.target)),
        vantages=group.vantages,
    )


def _title(group: Group, view: View) -> str:
    words = _words(group, view)
    if view.places:
        return view.places[0].title(words.who, words.servers)
    return remedies.title(group.cause, words)


def _confidence(group: Group, view: View) -> Confidence:
    if group.cause in _POSSIBLE:
        return Confidence.POSSIBLE
    if any(case.device for case in group.cases) or group.cause not in _LIKELY:
        return Confidence.PROVEN
    return attribution.confidence(view, Confidence.LIKELY)


def _candidates(group: Group, view: View, sure: Confidence) -> tuple[Candidate, ...]:
    """A device that named itself needs no candidates."""
    return (
        () if sure is Confidence.PROVEN and any(case.device for case in group.cases) else attribution.candidates(view)
    )


def _settle(group: Group, view: View) -> str:
    if view.places:
        return view.places[0].settle
    ranked = attribution.candidates(view)
    return ranked[0].settle if ranked else (_LIKELY | _POSSIBLE).get(group.cause, "")


def _words(group: Group, view: View) -> remedies.Words:
    def of(values: list[str], otherwise: str) -> str:
        return listed([value for value in values if value], most=3) or otherwise

    every = group.cases
    words = remedies.Words(
        who=of(naming.places(group.vantages, every, view), "the places that need it"),
        hosts=of(_hosts(every), "the targets"),
        ports=of([str(port) for case in every for port in case.ports or (case.port,) if port], "443"),
        servers=of([server for case in every for server in case.servers], "the DNS server"),
        zone=of([case.zone for case in every], "the zone"),
        issuer=of([f"'{case.issuer}'" for case in every if case.issuer], "the inspecting authority"),
        device=of([case.device for case in every], "the device that answers"),
        proxy=of([case.proxy for case in every], "the proxy"),
        policies=of(list(view.policies), "the network policies"),
    )
    if all(case.pulled for case in every):
        words = msgspec.structs.replace(words, registry=words.hosts, image="the image")
    if group.cause.startswith("route.") and all((case.verdict.at or "").endswith(".dns") for case in every):
        return msgspec.structs.replace(words, hosts=f"the DNS server {words.servers}", ports="and UDP 53")
    return words


def _hosts(every: tuple[Case, ...]) -> list[str]:
    """Hosts of a pattern that is to be opened as a whole are that pattern: single ones change. Pods have both names."""
    if any(case.peer for case in every):
        return [f"{case.peer} ({case.host})" if case.addresses else case.peer for case in every]
    patterns = [pattern for case in every for pattern in case.opens]
    return [next((one for one in patterns if fnmatchcase(case.host, one)), case.host) for case in every]


def _change(title: str, group: Group, view: View) -> str:
    """A ticket's text: what, from where, to what, when seen, what it breaks."""
    cause, every = CAUSES[group.cause], group.cases
    targets = listed([_destination(case) for case in every], most=20)
    lines = [
        f"{title}.",
        f"Cause: {group.cause}. {cause.meaning}",
        f"First step: {cause.remedy}",
        f"From: {listed(naming.places(group.vantages, every, view), most=20)}" if group.vantages else "",
        f"To: {targets}" if targets else "",
        f"Seen: {min(time for case in every for time in case.times)}" if any(case.times for case in every) else "",
        f"Without it: {' '.join(dict.fromkeys(case.breaks for case in every if case.breaks))}",
    ]
    return "\n".join(line for line in lines if line and not line.endswith(": "))


def _destination(case: Case) -> str:
    ports = ", ".join(str(port) for port in case.ports or (case.port,) if port)
    port = f" {'UDP and TCP' if ports == _DNS else 'TCP'} {ports}" if ports else ""
    if case.peer:
        return f"{case.peer}{port}{f' ({listed(case.addresses)})' if case.addresses else ''}"
    addresses = f" ({listed(case.addresses)})" if case.addresses and case.addresses != (case.host,) else ""
    return f"{case.host}{port}{addresses}" if case.host else ""


def _why(group: Group) -> tuple[str, ...]:
    lines = [f"{case.vantage}: {case.verdict.reason}" if case.vantage else case.verdict.reason for case in group.cases]
    unique = [line for line in dict.fromkeys(lines) if line]
    more = len(unique) - _MOST_LINES
    return (*unique[:_MOST_LINES], *([f"and {more} more like these"] if more > 0 else []))


def _queries(group: Group, view: View) -> tuple[Query, ...]:
    """Only where a network team's log can show it."""
    kind = _LOGS.get(group.cause) or (queries.for_names if group.cause.startswith("dns.") else None)
    every = group.cases
    if kind is None or not any(case.times for case in every) or CAUSES[group.cause].owner is Owner.IDENTITY:
        return ()
    return kind(
        queries.Traffic(
            times=tuple(time for case in every for time in case.times),
            sent=tuple(dict.fromkeys(source for case in every for source in case.sent)),
            sources=tuple(dict.fromkeys(source for case in every for source in _logged(case, view))),
            destinations=tuple(dict.fromkeys(address for case in every for address in case.addresses)),
            ports=tuple(port for case in every for port in case.ports or (case.port,) if port),
            names=tuple(dict.fromkeys(case.host for case in every)),
            hidden=any(naming.hidden(vantage, view) and vantage not in view.seen_as for vantage in group.vantages),
        )
    )


def _logged(case: Case, view: View) -> tuple[str, ...]:
    """The sources that a log shows."""
    behind = naming.hidden(case.vantage, view) and case.vantage in view.seen_as
    return (view.seen_as[case.vantage],) if behind else case.sources


def _both(traffic: queries.Traffic) -> tuple[Query, ...]:
    return (*queries.for_server_names(traffic), *queries.for_packets(traffic))


_LOGS: dict[str, Callable[[queries.Traffic], tuple[Query, ...]]] = {
    **dict.fromkeys(("tcp.timeout", "tcp.refused", "tcp.reset", "tcp.lossy"), queries.for_packets),
    **dict.fromkeys(("route.unreachable", "route.prohibited", "http.stalled"), queries.for_packets),
    **dict.fromkeys(("tls.reset-after-hello", "tls.closed", "tls.intercepted", "tls.alert"), queries.for_server_names),
    **dict.fromkeys(("http.block-page", "kube.sni-missing", "proxy.denied"), queries.for_server_names),
    **dict.fromkeys(("tls.timeout", "tls.not-tls", "tls.wrong-name", "http.reset", "http.timeout"), _both),
    **dict.fromkeys(("registry.denied-by-network", "storage.denied-by-network"), _both),
    **dict.fromkeys(("path.firewall-resolved-public", "proxy.unreachable"), _both),
}


def _verify(group: Group, verdicts: tuple[Verdict, ...], evidence: Evidence) -> str:
    """The narrowest run that shows that it is fixed."""
    ids = set(group.checks)
    wanted = [verdict for verdict in verdicts if verdict.check in ids]
    only = " ".join(f"--only {shlex.quote(name)}" for name in dict.fromkeys(v.requirement for v in wanted))
    kinds = dict.fromkeys(v.vantage.partition("/")[0] for v in wanted if v.vantage)
    inside = _inside(group, evidence)
    if inside:
        return f"preflight run {only} {inside}".replace("  ", " ")
    elsewhere = tuple(kind for kind in kinds if kind != VantageKind.WORKSTATION) or evidence.plan.stand_in
    where = f" --vantage {','.join(dict.fromkeys((VantageKind.WORKSTATION.value, *elsewhere)))}"
    # Without a cluster the run is of one host; for a node or a pod that is a host of their subnet.
    instead = f" --stand-in {','.join(elsewhere)}" if elsewhere else ""
    return f"preflight run {only}{where}{instead}"


def _inside(group: Group, evidence: Evidence) -> str:
    """The options that go to the same places in the cluster; "" when the run was not in one."""
    ways = [fact.via for fact in evidence.vantages if fact.vantage in group.vantages and fact.via is not UNSET]
    if ways:
        kinds = ",".join(dict.fromkeys(("workstation", *(vantage.partition("/")[0] for vantage in group.vantages))))
        file = "--kubeconfig FILE " if any(way.startswith("existing-pod") for way in ways) else ""
        return f"{file}--vantage {kinds} {' '.join(f'--via {way}' for way in dict.fromkeys(ways))}"
    probed = {fact.vantage for fact in evidence.vantages if fact.place}
    asked = [case.peer for case in group.cases if case.peer]  # both ends have to be there
    names = [vantage.split("/") for vantage in group.vantages if vantage in probed]
    names += [peer.split("/") for peer in asked] if names else []
    if not names:
        return ""
    kinds = ",".join(dict.fromkeys(kind for kind, *_ in names))
    pools = " ".join(
        f"--pool {shlex.quote(pool)}" for pool in dict.fromkeys(name[1] for name in names if len(name) > 1)
    )
    return f"--kubeconfig FILE --vantage {kinds} {pools}{policies.option(viewing.phases(group))}"
