"""The stand-ins answer as the originals do, to clients that know nothing of preflight."""

import base64
import hashlib
import json
from urllib.parse import urlencode

import pytest

from preflight.lab import deployment as at
from preflight.lab.services.registry import image
from preflight.model.plan import Target, Task, VantagePlan
from preflight.model.secret import Secret
from preflight.model.vocabulary import ProbeName
from preflight.probes import local
from preflight.probes.dialer import Dialer
from preflight.probes.services import PROBES
from preflight.probes.trail import Trail
from preflight.vantages.nonce import Wish, fresh

ACCEPT = {"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}


def headers(answer):
    return {name.decode().lower(): value.decode() for name, value in answer.headers}


async def pull_token(node, password=at.SECRETS["registry_password"]):
    basic = base64.b64encode(f"{at.SECRETS['registry_user']}:{password}".encode()).decode()
    url = f"https://{at.ACR.name}/oauth2/token?service={at.ACR.name}&scope=repository:{at.REPOSITORY}:pull"
    return await node.get(url, headers={"Authorization": f"Basic {basic}"})


async def walk(node, host, repository, reference, auth):
    """Index, one platform's manifest, smallest layer, redirect: what a container runtime does."""
    index = await node.get(f"https://{host}/v2/{repository}/manifests/{reference}", headers={**ACCEPT, **auth})
    child = json.loads(index.content)["manifests"][0]["digest"]
    manifest = await node.get(f"https://{host}/v2/{repository}/manifests/{child}", headers={**ACCEPT, **auth})
    assert "sha256:" + hashlib.sha256(manifest.content).hexdigest() == child
    layer = min(json.loads(manifest.content)["layers"], key=lambda entry: entry["size"])
    redirect = await node.get(f"https://{host}/v2/{repository}/blobs/{layer['digest']}", headers=auth)
    assert redirect.status == 307
    location = headers(redirect)["location"]
    content = await node.get(location)
    return location, layer, content


async def test_mcr_is_anonymous_and_redirects_layers_to_the_regional_data_host(node):
    root = await node.get(f"https://{at.MCR.name}/v2/")
    assert (root.status, headers(root)["docker-distribution-api-version"]) == (200, "registry/2.0")
    location, layer, content = await walk(node, at.MCR.name, "mcr/hello-world", "latest", {})
    assert location.startswith("https://westeurope.data.mcr.microsoft.com/")
    assert "sha256:" + hashlib.sha256(content.content).hexdigest() == layer["digest"]


async def test_acr_challenges_gives_a_token_and_serves_layers_from_its_data_endpoint(node):
    refused = await node.get(f"https://{at.ACR.name}/v2/")
    assert refused.status == 401
    realm = f'Bearer realm="https://{at.ACR.name}/oauth2/token",service="{at.ACR.name}"'
    assert headers(refused)["www-authenticate"] == realm
    token = json.loads((await pull_token(node)).content)["access_token"]
    auth = {"Authorization": f"Bearer {token}"}
    location, layer, content = await walk(node, at.ACR.name, at.REPOSITORY, at.REFERENCE, auth)
    assert location.startswith("https://acrprod.westeurope.data.azurecr.io/")
    assert (content.status, len(content.content)) == (200, layer["size"])


async def test_acr_refuses_a_wrong_password_an_unknown_repository_and_a_token_for_another_scope(node):
    assert (await pull_token(node, "wrong")).status == 401
    token = json.loads((await pull_token(node)).content)["access_token"]
    other = await node.get(
        f"https://{at.ACR.name}/v2/other/image/manifests/latest", headers={"Authorization": f"Bearer {token}"}
    )
    assert other.status == 401
    assert 'scope="repository:other/image:pull"' in headers(other)["www-authenticate"]


async def test_a_range_of_a_layer_is_served(node):
    digest, blob = next(iter(image().blobs.items()))
    digits = digest.removeprefix("sha256:")
    path = f"/0-1//docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data?sig=x"
    answer = await node.get(f"https://{at.MCR_DATA.name}{path}", headers={"Range": "bytes=0-99"})
    assert (answer.status, answer.content) == (206, blob[:100])
    assert headers(answer)["content-range"] == f"bytes 0-99/{len(blob)}"


async def test_a_data_host_answers_400_on_its_root(node):
    assert (await node.get(f"https://{at.MCR_DATA.name}/")).status == 400


@pytest.mark.parametrize(
    ("path", "signed", "status", "code"),
    [
        ("/?comp=list", False, 409, "PublicAccessNotPermitted"),
        ("/?comp=list", True, 200, None),
        (f"/{at.CONTAINER}/{at.BLOB_NAME}", True, 200, None),
        (f"/{at.CONTAINER}/absent", True, 404, "BlobNotFound"),
        ("/absent/blob", True, 404, "ContainerNotFound"),
    ],
)
async def test_blob_storage(node, path, signed, status, code):
    mark = "&" if "?" in path else "?"
    answer = await node.get(f"https://{at.BLOB.name}{path}" + (mark + at.SECRETS["storage_sas"] if signed else ""))
    assert (answer.status, headers(answer).get("x-ms-error-code")) == (status, code)
    assert "x-ms-request-id" in headers(answer)
    assert code is None or f"<Code>{code}</Code>" in answer.content.decode()


async def test_blob_storage_refuses_a_wrong_signature(node):
    answer = await node.get(f"https://{at.BLOB.name}/?comp=list&sv=2024-11-04&sig=wrong")
    assert (answer.status, headers(answer)["x-ms-error-code"]) == (403, "AuthenticationFailed")


async def test_table_storage_wants_credentials_and_then_lists_tables(node):
    refused = await node.get(f"https://{at.TABLE.name}/Tables")
    assert (refused.status, headers(refused)["www-authenticate"][:6]) == (401, "Bearer")
    listed = await node.get(f"https://{at.TABLE.name}/Tables?{at.SECRETS['storage_sas']}")
    assert json.loads(listed.content)["value"] == [{"TableName": "azuremlfeconfig"}]


async def entra_token(node, **form):
    wanted = {"grant_type": "client_credentials", "client_id": at.CLIENT_ID, "scope": "https://ml.azure.com/.default"}
    content = urlencode({**wanted, "client_secret": at.SECRETS["entra_client_secret"], **form}).encode()
    tenant = form.get("tenant", at.TENANT)
    return await node.get(f"https://{at.ENTRA.name}/{tenant}/oauth2/v2.0/token", method="POST", content=content)


async def test_entra_publishes_its_configuration_and_gives_a_token(node):
    found = await node.get(f"https://{at.ENTRA.name}/{at.TENANT}/v2.0/.well-known/openid-configuration")
    assert json.loads(found.content)["token_endpoint"].endswith(f"{at.TENANT}/oauth2/v2.0/token")
    assert json.loads((await entra_token(node)).content)["token_type"] == "Bearer"


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "AADSTS7000215"),
        ({"client_id": "nobody"}, 400, "AADSTS700016"),
        ({"tenant": "no-tenant"}, 400, "AADSTS90002"),
    ],
)
async def test_entra_refuses_with_its_codes(node, form, status, code):
    answer = await entra_token(node, **form)
    assert answer.status == status
    assert json.loads(answer.content)["error_description"].startswith(code)


async def test_the_api_server_tells_strangers_nothing_but_that_it_is_one(node):
    refused = await node.get(f"https://{at.API_SERVER.name}/version")
    assert refused.status == 401
    assert json.loads(refused.content)["kind"] == "Status"
    auth = {"Authorization": f"Bearer {at.SECRETS['api_server_token']}"}
    assert (await node.get(f"https://{at.API_SERVER.name}/readyz", headers=auth)).content == b"ok"
    groups = json.loads((await node.get(f"https://{at.API_SERVER.name}/apis", headers=auth)).content)
    assert groups["kind"] == "APIGroupList"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"https://{at.AZUREML.name}/discovery", 200),
        (f"https://{at.AZUREML_WORKSPACE.name}/metric/v2.0", 401),
        (f"https://{at.KUSTO.name}/v1/rest/auth/metadata", 200),
        (f"https://{at.KUSTO.name}/v1/rest/mgmt", 401),
        (f"https://{at.ARM.name}/subscriptions", 401),
        (f"https://{at.PACKAGES.name}/", 200),
        (f"https://{at.PACKAGES_AKS.name}/", 400),
        (f"https://{at.ENDPOINT.name}/", 200),
        (f"https://{at.ENDPOINT.name}{at.ENDPOINT_PATH}", 401),
        (f"https://{at.FEATURES.name}/health", 200),
    ],
)
async def test_the_other_services(node, url, status):
    assert (await node.get(url)).status == status


async def test_one_connection_carries_several_requests_and_a_head_has_no_body(node):
    for method in ("GET", "HEAD", "GET"):
        answer = await node.get(f"https://{at.FEATURES.name}/health", method=method)
        assert bool(answer.content) is (method == "GET")


async def test_what_is_pushed_to_the_registry_can_be_pulled_until_it_is_deleted(azure):
    plan = VantagePlan(
        run_id="run1", vantage="workstation", tasks=(), ca_pem=azure.ca_pem, mapping=azure.mappings["workstation"]
    )
    target = Target(scheme="https", host=at.ACR.name, port=443, path="/v2/")
    secrets = {name: Secret(at.SECRETS[name]) for name in ("registry_user", "registry_password")}

    async def pulled():
        params = {"repository": "preflight/nonce", "reference": "run1"}
        task = Task(key="t", probe=ProbeName.REGISTRY, target=target, params=params, secrets=tuple(secrets))
        async with Dialer(plan, local.look(plan), secrets) as dialer:
            with Trail() as trail:
                await PROBES[ProbeName.REGISTRY](task, dialer, trail, secrets)
        return {hop.role: hop for hop in trail.hops}

    async with fresh(Wish(target=target, repository="preflight/nonce", plan=plan), secrets) as nonce:
        assert await nonce.pushed() == ""
        seen = await pulled()
        assert seen["layer.redirect1"].service["digest"] == "verified"
        assert seen["layer.redirect1"].service["data_host"] == at.ACR_DATA.name
    assert nonce.notice == ""
    assert (await pulled())["manifest"].http.status == 404
