"""What blob and table storage answers mean. Without credentials an answer proves transport only, never admission.

Facts are those of `preflight.probes.services.blob` and `table`. Codes: learn.microsoft.com/rest/api/storageservices
common-rest-api-error-codes, sas-error-codes; which of them is a network rule: AzureStorageExplorer#8344.
"""

from preflight.judge.outcome import Outcome, fail, good, unknown
from preflight.judge.services.network import denied
from preflight.judge.services.reading import admits_nobody, fact, find, header, said, status, step
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

_CREDENTIALS = "storage.unauthorized"
_RIGHT = "storage.permission-mismatch"
_ABSENT = "storage.not-found"
_BUSY = "storage.throttled"
_BROKEN = "storage.unavailable"

_CODES = {
    "AuthorizationPermissionMismatch": _RIGHT,
    "AuthorizationResourceTypeMismatch": _RIGHT,
    "AuthorizationServiceMismatch": _RIGHT,
    "AuthorizationProtocolMismatch": _RIGHT,
    "InsufficientAccountPermissions": _RIGHT,
    "UnauthorizedBlobOverwrite": _RIGHT,
    "KeyBasedAuthenticationNotPermitted": "storage.key-auth-not-permitted",
    "AuthenticationFailed": _CREDENTIALS,
    "InvalidAuthenticationInfo": _CREDENTIALS,
    "NoAuthenticationInformation": _CREDENTIALS,
    "InvalidQueryParameterValue": _CREDENTIALS,
    "ContainerNotFound": _ABSENT,
    "ContainerBeingDeleted": _ABSENT,
    "BlobNotFound": _ABSENT,
    "ResourceNotFound": _ABSENT,
    "TableNotFound": _ABSENT,
    "BlobArchived": _ABSENT,
    "ServerBusy": _BUSY,
    "TooManyRequests": _BUSY,
    "AccountIsDisabled": _BROKEN,
    "InternalError": _BROKEN,
    "OperationTimedOut": _BROKEN,
}
_STATUSES = {401: _CREDENTIALS, 403: _CREDENTIALS, 404: _ABSENT, 429: _BUSY}
_PERMISSION = {_CREDENTIALS, _RIGHT, _ABSENT, "storage.key-auth-not-permitted"}
_TRANSPORT_ONLY = (400, 401, 403, 404, 409)


def answer(_check: Check, hop: Hop, observation: Observation) -> Outcome:
    """Judge one complete answer of blob or table storage."""
    if not _genuine(hop):
        return fail(
            "http.unexpected-status",
            f"{said(hop)} without the marks of Azure Storage (x-ms-request-id)",
        )
    if 200 <= status(hop) < 300:
        return good(_admitted(hop))
    network = _by_network(hop, observation)
    if network is not None:
        return network
    cause = _cause(hop) or (_BROKEN if status(hop) >= 500 else "")
    if cause in (_BUSY, _BROKEN):
        return fail(cause, said(hop))
    if step(hop) == "origin":
        return _reached(hop, observation)
    return _refused(hop, cause)


def missing(_check: Check, role: str, observation: Observation) -> Outcome:
    """`read` was not tried: nothing to read is named, or no credentials are given; the first answer may say more."""
    origin = find(observation, "origin")
    if role != "read" or origin is None:
        return _unproven("the account was not asked")
    if fact(origin, "auth") in ("", "none"):
        return _unproven(f"{said(origin)} to a request without credentials")
    if 200 <= status(origin) < 300:
        return good("the account admits this network and these credentials; no blob is named to be read")
    cause = _cause(origin)
    if cause in (_CREDENTIALS, "storage.key-auth-not-permitted") and fact(origin, "auth") != "service-sas":
        return fail(cause, said(origin))
    return _unproven(f"{said(origin)}, and no blob is named to be read")


def _cause(hop: Hop) -> str:
    """By the account's code, else by the status."""
    return _CODES.get(fact(hop, "error")) or _STATUSES.get(status(hop), "")


def _genuine(hop: Hop) -> bool:
    server = header(hop, "server").lower()
    return bool(header(hop, "x-ms-request-id") or server.startswith(("windows-azure", "microsoft-httpapi", "azurite")))


def _by_network(hop: Hop, observation: Observation) -> Outcome | None:
    match fact(hop, "error"):
        case "AuthorizationFailure" if admits_nobody(hop) and not _was_read(hop, observation):
            return fail(
                "storage.denied-by-network",
                f"{said(hop)}; this code is likely a network rule of the account, or public access switched off",
            )
        case "AuthorizationSourceIPMismatch":
            return denied("storage.source-ip-mismatch", hop, observation, fact(hop, "denied_source"))
        case _:
            return None


def _was_read(hop: Hop, observation: Observation) -> bool:
    """A narrow SAS may not list the account and yet read the blob: then the network was never the reason."""
    read = find(observation, "read") if step(hop) == "origin" else None
    return read is not None and 200 <= status(read) < 300


def _admitted(hop: Hop) -> str:
    read = fact(hop, "read_bytes")
    return f"{read} bytes read" if read else ""


def _reached(hop: Hop, observation: Observation) -> Outcome:
    """The first request: an answer of the account is enough for reaching it; `read` judges what it admits."""
    if status(hop) not in _TRANSPORT_ONLY:
        return fail("http.unexpected-status", f"{said(hop)}, not as storage does")
    if _was_read(hop, observation):
        return good()
    return good(f"{said(hop)}: reached; that its network rules admit is not proven by that")


def _refused(hop: Hop, cause: str) -> Outcome:
    if fact(hop, "auth") in ("", "none") and status(hop) in _TRANSPORT_ONLY:
        return _unproven(f"{said(hop)} to a request without credentials")
    if cause in _PERMISSION:
        return fail(cause, said(hop))
    return fail("http.unexpected-status", said(hop))


def _unproven(seen: str) -> Outcome:
    return unknown("storage.admission-unknown", f"{seen}; that proves the way there, not that the account admits it")
