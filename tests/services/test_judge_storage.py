import pytest

from preflight.judge.services import ANSWER, MISSING
from preflight.model.vocabulary import ProbeName, Status

URL = "https://stmlprod.blob.core.windows.net/?comp=list"
GENUINE = {"x-ms-request-id": "6f1c0f52-301e-0041-5b7a-9d2c4e000000"}
BOTH = pytest.mark.parametrize("probe", [ProbeName.BLOB, ProbeName.TABLE])


def storage(make_hop, role, status, *, address="20.60.1.4", **facts):
    return make_hop(role, status, url=URL, headers=GENUINE, address=address, **facts)


@BOTH
@pytest.mark.parametrize(
    ("role", "status", "facts", "expected", "cause"),
    [
        ("origin", 200, {"auth": "sas"}, Status.PASS, None),
        ("read", 206, {"auth": "sas", "read_bytes": "65536"}, Status.PASS, None),
        ("read", 200, {"auth": "none", "read_bytes": "12"}, Status.PASS, None),
        ("origin", 400, {"auth": "none"}, Status.PASS, None),
        ("origin", 401, {"auth": "none", "error": "NoAuthenticationInformation"}, Status.PASS, None),
        ("origin", 404, {"auth": "none", "error": "ResourceNotFound"}, Status.PASS, None),
        ("origin", 409, {"auth": "none", "error": "PublicAccessNotPermitted"}, Status.PASS, None),
        ("origin", 403, {"auth": "sas", "error": "AuthorizationPermissionMismatch"}, Status.PASS, None),
        ("read", 400, {"auth": "none"}, Status.UNKNOWN, "storage.admission-unknown"),
        ("read", 401, {"auth": "none"}, Status.UNKNOWN, "storage.admission-unknown"),
        ("read", 404, {"auth": "none", "error": "BlobNotFound"}, Status.UNKNOWN, "storage.admission-unknown"),
        (
            "read",
            409,
            {"auth": "none", "error": "PublicAccessNotPermitted"},
            Status.UNKNOWN,
            "storage.admission-unknown",
        ),
        ("origin", 403, {"auth": "none", "error": "AuthorizationFailure"}, Status.FAIL, "storage.denied-by-network"),
        ("read", 403, {"auth": "sas", "error": "AuthorizationFailure"}, Status.FAIL, "storage.denied-by-network"),
        ("read", 403, {"auth": "sas", "error": "AuthenticationFailed"}, Status.FAIL, "storage.unauthorized"),
        (
            "read",
            403,
            {"auth": "sas", "error": "AuthorizationFailure", "error_message": "Server failed to authenticate the"},
            Status.FAIL,
            "storage.unauthorized",
        ),
        ("read", 401, {"auth": "bearer", "error": "InvalidAuthenticationInfo"}, Status.FAIL, "storage.unauthorized"),
        ("read", 403, {"auth": "bearer"}, Status.FAIL, "storage.unauthorized"),
        (
            "read",
            403,
            {"auth": "bearer", "error": "AuthorizationPermissionMismatch"},
            Status.FAIL,
            "storage.permission-mismatch",
        ),
        (
            "read",
            403,
            {"auth": "sas", "error": "KeyBasedAuthenticationNotPermitted"},
            Status.FAIL,
            "storage.key-auth-not-permitted",
        ),
        (
            "read",
            403,
            {"auth": "sas", "error": "AuthorizationSourceIPMismatch", "denied_source": "20.1.2.3"},
            Status.FAIL,
            "storage.source-ip-mismatch",
        ),
        ("read", 404, {"auth": "sas", "error": "ContainerNotFound"}, Status.FAIL, "storage.not-found"),
        ("origin", 503, {"auth": "none", "error": "ServerBusy"}, Status.FAIL, "storage.throttled"),
        ("origin", 429, {"auth": "none"}, Status.FAIL, "storage.throttled"),
        ("read", 500, {"auth": "sas", "error": "InternalError"}, Status.FAIL, "storage.unavailable"),
        ("read", 502, {"auth": "sas"}, Status.FAIL, "storage.unavailable"),
        ("read", 409, {"auth": "sas", "error": "Strange"}, Status.FAIL, "http.unexpected-status"),
        ("origin", 302, {"auth": "none"}, Status.FAIL, "http.unexpected-status"),
    ],
)
def test_each_answer_of_storage_has_its_meaning(
    make_hop, observe, make_check, probe, role, status, facts, expected, cause
):
    hop = storage(make_hop, role, status, **facts)
    outcome = ANSWER[probe](make_check("origin.http", "read"), hop, observe(probe, hop))
    assert (outcome.status, outcome.cause) == (expected, cause)


@BOTH
@pytest.mark.parametrize("status", [200, 403, 404])
def test_an_answer_without_the_marks_of_azure_storage_is_never_good(make_hop, observe, make_check, probe, status):
    hop = make_hop("origin", status, url=URL, headers={"server": "nginx"}, auth="none")
    outcome = ANSWER[probe](make_check(), hop, observe(probe, hop))
    assert (outcome.status, outcome.cause) == (Status.FAIL, "http.unexpected-status")


def test_a_sas_that_may_not_list_but_reads_proves_that_the_network_admits(make_hop, observe, make_check):
    origin = storage(make_hop, "origin", 403, auth="service-sas", error="AuthorizationFailure")
    read = storage(make_hop, "read", 206, auth="service-sas", read_bytes="12")
    outcome = ANSWER[ProbeName.BLOB](make_check(), origin, observe(ProbeName.BLOB, origin, read))
    assert outcome.status is Status.PASS


def test_a_source_that_storage_names_as_public_behind_a_private_address_is_the_firewalls_dns(
    make_hop, observe, make_check
):
    hop = storage(
        make_hop, "read", 403, address="10.1.1.7", error="AuthorizationSourceIPMismatch", denied_source="20.1.2.3"
    )
    outcome = ANSWER[ProbeName.BLOB](make_check(), hop, observe(ProbeName.BLOB, hop))
    assert outcome.cause == "path.firewall-resolved-public"


@pytest.mark.parametrize(
    ("status", "facts", "expected", "cause"),
    [
        (409, {"auth": "none"}, Status.UNKNOWN, "storage.admission-unknown"),
        (200, {"auth": "sas"}, Status.PASS, None),
        (403, {"auth": "sas", "error": "AuthenticationFailed"}, Status.FAIL, "storage.unauthorized"),
        (403, {"auth": "service-sas", "error": "AuthenticationFailed"}, Status.UNKNOWN, "storage.admission-unknown"),
        (
            403,
            {"auth": "bearer", "error": "AuthorizationPermissionMismatch"},
            Status.UNKNOWN,
            "storage.admission-unknown",
        ),
    ],
)
def test_without_a_blob_to_read_only_an_admitted_listing_proves_admission(
    make_hop, observe, make_check, status, facts, expected, cause
):
    hop = storage(make_hop, "origin", status, **facts)
    outcome = MISSING[ProbeName.BLOB](make_check("read"), "read", observe(ProbeName.BLOB, hop))
    assert (outcome.status, outcome.cause) == (expected, cause)
