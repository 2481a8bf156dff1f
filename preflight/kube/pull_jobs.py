"""What makes a kubelet pull: a Job whose pod is never meant to run, and the pull secret for it. Pure builders."""

from typing import Any, Final

import msgspec

from preflight.kube import objects
from preflight.kube.objects import Terms
from preflight.kube.pools import Place

Json = dict[str, Any]
PULLED_AT: Final = "preflight/pulled-at"  # on pods that pull for proof: no agent speaks there
NO_PROGRAM: Final = "/preflight-pulls-only"


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """One image that the kubelet of one node is to pull."""

    place: Place
    node: str  # where the place's probe was scheduled
    image: str
    key: str  # of the task: one Job each
    secrets: tuple[str, ...] = ()


def secret(terms: Terms, name: str, config: str, *, owner: Json | None = None) -> Json:
    """Credentials for the kubelet, `config` being ~/.docker/config.json in base64."""
    made = objects.secret(terms, name, {".dockerconfigjson": config}, owner=owner)
    return {**made, "type": "kubernetes.io/dockerconfigjson"}


def job(terms: Terms, pull: Pull, *, owner: Json | None = None) -> Json:
    """The Job; its command does not exist, so that nothing of the image is started."""
    place = msgspec.structs.replace(pull.place, vantage=f"{pull.key}/{pull.place.vantage}")
    marks = {PULLED_AT: pull.place.vantage}
    template = {"metadata": {"labels": objects.labels(terms.run_id), "annotations": marks}, "spec": _pod(pull)}
    meta = objects.metadata(terms, objects.job_name(terms, place), owner=owner, annotations=marks)
    return objects.once(terms, meta, template)


def _pod(pull: Pull) -> Json:
    here = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [pull.node]}]}]
    container: Json = {
        "name": objects.CONTAINER,
        "image": pull.image,
        "imagePullPolicy": "Always",
        "command": [NO_PROGRAM],
        "securityContext": objects.container_security(),
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": objects.pod_security(),
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": here}}},
        "tolerations": [dict(one) for one in pull.place.tolerations],
        "containers": [container | objects.resources()],
        "imagePullSecrets": [{"name": name} for name in pull.secrets],
    }
