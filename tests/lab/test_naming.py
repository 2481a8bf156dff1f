"""The same deployment under another cloud's names: DNS, certificates, challenges and redirects say the new ones."""

import base64
import json

import pytest

from preflight.lab import deployment as at
from preflight.lab.naming import Naming

GOVERNMENT = (
    ("westeurope", "usgovvirginia"),
    ("azurecr.io", "azurecr.us"),
    ("microsoftonline.com", "microsoftonline.us"),
)
REGISTRY = "acrprod.azurecr.us"


@pytest.fixture
async def renamed(azure, node):
    azure.rename(GOVERNMENT)
    return node


@pytest.mark.parametrize("host", at.HOSTS, ids=lambda host: host.name)
def test_every_name_comes_back_from_its_new_one(host):
    naming = Naming(pairs=GOVERNMENT)
    assert naming.original(naming.renamed(host.name)) == host.name


async def test_the_new_names_resolve_through_new_chains_and_the_old_ones_do_not_exist(renamed):
    answer = await renamed.ask(REGISTRY)
    texts = [str(item) for rrset in answer.answer for item in rrset]
    assert texts == ["acrprod.privatelink.azurecr.us.", "10.73.0.30"]
    assert (await renamed.ask(at.ACR.name)).rcode() == 3


async def test_certificate_challenge_and_redirect_name_the_new_hosts(renamed):
    challenge = await renamed.get(f"https://{REGISTRY}/v2/")
    assert f'realm="https://{REGISTRY}/oauth2/token"'.encode() in dict(challenge.headers)[b"Www-Authenticate"]
    login = base64.b64encode(f"{at.SECRETS['registry_user']}:{at.SECRETS['registry_password']}".encode()).decode()
    scope = f"repository:{at.REPOSITORY}:pull"
    url = f"https://{REGISTRY}/oauth2/token?service={REGISTRY}&scope={scope}"
    token = json.loads((await renamed.get(url, headers={"Authorization": f"Basic {login}"})).content)["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    index = await renamed.get(f"https://{REGISTRY}/v2/{at.REPOSITORY}/manifests/{at.REFERENCE}", headers=bearer)
    child = json.loads(index.content)["manifests"][0]["digest"]
    manifest = await renamed.get(f"https://{REGISTRY}/v2/{at.REPOSITORY}/manifests/{child}", headers=bearer)
    layer = json.loads(manifest.content)["layers"][0]["digest"]
    sent = await renamed.get(f"https://{REGISTRY}/v2/{at.REPOSITORY}/blobs/{layer}", headers=bearer)
    assert dict(sent.headers)[b"Location"].startswith(b"https://acrprod.usgovvirginia.data.azurecr.us/")


async def test_documents_name_the_new_hosts(renamed):
    answer = await renamed.get(f"https://login.microsoftonline.us/{at.TENANT}/v2.0/.well-known/openid-configuration")
    assert json.loads(answer.content)["token_endpoint"].startswith("https://login.microsoftonline.us/")


async def test_the_usual_names_are_back_when_nothing_is_renamed(azure, node):
    azure.rename(GOVERNMENT)
    azure.rename(())
    assert await node.addresses(at.ACR.name) == ["10.73.0.30"]
