"""MCR and ACR as OCI distribution clients see them, and their data hosts.

Protocol: OCI Distribution Specification 1.1; challenge and token: distribution/distribution docs/spec/auth/token.md and
Azure/acr docs/AAD-OAuth.md; redirects to data hosts: container-registry-dedicated-data-endpoints.md,
microsoft/containerregistry docs/client-firewall-rules.md.
"""

import base64
import functools
import hmac
import re
from typing import Any

from preflight.lab import deployment as at
from preflight.lab.http import Handler, Request, Response, document
from preflight.lab.services.image import Image, build
from preflight.lab.services.pushed import Pushed

_ADDRESS = re.compile(r"/v2/(?P<repository>[a-z0-9][a-z0-9._/-]*)/(?P<kind>manifests|blobs)/(?P<reference>[\w.:-]+)")
_DATA_PATH = re.compile(r"/[\w-]+//docker/registry/v2/blobs/sha256/[0-9a-f]{2}/(?P<hex>[0-9a-f]{64})/data")
_ACCOUNT = (
    "01031d61e1024861afee5d512651eb9f-h36fskt2ei"  # form of the layer store's path: microsoft/containerregistry#19
)
_NAMED = re.compile(r"/v2/(?P<repository>[a-z0-9][a-z0-9._/-]*?)/(manifests|blobs)/")
_ACTIONS = {"GET": "pull", "HEAD": "pull", "DELETE": "pull,delete"}
_READING = ("pull", "pull,push", "pull,delete")
_PUSHED = Pushed()
_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
_SIGNATURE_KEY = b"preflight lab registry"
_CACHED = "aks-managed-repository/"  # of an isolated cluster: a cache rule maps MCR's repositories to these


@functools.cache
def image() -> Image:
    """Built when the first client asks for it."""
    return build()


def mcr(request: Request) -> Response:
    """MCR: anonymous, every repository exists."""
    if request.path in ("/v2", "/v2/"):
        return document(200, {}, _VERSION)  # distribution-spec "Determining Support": 200 without authentication
    return _content(request, at.MCR_DATA.name)


def acr(request: Request) -> Response:
    """ACR: everything needs a token, tokens are given for the pull credentials."""
    if request.path == "/oauth2/token":
        return _token(request)
    if (
        request.path == "/oauth2/exchange"
    ):  # AAD-OAuth.md: an access token of Entra for a refresh token; none is known here
        return _error(401, "UNAUTHORIZED", "authentication required")
    named = _NAMED.match(request.path)
    action = _ACTIONS.get(request.method, "pull,push")
    scope = f"repository:{named['repository']}:{action}" if named else None
    if not _admitted(request, named["repository"] if named else "", action):
        return _challenge(request, scope)
    if named is None:
        return document(200, {}, _VERSION)
    if request.method not in ("GET", "HEAD"):
        return _PUSHED.take(request) or _error(405, "UNSUPPORTED", "the operation is unsupported")
    return _pushed_content(request) or _content(request, at.ACR_DATA.name)


def _admitted(request: Request, repository: str, action: str) -> bool:
    """A token for more than pulling pulls as well."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    enough = _READING if action == "pull" else (action,)
    scopes = [f"repository:{repository}:{one}" for one in enough] if repository else ["registry"]
    return any(hmac.compare_digest(bearer, _signed(scope)) for scope in scopes)


def _pushed_content(request: Request) -> Response | None:
    """What somebody has pushed; None when it is none of that."""
    found = _ADDRESS.fullmatch(request.path)
    if found is None:
        return None
    if found["kind"] == "blobs":
        return _redirected(found["reference"], at.ACR_DATA.name) if found["reference"] in _PUSHED.blobs else None
    manifest = _PUSHED.manifest(found["repository"], found["reference"])
    if manifest is None:
        return None
    digest, kind, content = manifest
    return Response(headers={**_VERSION, "Content-Type": kind, "Docker-Content-Digest": digest}, body=content)


def data(request: Request) -> Response:
    """A data host: layer content under the paths that a registry redirects to.

    "/" answers 400 (hard-coded as "reached" in AgentBaker's aks-check-network.sh).
    """
    found = _DATA_PATH.fullmatch(request.path)
    if found is None:
        return _storage_error(400, "InvalidUri", "The requested URI does not represent any resource on the server.")
    digest = f"sha256:{found['hex']}"
    blob = image().blobs.get(digest) or _PUSHED.blobs.get(digest)
    if blob is None or "sig" not in request.query:
        return _storage_error(404, "BlobNotFound", "The specified blob does not exist.")
    return ranged(request, blob, {"Content-Type": "application/octet-stream", "Server": "Windows-Azure-Blob/1.0"})


def ranged(request: Request, content: bytes, headers: dict[str, str]) -> Response:
    """`content`, or the one range that was asked for (RFC 9110 14)."""
    headers = {"Accept-Ranges": "bytes", **headers}
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("x-ms-range") or request.headers.get("range", ""))
    if found is None:
        return Response(headers=headers, body=content)
    first, last = int(found[1]), min(int(found[2] or len(content) - 1), len(content) - 1)
    if first >= len(content):
        return Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return Response(status=206, headers=headers, body=content[first : last + 1])


def _content(request: Request, data_host: str) -> Response:
    found = _ADDRESS.fullmatch(request.path)
    if found is None:
        return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
    if request.host == at.ACR.name and found["repository"] != at.REPOSITORY and not _cached(found["repository"]):
        return _error(404, "NAME_UNKNOWN", f'repository "{found["repository"]}" is not found')
    if found["kind"] == "blobs":
        return _blob(found["reference"], data_host)
    reference = found["reference"]
    every = request.host == at.MCR.name or _cached(found["repository"])
    known = every or reference.startswith("sha256:") or reference == at.REFERENCE
    manifest = image().manifests.get(reference if reference.startswith("sha256:") else image().index) if known else None
    if manifest is None:
        return _error(404, "MANIFEST_UNKNOWN", f'manifest tagged by "{reference}" is not found')
    name = reference if reference.startswith("sha256:") else image().index
    return Response(
        headers={**_VERSION, "Content-Type": manifest[0], "Docker-Content-Digest": name, "ETag": f'"{name}"'},
        body=manifest[1],
    )


def _cached(repository: str) -> bool:
    return repository.startswith(_CACHED)


def _blob(reference: str, data_host: str) -> Response:
    if reference not in image().blobs:
        return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
    return _redirected(reference, data_host)


def _redirected(reference: str, data_host: str) -> Response:
    # 307 with a signed address: Azure/acr#458, microsoft/containerregistry#19.
    digits = reference.removeprefix("sha256:")
    path = f"/{_ACCOUNT}//docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data"
    query = f"se=2099-01-01T00%3A00%3A00Z&sig={_signed(digits)}&sp=r&spr=https&sr=b&sv=2018-03-28"
    return Response(
        status=307,
        headers={
            **_VERSION,
            "Location": f"https://{data_host}{path}?{query}",
            "Docker-Content-Digest": reference,
            "Content-Type": "application/octet-stream",
        },
    )


def _token(request: Request) -> Response:
    """GET with basic credentials (token.md), or POST grant_type=password or refresh_token (oauth.md)."""
    if request.method == "POST":
        user, password = request.form.get("username", ""), request.form.get("password", "")
        scope = request.form.get("scope", "")
    else:
        user, password = _basic(request)
        scope = request.query.get("scope", "")
    if (user, password) != (at.SECRETS["registry_user"], at.SECRETS["registry_password"]):
        return _unauthorized()
    token = _signed(scope or "registry")
    return document(200, {"access_token": token, "token": token, "expires_in": 4500})


def _basic(request: Request) -> tuple[str, str]:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def _signed(text: str) -> str:
    return hmac.new(_SIGNATURE_KEY, text.encode(), "sha256").hexdigest()


def _challenge(request: Request, scope: str | None) -> Response:
    # Www-Authenticate exactly as in Azure/acr#458.
    value = f'Bearer realm="https://{request.host}/oauth2/token",service="{request.host}"'
    if scope:
        value += f',scope="{scope}"'
    wrong = request.authorized
    return _unauthorized({"Www-Authenticate": value + (',error="invalid_token"' if wrong else "")})


def _unauthorized(headers: dict[str, str] | None = None) -> Response:
    text = "authentication required, visit https://aka.ms/acr/authorization for more information."
    return _error(401, "UNAUTHORIZED", text, headers)


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None, detail: Any = None) -> Response:
    # Error body: distribution-spec "Error Codes".
    content = {"errors": [{"code": code, "message": message, "detail": detail}]}
    return document(status, content, {**_VERSION, **(headers or {})})


def _storage_error(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    headers = {"Content-Type": "application/xml", "x-ms-error-code": code, "Server": "Windows-Azure-Blob/1.0"}
    return Response(status=status, headers=headers, body=body.encode())


def _denied(address: str) -> Response:
    # Text and status: Azure/acr#633, docker/build-push-action#1214; it names the source that the registry saw.
    text = f"client with IP '{address}' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
    return _error(403, "DENIED", text)


def _tampered(request: Request) -> Response:
    honest = data(request)
    return Response(status=honest.status, headers=honest.headers, body=bytes(byte ^ 1 for byte in honest.body))


def _foreign_data_host(request: Request) -> Response:
    found = _ADDRESS.fullmatch(request.path)
    return _blob(found["reference"], at.ACR_FOREIGN.name) if found else _error(404, "BLOB_UNKNOWN", "blob unknown")


# What the registry says when a fault is active at one of its steps.
ERRORS: dict[str, Handler] = {
    "registry.denied-by-network": lambda request: _denied(request.source),
    "path.firewall-resolved-public": lambda _request: _denied(at.EGRESS),
    "registry.unauthorized": lambda _request: _unauthorized(),
    "registry.not-found": lambda _request: _error(404, "MANIFEST_UNKNOWN", "manifest is not found"),
    # 429 with Retry-After: container-registry-skus.md "Throttling"; code: distribution-spec.
    "registry.throttled": lambda _request: _error(429, "TOOMANYREQUESTS", "too many requests", {"Retry-After": "10"}),
    "registry.unavailable": lambda _request: _error(503, "UNAVAILABLE", "service is temporarily unavailable"),
    # "did not issue a challenge" (Azure/acr#533): 401 without Www-Authenticate.
    "registry.no-challenge": lambda _request: Response(status=401),
    "registry.digest-mismatch": _tampered,
    "registry.unexpected-data-host": _foreign_data_host,
}
