"""The registry client against registries that are honest, forgetful and hostile."""

import base64
import hashlib
import json

import msgspec
import pytest

from preflight.judge.services import ANSWER, MISSING
from preflight.model.vocabulary import ProbeName, Status

SMALL, BIG = b"small layer " * 50, bytes(range(256)) * 8192
API = {"Docker-Distribution-Api-Version": "registry/2.0"}
CREDENTIALS = {"registry_user": "puller", "registry_password": "pa55-w0rd:with colon"}
PARAMS = {"repository": "sentiment/model", "reference": "1.0"}
TOKEN = "eyJ-token.for.pulls"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blob(content: bytes) -> dict:
    return {"digest": digest(content), "size": len(content)}


def acr(service, elsewhere, *, layers=(SMALL,), sent=None):
    """An honest registry on `service` whose layers are on `elsewhere`; returns the URL path of the smallest layer."""
    smallest = min(layers, key=len)
    image = json.dumps({"layers": [blob(layer) for layer in layers]}).encode()
    children = [{**blob(image), "platform": {"os": "linux", "architecture": "amd64"}}]
    index = json.dumps({"manifests": children}).encode()
    realm = f'Bearer realm="{service.url}/oauth2/token",service="acrprod.azurecr.io"'
    login = base64.b64encode(b"puller:pa55-w0rd:with colon").decode()

    def guarded(status, headers, body):
        def answer(asked):
            if asked.header("authorization") != f"Bearer {TOKEN}":
                return 401, {"WWW-Authenticate": realm, **API}, b'{"errors":[{"code":"UNAUTHORIZED"}]}'
            return status, {**API, **headers}, body

        return answer

    def token(asked):
        if asked.header("authorization") != f"Basic {login}":
            return 401, {}, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}'
        return 200, {}, json.dumps({"access_token": TOKEN, "expires_in": 300}).encode()

    blobs = f"/v2/sentiment/model/blobs/{digest(smallest)}"
    service.answers |= {
        "/v2/": guarded(200, {}, b"{}"),
        "/oauth2/token": token,
        "/v2/sentiment/model/manifests/1.0": guarded(200, {"Docker-Content-Digest": digest(index)}, index),
        f"/v2/sentiment/model/manifests/{digest(image)}": guarded(200, {}, image),
        blobs: guarded(307, {"Location": f"{elsewhere.url}/data?sig=s1gn4ture%3D"}, b""),
    }
    elsewhere.answers["/data"] = (200, {}, smallest if sent is None else sent)
    return blobs


def outcomes(observation, check):
    return {hop.role: ANSWER[ProbeName.REGISTRY](check, hop, observation).cause for hop in observation.hops}


async def test_a_pull_goes_from_the_challenge_to_the_verified_layer_on_the_data_host(
    service, elsewhere, probe, make_check
):
    acr(service, elsewhere, layers=(BIG, SMALL))
    seen = await probe(ProbeName.REGISTRY, service, path="/v2/", params=PARAMS, **CREDENTIALS)
    roles = ["origin", "token", "manifest", "manifest.child", "layer", "layer.redirect1"]
    assert [hop.role for hop in seen.hops] == roles
    facts = {hop.role: hop.service for hop in seen.hops}
    assert facts["origin"]["challenge"] == "bearer"
    assert facts["origin"]["realm"] == "own"
    assert facts["manifest"]["digest"] == "verified"
    assert facts["manifest.child"]["layers"] == "2"
    assert facts["layer.redirect1"] == {
        "auth": "bearer", "data_host": "127.0.0.1", "digest": "verified", "layer_bytes": str(len(SMALL)),
    }  # fmt: skip
    assert set(outcomes(seen, make_check()).values()) == {None}


async def test_the_token_is_asked_for_this_repository_and_every_kind_of_manifest_is_accepted(service, elsewhere, probe):
    acr(service, elsewhere)
    await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    (token,) = service.calls("/oauth2/token")
    assert "scope=repository%3Asentiment%2Fmodel%3Apull" in token.target
    assert "service=acrprod.azurecr.io" in token.target
    (manifest,) = service.calls("/v2/sentiment/model/manifests/1.0")
    assert [name for name, _ in manifest.headers].count("accept") == 4


async def test_authorization_is_not_sent_to_the_data_host(service, elsewhere, probe):
    acr(service, elsewhere)
    await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    assert [asked.header("authorization") for asked in elsewhere.asked] == [""]


async def test_no_password_token_or_signature_is_in_the_evidence(service, elsewhere, probe):
    acr(service, elsewhere)
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    text = msgspec.json.encode(seen).decode()
    login = base64.b64encode(b"puller:pa55-w0rd:with colon").decode()
    for secret in (CREDENTIALS["registry_password"], login, TOKEN, "s1gn4ture"):
        assert secret not in text


async def test_a_large_layer_is_asked_for_its_first_bytes_only(service, elsewhere, probe):
    blobs = acr(service, elsewhere, layers=(BIG,))
    elsewhere.answers["/data"] = (206, {}, BIG[:65536])
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    assert service.calls(blobs)[0].header("range") == "bytes=0-65535"
    assert seen.hops[-1].service["digest"] == "partial"
    assert seen.hops[-1].service["layer_bytes"] == "65536"


@pytest.mark.parametrize("sent", [SMALL[:-1] + b"!", SMALL + b"more", SMALL[:-5]])
async def test_a_layer_that_was_changed_on_the_way_is_named(service, elsewhere, probe, make_check, sent):
    acr(service, elsewhere, sent=sent)
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    assert seen.hops[-1].service["digest"] == "mismatch"
    assert outcomes(seen, make_check())["layer.redirect1"] == "registry.digest-mismatch"


async def test_without_credentials_there_is_no_redirect_and_the_layer_is_unknown(service, elsewhere, probe, make_check):
    acr(service, elsewhere)
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS)
    assert [hop.role for hop in seen.hops] == ["origin", "token"]
    assert outcomes(seen, make_check()) == {"origin": None, "token": "registry.needs-credentials"}
    missing = MISSING[ProbeName.REGISTRY](make_check("layer"), "layer", seen)
    assert (missing.status, missing.cause) == (Status.UNKNOWN, "registry.needs-credentials")
    assert elsewhere.asked == []


async def test_wrong_credentials_are_refused_by_name(service, elsewhere, probe, make_check):
    acr(service, elsewhere)
    wrong = {**CREDENTIALS, "registry_password": "not-the-one"}
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **wrong)
    assert outcomes(seen, make_check())["token"] == "registry.unauthorized"


@pytest.mark.parametrize(
    ("realm", "verdict"),
    [
        ("{elsewhere}/oauth2/token", "foreign"),
        ("https://evil.azurecr.io/oauth2/token", "foreign"),
        ("http://127.0.0.1:{port}/oauth2/token", "invalid"),
        ("https://user@127.0.0.1:{port}/oauth2/token", "invalid"),
        ("https://127.0.0.1:99999/", "invalid"),
        ("https://[::1/", "invalid"),
        ("", "invalid"),
    ],
)
async def test_credentials_never_go_to_a_realm_that_is_not_the_registrys_own(
    service, elsewhere, probe, make_check, realm, verdict
):
    acr(service, elsewhere)
    realm = realm.format(elsewhere=elsewhere.url, port=service.port)
    service.answers["/v2/"] = (401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"', **API}, b"")
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    assert [hop.role for hop in seen.hops] == ["origin"]
    assert seen.hops[0].service["realm"] == verdict
    assert not any(asked.header("authorization") for asked in service.asked + elsewhere.asked)
    assert elsewhere.asked == []
    assert MISSING[ProbeName.REGISTRY](make_check("token"), "token", seen).cause == "registry.no-challenge"


async def test_mcr_needs_no_token(service, elsewhere, probe, make_check):
    image = json.dumps({"layers": [blob(SMALL)]}).encode()
    service.answers |= {
        "/v2/": (200, {}, b"{}"),
        "/v2/sentiment/model/manifests/1.0": (200, {}, image),
        f"/v2/sentiment/model/blobs/{digest(SMALL)}": (307, {"Location": f"{elsewhere.url}/data"}, b""),
    }
    elsewhere.answers["/data"] = (200, {}, SMALL)
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS)
    assert [hop.role for hop in seen.hops] == ["origin", "manifest", "layer", "layer.redirect1"]
    assert set(outcomes(seen, make_check()).values()) == {None}
    assert MISSING[ProbeName.REGISTRY](make_check("token"), "token", seen).status is Status.PASS


async def test_a_registry_that_wants_the_password_itself_gets_it(service, elsewhere, probe):
    login = f"Basic {base64.b64encode(b'puller:pa55-w0rd:with colon').decode()}"

    def manifest(asked):
        good = asked.header("authorization") == login
        return (200, {}, b'{"layers": []}') if good else (401, {}, b"")

    service.answers["/v2/"] = (401, {"WWW-Authenticate": 'Basic realm="registry"', **API}, b"")
    service.answers["/v2/sentiment/model/manifests/1.0"] = manifest
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    assert [(hop.role, hop.service.get("layers")) for hop in seen.hops] == [("origin", None), ("manifest", "0")]


async def test_a_denial_by_network_rule_names_the_source_that_the_registry_saw(service, probe, make_check):
    message = (
        "client with IP '20.120.109.180' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
    )
    body = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
    service.answers["/v2/"] = (403, API, body)
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    assert seen.hops[0].service["denied_source"] == "20.120.109.180"
    assert outcomes(seen, make_check()) == {"origin": "registry.denied-by-network"}


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"\xff" * 70000, b'{"layers": "no", "manifests": {}}', b"[" * 9000]
)
async def test_a_manifest_that_is_none_stops_the_pull(service, elsewhere, probe, make_check, body):
    acr(service, elsewhere)
    service.answers["/v2/sentiment/model/manifests/1.0"] = (200, {}, body)
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    assert seen.hops[-1].role == "manifest"
    assert outcomes(seen, make_check())["manifest"] == "http.unexpected-status"


@pytest.mark.parametrize("token", ["a\r\nX-Injected: 1", "", "x" * 70000, "ü", None, 7])
async def test_a_token_that_no_header_can_hold_is_none(service, elsewhere, probe, make_check, token):
    acr(service, elsewhere)
    service.answers["/oauth2/token"] = (200, {}, json.dumps({"token": token}).encode())
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    assert seen.hops[-1].role == "token"
    assert outcomes(seen, make_check())["token"] == "http.unexpected-status"


async def test_repository_names_cannot_leave_their_place_in_the_url(service, elsewhere, probe):
    acr(service, elsewhere)
    params = {"repository": "a?b#c", "reference": "x/../y"}
    await probe(ProbeName.REGISTRY, service, params=params, **CREDENTIALS)
    assert service.asked[-1].target == "/v2/a%3Fb%23c/manifests/x%2F..%2Fy"


async def test_what_a_refusal_echoes_of_the_password_is_taken_out(service, elsewhere, probe):
    acr(service, elsewhere)
    message = f"no such login: puller:{CREDENTIALS['registry_password']}"
    service.answers["/oauth2/token"] = (401, {}, json.dumps({"errors": [{"code": "X", "message": message}]}).encode())
    seen = await probe(ProbeName.REGISTRY, service, params=PARAMS, **CREDENTIALS)
    assert seen.hops[-1].service["error_message"].startswith("no such login: puller:")
    assert CREDENTIALS["registry_password"] not in msgspec.json.encode(seen).decode()
