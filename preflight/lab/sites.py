"""Where each cause is produced: requirement, host and, for HTTP, the request. One table; the servers read it by host.

A cause says by itself what happens there (see `dns`, `front`, `proxy` and `services`): this table only says where.
"""

import re

import msgspec

from preflight.lab import deployment as at

_DNS = (
    "dns.nxdomain", "dns.nodata", "dns.servfail", "dns.refused", "dns.timeout", "dns.tcp-blocked", "dns.malformed",
    "dns.sinkhole", "dns.inconsistent", "dns.server-dead", "dns.aaaa-failing",
)  # fmt: skip
_PRIVATE_DNS = (
    "dns.privatelink-public-answer", "dns.privatelink-record-missing", "dns.rebind-filtered",
    "dns.public-when-private-expected",
)  # fmt: skip
_TCP = ("route.unreachable", "tcp.refused", "tcp.timeout")
_CUTS = ("tls.reset-after-hello", "tls.closed", "tls.timeout", "tls.not-tls", "tls.alert", "tls.version")
_LEAVES = ("tls.expired", "tls.not-yet-valid", "tls.expiring", "tls.wrong-name")
_TLS = (*_CUTS, *_LEAVES, "tls.intercepted", "tls.incomplete-chain")
_CLUSTER_TLS = (*_CUTS, *_LEAVES, "tls.intercepted", "tls.alpn-stripped")
_FOREIGN_TLS = (*_CUTS, *_LEAVES, "tls.untrusted", "tls.incomplete-chain")
_PROXY = ("proxy.unresolved", "proxy.unreachable", "proxy.auth-required", "proxy.denied", "proxy.failed")
_WAYS = (*_TCP, *_TLS, *_PROXY)
_CUT_HTTP = ("http.timeout", "http.reset", "http.malformed", "http.block-page", "http.redirect-loop")
_LATER_HTTP = (*_CUT_HTTP, "http.unexpected-status")  # a request over a connection that served before
_HTTP = (*_LATER_HTTP, "http.stalled")  # the first of a connection: small segments are tried on another one
_REGISTRY = ("registry.throttled", "registry.unavailable")
_STORAGE = (
    "storage.unauthorized", "storage.permission-mismatch", "storage.source-ip-mismatch",
    "storage.key-auth-not-permitted", "storage.not-found",
)  # fmt: skip
_STORAGE_DOWN = ("storage.throttled", "storage.unavailable")

_ALL = r".*"
_VERSION = r"\w+ GET /version.*"
_CHALLENGE = r"\w+ GET /v2/"
_TOKEN = r"\w+ (GET|POST) /oauth2/token.*"  # noqa: S105 - a pattern
_MANIFEST = r"\w+ GET /v2/.+/manifests/.*"
_BLOBS = r"\w+ GET /v2/.+/blobs/.*"
_READ = r"signed GET /(Tables.*|[^?].*)"
_OPENID = r"\w+ GET /.+/openid-configuration"
_OAUTH = r"\w+ POST /.+/oauth2/v2.0/token"
_SIGNED = r"signed .*"


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Causes of a requirement that are produced at one host; `step` matches `signed|anonymous METHOD target`."""

    requirement: str
    host: str
    causes: tuple[str, ...]
    step: str = _ALL
    fails: bool = True  # the requirement is a required one

    def takes(self, step: str) -> bool:
        """Whether a request is the one that this requirement is about."""
        return re.fullmatch(self.step, step) is not None


def _site(requirement: str, host: at.Host, *causes: str, step: str = _ALL, fails: bool = True) -> Site:
    return Site(requirement=requirement, host=host.name, causes=causes, step=step, fails=fails)


def _registry(group: str, host: at.Host, data: at.Host, *more: str) -> tuple[Site, ...]:
    return (
        _site(f"{group}.resolve", host, *_DNS, *more),
        _site(f"{group}.reach", host, *_WAYS),
        _site(f"{group}.reach", host, *_HTTP, "registry.no-challenge", *_REGISTRY, step=_CHALLENGE),
        _site(f"{group}.manifest", host, *_LATER_HTTP, "registry.not-found", *_REGISTRY, step=_MANIFEST),
        _site(f"{group}.layers", host, "registry.not-found", *_REGISTRY, step=_BLOBS),
        _site(f"{group}.layers", data, *_DNS, *_TCP, *_TLS, *_HTTP, "registry.digest-mismatch"),
    )


def _storage(group: str, host: at.Host) -> tuple[Site, ...]:
    return (
        _site(f"{group}.resolve", host, *_DNS, *_PRIVATE_DNS),
        _site(f"{group}.reach", host, *_WAYS),
        _site(f"{group}.read", host, *_HTTP, *_STORAGE_DOWN, "storage.denied-by-network"),
        _site(f"{group}.read", host, *_STORAGE, step=_READ),
        _site(f"{group}.read", host, "storage.admission-unknown"),
    )


def _egress(name: str, host: at.Host) -> Site:
    return _site(f"aks-egress.{name}", host, *_DNS, *_TCP, *_TLS, *_PROXY, *_HTTP, fails=False)


SITES: tuple[Site, ...] = (
    _site("api-server.resolve", at.API_SERVER, *_DNS, "dns.private-when-public-expected"),
    _site("api-server.reach", at.API_SERVER, *_TCP, *_CLUSTER_TLS, *_PROXY),
    _site(
        "api-server.query", at.API_SERVER, *_CUT_HTTP, "http.stalled",
        "kube.unexpected-answer", "kube.sni-missing", "kube.throttled", "kube.unavailable", step=_VERSION,
    ),
    _site("api-server.query", at.API_SERVER, "kube.not-ready", step=r"\w+ GET /readyz.*"),
    _site("api-server.query", at.API_SERVER, "kube.unauthorized", step=r"signed GET /apis.*"),
    _site("api-server.reach", at.API_SERVER, "kube.ca-not-given"),
    _egress("arm", at.ARM),
    _egress("entra", at.ENTRA),
    _egress("packages", at.PACKAGES),
    *_registry("mcr", at.MCR, at.MCR_DATA),
    _site("mcr.data", at.MCR_DATA, *_DNS, *_WAYS, *_HTTP, fails=False),
    *_registry("acr", at.ACR, at.ACR_DATA, *_PRIVATE_DNS),
    _site(
        "acr.reach", at.ACR, "registry.denied-by-network", "path.firewall-resolved-public", step=_CHALLENGE,
    ),
    _site("acr.manifest", at.ACR, "registry.unauthorized", step=_TOKEN),
    _site("acr.manifest", at.ACR, "registry.needs-credentials"),
    _site("acr.layers", at.ACR, "registry.needs-credentials"),
    _site("acr.layers", at.ACR, "registry.unexpected-data-host", step=_BLOBS),
    _site("acr.data", at.ACR_DATA, *_DNS, *_PRIVATE_DNS, *_WAYS, *_HTTP),
    *_storage("storage.blob", at.BLOB),
    *_storage("storage.table", at.TABLE),
    _site("entra.resolve", at.ENTRA, *_DNS),
    _site("entra.reach", at.ENTRA, *_WAYS),
    _site(
        "entra.reach", at.ENTRA, *_HTTP, "entra.tenant-not-found", "entra.throttled", "entra.unavailable", step=_OPENID,
    ),
    _site(
        "entra.token", at.ENTRA, "entra.unauthorized", "entra.application-not-found", "entra.conditional-access",
        "entra.throttled", "entra.unavailable", step=_OAUTH,
    ),
    _site("entra.token", at.ENTRA, "entra.needs-credentials"),
    _site("workspace.resolve", at.AZUREML, *_DNS),
    _site("workspace.reach", at.AZUREML, *_WAYS),
    _site("workspace.reach", at.AZUREML, *_HTTP, "workspace.private-link-only", "workspace.unavailable"),
    _site("workspace.query", at.AZUREML, "workspace.unauthorized", "workspace.not-found", step=_SIGNED),
    _site("telemetry.resolve", at.KUSTO, "telemetry.name-undocumented", *_DNS[1:], fails=False),
    _site("telemetry.reach", at.KUSTO, *_WAYS, *_HTTP, "telemetry.unavailable", fails=False),
    _site("endpoint.resolve", at.ENDPOINT, *_DNS, "endpoint.wrong-address"),
    _site("endpoint.reach", at.ENDPOINT, *_TCP, *_FOREIGN_TLS, *_PROXY),
    _site("endpoint.answer", at.ENDPOINT, *_HTTP, "endpoint.no-replicas", "endpoint.unavailable"),
    _site("dependency.features", at.FEATURES, *_DNS, *_TCP, *_FOREIGN_TLS, *_PROXY, *_HTTP),
    _site("dependency.database", at.DATABASE, *_DNS, *_TCP),
)  # fmt: skip

# Causes that warn by nature, also at a required requirement.
_WARNINGS = frozenset({"dns.server-dead", "dns.aaaa-failing", "tls.expiring"})
# Causes of the environment, not of a server: what is not given leaves the requirement unknown.
NOT_GIVEN: dict[str, tuple[str, ...]] = {
    "kube.ca-not-given": ("api_server.ca_file",),
    "registry.needs-credentials": ("registry_user", "registry_password"),
    "storage.admission-unknown": ("storage_sas",),
    "entra.needs-credentials": ("entra_client_secret",),
}
# Requirements that nodes alone decide: their resolver keeps to the order of its servers, so that a second one that
# answers otherwise is a reservation. A pod's CoreDNS asks any of them.
_NODES_DECIDE = ("mcr.", "acr.")


def fails(site: Site, cause: str) -> bool:
    """Whether the cause makes a run fail when it strikes there."""
    if cause == "dns.inconsistent" and site.requirement.startswith(_NODES_DECIDE):
        return False
    return site.fails and cause not in _WARNINGS and cause not in NOT_GIVEN
