import pytest

from preflight.judge.services import ANSWER, MISSING
from preflight.model.vocabulary import ProbeName, Status

API = {"docker-distribution-api-version": "registry/2.0"}
BLOB = "https://acrprod.azurecr.io/v2/sentiment/blobs/sha256:0"
DENIED = {"error": "DENIED", "error_message": "client with IP '20.120.109.180' is not allowed access."}


def judged(hop, observation, check):
    outcome = ANSWER[ProbeName.REGISTRY](check, hop, observation)
    return outcome.status, outcome.cause


@pytest.mark.parametrize(
    ("role", "status", "facts"),
    [
        ("origin", 401, {"challenge": "bearer"}),
        ("token", 200, {"token": "given", "auth": "basic"}),
        ("manifest", 200, {"manifest": "index", "auth": "bearer"}),
        ("manifest.child", 200, {"manifest": "image", "digest": "verified", "auth": "bearer"}),
        ("layer", 307, {}),
        ("layer", 200, {"digest": "verified", "layer_bytes": "5000"}),
        ("layer.redirect1", 206, {"digest": "partial", "layer_bytes": "65536"}),
    ],
)
def test_a_healthy_registry_stays_clean(make_hop, observe, make_check, role, status, facts):
    hop = make_hop(role, status, **facts)
    assert judged(hop, observe(ProbeName.REGISTRY, hop), make_check()) == (Status.PASS, None)


@pytest.mark.parametrize(("status", "facts"), [(200, {}), (401, {"challenge": "basic"})])
def test_a_registry_without_bearer_challenge_is_known_by_its_version_header(
    make_hop, observe, make_check, status, facts
):
    hop = make_hop("origin", status, headers=API, **facts)
    assert judged(hop, observe(ProbeName.REGISTRY, hop), make_check()) == (Status.PASS, None)


@pytest.mark.parametrize(
    ("role", "status", "facts", "expected", "cause"),
    [
        ("origin", 200, {"challenge": "none"}, Status.FAIL, "registry.no-challenge"),
        ("origin", 401, {"challenge": "none"}, Status.FAIL, "registry.no-challenge"),
        ("origin", 401, {"challenge": "basic"}, Status.FAIL, "registry.no-challenge"),
        ("origin", 404, {}, Status.FAIL, "registry.no-challenge"),
        ("origin", 403, {**DENIED, "denied_source": "20.120.109.180"}, Status.FAIL, "registry.denied-by-network"),
        ("token", 403, DENIED, Status.FAIL, "registry.denied-by-network"),
        ("token", 403, {"error": "DENIED"}, Status.FAIL, "registry.denied-by-network"),
        ("layer.redirect1", 403, {"error": "AuthorizationFailure"}, Status.FAIL, "storage.denied-by-network"),
        ("token", 401, {"auth": "basic"}, Status.FAIL, "registry.unauthorized"),
        ("token", 401, {"auth": "anonymous"}, Status.UNKNOWN, "registry.needs-credentials"),
        ("token", 200, {"auth": "basic", "token": "absent"}, Status.FAIL, "http.unexpected-status"),
        ("manifest", 401, {"auth": "bearer"}, Status.FAIL, "registry.unauthorized"),
        ("manifest", 403, {"auth": "bearer", "error": "DENIED"}, Status.FAIL, "registry.unauthorized"),
        ("manifest", 401, {"auth": "anonymous"}, Status.UNKNOWN, "registry.needs-credentials"),
        ("manifest", 404, {"error": "MANIFEST_UNKNOWN"}, Status.FAIL, "registry.not-found"),
        ("manifest", 200, {"manifest": "invalid"}, Status.FAIL, "http.unexpected-status"),
        ("manifest", 200, {"manifest": "image", "digest": "mismatch"}, Status.FAIL, "registry.digest-mismatch"),
        ("layer", 404, {"error": "BLOB_UNKNOWN"}, Status.FAIL, "registry.not-found"),
        ("layer.redirect1", 200, {"digest": "mismatch"}, Status.FAIL, "registry.digest-mismatch"),
        ("origin", 429, {}, Status.FAIL, "registry.throttled"),
        ("manifest", 429, {"error": "TOOMANYREQUESTS"}, Status.FAIL, "registry.throttled"),
        ("layer.redirect1", 503, {}, Status.FAIL, "registry.unavailable"),
        ("origin", 302, {}, Status.FAIL, "http.unexpected-status"),
    ],
)
def test_each_refusal_of_a_registry_has_its_cause(make_hop, observe, make_check, role, status, facts, expected, cause):
    hop = make_hop(role, status, **facts)
    assert judged(hop, observe(ProbeName.REGISTRY, hop), make_check()) == (expected, cause)


@pytest.mark.parametrize(
    ("address", "source", "cause"),
    [
        ("10.1.1.5", "20.120.109.180", "path.firewall-resolved-public"),
        ("10.1.1.5", "10.240.0.7", "registry.denied-by-network"),
        ("20.60.1.4", "20.120.109.180", "registry.denied-by-network"),
        ("203.0.113.20", "203.0.113.99", "registry.denied-by-network"),
    ],
)
def test_a_denial_that_names_a_public_source_behind_a_private_address_means_that_a_firewall_resolved_again(
    make_hop, observe, make_check, address, source, cause
):
    hop = make_hop("origin", 403, address=address, **DENIED, denied_source=source)
    outcome = ANSWER[ProbeName.REGISTRY](make_check(), hop, observe(ProbeName.REGISTRY, hop))
    assert outcome.cause == cause
    assert source in outcome.reason


def test_the_address_is_that_of_the_connection_which_a_later_step_reuses(make_hop, observe, make_check):
    origin = make_hop("origin", 401, address="10.1.1.5", challenge="bearer")
    token = make_hop("token", 403, **DENIED, denied_source="20.120.109.180")
    token = type(token)(**{name: getattr(token, name) for name in token.__struct_fields__} | {"connections": ()})
    outcome = ANSWER[ProbeName.REGISTRY](make_check(), token, observe(ProbeName.REGISTRY, origin, token))
    assert outcome.cause == "path.firewall-resolved-public"


@pytest.mark.parametrize(
    ("host", "regions", "status"),
    [
        ("acrprod.westeurope.data.azurecr.io", "westeurope, northeurope", Status.PASS),
        ("acrprod.uksouth.data.azurecr.io", "westeurope,northeurope", Status.FAIL),
        ("acrprod.uksouth.data.azurecr.io", "", Status.PASS),
        ("weumanaged15.blob.core.windows.net", "westeurope", Status.PASS),
        ("westeurope.data.mcr.microsoft.com", "northeurope", Status.PASS),
    ],
)
def test_a_layer_from_a_region_that_is_not_configured_fails(make_hop, observe, make_check, host, regions, status):
    hop = make_hop("layer.redirect1", 200, url=f"https://{host}/x", digest="verified")
    outcome = ANSWER[ProbeName.REGISTRY](make_check("layer", regions=regions), hop, observe(ProbeName.REGISTRY, hop))
    assert outcome.status is status
    assert outcome.cause == (None if status is Status.PASS else "registry.unexpected-data-host")


@pytest.mark.parametrize(
    ("role", "origin", "expected", "cause"),
    [
        ("token", (200, {}), Status.PASS, None),
        ("token", (401, {"challenge": "basic"}), Status.PASS, None),
        ("token", (401, {"challenge": "bearer", "realm": "own"}), Status.UNKNOWN, "registry.needs-credentials"),
        ("token", (401, {"challenge": "bearer", "realm": "foreign"}), Status.FAIL, "registry.no-challenge"),
        ("token", (401, {"challenge": "bearer", "realm": "invalid"}), Status.FAIL, "registry.no-challenge"),
        ("manifest", (401, {"challenge": "bearer"}), Status.UNKNOWN, "registry.needs-credentials"),
        ("manifest", (200, {"repository": "not-given"}), Status.UNKNOWN, "registry.needs-credentials"),
        ("layer", (401, {"challenge": "bearer"}), Status.UNKNOWN, "registry.needs-credentials"),
    ],
)
def test_steps_that_were_not_tried_are_unknown_unless_the_registry_needs_them_not(
    make_hop, observe, make_check, role, origin, expected, cause
):
    hop = make_hop("origin", origin[0], **origin[1])
    outcome = MISSING[ProbeName.REGISTRY](make_check(role), role, observe(ProbeName.REGISTRY, hop))
    assert (outcome.status, outcome.cause) == (expected, cause)


@pytest.mark.parametrize(
    ("facts", "status", "cause"),
    [
        ({"auth": "anonymous"}, 401, "registry.needs-credentials"),
        ({"manifest": "image", "layers": "0"}, 200, "registry.not-found"),
        ({"auth": "bearer", "error": "MANIFEST_UNKNOWN"}, 404, "registry.not-found"),
    ],
)
def test_a_layer_is_never_passed_without_having_been_fetched(make_hop, observe, make_check, facts, status, cause):
    hops = make_hop("origin", 401, challenge="bearer"), make_hop("manifest", status, **facts)
    outcome = MISSING[ProbeName.REGISTRY](make_check("layer"), "layer", observe(ProbeName.REGISTRY, *hops))
    assert (outcome.status, outcome.cause) == (Status.UNKNOWN, cause)
