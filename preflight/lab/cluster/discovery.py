"""Which groups and resources the stand-in has, as clients ask for them: `/api`, `/apis`, `/apis/GROUP/VERSION`. Pure.

Shapes: kubernetes.io/docs/reference/using-api/api-concepts, unaggregated discovery.
"""

from typing import Any

from preflight.lab.cluster.kinds import RESOURCES

Json = dict[str, Any]
_VERBS = ["create", "delete", "get", "list", "watch"]


def document(path: str) -> Json | None:
    """None for a path that is none of these."""
    path = path.rstrip("/")
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(one) for one in _apis() if "/" in one]}
    api = path.removeprefix("/apis/") if path.startswith("/apis/") else path.removeprefix("/api/")
    return _resources(api) if api in _apis() and path != api else None


def _apis() -> list[str]:
    return sorted({known.api for known in RESOURCES.values()})


def _group(api: str) -> Json:
    version = {"groupVersion": api, "version": api.partition("/")[2]}
    return {"name": api.partition("/")[0], "versions": [version], "preferredVersion": version}


def _resources(api: str) -> Json:
    found = [
        {"name": name, "singularName": "", "namespaced": known.namespaced, "kind": known.kind, "verbs": _VERBS}
        for name, known in RESOURCES.items()
        if known.api == api
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": found}
