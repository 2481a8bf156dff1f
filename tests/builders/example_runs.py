# ruff: noqa: E501 - the sentences of the examples stand on one line each
"""The runs behind reports/examples: a healthy gate, a failing one, a hostile network, an interrupted run. Fixed inputs."""

from collections.abc import Callable

import msgspec

from builders import runs, wire
from builders.extreme_runs import hostile
from builders.wire import certificate, hop, kind
from preflight.model.causes import CAUSES
from preflight.model.observation import Hop
from preflight.model.plan import Check, Expect, LeftOut, Task
from preflight.model.run import Candidate, Query, Run, Verdict
from preflight.model.vocabulary import Confidence, Phase, ProbeName, Severity, Status

R, N, P, W = "required", "node/user1", "pod/user1", "workstation"
API, ACR, BLOB, TABLE = (
    "aks-prod-1a2b3c4d.hcp.westeurope.azmk8s.io",
    "acrprod.azurecr.io",
    "stmlprod.blob.core.windows.net",
    "stmlprod.table.core.windows.net",
)
KUSTO, ENDPOINT, REGIONAL = (
    "ingest-viennawesteurope.kusto.windows.net",
    "scoring-aks-prod.westeurope.cloudapp.azure.com",
    "westeurope.data.mcr.microsoft.com",
)
INSTALL, START, RUNS, DEPLOY, SERVE = (
    Phase.ROUTER_INSTALL,
    Phase.ROUTER_START,
    Phase.ROUTER_RUN,
    Phase.MODEL_DEPLOY,
    Phase.SERVE,
)
TRANSPORT = ("origin.proxy", "origin.tcp", "origin.tls")

# task key -> (probe, host, address, CNAME chain, status of the origin)
TASKS: dict[str, tuple[ProbeName, str, str, tuple[str, ...], int]] = {
    "api": (ProbeName.KUBE_API, API, "20.61.99.68", (), 401),
    "mcr": (ProbeName.REGISTRY, "mcr.microsoft.com", "150.171.69.10", ("mcr-0001.mcr-msedge.net",), 200),
    "mcrdata": (ProbeName.HTTP, REGIONAL, "20.50.201.199", (), 400),
    "arm": (ProbeName.HTTP, "management.azure.com", "4.150.240.10", ("rpfd-prod-am-01.cloudapp.net",), 400),
    "packages": (ProbeName.HTTP, "packages.microsoft.com", "13.107.246.51", (), 200),
    "table": (ProbeName.TABLE, TABLE, "10.240.16.6", ("stmlprod.privatelink.table.core.windows.net",), 200),
    "entra": (ProbeName.ENTRA, "login.microsoftonline.com", "20.190.159.4", ("ak.privatelink.msidentity.com",), 200),
    "workspace": (ProbeName.WORKSPACE, "westeurope.api.azureml.ms", "20.61.102.5", (), 200),
    "kusto": (ProbeName.KUSTO, KUSTO, "20.105.209.93", (), 200),
    "acr": (ProbeName.REGISTRY, ACR, "10.240.16.8", ("acrprod.privatelink.azurecr.io",), 401),
    "acrdata": (ProbeName.HTTP, "acrprod.westeurope.data.azurecr.io", "10.240.16.7", (), 400),
    "blob": (ProbeName.BLOB, BLOB, "10.240.16.5", ("stmlprod.privatelink.blob.core.windows.net",), 200),
    "endpoint": (ProbeName.ENDPOINT, ENDPOINT, "10.240.0.120", (), 200),
    "features": (ProbeName.HTTP, "features.contoso.example", "10.50.4.11", (), 200),
    "orders": (ProbeName.TCP, "orders-db.contoso.example", "10.50.4.20", (), 200),
}

# id, title, phase, severity, deciding kinds, task, slices, what breaks
REQUIREMENTS: tuple[tuple[str, str, Phase, str, str, str, tuple[str, ...]], ...] = (
    ("api-server.resolve", "API server resolves", INSTALL, R, "node pod", "api", ("origin.dns",)),
    ("api-server.reach", "API server accepts TLS with ALPN", INSTALL, R, "node pod", "api", TRANSPORT),
    ("aks-egress.arm", "Azure Resource Manager answers nodes", INSTALL, "recommended", "node", "arm", ("origin",)),
    ("aks-egress.packages", "Package hosts answer nodes", INSTALL, "recommended", "node", "packages", ("origin",)),
    ("mcr.resolve", "MCR resolves", INSTALL, R, "node", "mcr", ("origin.dns",)),
    ("mcr.reach", "MCR accepts connections", INSTALL, R, "node", "mcr", (*TRANSPORT, "origin.http")),
    ("mcr.manifest", "MCR manifests can be read", INSTALL, R, "node", "mcr", ("manifest",)),
    ("mcr.layers", "MCR layers can be downloaded", INSTALL, R, "node", "mcr", ("layer",)),
    ("mcr.data", "MCR's regional data host accepts TLS", INSTALL, "recommended", "node", "mcrdata", ("origin",)),
    ("api-server.query", "API server answers queries", START, R, "pod", "api", ("origin.http",)),
    ("storage.table.resolve", "Table storage resolves", RUNS, R, "pod", "table", ("origin.dns",)),
    ("storage.table.reach", "Table storage accepts connections", RUNS, R, "pod", "table", TRANSPORT),
    ("storage.table.read", "Tables can be read", RUNS, R, "pod", "table", ("origin.http", "read")),
    ("entra.resolve", "Microsoft Entra resolves", RUNS, R, "pod", "entra", ("origin.dns",)),
    ("entra.reach", "Microsoft Entra accepts connections", RUNS, R, "pod", "entra", (*TRANSPORT, "origin.http")),
    ("entra.token", "Microsoft Entra issues a token", RUNS, R, "pod", "entra", ("token",)),
    ("workspace.resolve", "Workspace API resolves", RUNS, R, "pod", "workspace", ("origin.dns",)),
    ("workspace.reach", "Workspace API accepts connections", RUNS, R, "pod", "workspace", (*TRANSPORT, "origin.http")),
    ("telemetry.resolve", "Telemetry host resolves", RUNS, "recommended", "pod", "kusto", ("origin.dns",)),
    ("telemetry.reach", "Telemetry host accepts connections", RUNS, "recommended", "pod", "kusto", (*TRANSPORT, "origin.http")),
    ("acr.resolve", "ACR resolves", DEPLOY, R, "node", "acr", ("origin.dns",)),
    ("acr.reach", "ACR accepts connections", DEPLOY, R, "node", "acr", (*TRANSPORT, "origin.http")),
    ("acr.manifest", "ACR manifests can be read", DEPLOY, R, "node", "acr", ("manifest",)),
    ("acr.layers", "ACR layers can be downloaded", DEPLOY, R, "node", "acr", ("layer",)),
    ("acr.data", "ACR data endpoint accepts TLS", DEPLOY, R, "node", "acrdata", ("origin",)),
    ("storage.blob.resolve", "Blob storage resolves", DEPLOY, R, "node pod", "blob", ("origin.dns",)),
    ("storage.blob.reach", "Blob storage accepts connections", DEPLOY, R, "node pod", "blob", TRANSPORT),
    ("storage.blob.read", "Blobs can be read", DEPLOY, R, "node pod", "blob", ("origin.http", "read")),
    ("endpoint.resolve", "Endpoint resolves to the router", SERVE, R, "workstation pod", "endpoint", ("origin.dns",)),
    ("endpoint.reach", "Endpoint accepts connections", SERVE, R, "workstation pod", "endpoint", TRANSPORT),
    ("endpoint.answer", "Endpoint answers", SERVE, R, "workstation pod", "endpoint", ("origin.http",)),
    ("dependency.features", "features answers", SERVE, R, "workstation node pod", "features", ("origin",)),
    ("dependency.orders", "orders answers", SERVE, R, "node pod", "orders", ("origin",)),
)  # fmt: skip
LEFT_OUT = (
    LeftOut(requirement="bootstrap.resolve", title="Bootstrap registry resolves", phase=INSTALL, severity=Severity.REQUIRED, reason="only for isolated clusters (outbound type none or block)"),
    LeftOut(requirement="bootstrap.reach", title="Bootstrap registry accepts connections", phase=INSTALL, severity=Severity.REQUIRED, reason="only for isolated clusters (outbound type none or block)"),
    LeftOut(requirement="workspace.private", title="Workspace's own name resolves", phase=RUNS, severity=Severity.REQUIRED, reason='only with layout "extension"'),
)  # fmt: skip
ENVIRONMENT: dict[str, object] = {
    "schema_version": 1,
    "source": "preflight.toml",
    "environment": {"cloud": "AzureCloud", "region": "westeurope", "cluster": "aks-prod", "layout": "v1", "network_model": "overlay", "outbound_type": "userDefinedRouting", "token_authentication": True},
    "api_server": {"fqdn": API, "access": "public"},
    "registry": {"name": "acrprod", "data_endpoints": True, "link": "private", "repository": "models/credit-risk", "reference": "7"},
    "storage": [{"account": "stmlprod", "blob_link": "private", "table_link": "private"}],
    "credentials": {"storage_sas": "environment variable PREFLIGHT_SAS", "registry_password": ""},
    "limits": {"connect_cap_s": 3.0, "check_deadline_s": 30.0, "run_deadline_s": 300.0},
}  # fmt: skip

Told = tuple[Status, str, str, str]  # status, cause, reason, at
Hops = Callable[[str, str], tuple[Hop, ...]]  # task key, vantage


def url(key: str) -> str:
    probe, host, *_ = TASKS[key]
    return f"tcp://{host}:5432" if probe is ProbeName.TCP else f"https://{host}/"


def tasks() -> dict[str, Task]:
    made = {}
    for key, (probe, host, *_) in TASKS.items():
        tcp = probe is ProbeName.TCP
        made[key] = runs.task(probe, host, port=5432 if tcp else 443, scheme="tcp" if tcp else "https")
    return made


def origin(key: str, vantage: str, **more: object) -> Hop:
    _, _, address, cname, status = TASKS[key]
    values: dict[str, object] = {"address": address, "cname": cname, "status": status}
    return hop(vantage, url(key), **(values | more))  # type: ignore[arg-type]


def good(key: str, vantage: str) -> tuple[Hop, ...]:
    """What a healthy network shows."""
    first = origin(key, vantage)
    end = first.duration_ms
    if TASKS[key][0] is ProbeName.REGISTRY:
        manifest = hop(vantage, f"{url(key)}v2/router/manifests/7", role="manifest", at=end, reused=True)
        layer = hop(
            vantage,
            f"{url(key)}v2/router/blobs/sha256:9f2c",
            role="layer",
            at=end + manifest.duration_ms,
            reused=True,
            status=307,
        )
        return (first, manifest, layer, redirect(key, vantage, layer.at_ms + layer.duration_ms))
    if TASKS[key][0] in {ProbeName.BLOB, ProbeName.TABLE}:
        return (first, hop(vantage, f"{url(key)}model.onnx", role="read", at=end, reused=True, status=206))
    if key == "entra":
        return (first, hop(vantage, f"{url(key)}contoso/oauth2/v2.0/token", role="token", at=end, reused=True))
    return (first,)


def redirect(key: str, vantage: str, at: float, **more: object) -> Hop:
    to = "mcrdata" if key == "mcr" else "acrdata"
    values: dict[str, object] = {
        "address": TASKS[to][2],
        "status": 206,
        "service": {"digest": "verified", "bytes": "31337"},
    }
    return hop(vantage, f"{url(to)}router/9f2c", role="layer.redirect1", at=at, **(values | more))  # type: ignore[arg-type]


def build(
    told: dict[tuple[str, str], Told],
    hops: Hops = good,
    blocked: dict[tuple[str, str], str] | None = None,
    **more: object,
) -> Run:
    """A run of all requirements at all vantages; `told` and `blocked` are keyed by requirement and vantage."""
    by_key = tasks()
    checks = [made for one in REQUIREMENTS for vantage in wire.VANTAGES for made in _checks(one, vantage, by_key)]
    observed = [
        wire.observation(by_key[key], vantage, hops(key, vantage))
        for vantage in wire.VANTAGES
        for key in by_key
        if any(one.task == by_key[key].key and one.vantage == vantage for one in checks)
    ]
    seen = {(one.task, one.vantage): one for one in observed}
    verdicts = [
        _verdict(one, told, blocked or {}, wire.owned_ms(seen[one.task, one.vantage], one.judges)) for one in checks
    ]
    left_out = LEFT_OUT + tuple(more.pop("left_out", ()))  # type: ignore[arg-type]
    return runs.run(
        (*verdicts, *map(runs.left_out_verdict, left_out)),
        checks=tuple(checks),
        tasks=tuple(by_key.values()),
        observations=tuple(observed),
        left_out=left_out,
        environment=ENVIRONMENT,
        **more,  # type: ignore[arg-type]
    )


def _checks(one: tuple, vantage: str, by_key: dict[str, Task]) -> list[Check]:
    requirement, title, phase, severity, kinds, key, judges = one
    decides = kind(vantage) in kinds.split()
    if not decides and vantage != W:
        return []
    expect = Expect(issuers=("Microsoft", "DigiCert"))
    return [
        runs.check(
            requirement,
            vantage,
            by_key[key],
            title=title,
            phase=phase,
            severity=Severity(severity),
            judges=judges,
            decides=decides,
            expect=expect,
        )
    ]


def _verdict(
    one: Check, told: dict[tuple[str, str], Told], blocked: dict[tuple[str, str], str], spent: float | None
) -> Verdict:
    key = (one.requirement, one.vantage)
    if key in blocked:
        by = blocked[key]
        return runs.verdict(one, Status.BLOCKED, reason=f"{by} comes first", blocked_by=f"{by}@{one.vantage}")
    if key in told:
        status, cause, reason, at = told[key]
        return runs.verdict(one, status, cause=cause, reason=reason, at=at, duration_ms=spent)
    return runs.verdict(one, duration_ms=spent)


def healthy() -> Run:
    return build({}, headline="Ready: all 33 requirements tested hold.")


def _failing_hops(key: str, vantage: str) -> tuple[Hop, ...]:
    whole = good(key, vantage)
    if key == "mcr" and vantage == N:
        cut = redirect("mcr", N, whole[3].at_ms, tls="reset", tls_more={"errno": "ECONNRESET"})
        return (*whole[:3], cut)
    if key == "mcrdata" and vantage == N:
        return (origin(key, N, tls="reset", tls_more={"errno": "ECONNRESET"}),)
    if key == "blob" and vantage in {N, P}:
        return (origin(key, vantage, address="20.60.1.4", tcp="timeout"),)
    if key == "table" and vantage == P:
        body = '<?xml version="1.0"?><error><code>AuthorizationPermissionMismatch</code></error>'
        return (
            whole[0],
            hop(
                P,
                f"{url(key)}configuration()",
                role="read",
                at=whole[0].duration_ms,
                reused=True,
                status=403,
                body=body,
                headers=(("x-ms-error-code", "AuthorizationPermissionMismatch"),),
            ),
        )
    if key == "kusto" and vantage == P:
        inspected = (
            certificate(f"CN={KUSTO}", "CN=Contoso TLS Inspection CA 2,O=Contoso", sans=(KUSTO,)),
            certificate("CN=Contoso TLS Inspection CA 2,O=Contoso", "CN=Contoso Root CA,O=Contoso"),
        )
        return (
            origin(
                key,
                P,
                tls="unverified",
                chain=inspected,
                tls_more={"verify_code": 20, "verify_message": "unable to get local issuer certificate"},
            ),
        )
    if key == "acr":
        return whole[:1]
    return whole  # fmt: skip


def _failing_told() -> dict[tuple[str, str], Told]:
    public = "answers 20.60.1.4 for stmlprod.blob.core.windows.net, behind stmlprod.privatelink.blob.core.windows.net; a private address is expected"
    cut = f"{REGIONAL}: connection reset right after the ClientHello"
    keyless = "401 without credentials: nothing more is shown"
    return {
        ("mcr.layers", N): (Status.FAIL, "tls.reset-after-hello", cut, "layer.redirect1.tls"),
        ("mcr.data", N): (Status.WARN, "tls.reset-after-hello", cut, "origin.tls"),
        ("storage.blob.resolve", N): (Status.FAIL, "dns.privatelink-public-answer", f"10.20.0.4 {public}", "origin.dns"),
        ("storage.blob.resolve", P): (Status.FAIL, "dns.privatelink-public-answer", f"10.0.0.10 {public}", "origin.dns"),
        ("storage.table.read", P): (Status.FAIL, "storage.permission-mismatch", f"{TABLE} answered HTTP 403 AuthorizationPermissionMismatch", "read.http"),
        ("telemetry.reach", P): (Status.WARN, "tls.intercepted", f"{KUSTO}: issued by 'Contoso TLS Inspection CA 2' instead of Microsoft or DigiCert", "origin.tls"),
        ("acr.manifest", N): (Status.UNKNOWN, "registry.needs-credentials", keyless, "manifest.http"),
        ("acr.layers", N): (Status.UNKNOWN, "registry.needs-credentials", keyless, "layer.http"),
    }  # fmt: skip


def failing() -> Run:
    blocked = {
        (f"storage.blob.{step}", vantage): "storage.blob.resolve" for step in ("reach", "read") for vantage in (N, P)
    }
    made = build(
        _failing_told(),
        _failing_hops,
        blocked,
        headline="Not ready: 3 requirements fail, and 2 requirements could not be tested.",
        notices=(
            'NO_PROXY entry "10.0.0.0/8": Go and Python 3.13 read it as a network, curl before 7.86 and .NET do not.',
        ),
    )

    def named(*ids: str) -> tuple[str, ...]:
        told = (one for one in made.verdicts if one.decides and one.status is not Status.PASS)
        return tuple(one.check for one in told if one.requirement in ids)

    return msgspec.structs.replace(made, findings=_findings(named))


def _findings(named: Callable[..., tuple[str, ...]]) -> tuple:
    wire = "node/user1: 10.240.0.8:48714 to 20.50.201.199:443, reset 0 bytes after the ClientHello for westeurope.data.mcr.microsoft.com"
    return (
        runs.finding(
            1,
            "dns.privatelink-public-answer",
            title="Make stmlprod.blob.core.windows.net resolve to its private endpoint from node/user1 and pod/user1",
            change="Make stmlprod.blob.core.windows.net resolve to its private endpoint from node/user1 and pod/user1.\nFirst step: link the zone privatelink.blob.core.windows.net to the network of the resolvers 10.20.0.4 and 10.20.0.5, or forward the public zone to a resolver that sees it.\nWithout it: models cannot be downloaded when they are deployed.",
            why=("10.20.0.4, 10.20.0.5 and 10.0.0.10 answer 20.60.1.4, a public address, behind a private link name", "workstation: 192.168.17.1 answers 10.240.16.5, the private endpoint"),
            settle="the network links of the zone: az network private-dns link vnet list",
            candidates=(
                Candidate(what="zone not linked to the resolver's network", because="the chain names the private link zone and ends in the public answer", settle="az network private-dns link vnet list --zone-name privatelink.blob.core.windows.net"),
                Candidate(what="forwarder missing on the resolver", because="the resolvers are not Azure's own", settle="ask 168.63.129.16 from the resolver itself"),
                Candidate(what="another tenant's private endpoint", because="any private endpoint puts the private link name into the chain", settle="the account's private endpoint connections"),
            ),
            queries=(Query(tool="Azure Firewall DNS log (KQL)", text='AZFWDnsQuery\n| where TimeGenerated between (datetime(2026-11-23T08:09:05Z) .. datetime(2026-11-23T08:19:05Z))\n| where QueryName has "stmlprod.blob.core.windows.net"'),),
            verify="preflight run --only 'storage.blob.*'",
            checks=named("storage.blob.resolve", "storage.blob.reach", "storage.blob.read"),
            targets=(f"{BLOB}:443",),
            vantages=(N, P),
        ),
        runs.finding(
            2,
            "tls.reset-after-hello",
            title="Allow TCP 443 from node/user1 to *.data.mcr.microsoft.com on the firewall that filters by server name",
            change="Allow TCP 443 from node/user1 (10.240.0.8) to *.data.mcr.microsoft.com on the firewall that filters by server name.\nWithout it: the router's images are listed but their layers cannot be downloaded.",
            why=(wire, "workstation: the same name answers, certificate of Microsoft"),
            contradicts=("mcr.microsoft.com itself is reached from node/user1 over the same route.",),
            settle="the firewall's application rule log for that name and time",
            candidates=(Candidate(what="application rule of a firewall on the route", because="TCP connects, the cut comes with the server name", settle="its log at 08:14:06 UTC"),),
            queries=(Query(tool="Azure Firewall application rule log (KQL)", text='AZFWApplicationRule\n| where TimeGenerated between (datetime(2026-11-23T08:09:05Z) .. datetime(2026-11-23T08:19:05Z))\n| where SourceIp == "10.240.0.8" and Fqdn has "data.mcr.microsoft.com"'),),
            verify="preflight run --only 'mcr.*'",
            checks=named("mcr.layers", "mcr.data"),
            targets=("mcr.microsoft.com:443", f"{REGIONAL}:443"),
            vantages=(N,),
        ),
        runs.finding(
            3,
            "storage.permission-mismatch",
            title="Assign Storage Table Data Reader on stmlprod to the router's identity",
            change="Assign Storage Table Data Reader on stmlprod to the router's identity; the network is fine.",
            why=(f"pod/user1: {TABLE} answered 403 AuthorizationPermissionMismatch",),
            confidence=Confidence.PROVEN,
            verify="preflight run --only storage.table.read",
            checks=named("storage.table.read"),
            targets=(f"{TABLE}:443",),
            vantages=(P,),
        ),
        runs.finding(
            4,
            "tls.intercepted",
            title=f"Exempt {KUSTO} from TLS inspection",
            change=f"Exempt {KUSTO} from TLS inspection ('Contoso TLS Inspection CA 2').",
            why=("pod/user1: the certificate was issued by CN=Contoso TLS Inspection CA 2",),
            confidence=Confidence.PROVEN,
            severity=Severity.RECOMMENDED,
            status=Status.WARN,
            verify="preflight run --only telemetry.reach",
            checks=named("telemetry.reach"),
            targets=(f"{KUSTO}:443",),
            vantages=(P,),
        ),
    )  # fmt: skip


def partial() -> Run:
    """Ctrl-C, with the pods' vantage never started."""
    gone = {(one[0], P) for one in REQUIREMENTS}
    late = {
        (one[0], N): (Status.UNKNOWN, "check.interrupted", "the run was interrupted first", "")
        for one in REQUIREMENTS
        if one[2] is SERVE
    }
    absent = dict.fromkeys(
        gone,
        (
            Status.UNKNOWN,
            "vantage.not-run",
            'pod.rejected: admission "pod-security" refused the probe in namespace ml',
            "",
        ),
    )
    made = build(late | absent, _partial_hops, interrupted=True, headline="Interrupted: this report is partial.")
    facts = (
        runs.vantage_facts(W),
        runs.vantage_facts(N, complete=False),
        runs.vantage_facts(P, complete=False, error='admission "pod-security" refused the probe in namespace ml'),
    )
    seen = tuple(one for one in made.observations if one.vantage != P)
    told = tuple(
        msgspec.structs.replace(one, duration_ms=None, at=None, owner=CAUSES[one.cause].owner)
        if one.status is Status.UNKNOWN and one.cause
        else one
        for one in made.verdicts
    )
    return msgspec.structs.replace(made, vantages=facts, observations=seen, verdicts=told)


def _partial_hops(key: str, vantage: str) -> tuple[Hop, ...]:
    return () if vantage == P or (vantage == N and key in {"features", "orders"}) else good(key, vantage)


EXAMPLES: dict[str, Callable[[], Run]] = {
    "healthy": healthy,
    "failing": failing,
    "hostile": hostile,
    "partial": partial,
}
