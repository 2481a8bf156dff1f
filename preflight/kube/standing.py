"""Where the real pods stand, and where a probe may stand beside them: namespaces and labels. Pure.

Documented: the router's pods carry `azuremlappname=azureml-fe`, in `default` (v1) or `azureml` (extension); models'
pods carry `isazuremlapp=true`, in `azureml-<workspace>` (v1) or the namespace of the endpoint's compute (extension).
Sources: Azure/AML-Kubernetes docs/troubleshooting.md and attach-compute-on-aks-v1-cluster.md; MicrosoftDocs/azure-docs,
"Use Azure AD identity with your web service in AKS" (`--selector=isazuremlapp=true`) and reference-kubernetes.md.
"""

from typing import Any, Final

import msgspec

from preflight.kube import objects
from preflight.kube.values import items, labels, table, text
from preflight.model.environment import Environment, Layout
from preflight.model.policies import Role, Stand

Json = dict[str, Any]
MOST: Final = 20  # kinds of pods of a role
LABELS: Final = {Role.ROUTER: {"azuremlappname": "azureml-fe"}, Role.MODEL: {"isazuremlapp": "true"}}
_ROUTERS: Final = {Layout.V1: ("default",), Layout.EXTENSION: ("azureml",), Layout.AUTO: ("azureml", "default")}
# Labels by which a controller counts pods as its own, or by which a webhook changes them: a probe must not carry them.
_NEVER: Final = frozenset((
    "pod-template-hash", "controller-revision-hash", "pod-template-generation", "job-name", "controller-uid",
    "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "azure.workload.identity/use",
    "aadpodidbinding",
))  # fmt: skip
_NEVER_OF: Final = ("batch.kubernetes.io/", "sidecar.istio.io/")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Where pods of a role are looked for, and by which labels."""

    role: Role
    labels: dict[str, str]
    namespaces: tuple[str, ...] = ()  # where they are documented to be, or the environment says
    certain: bool = False  # the environment says so: nowhere else

    @property
    def selector(self) -> str:
        """For the API server."""
        return ",".join(f"{key}={value}" for key, value in sorted(self.labels.items()))


def wanted(env: Environment) -> tuple[Wanted, ...]:
    """The router's pods and the models', as the environment and the documents have them."""
    workspace = env.workspace.name
    models = (f"azureml-{workspace}",) if workspace and env.main.layout is not Layout.EXTENSION else ()
    known = {Role.ROUTER: _ROUTERS[env.main.layout], Role.MODEL: models}
    given = {
        Role.ROUTER: (env.pods.router_namespace, env.pods.router_labels),
        Role.MODEL: (env.pods.model_namespace, env.pods.model_labels),
    }
    return tuple(
        Wanted(
            role=role,
            labels=dict(marks) or LABELS[role],
            namespaces=(namespace,) if namespace else known[role],
            certain=namespace is not None,
        )
        for role, (namespace, marks) in given.items()
    )


def found(role: Role, listed: object) -> tuple[Stand, ...]:
    """The pods of a role that run, alike ones once; probes are none of them."""
    alike: dict[tuple[str, tuple[tuple[str, str], ...], str], Stand] = {}
    for pod in sorted(items(listed), key=_age, reverse=True):
        one = _stand(role, pod)
        if one is not None and len(alike) < MOST:
            lasting = tuple(sorted(carried(one.labels).items()))
            alike.setdefault((one.namespace, lasting, one.service_account), one)
    return tuple(alike[key] for key in sorted(alike))


def _stand(role: Role, pod: Json) -> Stand | None:
    meta, spec = table(pod, "metadata"), table(pod, "spec")
    marks = labels(meta.get("labels"))
    over = text(table(pod, "status").get("phase")) in ("Succeeded", "Failed")
    if marks.get(objects.MANAGED_BY) == objects.TOOL or over:
        return None
    namespace = text(meta.get("namespace"))
    return Stand(
        namespace=namespace,
        labels=marks,
        service_account=text(spec.get("serviceAccountName")) or "default",
        role=role,
        known_from=f"pod {namespace}/{text(meta.get('name'))}",
    )


def _age(pod: Json) -> str:
    return text(table(pod, "metadata").get("creationTimestamp"))


def documented(want: Wanted, namespace: str) -> Stand:
    """Where they will stand, when none runs yet."""
    source = "preflight.toml" if want.certain else "documented"
    return Stand(namespace=namespace, labels=want.labels, role=want.role, known_from=f"{source}: none runs yet")


def carried(marks: dict[str, str]) -> dict[str, str]:
    """The labels that a probe may carry, too."""
    return {key: value for key, value in marks.items() if key not in _NEVER and not key.startswith(_NEVER_OF)}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """As whom the pod vantage stands; nothing of it: in the run's own namespace, as nobody."""

    role: Role | None = None
    namespace: str | None = None
    labels: dict[str, str] = {}

    @property
    def given(self) -> bool:
        """Whether it stands anywhere else than usual."""
        return self.role is not None or self.namespace is not None or bool(self.labels)


class Lent(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands then, and after whom."""

    namespace: str  # empty: the run's own
    labels: dict[str, str]
    after: str = ""  # "pod default/azureml-fe-65b7486dd9-l8tkw"


def lend(asked: Asked, real: tuple[Stand, ...]) -> Lent | None:
    """The place of the real pods that were asked for; None when it is not known where they stand."""
    those = [one for one in real if one.role is asked.role and asked.namespace in (None, one.namespace)]
    model = next(iter(those), None)
    if asked.role is not None and model is None and asked.namespace is None:
        return None
    return Lent(
        namespace=asked.namespace or (model.namespace if model is not None else ""),
        labels=carried(model.labels if model is not None else LABELS.get(asked.role, {}) if asked.role else {})
        | asked.labels,
        after=model.known_from if model is not None else "",
    )


def fewest(lent: Lent, asked: Asked, keys: frozenset[str] | None) -> Lent:
    """With no more labels than policies speak of: what else counts or finds pods by labels shall not meet the probe.

    All of them where not every policy is known (`keys` is None); those that were asked for by name always stay.
    """
    worn = {key: value for key, value in lent.labels.items() if keys is None or key in keys or key in asked.labels}
    return msgspec.structs.replace(lent, labels=worn)


def probe(namespace: str, marks: dict[str, str]) -> Stand:
    """How policies see a probe there; ours win where both have a label, or nobody would find it again."""
    own = {key: value for key, value in objects.labels("").items() if key not in marks or key in objects.OURS}
    job = {"job-name": "", "controller-uid": ""}  # the Job's controller sets them; their values are nobody's
    return Stand(namespace=namespace, labels={**marks, **own, **job}, known_from="this run")


def where(pod: Json) -> Stand:
    """How policies see a probe that is there."""
    meta = table(pod, "metadata")
    return Stand(namespace=text(meta.get("namespace")), labels=labels(meta.get("labels")), known_from="its pod")


def endangered(services: object, marks: dict[str, str]) -> tuple[str, ...]:
    """Services that would send traffic to a probe with these labels although it is never ready."""
    return tuple(
        f"{text(table(one, 'metadata').get('namespace'))}/{text(table(one, 'metadata').get('name'))}"
        for one in items(services)
        if _publishes(one)
        and (chosen := labels(table(one, "spec").get("selector")))
        and chosen.items() <= marks.items()
    )


def _publishes(service: Json) -> bool:
    old = labels(table(service, "metadata").get("annotations")).get(
        "service.alpha.kubernetes.io/tolerate-unready-endpoints"
    )
    return table(service, "spec").get("publishNotReadyAddresses") is True or old == "true"
