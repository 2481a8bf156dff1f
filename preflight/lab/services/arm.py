"""Azure Resource Manager without credentials.

Source: learn.microsoft.com/azure/azure-resource-manager/management/common-deployment-errors and the public answer that
azure-cli relies on for its tenant discovery: 401 with `authorization_uri`.
"""

from preflight.lab import deployment as at
from preflight.lab.http import Handler, Request, Response, document


def arm(_request: Request) -> Response:
    """Everything needs a token."""
    challenge = (
        f'Bearer authorization_uri="https://{at.ENTRA.name}/{at.TENANT}", error="invalid_token",'
        " error_description=\"The authentication failed because of missing 'Authorization' header.\""
    )
    message = "Authentication failed. The 'Authorization' header is missing."
    content = {"error": {"code": "AuthenticationFailed", "message": message}}
    return document(401, content, {"WWW-Authenticate": challenge, "x-ms-failure-cause": "gateway"})


ERRORS: dict[str, Handler] = {}
