"""Blob and table storage as the REST interface answers, errors included.

Sources: learn.microsoft.com/rest/api/storageservices, pages status-and-error-codes2, common-rest-api-error-codes,
blob-service-error-codes, table-service-error-codes, sas-error-codes, get-blob, list-containers2, query-tables.
"""

from xml.sax.saxutils import escape

from preflight.lab import deployment as at
from preflight.lab.http import Handler, Request, Response, document
from preflight.lab.services.registry import ranged

_BLOB_CONTENT = b"ONNX" + bytes(range(256)) * 96
_SIGNATURE = at.SECRETS["storage_sas"].rpartition("sig=")[2].replace("%3D", "=")
_COMMON = {
    "x-ms-version": "2024-11-04",
    "x-ms-request-id": "6f1c0f52-301e-0041-5b7a-9d2c4e000000",
}
# The messages are the documented ones; sas-error-codes for the three that differ by a few words only.
_MESSAGES = {
    "AuthorizationFailure": "This request is not authorized to perform this operation.",
    "AuthorizationPermissionMismatch": "This request is not authorized to perform this operation using this"
    " permission.",
    "AuthenticationFailed": "Server failed to authenticate the request. Make sure the value of Authorization header is"
    " formed correctly including the signature.",
    "KeyBasedAuthenticationNotPermitted": "Key based authentication is not permitted on this storage account.",
    "PublicAccessNotPermitted": "Public access is not permitted on this storage account.",
    "NoAuthenticationInformation": "Server failed to authenticate the request. Please refer to the information in the"
    " www-authenticate header.",
    "BlobNotFound": "The specified blob does not exist.",
    "ContainerNotFound": "The specified container does not exist.",
    "TableNotFound": "The table specified does not exist.",
    "ResourceNotFound": "The specified resource does not exist.",
    "ServerBusy": "The server is currently unable to receive requests. Please retry your request.",
    "InternalError": "The server encountered an internal error. Please retry the request.",
}


def blob(request: Request) -> Response:
    """Service and blob level of blob storage."""
    if not _signed(request):
        return _anonymous(request)
    if request.path in ("", "/"):
        return _containers() if request.query.get("comp") == "list" else _failure(400, "InvalidQueryParameterValue")
    container, _, name = request.path.lstrip("/").partition("/")
    if container != at.CONTAINER:
        return _failure(404, "ContainerNotFound")
    if name != at.BLOB_NAME:
        return _failure(404, "BlobNotFound")
    marks = {"Content-Type": "application/octet-stream", "x-ms-blob-type": "BlockBlob", "ETag": '"0x8DD2F0A1B3C4D5E"'}
    return ranged(request, _BLOB_CONTENT, {**_xml_headers(), **marks})


def table(request: Request) -> Response:
    """Service level of table (and queue) storage."""
    if not _signed(request):
        # Table: anonymous requests are never admitted; 401 with a challenge for current versions of the service.
        return _table_failure(401, "NoAuthenticationInformation", {"WWW-Authenticate": _challenge()})
    if request.path not in ("/Tables", "/Tables()"):
        return _table_failure(404, "TableNotFound")
    content = {
        "odata.metadata": f"https://{request.host}/$metadata#Tables",
        "value": [{"TableName": "azuremlfeconfig"}],
    }
    return document(200, content, {**_COMMON, "Server": "Windows-Azure-Table/1.0 Microsoft-HTTPAPI/2.0"})


def _signed(request: Request) -> bool:
    return request.query.get("sig") == _SIGNATURE


def _anonymous(request: Request) -> Response:
    """With allowBlobPublicAccess off: 409 (common-rest-api-error-codes). A wrong signature: AuthenticationFailed."""
    if request.authorized:
        return _failure(403, "AuthenticationFailed")
    return _failure(409, "PublicAccessNotPermitted")


def _challenge() -> str:
    # authorize-with-azure-active-directory: "Bearer challenge".
    tenant = f"https://{at.ENTRA.name}/{at.TENANT}/oauth2/authorize"
    return f"Bearer authorization_uri={tenant} resource_id=https://storage.azure.com"


def _containers() -> Response:
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="https://{at.BLOB.name}/">'
        f"<Containers><Container><Name>{at.CONTAINER}</Name></Container></Containers><NextMarker />"
        "</EnumerationResults>"
    )
    return Response(headers=_xml_headers(), body=body.encode())


def _xml_headers() -> dict[str, str]:
    return {**_COMMON, "Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0", "Content-Type": "application/xml"}


def _failure(status: int, code: str, message: str | None = None) -> Response:
    text = message or _MESSAGES.get(code, code)
    detail = f"{text}\nRequestId:{_COMMON['x-ms-request-id']}\nTime:2026-11-22T10:00:00.0000000Z"
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{escape(detail)}</Message></Error>'
    )
    # The reason phrase of storage is the message: status-and-error-codes2.
    return Response(status=status, reason=text, headers={**_xml_headers(), "x-ms-error-code": code}, body=body.encode())


def _table_failure(
    status: int, code: str, headers: dict[str, str] | None = None, *, message: str | None = None
) -> Response:
    text = message or _MESSAGES.get(code, code)
    content = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": text}}}
    server = {"Server": "Windows-Azure-Table/1.0 Microsoft-HTTPAPI/2.0"}
    return document(status, content, {**_COMMON, **server, "x-ms-error-code": code, **(headers or {})})


def _either(status: int, code: str, message: str | None = None) -> Handler:
    def refuse(request: Request) -> Response:
        if request.host == at.BLOB.name:
            return _failure(status, code, message)
        return _table_failure(status, code, message=message)

    return refuse


def _source_mismatch(request: Request) -> Response:
    text = f"This request is not authorized to perform this operation using this source IP {request.source}."
    return _either(403, "AuthorizationSourceIPMismatch", text)(request)


# What storage says when a fault is active; which code means a network rule: AzureStorageExplorer#8344.
ERRORS: dict[str, Handler] = {
    "storage.denied-by-network": _either(403, "AuthorizationFailure"),
    "storage.unauthorized": _either(403, "AuthenticationFailed"),
    "storage.permission-mismatch": _either(403, "AuthorizationPermissionMismatch"),
    "storage.source-ip-mismatch": _source_mismatch,
    "storage.key-auth-not-permitted": _either(403, "KeyBasedAuthenticationNotPermitted"),
    "storage.not-found": lambda request: _either(
        404, "BlobNotFound" if request.host == at.BLOB.name else "TableNotFound"
    )(request),
    "storage.throttled": _either(503, "ServerBusy"),
    "storage.unavailable": _either(500, "InternalError"),
}
