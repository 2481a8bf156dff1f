"""What `az aks show`, a kubeconfig and the extension say about the cluster. Pure."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from preflight.environment.draft import Draft, last, table, tables, text
from preflight.model.environment import NetworkModel, OutboundType
from preflight.strict import url_host

PROXY_CA, CLUSTER_CA = "proxy-ca.pem", "cluster-ca.pem"
_CLOUDS: Final = {"usgov": "AzureUSGovernment", "usdod": "AzureUSGovernment", "china": "AzureChinaCloud"}
_SUFFIXES: Final = {
    "AzureCloud": "azurecr.io",
    "AzureUSGovernment": "azurecr.us",
    "AzureChinaCloud": "azurecr.cn",
}


def region_of(location: object) -> str | None:
    """`West Europe` or `westeurope` -> `westeurope`."""
    return (text(location) or "").lower().replace(" ", "") or None


def cloud_of(region: str | None) -> str:
    """The cloud that a region belongs to."""
    return next((cloud for prefix, cloud in _CLOUDS.items() if (region or "").startswith(prefix)), "AzureCloud")


def cluster(draft: Draft, document: Mapping[str, Any]) -> None:
    """`az aks show`."""
    name, region = text(document.get("name")), region_of(document.get("location"))
    network = table(document.get("networkProfile"))
    pools = tables(document.get("agentPoolProfiles"))
    model = network_model(network, pools)
    outbound = text(network.get("outboundType"))
    known = outbound if outbound in [one.value for one in OutboundType] else None
    draft.put(
        "environment", cloud=cloud_of(region), region=region, cluster=name, network_model=model, outbound_type=known
    )
    access = _api_server(draft, document)
    _pools(draft, pools)
    _bootstrap(draft, document)
    _proxy(draft, table(document.get("httpProxyConfig")))
    draft.say(
        f"cluster {name or '(no name)'}: {region or 'no region'}, {access} API server, network model {model},"
        f" outbound type {outbound or 'unknown'}, {len(pools)} node pools"
    )


def network_model(network: Mapping[str, Any], pools: list[dict[str, Any]]) -> str:
    """What the network sees of a pod."""
    plugin, mode = text(network.get("networkPlugin")), text(network.get("networkPluginMode"))
    if plugin == "kubenet":
        return NetworkModel.KUBENET.value
    if plugin != "azure":
        return NetworkModel.UNKNOWN.value
    if mode == "overlay":
        return NetworkModel.OVERLAY.value
    pods = any(text(pool.get("podSubnetId") or pool.get("podSubnetID")) for pool in pools)
    return NetworkModel.POD_SUBNET.value if pods else NetworkModel.NODE_SUBNET.value


def _api_server(draft: Draft, document: Mapping[str, Any]) -> str:
    profile = table(document.get("apiServerAccessProfile"))
    private = profile.get("enablePrivateCluster") is True
    access = "private" if private else "public"
    if profile.get("enableVnetIntegration") is True:
        access = "vnet-integrated"
    # Nodes of a private cluster use the private name; its public name, if there is one, answers with the same address.
    own = text(document.get("privateFqdn")) if private else None
    draft.put("api_server", fqdn=own or text(document.get("fqdn")) or text(document.get("privateFqdn")), access=access)
    return access


def _subnet(resource_id: object) -> str | None:
    """`.../virtualNetworks/vnet-prod/subnets/snet-nodes` -> `vnet-prod/snet-nodes`."""
    parts = (text(resource_id) or "").split("/")
    lower = [part.lower() for part in parts]
    if "virtualnetworks" not in lower or "subnets" not in lower or lower[-1] in ("subnets", "virtualnetworks"):
        return None
    return f"{parts[lower.index('virtualnetworks') + 1]}/{parts[lower.index('subnets') + 1]}"


def _pools(draft: Draft, pools: list[dict[str, Any]]) -> None:
    for pool in pools:
        name = text(pool.get("name"))
        if name:
            draft.element(
                "pool",
                "name",
                name=name,
                mode=text(pool.get("mode")),
                os=text(pool.get("osType")),
                node_subnet=_subnet(pool.get("vnetSubnetId") or pool.get("vnetSubnetID")),
                pod_subnet=_subnet(pool.get("podSubnetId") or pool.get("podSubnetID")),
            )


def _bootstrap(draft: Draft, document: Mapping[str, Any]) -> None:
    profile = table(document.get("bootstrapProfile"))
    name = last(profile.get("containerRegistryId"))
    if text(profile.get("artifactSource")) == "Cache" and name:
        suffix = _SUFFIXES[draft.tables["environment"]["cloud"]]
        draft.put("environment", bootstrap_registry=f"{name.lower()}.{suffix}")
        draft.say(f"images come from the private cache {name}")


def _proxy(draft: Draft, config: dict[str, Any]) -> None:
    if not config or config.get("enabled") is False:
        return
    # effectiveNoProxy is what nodes really use: AKS adds the cluster's own ranges to noProxy.
    given = config.get("effectiveNoProxy") or config.get("noProxy")
    exceptions = given if isinstance(given, list) else []
    https, http = _without_login(draft, config.get("httpsProxy")), _without_login(draft, config.get("httpProxy"))
    if https or http:
        no_proxy = ",".join(str(one) for one in exceptions)
        draft.put("proxy", https=https, http=http, no_proxy=no_proxy, vantages=["node", "pod"])
        draft.say(f"HTTP proxy {https or http} for nodes and pods, {len(exceptions)} exceptions")
    pem = _decoded(config.get("trustedCa"))
    if pem:
        draft.certificates[PROXY_CA] = pem
        draft.put("environment", ca_file=PROXY_CA)
        draft.say(f"the proxy's authority, written to {PROXY_CA}")


def _without_login(draft: Draft, value: object) -> str | None:
    """A proxy's URL; user and password never reach the file."""
    url = text(value)
    if not url:
        return None
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "http", url
    login, at, place = rest.partition("/")[0].rpartition("@")
    if at and "proxy" not in draft.tables.get("credentials", {}):
        draft.put("credentials", proxy={"env": "PROXY_LOGIN"})
        draft.note('the proxy needs a login: put "user:password" into the environment variable PROXY_LOGIN')
    return f"{scheme.lower()}://{place}" if at or login or place else None


def _decoded(value: object) -> str | None:
    """PEM out of base64, as az and kubeconfigs carry it."""
    try:
        pem = base64.b64decode(text(value) or "", validate=False).decode("ascii")
    except ValueError:  # binascii.Error and UnicodeDecodeError are; so is what it says to text that is not ASCII
        return None
    return pem if "-----BEGIN CERTIFICATE-----" in pem else None


def kubeconfig(draft: Draft, document: Mapping[str, Any]) -> None:
    """`kubectl config view --raw --minify -o json`: the API server's name and its CA, and none of the keys in it."""
    wanted = draft.tables.get("api_server", {}).get("fqdn")
    for entry in tables(document.get("clusters")):
        one = table(entry.get("cluster"))
        host = url_host(text(one.get("server")) or "")
        if not host or (wanted and host != wanted.lower()):
            continue
        draft.put_absent("api_server", fqdn=host)
        pem = _decoded(one.get("certificate-authority-data"))
        if pem:
            draft.certificates[CLUSTER_CA] = pem
            draft.put("api_server", ca_file=CLUSTER_CA)
            draft.say(f"the cluster's CA, written to {CLUSTER_CA}")
        return
    draft.note(f"the kubeconfig has no cluster with the server {wanted}: its CA was not taken")


def extension(draft: Draft, document: Mapping[str, Any]) -> None:
    """`az k8s-extension show`: the Azure ML extension settles the layout."""
    if (text(document.get("extensionType")) or "").lower() == "microsoft.azureml.kubernetes":
        draft.put("environment", layout="extension")
        draft.say("layout extension")
