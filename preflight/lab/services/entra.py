"""Entra ID: OpenID configuration and the client credentials grant, with AADSTS codes.

Sources: learn.microsoft.com/entra/identity-platform, pages v2-protocols-oidc, v2-oauth2-client-creds-grant-flow,
reference-error-codes.
"""

from preflight.lab import deployment as at
from preflight.lab.http import Handler, Request, Response, document

_TRACE = (
    " Trace ID: 0f4b5a8e-9d1c-4f6a-8b2e-3c7d9e1f0a00 Correlation ID: 5c2e8d71-6b3f-4a09-9e14-7a8b6c5d4e3f"
    " Timestamp: 2026-11-22 10:00:00Z"
)
_HEADERS = {"Cache-Control": "no-store, no-cache", "x-ms-request-id": "0f4b5a8e-9d1c-4f6a-8b2e-3c7d9e1f0a00"}


def entra(request: Request) -> Response:
    """The two requests that a workload makes."""
    tenant, _, rest = request.path.lstrip("/").partition("/")
    if rest == "v2.0/.well-known/openid-configuration":
        return _configuration(tenant)
    if rest == "oauth2/v2.0/token" and request.method == "POST":
        return _token(tenant, request.form)
    return document(404, {"error": "invalid_request"}, _HEADERS)


def _known(tenant: str) -> bool:
    return tenant in (at.TENANT, "common", "organizations")


def _configuration(tenant: str) -> Response:
    if not _known(tenant):
        return _tenant_not_found(tenant)
    base = f"https://{at.ENTRA.name}/{tenant}"
    issuer = f"https://{at.ENTRA.name}/{'{tenantid}' if tenant == 'common' else tenant}/v2.0"
    content = {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "issuer": issuer,
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    }
    return document(200, content, _HEADERS)


def _token(tenant: str, form: dict[str, str]) -> Response:
    if not _known(tenant):
        return _tenant_not_found(tenant)
    client = form.get("client_id", "")
    if client != at.CLIENT_ID:
        return _application_not_found(client)
    if form.get("client_secret") != at.SECRETS["entra_client_secret"]:
        return _wrong_secret(client)
    content = {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "lab.entra.token"}
    return document(200, content, _HEADERS)


def _failure(status: int, error: str, code: int, text: str, headers: dict[str, str] | None = None) -> Response:
    content = {"error": error, "error_description": f"AADSTS{code}: {text}{_TRACE}", "error_codes": [code]}
    return document(status, content, {**_HEADERS, **(headers or {})})


def _tenant_not_found(tenant: str) -> Response:
    text = (
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the"
        " correct cloud."
    )
    return _failure(400, "invalid_request", 90002, text)


def _application_not_found(client: str) -> Response:
    text = f"Application with identifier '{client}' was not found in the directory 'Contoso'."
    return _failure(400, "unauthorized_client", 700016, text)


def _wrong_secret(client: str) -> Response:
    text = (
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not"
        f" the client secret ID, for a secret added to app '{client}'."
    )
    return _failure(401, "invalid_client", 7000215, text)


def _blocked(_request: Request) -> Response:
    text = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
    return _failure(400, "invalid_grant", 53003, text)


# What Entra says when a fault is active.
ERRORS: dict[str, Handler] = {
    "entra.unauthorized": lambda _request: _wrong_secret(at.CLIENT_ID),
    "entra.tenant-not-found": lambda _request: _tenant_not_found(at.TENANT),
    "entra.application-not-found": lambda _request: _application_not_found(at.CLIENT_ID),
    "entra.conditional-access": _blocked,
    # 429 with Retry-After: v2-oauth2-client-creds-grant-flow "Throttling"; the body names no AADSTS code.
    "entra.throttled": lambda _request: document(
        429, {"error": "too_many_requests", "error_description": "Too many requests."}, {"Retry-After": "10"}
    ),
    "entra.unavailable": lambda _request: _failure(
        503, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again."
    ),
}
