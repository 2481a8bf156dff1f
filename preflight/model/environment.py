"""What is true of one deployment, as `preflight.toml` states it. Loaded and checked by `preflight.environment`.

Key names equal the TOML's; docstrings of the classes are their tables' names. `None` or empty means "not given": the
requirements that need it are skipped with that reason. Secrets are never here: `Credentials` names their sources.
"""

from enum import StrEnum

import msgspec

from preflight.model.cluster import ClusterFacts
from preflight.model.plan import Limits, Mapping
from preflight.model.vocabulary import Link, Severity, VantageKind


class Layout(StrEnum):
    """Which Azure ML layout runs in the cluster."""

    V1 = "v1"
    EXTENSION = "extension"
    AUTO = "auto"  # unknown: what only one of them needs is checked as recommended


class ApiAccess(StrEnum):
    """How the API server is published."""

    PUBLIC = "public"
    PRIVATE = "private"
    VNET_INTEGRATED = "vnet-integrated"


class NetworkModel(StrEnum):
    """What the network sees of a pod: its node's address, or one of its own."""

    KUBENET = "kubenet"
    OVERLAY = "overlay"
    NODE_SUBNET = "node-subnet"
    POD_SUBNET = "pod-subnet"
    UNKNOWN = "unknown"


class OutboundType(StrEnum):
    """AKS outboundType; `none` and `block` are isolated clusters."""

    LOAD_BALANCER = "loadBalancer"
    MANAGED_NAT = "managedNATGateway"
    MANAGED_NAT_V2 = "managedNATGatewayV2"
    USER_NAT = "userAssignedNATGateway"
    USER_ROUTING = "userDefinedRouting"
    NONE = "none"
    BLOCK = "block"
    UNKNOWN = "unknown"


class Cloud(msgspec.Struct, frozen=True, kw_only=True):
    """[clouds.NAME] of checks/clouds.toml or preflight.toml: host suffixes, no leading dot."""

    name: str
    api_server: str  # "hcp.{region}.azmk8s.io"
    api_server_private: str  # "privatelink.{region}.azmk8s.io"
    api_server_vnet: str  # "private.{region}.azmk8s.io"
    arm: str  # "management.azure.com"
    entra: str  # "login.microsoftonline.com"
    mcr: str = "mcr.microsoft.com"
    mcr_data: str = "data.mcr.microsoft.com"
    acr: str  # "azurecr.io"
    storage: str  # "core.windows.net"
    azureml: str  # "api.azureml.ms"
    experiments: str  # "experiments.azureml.net"
    kusto: str  # "kusto.windows.net"
    kusto_ingest: str  # "ingest-vienna{region}.kusto.windows.net"
    cloudapp: str  # "cloudapp.azure.com"
    packages: tuple[str, ...] = ("packages.microsoft.com", "packages.aks.azure.com")
    issuers: tuple[str, ...] = ()  # of public endpoints
    source: str
    reviewed: str


class Main(msgspec.Struct, frozen=True, kw_only=True):
    """[environment]."""

    cloud: str = "AzureCloud"
    region: str | None = None
    cluster: str | None = None  # name of the cluster, for the report
    layout: Layout = Layout.AUTO
    network_model: NetworkModel = NetworkModel.UNKNOWN
    outbound_type: OutboundType = OutboundType.UNKNOWN
    bootstrap_registry: str | None = None  # login server of the private cache of an isolated cluster
    ca_file: str | None = None  # added to the system store; relative to the file it stands in
    resolvers: tuple[str, ...] = ()  # DNS servers to compare, "10.0.0.4" or "10.0.0.4:53"
    token_authentication: bool = False
    mcr_image: str = "mcr/hello-world:latest"  # what nodes pull from MCR for proof


class ApiServer(msgspec.Struct, frozen=True, kw_only=True):
    """[api_server]."""

    fqdn: str | None = None
    access: ApiAccess = ApiAccess.PUBLIC
    ca_file: str | None = None  # the cluster's own CA: "certificate-authority-data" of a kubeconfig, decoded


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """[registry]."""

    name: str | None = None  # "acrprod" or "acrprod.azurecr.io"
    region: str | None = None  # home region; environment.region when absent
    replicas: tuple[str, ...] = ()  # regions of geo-replicas, without the home region
    data_endpoints: bool = False  # dedicated data endpoints are enabled
    public_access_denied: bool = False
    link: Link = Link.ANY
    repository: str | None = None  # an image to pull for proof
    reference: str = "latest"
    pull_secret: str | None = None  # in the run's namespace; "-": none, the kubelet's own identity
    pull_image: str | None = None  # "repository:tag" that nodes pull, instead of repository and reference


class StorageAccount(msgspec.Struct, frozen=True, kw_only=True):
    """[[storage]]."""

    account: str
    blob_link: Link = Link.ANY
    table_link: Link = Link.ANY
    public_access_denied: bool = False
    container: str | None = None  # with blob: read it for proof
    blob: str | None = None
    table: bool = True  # the router's dynamic configuration needs tables (v1)


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """[workspace]."""

    name: str | None = None
    id: str | None = None  # the GUID
    region: str | None = None
    tenant: str | None = None  # Entra tenant id; "common" when absent
    client_id: str | None = None  # application whose token is asked for, with credentials.entra_client_secret
    link: Link = Link.ANY
    public_access_denied: bool = False


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """[endpoint]."""

    domain: str | None = None  # whole name: "<label + suffix>.<region>.cloudapp.azure.com" or the custom domain
    custom_domain: bool = False
    address: str | None = None  # the router's load balancer address
    tls: bool = True
    path: str = "/"


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True):
    """[proxy]: URLs may hold no password; `credentials.proxy` gives "user:password"."""

    https: str | None = None
    http: str | None = None
    no_proxy: str = ""
    vantages: tuple[VantageKind, ...] = (VantageKind.WORKSTATION, VantageKind.NODE, VantageKind.POD)


class SecretSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where one secret comes from: exactly one of the two."""

    env: str | None = None  # name of an environment variable
    file: str | None = None  # path, relative to preflight.toml


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """[credentials]: KEY = { env = "NAME" } or { file = "PATH" }; never the value itself."""

    api_server_token: SecretSource | None = None
    registry_user: SecretSource | None = None
    registry_password: SecretSource | None = None
    storage_sas: SecretSource | None = None
    storage_token: SecretSource | None = None  # a bearer token
    entra_client_secret: SecretSource | None = None
    workspace_token: SecretSource | None = None
    proxy: SecretSource | None = None  # "user:password"


class StandAs(StrEnum):
    """Beside which pods the pod vantage stands, so that the same network policies select it."""

    OWN = "own"  # beside none: in the run's own namespace
    ROUTER = "router"
    MODEL = "model"


class Pods(msgspec.Struct, frozen=True, kw_only=True):
    """[pods]: where the router's and the models' pods stand. What is not given is looked for in the cluster."""

    stand_as: StandAs = StandAs.OWN
    router_namespace: str | None = None  # "default" with v1, "azureml" with the extension
    router_labels: dict[str, str] = {}  # azuremlappname=azureml-fe when absent
    model_namespace: str | None = None  # "azureml-<workspace>" with v1, the compute's with the extension
    model_labels: dict[str, str] = {}  # isazuremlapp=true when absent


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """[[pool]]: a node pool and where it stands in the network."""

    name: str
    mode: str = "User"
    os: str = "Linux"
    node_subnet: str | None = None
    pod_subnet: str | None = None


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """[[dependency]]: something the model itself calls."""

    name: str  # [a-z0-9-]+, unique
    url: str  # https://, http:// or tcp://host:port
    expect: tuple[str, ...] = ("200-399",)  # statuses "401" or ranges "200-399"
    severity: Severity = Severity.REQUIRED
    vantages: tuple[VantageKind, ...] = ()  # empty: every vantage that runs


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file, resolved: `cloud` is looked up, files are read, paths are absolute."""

    schema_version: int = 1
    source: str  # path of the file, for messages
    main: Main = Main()
    cloud: Cloud
    api_server: ApiServer = ApiServer()
    registry: Registry = Registry()
    storage: tuple[StorageAccount, ...] = ()
    workspace: Workspace = Workspace()
    endpoint: Endpoint = Endpoint()
    proxy: ProxySettings = ProxySettings()
    credentials: Credentials = Credentials()
    pods: Pods = Pods()
    pools: tuple[Pool, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    limits: Limits = Limits()
    mapping: Mapping = Mapping()
    issuers: tuple[str, ...] = ()  # replaces the cloud's and the requirements' expected issuers (the lab's CA)
    ca_pem: str = ""
    api_server_ca_pem: str = ""
    pods_ca_pem: str = ""  # what pods trust for the API server (kube-root-ca.crt); never from the file
    cluster: ClusterFacts | None = None  # what was scouted, when a cluster was named; never from the file
