import pytest

from preflight.judge.services import ANSWER, MISSING
from preflight.model.causes import CAUSES
from preflight.model.vocabulary import ProbeName, Status

P = ProbeName
KUSTO = {"x-ms-activity-id": "5d1e7c3a"}


@pytest.mark.parametrize(
    ("probe", "role", "status", "facts"),
    [
        (P.KUBE_API, "origin", 200, {"kind": "version"}),
        (P.KUBE_API, "origin", 401, {"kind": "status", "error": "Unauthorized"}),
        (P.KUBE_API, "origin", 403, {"kind": "status", "error": "Forbidden"}),
        (P.KUBE_API, "ready", 200, {"kind": "ready"}),
        (P.KUBE_API, "ready", 403, {"kind": "status"}),
        (P.KUBE_API, "query", 200, {"kind": "groups", "auth": "bearer"}),
        (P.ENTRA, "origin", 200, {"document": "openid-configuration"}),
        (P.ENTRA, "token", 200, {"document": "token"}),
        (P.WORKSPACE, "origin", 200, {"document": "json"}),
        (P.WORKSPACE, "origin", 401, {"document": "empty"}),
        (P.WORKSPACE, "origin", 404, {"document": "json"}),
        (P.WORKSPACE, "query", 200, {"document": "json", "auth": "bearer"}),
        (P.KUSTO, "origin", 200, {"document": "metadata"}),
        (P.ENDPOINT, "origin", 200, {}),
        (P.ENDPOINT, "origin", 401, {}),
        (P.ENDPOINT, "origin", 404, {}),
        (P.HTTP, "origin", 204, {}),
        (P.TCP, "origin", 200, {}),
    ],
)
def test_healthy_answers_stay_clean(make_hop, observe, make_check, probe, role, status, facts):
    hop = make_hop(role, status, **facts)
    outcome = ANSWER[probe](make_check(), hop, observe(probe, hop))
    assert (outcome.status, outcome.cause) == (Status.PASS, None)


@pytest.mark.parametrize(
    ("probe", "role", "status", "facts", "cause"),
    [
        (P.KUBE_API, "origin", 200, {}, "kube.unexpected-answer"),
        (P.KUBE_API, "origin", 401, {}, "kube.unexpected-answer"),
        (P.KUBE_API, "ready", 200, {}, "kube.unexpected-answer"),
        (P.KUBE_API, "origin", 200, {"kind": "groups"}, "kube.unexpected-answer"),
        (P.KUBE_API, "origin", 470, {"sni": "missing"}, "kube.sni-missing"),
        (P.KUBE_API, "ready", 500, {"kind": "not-ready", "failed": "etcd"}, "kube.not-ready"),
        (P.KUBE_API, "origin", 429, {"kind": "status"}, "kube.throttled"),
        (P.KUBE_API, "origin", 503, {"kind": "status"}, "kube.unavailable"),
        (P.KUBE_API, "query", 401, {"kind": "status", "auth": "bearer"}, "kube.unauthorized"),
        (P.ENTRA, "origin", 400, {"document": "error", "error": "AADSTS90002"}, "entra.tenant-not-found"),
        (P.ENTRA, "origin", 400, {"document": "error", "error_name": "invalid_tenant"}, "entra.tenant-not-found"),
        (P.ENTRA, "token", 400, {"document": "error", "error": "AADSTS700016"}, "entra.application-not-found"),
        (P.ENTRA, "token", 401, {"document": "error", "error": "AADSTS7000215"}, "entra.unauthorized"),
        (P.ENTRA, "token", 401, {"document": "error", "error_name": "invalid_client"}, "entra.unauthorized"),
        (P.ENTRA, "token", 400, {"document": "error", "error": "AADSTS53003"}, "entra.conditional-access"),
        (P.ENTRA, "token", 429, {}, "entra.throttled"),
        (P.ENTRA, "origin", 503, {}, "entra.unavailable"),
        (P.ENTRA, "origin", 200, {"document": "other"}, "http.unexpected-status"),
        (P.ENTRA, "token", 200, {"document": "openid-configuration"}, "http.unexpected-status"),
        (P.ENTRA, "origin", 403, {"document": "other"}, "http.unexpected-status"),
        (P.WORKSPACE, "origin", 502, {"denied": "private-link"}, "workspace.private-link-only"),
        (P.WORKSPACE, "query", 403, {"denied": "private-link"}, "workspace.private-link-only"),
        (P.WORKSPACE, "query", 401, {"document": "json"}, "workspace.unauthorized"),
        (P.WORKSPACE, "query", 404, {"document": "json"}, "workspace.not-found"),
        (P.WORKSPACE, "origin", 503, {"document": "json"}, "workspace.unavailable"),
        (P.WORKSPACE, "origin", 200, {"document": "other"}, "http.unexpected-status"),
        (P.WORKSPACE, "origin", 405, {"document": "json"}, "http.unexpected-status"),
        (P.KUSTO, "origin", 503, {}, "telemetry.unavailable"),
        (P.KUSTO, "origin", 404, {"document": "other"}, "http.unexpected-status"),
        (P.KUSTO, "origin", 200, {"document": "json"}, "http.unexpected-status"),
        (P.ENDPOINT, "origin", 503, {"router": "no-replicas"}, "endpoint.no-replicas"),
        (P.ENDPOINT, "origin", 502, {"router": "replica-closed"}, "endpoint.unavailable"),
        (P.ENDPOINT, "origin", 500, {}, "endpoint.unavailable"),
        (P.ENDPOINT, "origin", 403, {}, "http.unexpected-status"),
        (P.HTTP, "origin", 403, {}, "http.unexpected-status"),
    ],
)
def test_each_trouble_has_its_cause(make_hop, observe, make_check, probe, role, status, facts, cause):
    hop = make_hop(role, status, **facts)
    outcome = ANSWER[probe](make_check(), hop, observe(probe, hop))
    assert (outcome.status, outcome.cause) == (Status.FAIL, cause)
    assert cause in CAUSES
    assert outcome.reason


def test_kusto_is_known_by_its_activity_id_where_it_refuses(make_hop, observe, make_check):
    hop = make_hop("origin", 401, headers=KUSTO, document="json")
    assert ANSWER[P.KUSTO](make_check(), hop, observe(P.KUSTO, hop)).status is Status.PASS


def test_an_overloaded_model_is_a_reservation_not_a_failure_of_the_way_to_it(make_hop, observe, make_check):
    hop = make_hop("origin", 429, router="overloaded")
    outcome = ANSWER[P.ENDPOINT](make_check(), hop, observe(P.ENDPOINT, hop))
    assert (outcome.status, outcome.cause) == (Status.WARN, "endpoint.unavailable")


@pytest.mark.parametrize("probe", [P.HTTP, P.ENDPOINT])
def test_statuses_that_the_check_expects_are_good(make_hop, observe, make_check, probe):
    hop = make_hop("origin", 418)
    assert ANSWER[probe](make_check(statuses=((418, 418),)), hop, observe(probe, hop)).status is Status.PASS


@pytest.mark.parametrize(
    ("probe", "role", "origin", "expected", "cause"),
    [
        (P.KUBE_API, "query", {"kind": "status"}, Status.PASS, None),
        (P.KUBE_API, "query", {"kind": "version"}, Status.PASS, None),
        (P.KUBE_API, "query", {}, Status.FAIL, "kube.unexpected-answer"),
        (P.ENTRA, "token", {"document": "openid-configuration"}, Status.UNKNOWN, "entra.needs-credentials"),
        (P.WORKSPACE, "query", {"document": "json"}, Status.PASS, None),
        (P.TABLE, "read", {"auth": "none"}, Status.UNKNOWN, "storage.admission-unknown"),
    ],
)
def test_steps_that_need_credentials_nobody_gave(make_hop, observe, make_check, probe, role, origin, expected, cause):
    hop = make_hop("origin", 401, **origin)
    outcome = MISSING[probe](make_check(role), role, observe(probe, hop))
    assert (outcome.status, outcome.cause) == (expected, cause)
    assert outcome.reason


@pytest.mark.parametrize(
    ("status", "expected", "cause"),
    [(403, Status.PASS, None), (401, Status.PASS, None), (500, Status.FAIL, "kube.unavailable")],
)
def test_rbac_is_judged_apart_from_reaching_the_api_server(make_hop, observe, make_check, status, expected, cause):
    hop = make_hop("query", status, kind="status", auth="service-account")
    outcome = ANSWER[P.KUBE_API](make_check("query"), hop, observe(P.KUBE_API, hop))
    assert (outcome.status, outcome.cause) == (expected, cause)


@pytest.mark.parametrize(
    ("rights", "expected", "cause", "words"),
    [
        ("pods=yes,endpoints=yes,services=yes", Status.PASS, None, "may list pods, endpoints, services"),
        ("pods=yes,endpoints=no,services=no", Status.FAIL, "kube.router-forbidden", "may not list endpoints, services"),
        ("", Status.UNKNOWN, "kube.rights-unknown", "could not be asked"),
    ],
)
def test_the_router_s_rights_are_what_the_api_server_said(
    make_hop, observe, make_check, rights, expected, cause, words
):
    hop = make_hop("origin", 200, kind="version")
    one = make_check("rights", **({"rights": rights} if rights else {}))
    outcome = MISSING[P.KUBE_API](one, "rights", observe(P.KUBE_API, hop))
    assert (outcome.status, outcome.cause) == (expected, cause)
    assert words in outcome.reason


@pytest.mark.parametrize("probe", list(P))
def test_no_probe_takes_an_empty_observation_or_an_unknown_role_for_passed(make_hop, observe, make_check, probe):
    assert MISSING[probe](make_check(), "nonsense", observe(probe)).status is not Status.PASS
