"""What plain az output says, in every spelling that az has, and nothing that it does not say."""

import base64
import json
from pathlib import Path

import pytest

from preflight import catalogue, environment
from preflight.environment import azure_output, template
from preflight.failures import Problems

CERTIFICATE = (Path(__file__).parent / "ca.pem").read_text()
BASE64 = base64.b64encode(CERTIFICATE.encode()).decode()
VNET = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet-prod/subnets"

CLUSTER = {
    "type": "Microsoft.ContainerService/ManagedClusters",
    "name": "aks-prod",
    "location": "westeurope",
    "fqdn": "aks-prod-1.hcp.westeurope.azmk8s.io",
    "networkProfile": {"networkPlugin": "azure", "networkPluginMode": "overlay", "outboundType": "userDefinedRouting"},
    "apiServerAccessProfile": None,
    "httpProxyConfig": None,
    "agentPoolProfiles": [
        {"name": "system", "mode": "System", "osType": "Linux", "vnetSubnetId": f"{VNET}/snet-nodes"},
        {"name": "user1", "mode": "User", "osType": "Linux", "vnetSubnetID": f"{VNET}/snet-nodes"},
    ],
}
REGISTRY = {
    "type": "Microsoft.ContainerRegistry/registries",
    "name": "acrprod",
    "loginServer": "acrprod.azurecr.io",
    "location": "West Europe",
    "dataEndpointEnabled": True,
    "dataEndpointHostNames": ["acrprod.westeurope.data.azurecr.io", "acrprod.northeurope.data.azurecr.io"],
    "publicNetworkAccess": "Disabled",
    "privateEndpointConnections": [],
}
STORAGE = {
    "type": "Microsoft.Storage/storageAccounts",
    "name": "stmlprod",
    "location": "westeurope",
    "primaryEndpoints": {
        "blob": "https://stmlprod.blob.core.windows.net/",
        "table": "https://stmlprod.table.core.windows.net/",
    },
    "publicNetworkAccess": "Enabled",
    "networkRuleSet": {"defaultAction": "Allow"},
}
WORKSPACE = {
    "name": "mlw-prod",
    "location": "westeurope",
    "discovery_url": "https://westeurope.api.azureml.ms/discovery",
    "storage_account": "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stmlprod",
    "container_registry": "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/acrprod",
    "public_network_access": "Disabled",
    "workspace_id": "11111111-2222-3333-4444-555555555555",
}


def understand(tmp_path, *documents):
    paths = []
    for number, document in enumerate(documents):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(document))
        paths.append(path)
    return azure_output.understand(paths)


def with_cluster(**changes):
    return {**CLUSTER, **changes}


def test_the_four_outputs_together_fill_the_file(tmp_path):
    draft = understand(tmp_path, STORAGE, REGISTRY, WORKSPACE, CLUSTER)
    tables = draft.tables
    assert tables["environment"] == {
        "cloud": "AzureCloud",
        "region": "westeurope",
        "cluster": "aks-prod",
        "network_model": "overlay",
        "outbound_type": "userDefinedRouting",
    }
    assert tables["api_server"] == {"fqdn": "aks-prod-1.hcp.westeurope.azmk8s.io", "access": "public"}
    assert tables["registry"] == {
        "name": "acrprod.azurecr.io",
        "region": "westeurope",
        "replicas": ["northeurope"],
        "data_endpoints": True,
        "public_access_denied": True,
        "link": "private",
    }
    assert tables["storage"] == [{"account": "stmlprod", "blob_link": "any", "table_link": "any", "table": True}]
    assert tables["workspace"]["id"] == "11111111-2222-3333-4444-555555555555"
    assert tables["workspace"]["link"] == "private"
    assert tables["pool"][0]["node_subnet"] == "vnet-prod/snet-nodes"
    assert len(draft.understood) == 4


def test_what_was_understood_is_a_valid_file(tmp_path):
    draft = understand(tmp_path, STORAGE, REGISTRY, WORKSPACE, CLUSTER)
    path = tmp_path / "preflight.toml"
    path.write_text(template.render(draft.tables))
    env = environment.load(path, environ={}, clouds=catalogue.load_clouds())
    assert env.registry.replicas == ("northeurope",)


@pytest.mark.parametrize(
    ("network", "pools", "model"),
    [
        ({"networkPlugin": "kubenet"}, [], "kubenet"),
        ({"networkPlugin": "azure", "networkPluginMode": "overlay"}, [], "overlay"),
        ({"networkPlugin": "azure"}, [{"podSubnetId": f"{VNET}/pods"}], "pod-subnet"),
        ({"networkPlugin": "azure"}, [{"podSubnetID": f"{VNET}/pods"}], "pod-subnet"),
        ({"networkPlugin": "azure"}, [{"podSubnetId": None}], "node-subnet"),
        ({"networkPlugin": "none"}, [], "unknown"),
        ({}, [], "unknown"),
    ],
)
def test_the_network_model_follows_from_plugin_mode_and_subnets(tmp_path, network, pools, model):
    draft = understand(tmp_path, with_cluster(networkProfile=network, agentPoolProfiles=pools))
    assert draft.tables["environment"]["network_model"] == model


@pytest.mark.parametrize(
    ("profile", "names", "access", "fqdn"),
    [
        ({}, {"fqdn": "a.hcp"}, "public", "a.hcp"),
        ({"enablePrivateCluster": True}, {"fqdn": "a.hcp", "privateFqdn": "a.privatelink"}, "private", "a.privatelink"),
        ({"enablePrivateCluster": True}, {"fqdn": "a.hcp", "privateFqdn": None}, "private", "a.hcp"),
        ({"enableVnetIntegration": True}, {"fqdn": "a.hcp"}, "vnet-integrated", "a.hcp"),
        (
            {"enableVnetIntegration": True, "enablePrivateCluster": True},
            {"fqdn": None, "privateFqdn": "a.private"},
            "vnet-integrated",
            "a.private",
        ),
    ],
)
def test_the_api_server_is_named_as_nodes_use_it(tmp_path, profile, names, access, fqdn):
    draft = understand(tmp_path, with_cluster(apiServerAccessProfile=profile, **names))
    assert draft.tables["api_server"] == {"fqdn": fqdn, "access": access}


def test_a_proxy_login_never_reaches_the_file(tmp_path):
    proxy = {
        "httpProxy": "http://user:hunter2@proxy.contoso.com:3128/",
        "httpsProxy": "http://user:hunter2@proxy.contoso.com:3128/",
        "noProxy": ["10.0.0.0/8"],
        "effectiveNoProxy": ["10.0.0.0/8", "aks-prod-1.hcp.westeurope.azmk8s.io"],
        "trustedCa": BASE64,
    }
    draft = understand(tmp_path, with_cluster(httpProxyConfig=proxy))
    text = template.render(draft.tables)
    assert "hunter2" not in text + str(draft.understood) + str(draft.notes)
    assert draft.tables["proxy"] == {
        "https": "http://proxy.contoso.com:3128",
        "http": "http://proxy.contoso.com:3128",
        "no_proxy": "10.0.0.0/8,aks-prod-1.hcp.westeurope.azmk8s.io",
        "vantages": ["node", "pod"],
    }
    assert draft.tables["credentials"] == {"proxy": {"env": "PROXY_LOGIN"}}
    assert draft.certificates == {"proxy-ca.pem": CERTIFICATE}
    assert draft.tables["environment"]["ca_file"] == "proxy-ca.pem"


def test_an_isolated_cluster_names_its_cache(tmp_path):
    document = with_cluster(
        networkProfile={"outboundType": "none"},
        bootstrapProfile={"artifactSource": "Cache", "containerRegistryId": "/subscriptions/1/.../registries/acrCache"},
    )
    main = understand(tmp_path, document).tables["environment"]
    assert main["outbound_type"] == "none"
    assert main["bootstrap_registry"] == "acrcache.azurecr.io"


@pytest.mark.parametrize(
    ("location", "cloud"),
    [("westeurope", "AzureCloud"), ("usgovvirginia", "AzureUSGovernment"), ("chinanorth3", "AzureChinaCloud")],
)
def test_the_cloud_follows_from_the_region(tmp_path, location, cloud):
    assert understand(tmp_path, with_cluster(location=location)).tables["environment"]["cloud"] == cloud


def test_a_kubeconfig_gives_the_clusters_ca_and_none_of_its_keys(tmp_path):
    config = {
        "kind": "Config",
        "contexts": [],
        "clusters": [
            {"name": "other", "cluster": {"server": "https://other:443", "certificate-authority-data": "eA=="}},
            {
                "name": "aks",
                "cluster": {"server": f"https://{CLUSTER['fqdn']}:443", "certificate-authority-data": BASE64},
            },
        ],
        "users": [{"name": "u", "user": {"client-key-data": "aHVudGVyMg==", "token": "hunter2"}}],
    }
    draft = understand(tmp_path, config, CLUSTER)
    assert draft.certificates == {"cluster-ca.pem": CERTIFICATE}
    assert draft.tables["api_server"]["ca_file"] == "cluster-ca.pem"
    assert "hunter2" not in template.render(draft.tables)


def test_replicas_come_from_the_replication_list_as_well(tmp_path):
    replications = [
        {"type": "Microsoft.ContainerRegistry/registries/replications", "name": "westeurope", "location": "westeurope"},
        {"type": "Microsoft.ContainerRegistry/registries/replications", "name": "eastus", "location": "eastus"},
    ]
    draft = understand(tmp_path, replications, {**REGISTRY, "dataEndpointHostNames": []})
    assert draft.tables["registry"]["replicas"] == ["eastus"]


def test_the_workspace_names_registry_and_storage_when_nothing_else_does(tmp_path):
    tables = understand(tmp_path, WORKSPACE).tables
    assert tables["registry"]["name"] == "acrprod"
    assert tables["storage"] == [{"account": "stmlprod"}]
    assert tables["environment"]["region"] == "westeurope"


def test_the_extension_settles_the_layout(tmp_path):
    document = {"type": "Microsoft.KubernetesConfiguration/extensions", "extensionType": "Microsoft.AzureML.Kubernetes"}
    assert understand(tmp_path, document, CLUSTER).tables["environment"]["layout"] == "extension"


def test_an_account_without_tables_is_not_asked_for_them(tmp_path):
    document = {**STORAGE, "primaryEndpoints": {"blob": "https://x"}, "publicNetworkAccess": "Disabled"}
    assert understand(tmp_path, document).tables["storage"] == [
        {"account": "stmlprod", "blob_link": "private", "public_access_denied": True, "table": False}
    ]


def test_a_private_endpoint_beside_public_access_is_left_to_the_reader(tmp_path):
    connection = {"privateLinkServiceConnectionState": {"status": "Approved"}}
    draft = understand(tmp_path, {**STORAGE, "privateEndpointConnections": [connection]})
    assert draft.tables["storage"][0]["blob_link"] == "any"
    assert any("private endpoint" in note for note in draft.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_powershell_writes_is_read(tmp_path, encoding):
    path = tmp_path / "aks.json"
    path.write_bytes(json.dumps(CLUSTER).encode(encoding))
    assert azure_output.understand([path]).tables["environment"]["cluster"] == "aks-prod"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("ERROR: please run az login", "is not JSON"),
        ("{", "line 1, column 2"),
        ("[]", "holds no object"),
        ('"text"', "holds no object"),
        ('{"a": 1}', "is not an output that is known"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_file_that_is_no_output_says_what_would_be(tmp_path, content, said):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(Problems) as failure:
        azure_output.understand([path, tmp_path / "none.json"])
    assert said in failure.value.problems[0]
    assert "cannot be read" in failure.value.problems[1]


@pytest.mark.parametrize("kind", [CLUSTER, REGISTRY, STORAGE, WORKSPACE])
def test_outputs_with_nothing_but_their_type_or_marks_are_survived(tmp_path, kind):
    bare = dict.fromkeys(kind) | ({"type": kind["type"]} if "type" in kind else {})
    understand(tmp_path, bare)
