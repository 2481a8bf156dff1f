"""The catalogue's values: one documented requirement each. Loaded and checked by `preflight.catalogue`."""

import msgspec

from preflight.model.vocabulary import Phase, ProbeName, Severity, VantageKind


class RequirementExpect(msgspec.Struct, frozen=True, kw_only=True):
    """[requirement.expect]: what counts as good; see `preflight.model.plan.Expect`."""

    statuses: tuple[str, ...] = ("200-399",)  # "401" or "200-399"
    issuers: tuple[str, ...] = ()  # empty: the cloud's
    any_issuer: bool = False  # true: any trusted issuer is good (cloud issuers do not apply)
    alpn: tuple[str, ...] = ()  # protocols of which one must be negotiated
    link: str | None = None  # where the expectation stands: "registry.link", "storage.blob_link", "workspace.link"
    private_zone: str | None = None  # template
    addresses: tuple[str, ...] = ()  # templates; one that needs a key which is not given is dropped
    options: dict[str, str] = {}  # templates, likewise


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """[[requirement]] of checks/*.toml."""

    id: str  # [a-z0-9.-]+
    title: str  # phrased in its good state: "MCR resolves"
    phase: Phase  # of the documentation's chronological order
    severity: Severity  # whether a failure fails the run
    decides: tuple[VantageKind, ...]  # vantages whose verdict counts
    informs: tuple[VantageKind, ...] = ()  # vantages that are compared and never count
    probe: ProbeName  # what tests it
    target: str  # URL template: "https://{acr}/v2/"
    each: str | None = None  # one check for each of: "storage", "registry.data", "packages"
    params: dict[str, str] = {}  # templates; one that needs a key which is not given is dropped
    opens: tuple[str, ...] = ()  # "host:port" a firewall has to allow besides, "*" for unnamed parts: second hops
    secrets: tuple[str, ...] = ()  # credentials that the probe may use
    trust: str = "system"  # or "cluster-ca", "pods-ca"
    judges: tuple[str, ...]  # "origin.dns", "origin.tcp", "manifest", "layer", ...
    after: tuple[str, ...] = ()  # ids on the same target that come first (order and cycles are checked)
    when: tuple[str, ...] = ()  # conditions, all must hold: "token-authentication", "not custom-domain", "layout v1"
    expect: RequirementExpect = RequirementExpect()  # what counts as good
    breaks: str  # one sentence: what does not work without it
    source: str  # document, with its date
    reviewed: str  # YYYY-MM-DD


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All requirements, in order; `version` is the newest `reviewed` as YYYY.MM and a digest of the content."""

    version: str
    requirements: tuple[Requirement, ...]
