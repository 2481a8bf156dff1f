"""The Kubernetes API server of an AKS cluster: what it shows with and without a token.

Sources: kubernetes/apimachinery `Status`; kubernetes.io/docs/reference/using-api/health-checks (readyz texts); AKS
switches anonymous authentication off, so that every request without credentials gets 401.
"""

from typing import Any

from preflight.lab import deployment as at
from preflight.lab.http import Handler, Request, Response, document, page

_AUDIT = {"Audit-Id": "b6c1f0de-7a34-4d2b-9f5e-0c8d1a2b3e4f", "Cache-Control": "no-cache, private"}
_VERSION = {
    "major": "1", "minor": "33", "gitVersion": "v1.33.2", "gitTreeState": "clean", "goVersion": "go1.24.4",
    "compiler": "gc", "platform": "linux/amd64",
}  # fmt: skip
_GROUPS = ("apps", "batch", "networking.k8s.io")


def api_server(request: Request) -> Response:
    """/version, /readyz and /apis."""
    if request.headers.get("authorization") != f"Bearer {at.SECRETS['api_server_token']}":
        return _status(401, "Unauthorized", "Unauthorized")
    match request.path:
        case "/version" | "/version/":
            return document(200, _VERSION, _AUDIT)
        case "/readyz" | "/livez" | "/healthz":
            return page(200, "ok", _AUDIT)
        case "/apis" | "/apis/":
            groups: list[dict[str, Any]] = [{"name": name, "versions": [{"version": "v1"}]} for name in _GROUPS]
            return document(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}, _AUDIT)
        case _:
            return _status(404, "NotFound", "the server could not find the requested resource")


def _status(code: int, reason: str, message: str, headers: dict[str, str] | None = None) -> Response:
    content = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
        "code": code,
    }  # fmt: skip
    return document(code, content, {**_AUDIT, **(headers or {})})


def _not_ready(_request: Request) -> Response:
    lines = ("[+]ping ok", "[+]log ok", "[-]etcd failed: reason withheld", "[+]informer-sync ok", "readyz check failed")
    return page(500, "\n".join(lines) + "\n", {**_AUDIT, "X-Content-Type-Options": "nosniff"})


def _sni_missing(request: Request) -> Response:
    # Text of Azure Firewall: azure-docs#59077, kubernetes-keyvault-flexvol#137.
    text = f"HTTPS request from {request.source}:49424. Action: Deny. Reason: SNI TLS extension was missing."
    return page(470, text, {"Connection": "close"}, reason="status code 470")


# What the API server, or what stands in its place, says when a fault is active.
ERRORS: dict[str, Handler] = {
    "kube.unexpected-answer": lambda _request: page(
        404, "<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>",
        {"Server": "nginx"},
    ),
    "kube.sni-missing": _sni_missing,
    "kube.not-ready": _not_ready,
    # API Priority and Fairness: 429 with Retry-After.
    "kube.throttled": lambda _request: _status(
        429, "TooManyRequests", "the server has received too many requests and has asked us to try again later",
        {"Retry-After": "1"},
    ),
    "kube.unavailable": lambda _request: _status(
        503, "ServiceUnavailable", "the server is currently unable to handle the request"
    ),
    "kube.unauthorized": lambda _request: _status(
        403, "Forbidden", 'forbidden: User "system:serviceaccount:default:azureml-fe" cannot get path "/apis"'
    ),
}  # fmt: skip
