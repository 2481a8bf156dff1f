"""The deployment that the embedded Azure plays: names, addresses and secrets as they would be in a real one.

Addresses are documentation ranges (public) and 10.73.0.0/24 (private endpoints): never contacted, always mapped.
"""

from enum import StrEnum

import msgspec

REGION, REPLICA, FOREIGN = "westeurope", "northeurope", "uksouth"
CLUSTER, REGISTRY, ACCOUNT, WORKSPACE = "aks-prod", "acrprod", "stmlprod", "ws-prod"
WORKSPACE_ID = "3f2b8c1e-5a4d-4e7b-9c60-7d1f0a2b4c6e"
TENANT = "72f0a1d3-9b5c-4f2e-8a6d-1c3e5b7d9f00"
CLIENT_ID = "0a9b8c7d-6e5f-4a3b-8c2d-1e0f9a8b7c6d"
REPOSITORY, REFERENCE = "models/sentiment", "1.4.2"
SUBSCRIPTION, GROUP = "6f0c2b1a-3d4e-4f5a-8b9c-0d1e2f3a4b5c", "rg-prod"
ARM_TOKEN = "lab-arm-token"  # noqa: S105 - worth nothing outside this process, like SECRETS
CONTAINER, BLOB_NAME = "models", "sentiment/1/model.onnx"
NODE_POOL = "demo"
ENDPOINT_PATH = "/api/v1/service/sentiment/score"
PROXY_PORT, DATABASE_PORT = 3128, 5432

# What the stand-ins accept. They are worth nothing outside this process.
SECRETS = {
    "api_server_token": "lab-service-account-token",
    "registry_user": "preflight-pull",
    "registry_password": "lab-registry-password",
    "storage_sas": "sv=2024-11-04&ss=bt&srt=sco&sp=rl&se=2099-01-01T00:00:00Z&spr=https&sig=bGFiLXNhcy1zaWduYXR1cmU%3D",
    "entra_client_secret": "lab-client-secret",
    "workspace_token": "lab-workspace-token",
}


class Role(StrEnum):
    """Which stand-in answers for a host; `preflight.lab.services` holds the table."""

    MCR = "mcr"
    MCR_DATA = "mcr-data"
    ACR = "acr"
    ACR_DATA = "acr-data"
    BLOB = "blob"
    TABLE = "table"
    ENTRA = "entra"
    WORKSPACE = "workspace"
    KUSTO = "kusto"
    API_SERVER = "api-server"
    ENDPOINT = "endpoint"
    ARM = "arm"
    PACKAGES = "packages"
    WEB = "web"
    TCP = "tcp"
    PROXY = "proxy"


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """One name of the deployment and how it resolves."""

    name: str
    role: Role
    public: str | None  # address in the public view; None: the name exists in the private view only
    chain: tuple[str, ...] = ()  # CNAMEs behind the name in the public view
    link: str | None = None  # the name inside the private link zone: first CNAME in both views
    private: str | None = None  # address behind `link` (or of the name itself) in the private view
    port: int = 443
    tls: bool = True
    alpn: tuple[str, ...] = ("http/1.1",)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address at which this host answers."""
        return tuple(address for address in (self.public, self.private) if address)


def _storage(kind: str, public: str, private: str) -> Host:
    # Chain with a private endpoint: storage-private-endpoints.md, "DNS changes for private endpoints".
    return Host(
        name=f"{ACCOUNT}.{kind}.core.windows.net",
        role=Role(kind),
        public=public,
        link=f"{ACCOUNT}.privatelink.{kind}.core.windows.net",
        chain=(f"{kind}.ams09prdstr05a.store.core.windows.net",),
        private=private,
    )


def _registry(name: str, link: str, role: Role, *, public: str, private: str, region: str) -> Host:
    # Login and data records both live in privatelink.azurecr.io: container-registry-private-link.md.
    # The canonical public name carries the region in its second label: Azure/AKS#3320.
    prefix = "d0318" if role is Role.ACR_DATA else "r0318"
    chain = (f"{prefix}{region[:4]}-1.{region}.cloudapp.azure.com",)
    return Host(name=name, role=role, public=public, link=link, chain=chain, private=private)


def _data(region: str, public: str, private: str) -> Host:
    name = f"{REGISTRY}.{region}.data.azurecr.io"
    return _registry(
        name,
        f"{REGISTRY}.{region}.data.privatelink.azurecr.io",
        Role.ACR_DATA,
        public=public,
        private=private,
        region=region,
    )


API_SERVER = Host(name=f"{CLUSTER}-dns-1a2b3c4d.hcp.{REGION}.azmk8s.io", role=Role.API_SERVER, public="203.0.113.10")
MCR = Host(
    # mcr-0001.mcr-msedge.net: outbound-rules-control-egress.md (ms.date 06/18/2026).
    name="mcr.microsoft.com", role=Role.MCR, public="203.0.113.20", chain=("mcr-0001.mcr-msedge.net",),
)  # fmt: skip
MCR_DATA = Host(name=f"{REGION}.data.mcr.microsoft.com", role=Role.MCR_DATA, public="203.0.113.21")
ACR = _registry(
    f"{REGISTRY}.azurecr.io",
    f"{REGISTRY}.privatelink.azurecr.io",
    Role.ACR,
    public="203.0.113.30",
    private="10.73.0.30",
    region=REGION,
)
ACR_DATA = _data(REGION, "203.0.113.31", "10.73.0.31")
ACR_REPLICA = _data(REPLICA, "203.0.113.32", "10.73.0.32")
ACR_FOREIGN = _data(FOREIGN, "203.0.113.33", "10.73.0.33")
BLOB = _storage("blob", "203.0.113.40", "10.73.0.20")
TABLE = _storage("table", "203.0.113.41", "10.73.0.21")
ENTRA = Host(
    # The public chain of Entra carries a "privatelink" label of Microsoft's own: no private endpoint of anybody's.
    name="login.microsoftonline.com", role=Role.ENTRA, public="198.51.100.10",
    chain=("login.mso.msidentity.com", "ak.privatelink.msidentity.com", "www.tm.ak.prd.aadg.trafficmanager.net"),
)  # fmt: skip
AZUREML = Host(name="api.azureml.ms", role=Role.WORKSPACE, public="198.51.100.20")
AZUREML_REGION = Host(name=f"{REGION}.api.azureml.ms", role=Role.WORKSPACE, public="198.51.100.21")
AZUREML_WORKSPACE = Host(
    name=f"{WORKSPACE_ID}.workspace.{REGION}.api.azureml.ms", role=Role.WORKSPACE, public="198.51.100.22"
)
EXPERIMENTS = Host(name=f"{REGION}.experiments.azureml.net", role=Role.WORKSPACE, public="198.51.100.23")
KUSTO = Host(name=f"ingest-vienna{REGION}.kusto.windows.net", role=Role.KUSTO, public="198.51.100.30")
ENDPOINT = Host(name=f"scoring-prod-x7k2.{REGION}.cloudapp.azure.com", role=Role.ENDPOINT, public="203.0.113.80")
ARM = Host(name="management.azure.com", role=Role.ARM, public="198.51.100.40")
PACKAGES = Host(name="packages.microsoft.com", role=Role.PACKAGES, public="198.51.100.41")
PACKAGES_AKS = Host(name="packages.aks.azure.com", role=Role.PACKAGES, public="198.51.100.42")
QUEUE = Host(name=f"{ACCOUNT}.queue.core.windows.net", role=Role.TABLE, public="203.0.113.42")
FEATURES = Host(name="features.contoso.com", role=Role.WEB, public="198.51.100.60")
DATABASE = Host(
    name="db.contoso.internal", role=Role.TCP, public="10.73.0.60", port=DATABASE_PORT, tls=False, alpn=()
)  # fmt: skip
PROXY = Host(name="proxy.contoso.internal", role=Role.PROXY, public="10.73.0.100", port=PROXY_PORT, tls=False, alpn=())

HOSTS: tuple[Host, ...] = (
    API_SERVER, MCR, MCR_DATA, ACR, ACR_DATA, ACR_REPLICA, ACR_FOREIGN, BLOB, TABLE, QUEUE, ENTRA, AZUREML,
    AZUREML_REGION, AZUREML_WORKSPACE, EXPERIMENTS, KUSTO, ENDPOINT, ARM, PACKAGES, PACKAGES_AKS, FEATURES, DATABASE,
    PROXY,
)  # fmt: skip
BY_NAME: dict[str, Host] = {host.name: host for host in HOSTS}

# Addresses that faults point to. Each is mapped like the others, so that nothing ever leaves the machine.
STALE_ADDRESS = "203.0.113.200"  # the endpoint's old public load balancer: azure-cli-extensions#2568
SPLIT_ADDRESS = "10.73.0.200"  # a private record where a public answer is expected
SINKHOLE = "0.0.0.0"  # noqa: S104 - an answer of a DNS filter, nothing is bound to it
SPARE = (STALE_ADDRESS, SPLIT_ADDRESS, SINKHOLE)

# Kinds of vantages whose resolvers see the private zones. The workstation is a jump host in the network: where private
# endpoints are expected, a laptop outside would rightly be told that it sees public ones.
INSIDE = ("workstation", "node", "pod")

# Source addresses that services report: inside the network, and the firewall's public one.
SOURCES = {"workstation": "10.70.0.10", "node": "10.240.0.4", "pod": "10.244.1.7"}
EGRESS = "198.51.100.200"


def source(vantage: str) -> str:
    """The address that a service inside the network sees of a vantage; everybody from outside has the public one."""
    return SOURCES.get(vantage.partition("/")[0], EGRESS)
