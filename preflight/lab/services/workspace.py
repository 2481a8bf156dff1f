"""The Azure ML workspace API: discovery, and what needs a token.

Sources: azureml-core 1.61 `_base_sdk_common/service_discovery.py` (discovery documents); AML-Kubernetes
docs/private-link.md (401 means reached); azure-docs#90426 (502 and the text of a private-link-only workspace).
"""

from preflight.lab import deployment as at
from preflight.lab.http import Handler, Request, Response, document


def workspace(request: Request) -> Response:
    """Every host of the API: apex, region, workspace and experiments."""
    bearer = request.headers.get("authorization", "")
    if bearer and bearer != f"Bearer {at.SECRETS['workspace_token']}":
        return _unauthorized()
    if request.path.startswith("/discovery") or bearer:
        return document(200, _services())
    return _unauthorized()


def _services() -> dict[str, str]:
    base = f"https://{at.AZUREML_REGION.name}"
    experiments = f"https://{at.EXPERIMENTS.name}"
    return {"api": base, "experimentation": base, "history": experiments, "mlflow": base, "modelmanagement": base}


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    content = {
        "error": {
            "code": code,
            "message": message,
            "details": [],
            "additionalInfo": [{"type": "ComponentName", "info": {"value": "managementfrontend"}}],
        },
        "environment": at.REGION,
        "location": at.REGION,
    }
    return document(status, content, {"x-ms-response-type": "error", **(headers or {})})


def _unauthorized() -> Response:
    challenge = {"WWW-Authenticate": f'Bearer authorization_uri="https://{at.ENTRA.name}/{at.TENANT}"'}
    return _error(401, "UserError", "Bearer token not provided or invalid.", challenge)


# What the workspace API says when a fault is active.
ERRORS: dict[str, Handler] = {
    "workspace.private-link-only": lambda _request: _error(
        502, "UserError", "Access to workspace was denied based on workspace private link configuration."
    ),
    "workspace.unauthorized": lambda _request: _unauthorized(),
    "workspace.not-found": lambda _request: _error(404, "UserError", "The specified workspace was not found."),
    "workspace.unavailable": lambda _request: _error(503, "ServiceError", "Service is temporarily unavailable."),
}
