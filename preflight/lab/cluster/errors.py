"""Errors of an API server, as statuses with its own words. Pure.

Shapes and texts: k8s.io/apimachinery/pkg/api/errors (NewNotFound, NewAlreadyExists, NewForbidden, NewResourceExpired),
k8s.io/apiserver/pkg/endpoints/handlers/responsewriters (RBAC's sentence), and for namespaces that are going
k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle.
"""

from typing import Any

from preflight.lab.cluster.kinds import RESOURCES, qualified

Json = dict[str, Any]


class ApiError(Exception):
    """What the API server answers with an error status."""

    def __init__(self, status: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.details = status, reason, message, details

    @property
    def body(self) -> Json:
        """The `Status` object."""
        told: Json = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
            "reason": self.reason, "details": self.details or {}, "code": self.status,
        }  # fmt: skip
        return told


def not_found(resource: str, name: str) -> ApiError:
    """404 for an object."""
    return ApiError(404, "NotFound", f'{qualified(resource)} "{name}" not found', _details(resource, name))


def no_such_resource() -> ApiError:
    """404 for a resource that a known API group does not have."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: str, name: str) -> ApiError:
    """409 for a name that is taken."""
    told = f'{qualified(resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", told, _details(resource, name))


def forbidden(resource: str, name: str, why: str) -> ApiError:
    """403 of RBAC, or of a built-in admission plug-in (quota, Pod Security, limits)."""
    what = f'{qualified(resource)} "{name}"' if name else qualified(resource)
    return ApiError(403, "Forbidden", f"{what} is forbidden: {why}", _details(resource, name))


def not_allowed(user: str, verb: str, what: str, namespace: str, name: str = "") -> ApiError:
    """403 of RBAC; `what` is a resource, or `pods/log`."""
    resource = what.partition("/")[0]
    group = RESOURCES[resource].group if resource in RESOURCES else ""
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    why = f'User "{user}" cannot {verb} resource "{what}" in API group "{group}" {where}'
    return forbidden(resource, name, why)


def terminating(resource: str, name: str, namespace: str) -> ApiError:
    """403 for what is created in a namespace that is being deleted."""
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    return forbidden(resource, name, why)


def denied(webhook: str, why: str) -> ApiError:
    """What a validating webhook says (k8s.io/apiserver/pkg/admission/plugin/webhook/errors, ToStatusErr)."""
    return ApiError(403, "Forbidden", f'admission webhook "{webhook}" denied the request: {why}')


def expired(since: int, oldest: int) -> ApiError:
    """410 for a version that the server has forgotten."""
    return ApiError(410, "Expired", f"too old resource version: {since} ({oldest})")


def _details(resource: str, name: str) -> Json:
    group = RESOURCES[resource].group if resource in RESOURCES else ""
    told = {"name": name, "group": group, "kind": resource}
    return {key: value for key, value in told.items() if value}
