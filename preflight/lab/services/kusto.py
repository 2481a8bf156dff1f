"""The Kusto ingestion endpoint, as far as a client asks before it signs in.

Source: azure-kusto-data 6.0.4 `_cloud_settings.py`: GET /v1/rest/auth/metadata needs no authentication.
"""

from preflight.lab import deployment as at
from preflight.lab.http import Handler, Request, Response, document

_HEADERS = {"x-ms-activity-id": "5d1e7c3a-2b4f-4e6d-8a90-b1c2d3e4f506", "x-ms-client-request-id": "preflight-lab"}


def kusto(request: Request) -> Response:
    """Metadata for everybody, everything else needs a token."""
    if request.path != "/v1/rest/auth/metadata":
        return document(401, {"error": {"code": "Unauthorized", "message": "Authentication required."}}, _HEADERS)
    login = f"https://{at.ENTRA.name}"
    directory = {
        "LoginEndpoint": login,
        "LoginMfaRequired": False,
        "KustoClientAppId": "db662dc1-0cfe-4e1c-a843-19a68e65be58",
        "KustoClientRedirectUri": "https://microsoft/kustoclient",
        "KustoServiceResourceId": "https://kusto.kusto.windows.net",
        "FirstPartyAuthorityUrl": f"{login}/f8cdef31-a31e-4b4a-93e4-5f571e91255a",
    }
    return document(200, {"AzureAD": directory}, _HEADERS)


ERRORS: dict[str, Handler] = {
    "telemetry.unavailable": lambda _request: document(
        503, {"error": {"code": "ServiceUnavailable", "message": "Service is currently unavailable."}}, _HEADERS
    ),
}
