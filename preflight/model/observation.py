"""What a probe saw: timed facts of one task at one vantage. Never a verdict, never a secret.

Every text that came over the network is bounded where it is made (`preflight.probes`), and hostile until it is escaped
(`preflight.render`). Times are milliseconds; `started` is UTC, ISO 8601 with milliseconds; `at_ms` counts from the
observation's start. A stage that was not reached is `UNSET` and absent from the JSON, never zero.
What holds nothing but texts, numbers and its like is not looked through for cycles (`gc=False`): there are hundreds of
thousands of them in a run of a thousand places.
"""

import msgspec
from msgspec import UNSET, UnsetType

from preflight.model.vocabulary import ProbeName, VantageName


class DnsAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One query for one type at one server."""

    server: str  # "10.0.0.4:53" or "[fd00::4]:53"
    role: str = "configured"  # or "compared": a resolver of the environment that no consumer here uses
    rtype: str  # "A" or "AAAA"
    transport: str  # "udp" or "tcp": the one that `result` speaks of
    result: str  # "answer", "timeout", "malformed" or "error" (see errno)
    rcode: str | None = None  # NOERROR, NXDOMAIN, SERVFAIL, REFUSED, ... when result is "answer"
    chain: tuple[str, ...] = ()  # queried name, then each CNAME target, lower case, no final dot
    addresses: tuple[str, ...] = ()
    ttl: int | None = None  # smallest of the answer, seconds
    truncated: bool = False  # the UDP answer had TC set, so TCP was tried
    errno: str | None = None  # "ECONNREFUSED", "ENETUNREACH", ...
    detail: str = ""  # for people
    attempt: int = 1
    at_ms: float
    duration_ms: float


class SystemLookup(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the system's own resolver (getaddrinfo, hosts file included) would have used."""

    result: str  # "answer", "failed", "timeout", "replaced" (the environment maps the resolver), "literal", "not-made"
    addresses: tuple[str, ...] = ()
    hosts_file: tuple[str, ...] = ()  # addresses that the hosts file has for the name
    error: str | None = None  # "EAI_NONAME", "EAI_AGAIN", ...; "getent", "curl": that tool's, which does not say why
    duration_ms: float = 0.0


class DnsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The dns stage of a hop."""

    name: str
    answers: tuple[DnsAnswer, ...] = ()  # ordered by server as configured, then type, then attempt
    system: SystemLookup
    addresses: tuple[str, ...] = ()  # what the connection used, in order of trial


class TcpFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One connect to one address."""

    address: str
    port: int
    result: str  # "connected", "timeout" or "error" (see errno)
    errno: str | None = None  # ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EACCES, ECONNRESET, ...
    icmp_code: int | None = None  # of an ICMP (type 3) or ICMPv6 (type 1) "destination unreachable", where it is known
    icmp_from: str | None = None  # the device that sent it
    source: str | None = None  # "10.0.0.7:51234"
    mapped_to: str | None = None  # "127.0.0.1:18443" where the environment's connect_to replaced the destination
    mss: int | None = None  # clamped for a second attempt after a silent stall
    attempt: int = 1
    retransmits: int = 0  # of the first packet, before its answer came; 0 also where the kernel does not tell
    cap_ms: float
    at_ms: float
    duration_ms: float


class Certificate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One certificate of the presented chain, leaf first."""

    subject: str  # RFC 4514
    issuer: str
    sans: tuple[str, ...] = ()  # DNS names and IP addresses, at most 100; the last one tells how many are left out
    not_before: str  # UTC, ISO 8601
    not_after: str
    serial: str = ""  # hex
    sha256: str = ""  # hex, of the DER


class TlsFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One handshake that verifies; `chain` is what was presented, also when verification failed."""

    server_name: str | None  # SNI
    result: str  # "ok", "timeout", "reset", "closed" (end of file), "alert", "unverified", "not-tls", "too-large", ...
    trust: str = "system"  # store that judged: "system", "ca_file", "system+ca_file", "cluster-ca", ...
    version: str | None = None  # "TLSv1.3"
    cipher: str | None = None
    alpn_offered: tuple[str, ...] = ()
    alpn: str | None = None
    verify_code: int | None = None  # X509_V_ERR_*: 10 expired, 9 not yet valid, 18/19/20 untrusted, 62 wrong name
    verify_message: str | None = None
    alert: str | None = None  # "handshake_failure", "protocol_version", "unrecognized_name", ...
    errno: str | None = None
    bytes_received: int = 0  # before the result; 0 means cut right after the ClientHello
    first_bytes: str = ""  # hex, at most 64 bytes: names what answered when it was not TLS
    chain: tuple[Certificate, ...] = ()
    chain_source: str | None = None  # "handshake" or "second-handshake"
    served_date: str | None = None  # where the dates alone failed: Date of an answer over a connection without them
    detail: str = ""
    at_ms: float
    duration_ms: float


class HttpFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request and what came back."""

    method: str
    result: str  # "ok" (a complete answer), "timeout", "reset", "closed", "malformed", "too-large", "error"
    status: int | None = None
    reason: str = ""
    version: str | None = None  # "HTTP/1.1", "HTTP/2"
    headers: tuple[tuple[str, str], ...] = ()  # lower-case names, as received, bounded, secrets removed
    body: str = ""  # beginning of the body as text, at most 4,096 characters, secrets removed
    body_bytes: int = 0  # received, before any limit cut it
    body_complete: bool = False
    sent_bytes: int = 0
    errno: str | None = None
    detail: str = ""
    at_ms: float
    duration_ms: float


class Connection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The attempt at one address: what was reached of tcp and tls."""

    address: str
    tcp: TcpFacts
    tls: TlsFacts | UnsetType = UNSET


class ProxyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The proxy hop in front of a target: its own name, connections and CONNECT."""

    url: str  # credentials removed
    source: str  # "preflight.toml proxy.https", "environment HTTPS_PROXY", ...
    dns: DnsFacts | UnsetType = UNSET
    connections: tuple[Connection, ...] = ()
    connect: HttpFacts | UnsetType = UNSET  # absent for plain-HTTP targets, which the proxy fetches itself


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One request on the way: the target itself, a token endpoint, a redirect.

    `role` names it within its probe: "origin" is always the first; "token", "manifest", "layer", "read", "query", ...
    are service steps; a redirect of X is "X.redirect" with a number ("layer.redirect1"). `service` holds what the probe
    parsed out of the answer (keys are the probe's, documented in its module), for example {"digest": "verified"}.
    """

    role: str
    url: str  # query secrets removed
    started: str
    at_ms: float
    duration_ms: float
    reused: bool = False  # sent over the connection of an earlier hop: no dns, proxy, connections of its own
    dns: DnsFacts | UnsetType = UNSET
    proxy: ProxyFacts | UnsetType = UNSET
    connections: tuple[Connection, ...] = ()
    tls: TlsFacts | UnsetType = UNSET  # of the target when it was reached through a proxy
    http: HttpFacts | UnsetType = UNSET
    clamped: HttpFacts | UnsetType = UNSET  # the same request beside a stalled one, over small segments (TCP_MAXSEG)
    service: dict[str, str] = {}


class Repeat(msgspec.Struct, frozen=True, kw_only=True):
    """The same task once more, when the crowd of places was done with it and few others asked."""

    started: str
    duration_ms: float
    hops: tuple[Hop, ...] = ()
    finished: bool = False


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one task saw at one vantage."""

    task: str
    vantage: VantageName
    probe: ProbeName
    target: str  # "host:port"
    started: str
    duration_ms: float
    deadline_ms: float
    hops: tuple[Hop, ...] = ()
    finished: bool = False  # the probe came to its own end: nothing is missing that it would have brought
    deadline_hit: bool = False
    tool_error: str | None = None  # the tool broke: type and message, never a failed check
    untested: str | UnsetType = UNSET  # what the means of this place could not test, and why: unknown, never passed
    alone: Repeat | UnsetType = UNSET  # what failed as under load, and was tried again alone


class ResolverFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How names are looked up at a vantage."""

    consumer: str  # "glibc", "coredns", "systemd-resolved", "dnsmasq", "mapped" or "other"
    nameservers: tuple[str, ...] = ()  # "10.0.0.4:53"
    search: tuple[str, ...] = ()
    ndots: int = 1
    options: tuple[str, ...] = ()
    source: str = ""  # "/etc/resolv.conf", "preflight.toml mapping.nameservers"


class VantageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of a vantage itself; evidence beside every observation from there."""

    vantage: VantageName
    tool_version: str
    host: str = ""
    place: str = ""  # in a cluster: node, pool and image of the probe
    node: str = ""  # in a cluster: the node, as the probe itself knows it
    via: str | UnsetType = UNSET  # "existing-pod shop/model-0": a shell probe in what was there, with fewer stages
    platform: str = ""
    resolver: ResolverFacts
    proxies: dict[str, str] = {}  # "https_proxy" -> URL without credentials, "no_proxy" -> text
    families: tuple[str, ...] = ("ipv4",)  # families with a global address and a route: "ipv4", "ipv6"
    trust: str = ""  # "system: 142 certificates, /etc/ssl/certs/ca-certificates.crt"
    node_trust: str = ""  # with --node-trust: the node's own store, as `trust` says of the probe's
    node_roots: tuple[str, ...] = ()  # authorities of that store that the probe's lacks: RFC 4514, at most 40
    notices: tuple[str, ...] = ()
    started: str
    finished: str | None = None
    complete: bool = False  # the closing line arrived; false means facts are missing, never passed
    error: str | None = None  # why the vantage did not run, for people
    error_cause: str | None = None  # and from the closed vocabulary: "vantage.not-run", ...
