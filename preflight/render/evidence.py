"""Evidence per target, arranged for a reader: names, attempts, certificates, pictures, raw facts. Bounded in size."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import UNSET

from preflight.model.observation import (
    DnsAnswer,
    DnsFacts,
    Hop,
    HttpFacts,
    Observation,
    TcpFacts,
    TlsFacts,
)
from preflight.model.plan import Check
from preflight.model.run import Run, Verdict
from preflight.model.vocabulary import Status
from preflight.render import alike, stages, svg, view
from preflight.render.chains import Chain, presented
from preflight.render.columns import worst
from preflight.render.standing import told as told_of

_RAW_EACH = 16_000  # characters of one observation's raw facts
_RAW_ALL = 120_000  # of all of them
_FULL = 100  # targets; with more, those at which all is fine are told in a line per vantage
_WHOLE = 15  # and of the others so many are told in full; run.json has the facts of all
_SAID = 12  # verdicts of a target that are told, alike ones once
_BODY = 1500
_FINE = (Status.PASS, Status.SKIPPED)


class NamePath(msgspec.Struct, frozen=True, kw_only=True):
    """The way one name resolved, and the vantages that saw it so."""

    vantages: tuple[str, ...]
    steps: tuple[str, ...]  # name, CNAME targets
    addresses: tuple[str, ...]
    system: str


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """One name: its ways, and what each server said of it."""

    name: str
    paths: tuple[NamePath, ...]
    servers: tuple[tuple[str, str, str, str], ...]  # vantage, server, what it said to A, what it said to AAAA


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One connection, or one request over an earlier one."""

    vantage: str
    role: str
    url: str
    address: str
    tcp: str
    tls: str
    answer: str
    took: str
    broke: bool


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of an answer that was not as expected."""

    vantage: str
    role: str
    first: str
    headers: tuple[tuple[str, str], ...]
    body: str
    cut: bool


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was seen of one task."""

    key: str  # "e3"
    name: str
    probe: str
    status: Status
    fine: bool
    said: tuple[alike.Said, ...]  # what is not fine
    more: int  # verdicts that are not told
    titles: tuple[str, ...]
    standing: tuple[str, ...] = ()  # which vantages are told in full, and for whom they stand
    names: tuple[Name, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    chains: tuple[Chain, ...] = ()
    answers: tuple[Answer, ...] = ()
    facts: tuple[tuple[str, str, str, str], ...] = ()  # vantage, role, name, value
    picture: str = ""
    notes: tuple[str, ...] = ()
    raw: tuple[tuple[str, str], ...] = ()  # vantage, JSON
    brief: tuple[str, ...] = ()  # instead of all that, in a very large run


def keys(run: Run) -> dict[str, str]:
    """The id of each task's evidence in the page."""
    return {task: f"e{number}" for number, task in enumerate(_tasks(run), start=1)}


def targets(run: Run) -> tuple[Target, ...]:
    """One for each task that a verdict rests on, in the order of the verdicts."""
    ids, seen, names = keys(run), view.observations(run), view.vantages(run)
    checks = {check.id: check for check in run.plan.checks}
    room, whole, many = _RAW_ALL, _WHOLE, len(ids) > _FULL
    made = []
    for task, own in _tasks(run).items():
        mine = [seen[task, name] for name in names if (task, name) in seen]
        fine = all(verdict.status in _FINE for verdict in own)
        told, standing = told_of(mine, own, names)
        target = _target(ids[task], own, told, checks, brief=many and (fine or whole <= 0))
        target = msgspec.structs.replace(target, standing=standing)
        if not fine and not target.brief:
            whole -= 1
            raw = tuple((one.vantage, _raw(one)) for one in told) if room > 0 else ()
            room -= sum(len(text) for _, text in raw)
            target = msgspec.structs.replace(target, raw=raw)
        made.append(target)
    return tuple(made)


def _tasks(run: Run) -> dict[str, list[Verdict]]:
    groups: dict[str, list[Verdict]] = {}
    for verdict in run.verdicts:
        if verdict.task:
            groups.setdefault(verdict.task, []).append(verdict)
    return groups


def _target(
    key: str, own: Sequence[Verdict], seen: Sequence[Observation], checks: dict[str, Check], *, brief: bool
) -> Target:
    said = alike.said(verdict for verdict in own if verdict.status not in _FINE)
    status = worst(verdict.status for verdict in own)
    fine = all(verdict.status in _FINE for verdict in own)
    target = Target(
        key=key,
        name=own[0].target,
        probe=seen[0].probe.replace("_", " ") if seen else "",
        status=status,
        fine=fine,
        said=said[:_SAID],
        more=sum(len(one.vantages) for one in said[_SAID:]),
        titles=tuple(dict.fromkeys(verdict.title for verdict in own)),
    )
    if brief:
        return msgspec.structs.replace(target, brief=tuple(map(_brief, seen)))
    failed = {verdict.vantage: verdict.at for verdict in own if verdict.at and verdict.status not in _FINE}
    lanes = [lane for one in seen for lane in stages.lanes(one, failed.get(one.vantage))]
    expected = tuple(
        dict.fromkeys(text for one in own if one.check in checks for text in checks[one.check].expect.issuers)
    )
    return msgspec.structs.replace(
        target,
        names=tuple(_names(seen)),
        attempts=tuple(attempt for one in seen for attempt in (*_attempts(one, failed.get(one.vantage)), *_alone(one))),
        chains=presented(seen, expected),
        answers=() if fine else tuple(_answers(seen)),
        facts=tuple(
            (one.vantage, hop.role, name, value)
            for one in seen
            for hop in one.hops
            for name, value in hop.service.items()
        ),
        picture=svg.waterfall(lanes, title=f"Stages at {own[0].target}, by vantage", key=f"{key}-w") if lanes else "",
        notes=tuple(_notes(seen)),
    )


def _brief(seen: Observation) -> str:
    first = seen.hops[0] if seen.hops else None
    addresses = ", ".join(first.dns.addresses) if first is not None and first.dns is not UNSET else ""
    return f"{seen.vantage}: {addresses or 'no name to resolve'}, {view.took(seen.duration_ms)}"


def _names(seen: Iterable[Observation]) -> Iterable[Name]:
    """Each name once: the target's, a proxy's, and those that redirects lead to."""
    told: dict[str, dict[str, DnsFacts]] = {}
    for one in seen:
        for facts in _lookups(one.hops):
            told.setdefault(facts.name, {}).setdefault(one.vantage, facts)
    for name, places in told.items():
        servers = tuple(row for vantage, facts in places.items() for row in _servers(vantage, facts))
        yield Name(name=name, paths=_paths(places), servers=servers)


def _paths(places: dict[str, DnsFacts]) -> tuple[NamePath, ...]:
    groups: dict[tuple[tuple[str, ...], tuple[str, ...], str], list[str]] = {}
    for vantage, facts in places.items():
        chain = max((answer.chain for answer in facts.answers), key=len, default=())
        groups.setdefault((chain or (facts.name,), facts.addresses, _system(facts)), []).append(vantage)
    return tuple(
        NamePath(vantages=tuple(vantages), steps=steps, addresses=addresses, system=system)
        for (steps, addresses, system), vantages in groups.items()
    )


def _lookups(hops: Iterable[Hop]) -> Iterable[DnsFacts]:
    for hop in hops:
        if hop.proxy is not UNSET and hop.proxy.dns is not UNSET:
            yield hop.proxy.dns
        if hop.dns is not UNSET:
            yield hop.dns


def _servers(vantage: str, facts: DnsFacts) -> Iterable[tuple[str, str, str, str]]:
    servers: dict[tuple[str, str], dict[str, list[str]]] = {}
    for answer in facts.answers:
        said = servers.setdefault((answer.server, answer.role), {"A": [], "AAAA": []})
        said.setdefault(answer.rtype, []).append(_said(answer))
    for (server, role), said in servers.items():
        name = server if role == "configured" else f"{server} ({role})"
        yield vantage, name, " · ".join(said["A"]), " · ".join(said["AAAA"])


def _said(answer: DnsAnswer) -> str:
    took = view.took(answer.duration_ms)
    again = f"attempt {answer.attempt}: " if answer.attempt > 1 else ""
    over = " over TCP" if answer.transport == "tcp" else ""
    if answer.result != "answer":
        why = answer.errno or answer.detail
        return f"{again}{answer.result}{f' ({why})' if why else ''}{over}, {took}"
    if answer.rcode != "NOERROR":
        return f"{again}{answer.rcode}{over}, {took}"
    ttl = f", TTL {answer.ttl} s" if answer.ttl is not None else ""
    return f"{again}{', '.join(answer.addresses) or 'no data'}{ttl}{over}, {took}"


def _system(facts: DnsFacts) -> str:
    looked = facts.system
    hosts = f"; hosts file: {', '.join(looked.hosts_file)}" if looked.hosts_file else ""
    match looked.result:
        case "replaced":
            return "system lookup: not made, the environment replaces the resolver"
        case "literal":
            return "an address, nothing to look up"
        case "answer":
            same = set(looked.addresses) == set(facts.addresses)
            return f"system lookup: {'the same' if same else ', '.join(looked.addresses)}{hosts}"
        case _:
            return f"system lookup: {looked.error or looked.result}{hosts}"


def _attempts(seen: Observation, failed_at: str | None) -> Iterable[Attempt]:
    for hop in seen.hops:
        broke = any(span.broken for span in stages.spans(hop)) or (failed_at or "").rpartition(".")[0] == hop.role
        yield from _proxy_attempts(seen.vantage, hop)
        tls = hop.tls if hop.tls is not UNSET else None
        if not hop.connections:
            address = "over the connection before" if hop.reused else _unconnected(hop)
            yield _attempt(seen.vantage, hop, address, "", tls, broke=broke)
        for at, one in enumerate(hop.connections, start=1):
            last = at == len(hop.connections)
            shaken = one.tls if one.tls is not UNSET else None
            yield _attempt(seen.vantage, hop, _address(one.tcp), _tcp(one.tcp), shaken, broke=broke, last=last)


def _alone(seen: Observation) -> Iterable[Attempt]:
    """The second try, when few others asked."""
    if seen.alone is not UNSET:
        told = msgspec.structs.replace(seen, hops=seen.alone.hops, vantage=f"{seen.vantage}, again alone")
        yield from _attempts(told, None)


def _unconnected(hop: Hop) -> str:
    return "through the proxy" if hop.proxy is not UNSET else ""


def _proxy_attempts(vantage: str, hop: Hop) -> Iterable[Attempt]:
    if hop.proxy is UNSET:
        return
    connect = hop.proxy.connect
    address = ", ".join(_address(one.tcp) for one in hop.proxy.connections)
    yield Attempt(
        vantage=vantage,
        role=f"{hop.role} proxy",
        url=f"{hop.proxy.url} (from {hop.proxy.source})",
        address=address,
        tcp=", ".join(_tcp(one.tcp) for one in hop.proxy.connections),
        tls="",
        answer=f"CONNECT: {_http(connect)}" if connect is not UNSET else "",
        took="",
        broke=connect is not UNSET and (connect.status or 999) >= 300,
    )


def _attempt(
    vantage: str, hop: Hop, address: str, tcp: str, tls: TlsFacts | None, *, broke: bool, last: bool = True
) -> Attempt:
    return Attempt(
        vantage=vantage,
        role=hop.role,
        url=hop.url,
        address=address,
        tcp=tcp,
        tls=_tls(tls) if tls else "",
        answer=_http(hop.http) if last and hop.http is not UNSET else "",
        took=view.took(hop.duration_ms) if last else "",
        broke=broke,
    )


def _address(tcp: TcpFacts) -> str:
    host = f"[{tcp.address}]" if ":" in tcp.address else tcp.address
    mapped = f", mapped to {tcp.mapped_to}" if tcp.mapped_to else ""
    return f"{host}:{tcp.port}{f' from {tcp.source}' if tcp.source else ''}{mapped}"


def _tcp(tcp: TcpFacts) -> str:
    again = f"attempt {tcp.attempt}: " if tcp.attempt > 1 else ""
    if tcp.result == "timeout":
        return f"{again}no answer within {view.took(tcp.cap_ms)}"
    return f"{again}{tcp.errno or tcp.result}, {view.took(tcp.duration_ms)}"


def _tls(tls: TlsFacts) -> str:
    took = view.took(tls.duration_ms)
    if tls.result == "ok":
        return f"{tls.version or 'TLS'}{f', {tls.alpn}' if tls.alpn else ''}, {took}"
    detail = tls.verify_message or tls.alert or tls.errno or ""
    after = "" if tls.chain or tls.alert else f" after {tls.bytes_received} bytes"
    return f"{tls.result}{f' ({detail})' if detail else ''}{after}, {took}"


def _http(http: HttpFacts) -> str:
    took = view.took(http.duration_ms)
    if http.status is None:
        return f"{http.method}: {http.result}{f' ({http.errno})' if http.errno else ''}, {took}"
    broken = "" if http.result == "ok" else f", {http.result}"
    return f"{http.method}: {http.status} {http.reason}".rstrip() + f"{broken}, {took}"


def _answers(seen: Iterable[Observation]) -> Iterable[Answer]:
    """Answers that explain something: refusals, errors, pages."""
    for one in seen:
        for hop in one.hops:
            connect = hop.proxy.connect if hop.proxy is not UNSET else UNSET
            for role, http in ((f"{hop.role} proxy", connect), (hop.role, hop.http)):
                if http is not UNSET and (http.status is None or http.status >= 400):
                    yield _answer(one.vantage, role, http)


def _answer(vantage: str, role: str, http: HttpFacts) -> Answer:
    return Answer(
        vantage=vantage,
        role=role,
        first=_http(http),
        headers=http.headers[:30],
        body=http.body[:_BODY],
        cut=len(http.body) > _BODY or not http.body_complete,
    )


def _notes(seen: Iterable[Observation]) -> Iterable[str]:
    for one in seen:
        if one.deadline_hit:
            yield f"{one.vantage}: the deadline of {view.took(one.deadline_ms)} passed before the end"
        if one.tool_error:
            yield f"{one.vantage}: preflight itself broke here: {one.tool_error}"


def _raw(one: Observation) -> str:
    shown = msgspec.json.format(msgspec.json.encode(one), indent=1).decode()
    return shown if len(shown) <= _RAW_EACH else f"{shown[:_RAW_EACH]}\n… the rest is in run.json"
