"""The shape of `preflight.toml`: one struct for the file, from which its JSON Schema is made as well. No logic."""

import msgspec

from preflight.model.environment import (
    ApiServer,
    Credentials,
    Dependency,
    Endpoint,
    Main,
    Pods,
    Pool,
    ProxySettings,
    Registry,
    StorageAccount,
    Workspace,
)
from preflight.model.plan import Limits, Mapping


class CloudTable(msgspec.Struct, frozen=True, kw_only=True):
    """[clouds.NAME]: host suffixes of a cloud that preflight does not know. What is empty is left out."""

    api_server: str = ""  # "hcp.{region}.azmk8s.io"
    api_server_private: str = ""  # "privatelink.{region}.azmk8s.io"
    api_server_vnet: str = ""  # "private.{region}.azmk8s.io"
    arm: str = ""  # "management.azure.com"
    entra: str = ""  # "login.microsoftonline.com"
    mcr: str = "mcr.microsoft.com"  # "mcr.microsoft.com"
    mcr_data: str = "data.mcr.microsoft.com"  # "data.mcr.microsoft.com"
    acr: str = ""  # "azurecr.io"
    storage: str = ""  # "core.windows.net"
    azureml: str = ""  # "api.azureml.ms"
    experiments: str = ""  # "experiments.azureml.net"
    kusto: str = ""  # "kusto.windows.net"
    kusto_ingest: str = ""  # "ingest-vienna{region}.kusto.windows.net"
    cloudapp: str = ""  # "cloudapp.azure.com"
    packages: tuple[str, ...] = ()  # package hosts of the nodes
    issuers: tuple[str, ...] = ()  # texts of which one stands in a genuine issuer; empty: any that is trusted
    source: str = "preflight.toml"  # where the suffixes come from
    reviewed: str = ""  # YYYY-MM-DD


class File(msgspec.Struct, frozen=True, kw_only=True):
    """preflight.toml: what is true of one deployment. Everything that is not named is skipped with that reason."""

    schema_version: int  # 1
    issuers: tuple[str, ...] = ()  # replaces the expected certificate issuers of Microsoft's services, for a lab
    environment: Main = Main()  # the deployment as a whole
    api_server: ApiServer = ApiServer()  # the Kubernetes API server
    registry: Registry = Registry()  # the container registry of the models' images
    storage: tuple[StorageAccount, ...] = ()  # storage accounts, one [[storage]] each
    workspace: Workspace = Workspace()  # the Azure ML workspace
    endpoint: Endpoint = Endpoint()  # the domain under which models are called
    proxy: ProxySettings = ProxySettings()  # HTTP proxies
    credentials: Credentials = Credentials()  # where secrets come from
    pods: Pods = Pods()  # where the router's and the models' pods stand in the cluster
    pool: tuple[Pool, ...] = ()  # node pools, one [[pool]] each
    dependency: tuple[Dependency, ...] = ()  # whatever the model itself calls, one [[dependency]] each
    limits: Limits = Limits()  # bounds of all waiting
    mapping: Mapping = Mapping()  # replaces resolver and destinations, for a lab
    clouds: dict[str, CloudTable] = {}  # clouds of your own


SCHEMA_VERSION = 1
NAMES = {"storage": "account", "pool": "name", "dependency": "name"}  # the field that names an element
