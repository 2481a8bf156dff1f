"""What a run creates in the cluster, as JSON values: pure builders, no requests.

Every object carries `app.kubernetes.io/managed-by=preflight` and the run's id. The run's first Job, which never starts
a pod and outlives the run's deadline, owns all that is namespaced: when it goes, everything goes.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from preflight.kube.pools import Place
from preflight.model.vocabulary import ADDRESS_VARIABLE, NODE_VARIABLE, VantageKind

Json = dict[str, Any]
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
RUN: Final = "app.kubernetes.io/instance"
TOOL: Final = "preflight"
VANTAGE: Final = "preflight/vantage"
EXPIRES: Final = "preflight/expires"
ROLE: Final = "preflight/role"
ANSWERS: Final = "answers"
CONTAINER: Final = "probe"
USER: Final = 65532  # of the image
SPARE_S: Final = 60  # beyond that: for results that are still being read
JOB_TTL_S: Final = 300
GRACE_S: Final = 60  # beyond all deadlines: the time for cleaning up
OURS: Final = (MANAGED_BY, RUN)  # by these a run finds its objects again: a probe keeps them wherever it stands
NEVER_READY: Final = "preflight/never-ready"
TERMINATION_LOG: Final = "/dev/termination-log"
_TOKEN_MOUNT: Final = "/preflight-token"  # noqa: S105 - a folder
TOKEN_S: Final = 600  # the shortest that Kubernetes gives
NODE_CERTIFICATES: Final = "/etc/ssl/certs"
_MOUNT, _NODE_MOUNT = "/preflight", "/node-trust"
_SLUG: Final = re.compile(r"[^a-z0-9]+")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every object of one run."""

    run_id: str
    namespace: str
    start_s: float  # until a probe must have started, image pull included
    run_s: float  # until it must have finished then
    expires: str  # UTC, ISO 8601: when nothing of the run is needed any more
    pull_secrets: tuple[str, ...] = ()

    @property
    def deadline_s(self) -> int:
        """Of a probe's Job, from its creation."""
        return int(self.start_s + self.run_s + GRACE_S)

    @property
    def life_s(self) -> int:
        """Of everything that the run creates, when nobody removes it."""
        return self.deadline_s + GRACE_S + SPARE_S


def labels(run_id: str) -> Json:
    """On every object."""
    return {MANAGED_BY: TOOL, "app.kubernetes.io/name": TOOL, RUN: run_id}


def selector(run_id: str | None = None) -> str:
    """For lists and watches: all of one run, or of any."""
    return f"{MANAGED_BY}={TOOL}" + (f",{RUN}={run_id}" if run_id else "")


def metadata(terms: Terms, name: str, *, owner: Json | None = None, annotations: Mapping[str, str] = {}) -> Json:
    """Of every object that is namespaced."""
    meta: Json = {
        "name": name,
        "namespace": terms.namespace,
        "labels": labels(terms.run_id),
        "annotations": {EXPIRES: terms.expires, **annotations},
    }
    if owner is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
            }
        ]
    return meta


def namespace(terms: Terms, kinds: Sequence[VantageKind]) -> Json:
    """A namespace of the run's own; the node network needs hostNetwork, which Pod Security calls privileged."""
    level = "privileged" if VantageKind.NODE in kinds else "restricted"
    meta = metadata(terms, terms.namespace)
    del meta["namespace"]
    meta["labels"] |= {"pod-security.kubernetes.io/enforce": level}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def anchor(terms: Terms) -> Json:
    """The run's first Job: no pod, ever, so it is complete at once; its TTL ends a run whose command line was killed.

    A deadline would not: the Job's controller of Kubernetes 1.20 (`syncJob`) never writes down when a Job without pods
    started, and so never finds it too old.
    """
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": pod_security(),
        "containers": [{"name": "none", "image": "none", "securityContext": container_security()} | resources()],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(terms, f"{TOOL}-{terms.run_id}"),
        "spec": {
            "parallelism": 0,
            "completions": 0,
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": terms.life_s,
            "template": {"metadata": {"labels": labels(terms.run_id)}, "spec": pod},
        },
    }


def plan_map(terms: Terms, name: str, plan: str, *, owner: Json | None = None) -> Json:
    """The plan of every vantage of a kind; holds no secret."""
    meta = metadata(terms, name, owner=owner)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"plan.json": plan}, "immutable": True}


def secret(terms: Terms, name: str, encoded: Mapping[str, str], *, owner: Json | None = None) -> Json:
    """Credentials that probes use, already in base64; named like the variables that carry them."""
    meta = metadata(terms, name, owner=owner)
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": meta, "data": dict(encoded)}


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One Job to be: where, with which image, and what it is handed."""

    place: Place
    image: str
    plan_map: str
    secret: str | None = None
    variables: tuple[str, ...] = ()  # keys of the secret
    token: bool = False  # a short-lived token of the namespace's default service account, for queries to the API server
    attempt: int = 1
    node_trust: bool = False  # mount the node's certificates, which only a privileged namespace admits
    apart: bool = False  # rather on another node than the pod that answers in this pool


class Answerer(msgspec.Struct, frozen=True, kw_only=True):
    """One Job to be whose pod answers others on these ports until the run is over."""

    place: Place
    image: str
    ports: tuple[int, ...]
    attempt: int = 1


def job_name(terms: Terms, place: Place, attempt: int = 1) -> str:
    """At most 52 characters, so that pods and CronJobs can add theirs; unique within the run."""
    slug = _SLUG.sub("-", place.vantage.lower()).strip("-")
    if len(slug) > 24 or slug != place.vantage.replace("/", "-"):
        slug = f"{slug[:17].rstrip('-')}-{hashlib.sha256(place.vantage.encode()).hexdigest()[:6]}"
    again = f"-{attempt}" if attempt > 1 else ""
    return f"{TOOL}-{terms.run_id}-{slug}{again}"


def job(terms: Terms, probe: Probe, *, owner: Json | None = None) -> Json:
    """A probe's Job: one pod, once, with everything that a restricted namespace asks for."""
    marks = {VANTAGE: probe.place.vantage}
    meta = metadata(terms, job_name(terms, probe.place, probe.attempt), owner=owner, annotations=marks)
    worn = {"labels": _worn(terms, probe.place), "annotations": marks}
    return once(terms, meta, {"metadata": worn, "spec": _probe_pod(terms, probe)})


def once(terms: Terms, meta: Json, template: Json) -> Json:
    """A Job of one pod that is never tried again."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "activeDeadlineSeconds": terms.deadline_s,
            "ttlSecondsAfterFinished": JOB_TTL_S,
            "template": template,
        },
    }


def _worn(terms: Terms, place: Place) -> Json:
    """The labels of the probe's pod: those of the real pods beside which it stands, and ours."""
    own = labels(terms.run_id)
    return {**own, **place.labels, **{key: own[key] for key in OURS}}


def answerer_job(terms: Terms, answerer: Answerer, *, owner: Json | None = None) -> Json:
    """The Job of a pod that answers: no plan, no secret, nothing but its ports; ends when it is deleted."""
    place = msgspec.structs.replace(answerer.place, vantage=f"answers/{answerer.place.vantage}")
    pod = _pod(terms, answerer.place, _answering(answerer))
    pod["containers"][0]["env"].append(_field(ADDRESS_VARIABLE, "status.podIP"))
    meta = metadata(terms, job_name(terms, place, answerer.attempt), owner=owner)
    meta["labels"] |= {ROLE: ANSWERS}
    worn = {"labels": _worn(terms, answerer.place) | {ROLE: ANSWERS}}
    return once(terms, meta, {"metadata": worn, "spec": pod})


def _pod(terms: Terms, place: Place, container: Json, volumes: Sequence[Json] = ()) -> Json:
    on_node = place.kind is VantageKind.NODE
    terms_of_nodes = [{"matchExpressions": [msgspec.to_builtins(one) for one in place.expressions]}]
    pod: Json = {
        "restartPolicy": "Never",
        "hostNetwork": on_node,
        "dnsPolicy": "Default" if on_node else "ClusterFirst",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": pod_security(),
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms_of_nodes}}
        },
        "tolerations": [dict(one) for one in place.tolerations],
        "containers": [container],
    }
    if place.labels or place.namespace:
        # Services route only to pods that are ready. Nobody ever sets this condition, so this one never is.
        pod["readinessGates"] = [{"conditionType": NEVER_READY}]
    if volumes:
        pod["volumes"] = list(volumes)
    if terms.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in terms.pull_secrets]
    return pod


def _probe_pod(terms: Terms, probe: Probe) -> Json:
    volumes: list[Json] = [{"name": "plan", "configMap": {"name": probe.plan_map}}]
    volumes += [_token_volume()] if probe.token else []
    if probe.node_trust:
        volumes.append({"name": "node-trust", "hostPath": {"path": NODE_CERTIFICATES, "type": "Directory"}})
    pod = _pod(terms, probe.place, _container(probe), volumes)
    if probe.apart:
        term = {
            "labelSelector": {"matchLabels": {RUN: terms.run_id, ROLE: ANSWERS}},
            "topologyKey": "kubernetes.io/hostname",
        }
        pod["affinity"]["podAntiAffinity"] = {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    return pod


def _token_volume() -> Json:
    """The kubelet asks for it when the pod starts, renews it while it runs, and it ends with the pod."""
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_S}}
    return {"name": "token", "projected": {"sources": [source]}}


def _container(probe: Probe) -> Json:
    command: tuple[str, ...] = (
        "agent",
        "--plan",
        f"{_MOUNT}/plan.json",
        "--vantage",
        probe.place.vantage,
        "--summary",
        TERMINATION_LOG,
    )
    container: Json = {
        "name": CONTAINER,
        "image": probe.image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(command),
        "securityContext": container_security(),
        # The tail of the log when the agent failed: that needs no way from the API server to the kubelet.
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "plan", "mountPath": _MOUNT, "readOnly": True}],
    }
    if probe.token:
        container["args"] += ["--service-account-token", f"{_TOKEN_MOUNT}/token"]
        container["volumeMounts"].append({"name": "token", "mountPath": _TOKEN_MOUNT, "readOnly": True})
    if probe.node_trust:
        container["args"] += ["--node-trust", _NODE_MOUNT]
        container["volumeMounts"].append({"name": "node-trust", "mountPath": _NODE_MOUNT, "readOnly": True})
    container["env"] = [_field(NODE_VARIABLE, "spec.nodeName")]
    if probe.secret is not None:
        container["env"] += [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": probe.secret, "key": name}}}
            for name in probe.variables
        ]
    return container | resources()


def _answering(answerer: Answerer) -> Json:
    """The startup probe comes from the kubelet of the same node, so it needs no way between nodes."""
    return {
        "name": CONTAINER,
        "image": answerer.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["agent", "--listen", ",".join(map(str, answerer.ports))],
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": [_field(NODE_VARIABLE, "spec.nodeName")],
        "startupProbe": {
            "tcpSocket": {"port": answerer.ports[0]},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": 60,
        },
    } | resources()


def _field(name: str, path: str) -> Json:
    """What only the cluster knows of a pod, as a variable."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def resources() -> Json:
    """What a container may take, as an update of it."""
    return {
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        }
    }


def pod_security() -> Json:
    """The restricted profile of the Pod Security Standards."""
    return {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}}


def container_security() -> Json:
    """The same of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


_COLLECTIONS: Final = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Service": "/api/v1/namespaces/{}/services",
    "Endpoints": "/api/v1/namespaces/{}/endpoints",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Event": "/api/v1/namespaces/{}/events",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
}


def path(kind: str, namespace: str = "", name: str = "") -> str:
    """Where the API has an object, or its collection."""
    collection = _COLLECTIONS[kind].format(namespace)
    return f"{collection}/{name}" if name else collection
