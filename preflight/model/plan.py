"""The plan: which task runs at which vantage, which check judges which part of it. Serialisable, free of secrets."""

import msgspec

from preflight.model.cluster import ClusterFacts
from preflight.model.vocabulary import KindName, Link, Phase, ProbeName, Severity, VantageName


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a task connects to. `scheme` is "https", "http", "tcp" or "dns"; `path` is empty for the last two."""

    scheme: str
    host: str  # lower-case name, or an address
    port: int
    path: str = "/"
    server_name: str | None = None  # SNI and certificate name when it differs from host

    @property
    def hostport(self) -> str:
        """`host:port`, brackets around IPv6 addresses."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without default port."""
        default = {"https": 443, "http": 80}.get(self.scheme)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host if self.port == default else f'{host}:{self.port}'}{self.path}"


class Expect(msgspec.Struct, frozen=True, kw_only=True):
    """What a check takes as good; all of it data, so that judging needs nothing but plan and observations."""

    statuses: tuple[tuple[int, int], ...] = ((200, 399),)  # inclusive ranges that count as an answer of the service
    issuers: tuple[str, ...] = ()  # texts of which one stands in an issuer of the chain; empty: any trusted issuer
    alpn: tuple[str, ...] = ()  # protocols of which one must be negotiated; empty: ALPN is not judged
    link: Link = Link.ANY
    public_access_denied: bool = False  # known from the environment: a public answer cannot work
    private_zone: str | None = None  # "privatelink.blob.core.windows.net": what the CNAME chain would contain
    addresses: tuple[str, ...] = ()  # the answer must be one of these (the router's address)
    catalogue_name: bool = True  # false for dependencies: loopback and private answers are facts, not faults
    trust: str = "system"  # "system", "cluster-ca" or "pods-ca"
    options: dict[str, str] = {}  # service-specific, documented beside the judge of the service


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One probe at one target; checks on the same target share it."""

    key: str  # unique within the plan: "registry:acrprod.azurecr.io:443"
    probe: ProbeName
    target: Target
    params: dict[str, str] = {}  # for the probe: repository, reference, account, container, blob, tenant, ...
    secrets: tuple[str, ...] = ()  # names of credentials the probe may use, never values: "registry_password"
    alpn: tuple[str, ...] = ("h2", "http/1.1")  # offered
    trust: str = "system"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement at one vantage for one target: gets exactly one verdict."""

    id: str  # "mcr.layers@node/user1"; with several targets "acr.data@node/user1[acr.westeurope.data.azurecr.io]"
    requirement: str
    title: str
    phase: Phase
    severity: Severity
    vantage: VantageName
    target: str  # "host:port"
    task: str
    judges: tuple[str, ...]  # the slices this check owns: "origin.dns", "origin.tcp", "manifest", "layer", ...
    decides: bool  # false: comparison evidence, shown beside and never part of the exit code
    expect: Expect
    breaks: str = ""  # one sentence: what does not work without it
    opens: tuple[str, ...] = ()  # "*.data.mcr.microsoft.com:443": second hops that a firewall has to allow besides
    precondition: str | None = None  # a cause that makes it `unknown` whatever was seen: "kube.ca-not-given"


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement that is not checked at a vantage (or at all), and why. Shown as `skipped` or `unknown`."""

    requirement: str
    title: str
    phase: Phase
    severity: Severity
    vantage: VantageName | None = None  # a vantage name, or None when it applies to none
    reason: str  # "vantage left out", "environment.registry is not given", "not with a custom domain", ...
    status: str = "skipped"  # or "unknown": a deciding vantage that could not run
    cause: str | None = None  # with "unknown"
    decides: bool = True
    target: str = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """All waiting is bounded by these; the values are evidence."""

    concurrency: int = 64  # checks at once
    per_host: int = 8  # checks of one host at once
    connect_cap_s: float = 3.0  # one connect, one handshake, one DNS query
    second_attempt_s: float = 1.0  # silence that long starts a second attempt beside the first
    answer_cap_s: float = 10.0  # one HTTP answer
    check_deadline_s: float = 30.0  # one check, with everything it does
    run_deadline_s: float = 300.0  # the whole run
    connects_per_s: float = 50.0  # new connections a second to one address and port, from all places in the cluster


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """Replaces resolver and destinations, for the lab and for tests; always visible in the report."""

    nameservers: tuple[str, ...] = ()  # "127.0.0.1:5353"
    connect_to: dict[str, str] = {}  # "203.0.113.20:443" -> "127.0.0.1:18443"


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """Proxies of a vantage; URLs without credentials. `user_secret` names the credential "user:password"."""

    https: str | None = None
    http: str | None = None
    no_proxy: str = ""
    from_environment: bool = True  # HTTPS_PROXY, HTTP_PROXY, NO_PROXY of the vantage apply where nothing is set here


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """One place's share of what all places in the cluster may do to one destination; as it is here, no bound at all."""

    connects_per_s: float = 0.0  # new connections to one address and port; 0: as many as there are
    burst: int = 1  # of them at once
    spread_s: float = 0.0  # the checks begin within that time, each at a moment of its own
    places: int = 0  # that ask at once
    alone_s: float = 0.0  # what failed as under load is tried again, alone, within that time; 0: it is not


class VantagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one vantage is handed: the agent's whole input, besides the values of secrets."""

    schema_version: int = 1
    run_id: str
    vantage: VantageName
    tasks: tuple[Task, ...]
    limits: Limits = Limits()
    pace: Pace = Pace()
    mapping: Mapping = Mapping()
    proxy: Proxy = Proxy()
    no_proxy_as: str = "go"  # whose NO_PROXY semantics decide: "go" for node and pod, "python" or "curl" elsewhere
    ca_pem: str = ""  # added to the system store
    cluster_ca_pem: str = ""  # judges the API server, alone
    pods_ca_pem: str = ""  # judges the API server at its address inside the cluster, alone
    compare_resolvers: tuple[str, ...] = ()
    resolver_consumer: str | None = None  # "coredns" for pods; None: found out at the vantage


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Catalogue x environment."""

    catalogue_version: str
    vantages: tuple[VantageName, ...]
    stand_in: tuple[KindName, ...] = ()  # kinds for which the workstation decides
    tasks: tuple[Task, ...]
    runs: dict[str, tuple[str, ...]]  # vantage -> keys of the tasks it runs
    checks: tuple[Check, ...]  # in catalogue order, then vantage, then target
    left_out: tuple[LeftOut, ...] = ()
    cluster: ClusterFacts | None = None  # what was scouted before planning; None: no cluster was named
