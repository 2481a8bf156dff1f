"""Every other probe against services on loopback that answer as the originals do, or do not."""

import json

import msgspec
import pytest

from preflight.judge.services import ANSWER
from preflight.model.vocabulary import ProbeName, Status
from preflight.probes.services import PROBES

P = ProbeName
STATUS = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "reason": "Unauthorized",
    "message": "Unauthorized",
}
VERSION = {"major": "1", "minor": "33", "gitVersion": "v1.33.2"}
GENUINE = {"x-ms-request-id": "6f1c0f52", "Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"}
PRIVATE = "Access to workspace was denied based on workspace private link configuration."
SAS = "?sv=2023-11-03&ss=bt&srt=sco&sp=rl&se=2030-01-01&sig=c2lnbmF0dXJl%2Bx%3D"


def js(value, status=200, **headers):
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode()


def xml(status, code, message):
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, GENUINE, body.encode()


def causes(seen, check):
    return {hop.role: ANSWER[seen.probe](check, hop, seen).cause for hop in seen.hops}


async def test_the_api_server_is_asked_as_anybody_first_and_with_the_token_last(service, probe, make_check):
    def apis(asked):
        ok = asked.header("authorization") == "Bearer kube-secret-token"
        return js({"kind": "APIGroupList", "groups": []}) if ok else js(STATUS, 401)

    service.answers = {"/version": js(VERSION), "/readyz": (200, {}, b"ok"), "/apis": apis}
    seen = await probe(P.KUBE_API, service, api_server_token="kube-secret-token\n")
    assert [(hop.role, hop.service["kind"]) for hop in seen.hops] == [
        ("origin", "version"), ("ready", "ready"), ("query", "groups"),
    ]  # fmt: skip
    assert [asked.header("authorization") for asked in service.asked[:2]] == ["", ""]
    assert set(causes(seen, make_check()).values()) == {None}
    assert "kube-secret-token" not in msgspec.json.encode(seen).decode()


LISTS = {f"/api/v1/{name}": js({"kind": f"{name}List", "items": []}) for name in ("pods", "services")}


async def test_the_router_s_queries_are_made_with_the_pod_s_own_token(service, probe, make_check):
    forbidden = js({**STATUS, "reason": "Forbidden"}, 403)
    service.answers = {"/version": js(VERSION), "/readyz": (200, {}, b"ok"), **LISTS}
    service.answers["/api/v1/endpoints"] = forbidden
    queries = {"queries": "pods,endpoints,services"}
    seen = await probe(P.KUBE_API, service, params=queries, service_account_token="pod-secret-token")
    assert [(hop.role, hop.service["kind"]) for hop in seen.hops[2:]] == [
        ("query", "list"), ("query.endpoints", "status"), ("query.services", "list"),
    ]  # fmt: skip
    asked = [one.header("authorization") for one in service.asked]
    assert asked == ["", "", *["Bearer pod-secret-token"] * 3]
    assert set(causes(seen, make_check()).values()) == {None}
    assert "pod-secret-token" not in msgspec.json.encode(seen).decode()


async def test_without_a_token_the_router_s_queries_are_not_made(service, probe):
    service.answers = {"/version": js(VERSION), "/readyz": (200, {}, b"ok")}
    seen = await probe(P.KUBE_API, service, params={"queries": "pods"})
    assert [hop.role for hop in seen.hops] == ["origin", "ready"]


async def test_an_api_server_without_anonymous_access_is_reached_all_the_same(service, probe, make_check):
    service.answers = {"/version": js(STATUS, 401), "/readyz": js(STATUS, 403)}
    seen = await probe(P.KUBE_API, service)
    assert [hop.role for hop in seen.hops] == ["origin", "ready"]
    assert causes(seen, make_check()) == {"origin": None, "ready": None}


@pytest.mark.parametrize(
    ("path", "answer", "cause"),
    [
        ("/version", (200, {}, b"<html>welcome</html>"), "kube.unexpected-answer"),
        ("/version", js({"hello": "world"}), "kube.unexpected-answer"),
        ("/version", js({"kind": "Status"}, 403), "kube.unexpected-answer"),
        ("/version", (470, {}, b"Action: Deny. Reason: SNI TLS extension was missing."), "kube.sni-missing"),
        ("/readyz", (500, {}, b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n"), "kube.not-ready"),
        ("/readyz", (200, {}, b"<html>ok</html>"), "kube.unexpected-answer"),
        ("/version", js({**STATUS, "reason": "TooManyRequests"}, 429), "kube.throttled"),
        ("/version", (503, {}, b""), "kube.unavailable"),
    ],
)
async def test_what_is_not_a_healthy_api_server_is_named(service, probe, make_check, path, answer, cause):
    service.answers = {"/version": js(VERSION), "/readyz": (200, {}, b"ok"), path: answer}
    seen = await probe(P.KUBE_API, service)
    assert causes(seen, make_check())["origin" if path == "/version" else "ready"] == cause


async def test_a_blob_is_read_with_a_sas_whose_signature_stays_secret(service, probe, make_check):
    service.answers = {"/": (200, GENUINE, b"<x/>"), "/models/a b/model.onnx": (404, GENUINE, b"")}
    service.answers["/models/a%20b/model.onnx"] = lambda asked: (
        (206, GENUINE, b"ONNX") if "sig=c2lnbmF0dXJl%2Bx%3D" in asked.target else (404, GENUINE, b"")
    )
    params = {"container": "models", "blob": "a b/model.onnx"}
    seen = await probe(P.BLOB, service, path="/?comp=list", params=params, storage_sas=SAS)
    assert [(hop.role, hop.service["auth"]) for hop in seen.hops] == [("origin", "sas"), ("read", "sas")]
    assert seen.hops[1].service["read_bytes"] == "4"
    assert service.asked[1].header("range") == "bytes=0-65535"
    assert set(causes(seen, make_check()).values()) == {None}
    text = msgspec.json.encode(seen).decode()
    assert "c2lnbmF0dXJl" not in text
    assert "comp=list" in text


async def test_a_bearer_token_goes_before_a_sas_and_into_the_header(service, probe):
    service.answers = {"/": (200, GENUINE, b"")}
    seen = await probe(P.BLOB, service, storage_sas=SAS, storage_token="storage-secret-token")
    assert seen.hops[0].service["auth"] == "bearer"
    assert service.asked[0].header("authorization") == "Bearer storage-secret-token"
    assert service.asked[0].header("x-ms-version")
    assert "sig=" not in service.asked[0].target


async def test_a_named_blob_is_tried_as_anybody_when_no_credentials_are_given(service, probe, make_check):
    service.answers = {
        "/": xml(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account."),
        "/models/model.onnx": xml(404, "ResourceNotFound", "The specified resource does not exist."),
    }
    seen = await probe(P.BLOB, service, params={"container": "models", "blob": "model.onnx"})
    assert causes(seen, make_check()) == {"origin": None, "read": "storage.admission-unknown"}


async def test_the_words_of_storage_are_in_the_reason(service, probe, make_check):
    text = "This request is not authorized to perform this operation."
    service.answers = {"/": xml(403, "AuthorizationFailure", f"{text}\nRequestId:1\nTime:2")}
    seen = await probe(P.BLOB, service)
    outcome = ANSWER[P.BLOB](make_check(), seen.hops[0], seen)
    assert outcome.cause == "storage.denied-by-network"
    assert text in outcome.reason
    assert "RequestId" not in outcome.reason


async def test_a_service_sas_is_known_as_one(service, probe):
    service.answers = {"/": xml(403, "AuthenticationFailed", "No.")}
    seen = await probe(P.BLOB, service, storage_sas="sv=2023-11-03&sr=c&sp=r&sig=abcdefgh")
    assert seen.hops[0].service["auth"] == "service-sas"


async def test_a_sas_that_no_url_can_hold_is_not_sent(service, probe):
    service.answers = {"/": xml(409, "PublicAccessNotPermitted", "No.")}
    seen = await probe(P.BLOB, service, storage_sas="sig=a b\r\nHost: evil")
    assert seen.hops[0].service["auth"] == "none"


async def test_tables_are_asked_as_anybody_and_then_with_credentials(service, probe, make_check):
    def tables(asked):
        if "sig=" in asked.target:
            return js({"value": []}, 200, **GENUINE)
        return js({"odata.error": {"code": "NoAuthenticationInformation", "message": {"value": "No."}}}, 401, **GENUINE)

    service.answers = {"/Tables": tables}
    seen = await probe(P.TABLE, service, path="/Tables", storage_sas=SAS)
    assert [(hop.role, hop.service["auth"]) for hop in seen.hops] == [("origin", "none"), ("read", "sas")]
    assert seen.hops[0].service["error"] == "NoAuthenticationInformation"
    assert set(causes(seen, make_check()).values()) == {None}


async def test_without_credentials_tables_are_asked_once(service, probe):
    seen = await probe(P.TABLE, service, path="/Tables")
    assert [hop.role for hop in seen.hops] == ["origin"]


OPENID = {"token_endpoint": "https://evil.example/token", "issuer": "https://login.microsoftonline.com/t/v2.0"}
CLIENT = {"tenant": "contoso", "client_id": "app-1"}


def entra_error(code, text, status=400, name="invalid_request"):
    return js({"error": name, "error_description": f"AADSTS{code}: {text} Trace ID: 1 Correlation ID: 2"}, status)


async def test_a_token_is_asked_for_at_entra_itself_and_never_recorded(service, probe, make_check):
    service.answers = {
        "/contoso/v2.0/.well-known/openid-configuration": js(OPENID),
        "/contoso/oauth2/v2.0/token": js({"token_type": "Bearer", "access_token": "opaque-entra-token-value"}),
    }
    seen = await probe(P.ENTRA, service, params=CLIENT, entra_client_secret="client~secret&value")
    assert [(hop.role, hop.service["document"]) for hop in seen.hops] == [
        ("origin", "openid-configuration"), ("token", "token"),
    ]  # fmt: skip
    form = service.asked[1]
    assert form.method == "POST"
    assert b"client_secret=client~secret%26value" in form.body
    assert b"grant_type=client_credentials" in form.body
    text = msgspec.json.encode(seen).decode()
    assert "opaque-entra-token-value" not in text
    assert "client~secret" not in text
    assert set(causes(seen, make_check()).values()) == {None}


async def test_without_a_secret_no_token_is_asked_for(service, probe):
    service.answers = {"/contoso/v2.0/.well-known/openid-configuration": js(OPENID)}
    path = "/contoso/v2.0/.well-known/openid-configuration"
    seen = await probe(P.ENTRA, service, path=path, params={"client_id": "app-1"})
    assert [hop.role for hop in seen.hops] == ["origin"]
    assert seen.hops[0].service["document"] == "openid-configuration"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (entra_error(90002, "Tenant 'contoso' not found."), "entra.tenant-not-found"),
        (entra_error(700016, "Application not found.", name="unauthorized_client"), "entra.application-not-found"),
        (entra_error(7000215, "Invalid client secret provided.", 401, "invalid_client"), "entra.unauthorized"),
        (entra_error(53003, "Access has been blocked by Conditional Access."), "entra.conditional-access"),
        (js({"error": "too_many_requests"}, 429), "entra.throttled"),
        (js({}, 503), "entra.unavailable"),
        ((200, {}, b"<html>sign in</html>"), "http.unexpected-status"),
    ],
)
async def test_each_refusal_of_entra_has_its_cause(service, probe, make_check, answer, cause):
    service.answers = {
        "/contoso/v2.0/.well-known/openid-configuration": js(OPENID), "/contoso/oauth2/v2.0/token": answer,
    }  # fmt: skip
    seen = await probe(P.ENTRA, service, params=CLIENT, entra_client_secret="s3cr3t-value")
    assert causes(seen, make_check()) == {"origin": None, "token": cause}
    assert "Trace ID" not in seen.hops[1].service.get("error_message", "")


async def test_the_secret_is_not_carried_along_when_the_token_endpoint_redirects(service, elsewhere, probe):
    service.answers = {
        "/contoso/v2.0/.well-known/openid-configuration": js(OPENID),
        "/contoso/oauth2/v2.0/token": (307, {"Location": f"{elsewhere.url}/token"}, b""),
    }
    await probe(P.ENTRA, service, params=CLIENT, entra_client_secret="s3cr3t-value")
    assert elsewhere.asked == []


async def test_the_workspace_is_asked_as_anybody_and_then_for_itself_with_the_token(service, probe, make_check):
    def own(asked):
        return js({"api": "x"}) if asked.header("authorization") == "Bearer workspace-secret" else js({}, 401)

    service.answers = {"/discovery": js({"api": "https://x"}), "/discovery/workspaces/guid-1": own}
    seen = await probe(P.WORKSPACE, service, params={"id": "guid-1"}, workspace_token="workspace-secret")
    assert [hop.role for hop in seen.hops] == ["origin", "query"]
    assert set(causes(seen, make_check()).values()) == {None}
    assert "workspace-secret" not in msgspec.json.encode(seen).decode()


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (js({"error": {"code": "UserError", "message": "Bearer token not provided."}}, 401), None),
        ((401, {"WWW-Authenticate": 'Bearer authorization_uri="x"'}, b"Unauthorized"), None),
        ((404, {}, b""), None),
        ((200, {}, b"<html>portal</html>"), "http.unexpected-status"),
        ((401, {"WWW-Authenticate": "Basic"}, b"proxy says no"), "http.unexpected-status"),
        (
            js({"error": {"message": PRIVATE}}, 502),
            "workspace.private-link-only",
        ),
        (js({"error": {"code": "ServiceError"}}, 503), "workspace.unavailable"),
    ],
)  # fmt: skip
async def test_each_answer_of_the_workspace_api_has_its_meaning(service, probe, make_check, answer, cause):
    service.answers = {"/discovery": answer}
    seen = await probe(P.WORKSPACE, service)
    assert causes(seen, make_check()) == {"origin": cause}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (js({"AzureAD": {"LoginEndpoint": "https://login.microsoftonline.com"}}), None),
        (js({"error": {"message": "no"}}, 401, **{"x-ms-activity-id": "1"}), None),
        (js([]), "http.unexpected-status"),
        ((200, {}, b"\x00\xff"), "http.unexpected-status"),
        ((503, {}, b""), "telemetry.unavailable"),
    ],
)
async def test_each_answer_of_kusto_has_its_meaning(service, probe, make_check, answer, cause):
    service.answers = {"/v1/rest/auth/metadata": answer}
    assert causes(await probe(P.KUSTO, service), make_check()) == {"origin": cause}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ((200, {}, b"Healthy"), None),
        ((404, {}, b""), None),
        ((503, {}, b"No ready replicas for service sentiment"), "endpoint.no-replicas"),
        ((502, {}, b"Replica closed connection before replying"), "endpoint.unavailable"),
        ((429, {}, b"Too many requests for service sentiment (overloaded)"), "endpoint.unavailable"),
        ((500, {}, b"oops"), "endpoint.unavailable"),
    ],
)
async def test_each_answer_of_the_router_has_its_meaning(service, probe, make_check, answer, cause):
    service.answers = {"/score": answer}
    assert causes(await probe(P.ENDPOINT, service, path="/score"), make_check()) == {"origin": cause}


async def test_a_dependency_is_followed_where_it_redirects(service, elsewhere, probe, make_check):
    service.answers = {"/": (302, {"Location": f"{elsewhere.url}/login"}, b"")}
    elsewhere.answers = {"/login": (200, {}, b"welcome")}
    seen = await probe(P.HTTP, service)
    assert [hop.role for hop in seen.hops] == ["origin", "origin.redirect1"]
    assert ANSWER[P.HTTP](make_check(), seen.hops[-1], seen).status is Status.PASS


async def test_a_tcp_dependency_is_connected_to_and_nothing_more(service, probe):
    seen = await probe(P.TCP, service)
    assert seen.hops[0].connections[0].tcp.result == "connected"
    assert service.asked == []


@pytest.mark.parametrize("name", [name for name in PROBES if name not in (P.TCP, P.HTTP, P.CLUSTER_DNS)])
async def test_a_service_that_does_not_answer_is_asked_for_nothing_more(service, probe, name):
    await service.__aexit__()
    secrets = {"api_server_token": "secret-a", "storage_token": "secret-b", "entra_client_secret": "secret-c"}
    params = {"repository": "a", "container": "b", "blob": "c", "client_id": "d", "tenant": "e"}
    seen = await probe(name, service, params=params, workspace_token="secret-d", **secrets)
    assert [hop.role for hop in seen.hops] == ["origin"]
