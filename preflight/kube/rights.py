"""The rights that a run needs: asked for before anything is created, and granted by the objects of `preflight rbac`."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from preflight.kube import objects
from preflight.kube.client import Client
from preflight.kube.router import DEPLOYMENTS

Json = dict[str, Any]
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """One verb on one resource; `why` says what it is for."""

    group: str
    resource: str  # "pods/log" for a subresource
    verbs: tuple[str, ...]
    why: str
    cluster: bool = False  # not bound to a namespace
    optional: bool = False  # without it less is known, and the run goes on
    namespace: str = ""  # a namespace of its own, whatever the run's is
    names: tuple[str, ...] = ()  # these objects only

    def __str__(self) -> str:
        named = f" {', '.join(self.names)}" if self.names else ""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{', '.join(self.verbs)} {self.resource}{named}{where}"


# What a run looks at before it plans: single objects, by name. `why` says what is not known without them.
LOOKS: Final = tuple(
    Right(group="", resource=resource, verbs=("get",), optional=True, namespace=namespace, names=(name,), why=why)
    for resource, namespace, name, why in (
        ("services", "default", "kubernetes", "the API server's address inside the cluster"),
        ("services", "kube-system", "kube-dns", "the cluster DNS address"),
        ("endpoints", "kube-system", "kube-dns", "which pods answer as cluster DNS, and on which nodes"),
        ("configmaps", "default", "kube-root-ca.crt", "which authority pods trust for the API server"),
    )
)
# The router, where it is installed, and what its account may do. Its namespace may not be there yet: no Role fits.
ROUTER: Final = (
    Right(
        group="apps", resource="deployments", verbs=("get",), optional=True, cluster=True,
        names=tuple(name for _, name in DEPLOYMENTS), why="the router's service account",
    ),
    Right(
        group="authorization.k8s.io", resource="subjectaccessreviews", verbs=("create",), optional=True, cluster=True,
        why="whether the router's account may list pods, endpoints and services",
    ),
)  # fmt: skip


# What says where the real pods stand, and which network policies select them and not the probes.
POLICIES: Final = tuple(
    Right(group=group, resource=resource, verbs=(verb,), cluster=True, optional=True, why=why)
    for group, resource, verb, why in (
        ("", "pods", "list", "where the router's and the models' pods stand"),
        ("", "namespaces", "get", "labels of namespaces, by which policies select"),
        ("networking.k8s.io", "networkpolicies", "list", "network policies that select real pods and not probes"),
        ("cilium.io", "ciliumnetworkpolicies", "list", "the same, of Cilium"),
        ("cilium.io", "ciliumclusterwidenetworkpolicies", "list", "the same, of Cilium"),
    )
)
# In the namespace of real pods beside which probes stand: that no Service sends them traffic.
BESIDE: Final = (Right(group="", resource="services", verbs=("list",), why="that no Service sends traffic to probes"),)


def needed(*, own_namespace: bool, secrets: bool = True) -> tuple[Right, ...]:
    """The rights of a run, the fewest that do."""
    namespaces = (
        Right(
            group="", resource="namespaces", verbs=("create", "delete", "get"), cluster=True,
            why="a namespace of the run's own (not with --namespace)",
        ),
    )  # fmt: skip
    credentials = (Right(group="", resource="secrets", verbs=("create",), why="credentials that probes use"),)
    return (
        Right(
            group="", resource="nodes", verbs=("list",), cluster=True, optional=True,
            why="finds the pools, and which nodes can run a probe",
        ),
        *(namespaces if own_namespace else ()),
        Right(group="batch", resource="jobs", verbs=("create", "delete", "list"), why="a probe for each pool"),
        Right(group="", resource="configmaps", verbs=("create", "list"), why="the plan that probes read"),
        *(credentials if secrets else ()),
        Right(group="", resource="pods", verbs=("list", "watch"), why="sees probes start and end"),
        Right(group="", resource="pods/log", verbs=("get",), why="reads what probes saw"),
        Right(group="", resource="events", verbs=("list",), optional=True, why="why a probe could not start"),
    )  # fmt: skip


def of_shell() -> tuple[Right, ...]:
    """The rights of `--via existing-pod`: nothing is created, a shell is started in what is there."""
    return (
        Right(group="", resource="pods", verbs=("get",), why="finds the pod, its containers and its node"),
        # A websocket is a GET, which is what API servers look at; newer ones ask for create as well.
        Right(group="", resource="pods/exec", verbs=("create", "get"), why="runs the shell probe in the pod"),
        Right(
            group="", resource="nodes", verbs=("get",), cluster=True, optional=True,
            why="finds the pool of the pod's node",
        ),
    )  # fmt: skip


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A right that this user does not have."""

    right: Right
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        group = f".{self.right.group}" if self.right.group else ""
        return f"{', '.join(self.verbs)} {self.right.resource}{group}"


async def missing(client: Client, rights: Sequence[Right], namespace: str) -> list[Missing]:
    """What the API server says that this user may not do. Raises `ClusterFailure`."""
    asked = [(right, verb) for right in rights for verb in right.verbs]
    answers = await asyncio.gather(*(_allowed(client, right, verb, namespace) for right, verb in asked))
    refused = [one for one, allowed in zip(asked, answers, strict=True) if not allowed]
    return [
        Missing(right=right, verbs=verbs)
        for right in rights
        if (verbs := tuple(verb for other, verb in refused if other is right))
    ]


async def _allowed(client: Client, right: Right, verb: str, namespace: str) -> bool:
    resource, _, part = right.resource.partition("/")
    attributes: Json = {"group": right.group, "resource": resource, "verb": verb}
    if part:
        attributes["subresource"] = part
    if not right.cluster:
        attributes["namespace"] = namespace
    body: Json = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return bool((await client.create(_REVIEWS, body)).get("status", {}).get("allowed"))


def roles(name: str, subject: Json, *, namespace: str | None, beside: str | None = None) -> list[Json]:
    """Role and ClusterRole with their bindings: with a namespace the rights in it, without one those for any.

    Besides the optional looks: at single objects, in a Role of their namespace; at the router and at network
    policies, in ClusterRoles of their own. `beside` is the namespace of real pods in which pod probes may stand.
    """
    found = granting(name, subject, needed(own_namespace=namespace is None), namespace=namespace)
    for place in dict.fromkeys(one.namespace for one in LOOKS):
        looks = [one for one in LOOKS if one.namespace == place]
        found += _pair("Role", f"{name}-look", place, looks, subject)
    if beside is not None:
        there = [*(right for right in needed(own_namespace=False) if not right.cluster), *BESIDE]
        found += _pair("Role", f"{name}-pods", beside, there, subject)
    found += _pair("ClusterRole", f"{name}-router", None, ROUTER, subject)
    return found + _pair("ClusterRole", f"{name}-policies", None, POLICIES, subject)


def granting(name: str, subject: Json, rights: Sequence[Right], *, namespace: str | None) -> list[Json]:
    """A Role for what can be bound to the namespace, if there is one, and a ClusterRole for the rest."""
    inside = [] if namespace is None else [right for right in rights if not right.cluster]
    outside = [right for right in rights if right not in inside]
    found = _pair("ClusterRole", name, None, outside, subject) if outside else []
    return found + (_pair("Role", name, namespace, inside, subject) if inside else [])


def _rule(right: Right) -> Json:
    rule: Json = {"apiGroups": [right.group], "resources": [right.resource], "verbs": list(right.verbs)}
    return rule | ({"resourceNames": list(right.names)} if right.names else {})


def _pair(kind: str, name: str, namespace: str | None, rights: Sequence[Right], subject: Json) -> list[Json]:
    meta: Json = {"name": name, "labels": {objects.MANAGED_BY: objects.TOOL}}
    if namespace is not None:
        meta["namespace"] = namespace
    rules = [_rule(one) for one in rights]
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": f"{kind}Binding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": kind, "name": name},
            "subjects": [subject],
        },
    ]
