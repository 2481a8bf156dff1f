"""Makes observations for the tests of the reports, stage by stage. Deterministic, no clock."""

import zlib

from msgspec import UNSET

from preflight.model.observation import (
    Certificate,
    Connection,
    DnsAnswer,
    DnsFacts,
    Hop,
    HttpFacts,
    Observation,
    SystemLookup,
    TcpFacts,
    TlsFacts,
)
from preflight.model.plan import Task
from preflight.model.vocabulary import Stage

STARTED = "2026-11-23T08:14:05.120Z"
FINISHED = "2026-11-23T08:14:09.023Z"
VANTAGES = ("workstation", "node/user1", "pod/user1")
SERVERS = {"workstation": ("192.168.17.1:53",), "node": ("10.20.0.4:53", "10.20.0.5:53"), "pod": ("10.0.0.10:53",)}
SOURCES = {"workstation": "192.168.17.23", "node": "10.240.0.8", "pod": "10.244.3.17"}
PAST = {"dns": 1.0, "tcp": 2.0, "tls": 4.0, "http": 6.0}
MICROSOFT = "CN=Microsoft Azure RSA TLS Issuing CA 07,O=Microsoft Corporation,C=US"
DIGICERT = "CN=DigiCert Global Root G2,OU=www.digicert.com,O=DigiCert Inc,C=US"


def kind(vantage: str) -> str:
    return vantage.partition("/")[0]


def spread(*words: str, low: float = 0.4, high: float = 1.6) -> float:
    """A factor that looks random and never changes."""
    return low + (high - low) * (zlib.crc32("|".join(words).encode()) % 1000) / 1000


def took(vantage: str, url: str, stage: str) -> float:
    far = 3.0 if kind(vantage) == "workstation" else 1.0
    return round(PAST[stage] * far * spread(vantage, url, stage), 3)


def certificate(
    subject: str, issuer: str = MICROSOFT, *, sans: tuple[str, ...] = (), until: str = "2027-04-30"
) -> Certificate:
    serial = f"{zlib.crc32((subject + issuer).encode()):08x}"
    return Certificate(
        subject=subject,
        issuer=issuer,
        sans=sans,
        not_before="2026-05-04T00:00:00Z",
        not_after=f"{until}T23:59:59Z",
        serial=serial,
        sha256=serial * 8,
    )


def microsoft_chain(host: str) -> tuple[Certificate, ...]:
    return (
        certificate(
            f"CN={host},O=Microsoft Corporation,L=Redmond,ST=WA,C=US", sans=(host, "*." + host.partition(".")[2])
        ),
        certificate(MICROSOFT, DIGICERT, until="2031-06-08"),
    )


def dns_facts(
    name: str,
    vantage: str,
    *,
    chain: tuple[str, ...] = (),
    addresses: tuple[str, ...] = (),
    rcode: str = "NOERROR",
    at: float = 0.0,
) -> DnsFacts:
    spent = took(vantage, name, "dns")
    answers = [
        DnsAnswer(
            server=server,
            rtype=rtype,
            transport="udp",
            result="answer",
            rcode=rcode,
            chain=(name, *chain) if rcode == "NOERROR" else (name,),
            addresses=addresses if rtype == "A" else (),
            ttl=60 if addresses else None,
            at_ms=at,
            duration_ms=round(spent * spread(server, rtype, low=0.6, high=1.0), 3),
        )
        for server in SERVERS[kind(vantage)]
        for rtype in ("A", "AAAA")
    ]
    looked = SystemLookup(
        result="answer" if addresses else "failed",
        addresses=addresses,
        error=None if addresses else "EAI_NONAME",
        duration_ms=spent,
    )
    return DnsFacts(name=name, answers=tuple(answers), system=looked, addresses=addresses)


def tcp_facts(
    address: str, vantage: str, url: str, *, at: float, result: str = "connected", port: int = 443, attempt: int = 1
) -> TcpFacts:
    spent = 3000.0 if result == "timeout" else took(vantage, url, "tcp")
    return TcpFacts(
        address=address,
        port=port,
        result=result,
        source=f"{SOURCES[kind(vantage)]}:{40000 + zlib.crc32((vantage + url).encode()) % 20000 + attempt}",
        attempt=attempt,
        cap_ms=3000.0,
        at_ms=at,
        duration_ms=spent,
    )


def tls_facts(
    host: str,
    vantage: str,
    url: str,
    *,
    at: float,
    result: str = "ok",
    chain: tuple[Certificate, ...] | None = None,
    **more: object,
) -> TlsFacts:
    good = result == "ok"
    return TlsFacts(
        server_name=host,
        result=result,
        version="TLSv1.3" if good else None,
        cipher="TLS_AES_256_GCM_SHA384" if good else None,
        alpn_offered=("h2", "http/1.1"),
        alpn="h2" if good else None,
        chain=chain if chain is not None else (microsoft_chain(host) if good else ()),
        chain_source="handshake" if good else None,
        bytes_received=4213 if good else 0,
        at_ms=at,
        duration_ms=took(vantage, url, "tls"),
        **more,  # type: ignore[arg-type]
    )


def http_facts(
    vantage: str,
    url: str,
    *,
    at: float,
    status: int = 200,
    headers: tuple[tuple[str, str], ...] = (),
    body: str = "",
    method: str = "GET",
) -> HttpFacts:
    return HttpFacts(
        method=method,
        result="ok",
        status=status,
        reason={
            200: "OK",
            206: "Partial Content",
            307: "Temporary Redirect",
            401: "Unauthorized",
            403: "Forbidden",
        }.get(status, ""),
        version="HTTP/2",
        headers=(("date", "Mon, 23 Nov 2026 08:14:06 GMT"), *headers),
        body=body,
        body_bytes=len(body.encode()),
        body_complete=True,
        sent_bytes=212,
        at_ms=at,
        duration_ms=took(vantage, url, "http"),
    )


def hop(
    vantage: str,
    url: str,
    *,
    role: str = "origin",
    at: float = 0.0,
    cname: tuple[str, ...] = (),
    address: str | None = "20.61.99.68",
    rcode: str = "NOERROR",
    tcp: str = "connected",
    tls: str | None = "ok",
    chain: tuple[Certificate, ...] | None = None,
    tls_more: dict[str, object] | None = None,
    status: int | None = 200,
    headers: tuple[tuple[str, str], ...] = (),
    body: str = "",
    service: dict[str, str] | None = None,
    reused: bool = False,
) -> Hop:
    """One hop up to where it broke: address None, tcp other than connected, tls other than ok, or status None."""
    scheme, _, rest = url.partition("://")
    hostport = rest.partition("/")[0]
    host, _, port = hostport.partition(":")
    clock = at
    named = (
        UNSET
        if reused
        else dns_facts(host, vantage, chain=cname, addresses=(address,) if address else (), rcode=rcode, at=at)
    )
    connections: tuple[Connection, ...] = ()
    if not reused and named is not UNSET:
        clock += max(answer.duration_ms for answer in named.answers)
    if not reused and address:
        reached = tcp_facts(address, vantage, url, at=clock, result=tcp, port=int(port or 443))
        clock += reached.duration_ms
        shaken = UNSET
        if tcp == "connected" and scheme == "https" and tls:
            shaken = tls_facts(host, vantage, url, at=clock, result=tls, chain=chain, **(tls_more or {}))
            clock += shaken.duration_ms
        connections = (Connection(address=address, tcp=reached, tls=shaken),)
    whole = reused or (address is not None and tcp == "connected" and (scheme == "http" or tls == "ok"))
    answered = (
        http_facts(vantage, url, at=clock, status=status, headers=headers, body=body)
        if whole and status and scheme != "tcp"
        else UNSET
    )
    clock += answered.duration_ms if answered is not UNSET else 0.0
    return Hop(
        role=role,
        url=url,
        started=STARTED,
        at_ms=at,
        duration_ms=round(clock - at, 3),
        reused=reused,
        dns=named,
        connections=connections,
        http=answered,
        service=service or {},
    )


def observation(task: Task, vantage: str, hops: tuple[Hop, ...], **more: object) -> Observation:
    end = max((one.at_ms + one.duration_ms for one in hops), default=0.0)
    return Observation(
        task=task.key,
        vantage=vantage,
        probe=task.probe,
        target=task.target.hostport,
        started=STARTED,
        duration_ms=round(end, 3),
        deadline_ms=30000.0,
        hops=hops,
        **({"finished": bool(hops) and not more.get("tool_error")} | more),  # type: ignore[arg-type]
    )


def owned_ms(seen: Observation, judges: tuple[str, ...]) -> float | None:
    """The time of the stages that the slices name, as the judge would add it up."""
    spent: list[float] = []
    for one in seen.hops:
        for piece in judges:
            role, _, stage = piece.partition(".")
            if one.role == role or one.role.startswith(f"{role}.redirect"):
                spent += _stage_ms(one, stage)
    return round(sum(spent), 3) if spent else None


def _stage_ms(one: Hop, stage: str) -> list[float]:
    spent = []
    if stage in {"", Stage.DNS} and one.dns is not UNSET:
        spent.append(max(answer.duration_ms for answer in one.dns.answers))
    for connection in one.connections:
        if stage in {"", Stage.TCP}:
            spent.append(connection.tcp.duration_ms)
        if stage in {"", Stage.TLS} and connection.tls is not UNSET:
            spent.append(connection.tls.duration_ms)
    if stage in {"", Stage.HTTP} and one.http is not UNSET:
        spent.append(one.http.duration_ms)
    return spent
