"""The router that is installed, and what its service account may do: asked by SubjectAccessReview, never tried.

Reads two Deployments by their names and creates nothing that stays.
"""

from typing import Any, Final

from preflight.failures import ClusterFailure, Refused
from preflight.kube import objects
from preflight.kube.client import Client, Gone
from preflight.model.cluster import RouterFacts

Json = dict[str, Any]
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
# v1: namespace and account of azureml-fe; extension: the Deployment (Azure/AML-Kubernetes, docs/troubleshooting.md).
DEPLOYMENTS: Final = (("default", "azureml-fe"), ("azureml", "azureml-fe-v2"))
LISTED: Final = ("pods", "endpoints", "services")
_MOST_TEXT: Final = 253


async def find(client: Client) -> tuple[RouterFacts | None, tuple[str, ...]]:
    """The router and what is not known of it; (None, ()) where none is installed."""
    notices: list[str] = []
    for namespace, name in DEPLOYMENTS:
        try:
            found = await client.get(objects.path("Deployment", namespace, name))
        except Gone:
            continue
        except Refused as refused:
            if refused.status != 403:
                notices.append(f"{name} in {namespace} could not be read ({refused.text[:200]})")
                continue
            notices.append(f"without the right to get deployments/{name} in {namespace}: the router is not looked at")
        except ClusterFailure as failure:
            notices.append(f"{name} in {namespace} could not be read ({failure.text[:200]})")
        else:
            account = _account(found)
            rights, why = await _rights(client, namespace, account)
            router = RouterFacts(namespace=namespace, deployment=name, account=account, rights=rights)
            return router, (why,) if why else ()
    return None, tuple(notices)


def _account(found: Json) -> str:
    spec: Any = found
    for key in ("spec", "template", "spec"):
        spec = spec.get(key) if isinstance(spec, dict) else None
    name = spec.get("serviceAccountName") if isinstance(spec, dict) else None
    return name[:_MOST_TEXT] if isinstance(name, str) and name else "default"


async def _rights(client: Client, namespace: str, account: str) -> tuple[str, str]:
    """`pods=yes,endpoints=no,...` for the router's own namespace, or why it is not known."""
    told = []
    try:
        for resource in LISTED:
            answer = await client.create(_REVIEWS, _review(namespace, account, resource))
            status = answer.get("status")
            allowed = isinstance(status, dict) and bool(status.get("allowed"))
            told.append(f"{resource}={'yes' if allowed else 'no'}")
    except ClusterFailure as failure:
        may = "without the right to create subjectaccessreviews" if _forbidden(failure) else failure.text[:200]
        return "", f"{may}: what {namespace}/{account} may list is not known"
    return ",".join(told), ""


def _forbidden(failure: ClusterFailure) -> bool:
    return isinstance(failure, Refused) and failure.status == 403


def _review(namespace: str, account: str, resource: str) -> Json:
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{account}",
            "groups": groups,
            "resourceAttributes": {"namespace": namespace, "verb": "list", "group": "", "resource": resource},
        },
    }
