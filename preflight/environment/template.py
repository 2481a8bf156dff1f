"""Writes a commented `preflight.toml` from what is known; other keys stand there as comments. Pure."""

import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Key(NamedTuple):
    """One line: the key, an example for when it is not given, and what it means."""

    name: str
    example: Any
    comment: str


class Table(NamedTuple):
    """One table; `many` for lists of tables."""

    name: str
    comment: str
    keys: tuple[Key, ...]
    many: bool = False


TABLES: Final = (
    Table(
        "environment",
        "The deployment as a whole.",
        (
            Key("cloud", "AzureCloud", "or AzureUSGovernment, AzureChinaCloud, or a name of [clouds.NAME] below"),
            Key("region", "westeurope", "short name, as `az account list-locations` prints it"),
            Key("cluster", "aks-prod", "for the report"),
            Key("layout", "auto", 'Azure ML in the cluster: "v1", "extension", or "auto" when not known'),
            Key("network_model", "overlay", "kubenet, overlay, node-subnet, pod-subnet or unknown"),
            Key("outbound_type", "userDefinedRouting", '"none" and "block" are isolated clusters'),
            Key("bootstrap_registry", "acrcache.azurecr.io", "private image cache of an isolated cluster"),
            Key("mcr_image", "mcr/hello-world:latest", "what nodes pull from MCR in a run in the cluster"),
            Key("token_authentication", False, "true: Entra and the workspace API are needed too"),
            Key("ca_file", "corporate-ca.pem", "trusted besides the system's store; relative to this file"),
            Key("resolvers", ["10.0.0.4"], "DNS servers to compare with the configured ones"),
        ),
    ),
    Table(
        "api_server",
        "The Kubernetes API server.",
        (
            Key("fqdn", "aks-prod-1a2b3c4d.hcp.westeurope.azmk8s.io", "as `az aks show` prints it"),
            Key("access", "public", '"public", "private" or "vnet-integrated"'),
            Key("ca_file", "cluster-ca.pem", "certificate-authority-data of the kubeconfig, base64 decoded"),
        ),
    ),
    Table(
        "registry",
        "The container registry that holds the models' images.",
        (
            Key("name", "acrprod", "name or login server"),
            Key("region", "westeurope", "home region; environment.region when absent"),
            Key("replicas", ["northeurope"], "regions of geo-replicas, without the home region"),
            Key("data_endpoints", False, "dedicated data endpoints are enabled"),
            Key("public_access_denied", False, "public network access is disabled"),
            Key("link", "any", 'expected address: "private", "public" or "any"'),
            Key("repository", "ml/model", "an image to pull for proof; without it layers stay unproven"),
            Key("reference", "latest", "its tag or digest"),
            Key("pull_image", "ml/small:1", "what nodes pull in a run in the cluster, instead of that image"),
            Key("pull_secret", "acr-pull", 'with this Secret of the run\'s namespace; "-": as the kubelet itself'),
        ),
    ),
    Table(
        "storage",
        "Storage accounts: models, and the router's configuration. One [[storage]] each.",
        (
            Key("account", "stmlprod", ""),
            Key("blob_link", "any", 'expected address: "private", "public" or "any"'),
            Key("table_link", "any", ""),
            Key("public_access_denied", False, "public network access is disabled"),
            Key("container", "models", "with blob: read it for proof"),
            Key("blob", "model.onnx", ""),
            Key("table", True, "the v1 router needs table storage"),
        ),
        many=True,
    ),
    Table(
        "workspace",
        "The Azure ML workspace.",
        (
            Key("name", "mlw-prod", ""),
            Key("id", "11111111-2222-3333-4444-555555555555", "the workspace's GUID"),
            Key("region", "westeurope", "environment.region when absent"),
            Key("tenant", "contoso.onmicrosoft.com", "Entra tenant"),
            Key("client_id", "11111111-2222-3333-4444-555555555555", "application to ask a token for"),
            Key("link", "any", 'expected address: "private", "public" or "any"'),
            Key("public_access_denied", False, "public network access is disabled"),
        ),
    ),
    Table(
        "endpoint",
        "The domain under which the models are called.",
        (
            Key("domain", "scores.westeurope.cloudapp.azure.com", "whole name; a label alone is completed"),
            Key("custom_domain", False, "true: a domain of your own"),
            Key("address", "20.1.2.3", "the router's load balancer"),
            Key("tls", True, ""),
            Key("path", "/", "what to ask for"),
        ),
    ),
    Table(
        "proxy",
        "HTTP proxies. No password here: credentials.proxy names where it comes from.",
        (
            Key("https", "http://proxy.contoso.com:3128", "for https:// targets"),
            Key("http", "http://proxy.contoso.com:3128", "for http:// targets"),
            Key("no_proxy", "10.0.0.0/8,.privatelink.azurecr.io", "as the variable NO_PROXY"),
            Key("vantages", ["node", "pod"], "where it applies"),
        ),
    ),
    Table(
        "credentials",
        'Where secrets come from: { env = "VARIABLE" } or { file = "PATH" }, never the secret itself.',
        (
            Key("api_server_token", {"env": "KUBE_TOKEN"}, ""),
            Key("registry_user", {"env": "ACR_USER"}, "a pull token is enough"),
            Key("registry_password", {"env": "ACR_PASSWORD"}, ""),
            Key("storage_sas", {"env": "STORAGE_SAS"}, "to read the blob named above"),
            Key("storage_token", {"env": "STORAGE_TOKEN"}, "or a bearer token"),
            Key("entra_client_secret", {"env": "ENTRA_CLIENT_SECRET"}, ""),
            Key("workspace_token", {"env": "WORKSPACE_TOKEN"}, ""),
            Key("proxy", {"env": "PROXY_LOGIN"}, "user:password"),
        ),
    ),
    Table(
        "pods",
        "Where the router's and the models' pods stand; what is not given is looked for in the cluster.",
        (
            Key("stand_as", "own", 'let the pod probes stand as "router" or "model": the same network policies apply'),
            Key("router_namespace", "default", '"azureml" with the extension'),
            Key("router_labels", {"azuremlappname": "azureml-fe"}, ""),
            Key("model_namespace", "azureml-mlw-prod", "with the extension: the namespace of the compute"),
            Key("model_labels", {"isazuremlapp": "true"}, ""),
        ),
    ),
    Table(
        "pool",
        "Node pools and where they stand in the network. One [[pool]] each.",
        (
            Key("name", "user1", ""),
            Key("mode", "User", ""),
            Key("os", "Linux", ""),
            Key("node_subnet", "vnet-prod/snet-nodes", ""),
            Key("pod_subnet", "vnet-prod/snet-pods", "where pods have a subnet of their own"),
        ),
        many=True,
    ),
    Table(
        "dependency",
        "Whatever the model itself calls. One [[dependency]] each.",
        (
            Key("name", "features", "lower case, digits, hyphens"),
            Key("url", "https://features.contoso.com/health", "https://, http:// or tcp://host:port"),
            Key("expect", ["200-399"], "HTTP statuses that are good"),
            Key("severity", "required", 'or "recommended"'),
            Key("vantages", ["node", "pod"], "where it is needed; everywhere when absent"),
        ),
        many=True,
    ),
)

_HEAD: Final = """\
# What is true of this deployment. Lines that start with # are examples: whatever is not
# given is skipped, with that reason in the report. Check this file: preflight plan
schema_version = 1
"""


def render(data: Mapping[str, Any]) -> str:
    """The file. `data` has the shape of the file's tables; keys that are not in a table's list are not written."""
    blocks = [_HEAD.rstrip()]
    for table in TABLES:
        given = data.get(table.name)
        comment = "\n".join(f"# {line}" for line in textwrap.wrap(table.comment, 86))
        elements = (given or [{}]) if table.many else [given or {}]
        blocks += [
            f"{comment}\n{_table(table, element)}" if number == 0 else _table(table, element)
            for number, element in enumerate(elements)
        ]
    return "\n\n".join(blocks) + "\n"


def _table(table: Table, given: Mapping[str, Any]) -> str:
    head = f"[[{table.name}]]" if table.many else f"[{table.name}]"
    absent = "# " if table.many and not given else ""
    lines = [f"{absent}{head}"]
    for key in table.keys:
        known = key.name in given
        line = f"{'' if known else '# '}{key.name} = {value(given[key.name] if known else key.example)}"
        lines.append(f"{line}  # {key.comment}" if key.comment else line)
    return "\n".join(lines)


def _key(name: str) -> str:
    """A key as TOML writes it: bare where it can be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else value(name)


def value(given: Any) -> str:
    """A value as TOML writes it."""
    match given:
        case bool():
            return "true" if given else "false"
        case str():
            return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return "[" + ", ".join(value(one) for one in given) + "]"
        case dict():
            return "{ " + ", ".join(f"{_key(key)} = {value(one)}" for key, one in given.items()) + " }"
        case _:
            return str(given)
