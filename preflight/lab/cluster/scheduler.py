"""Which node a pod of the stand-in gets, and in which words the scheduler says that none is left. Pure.

Labels, taints and cordons: kubernetes.io/docs/concepts/scheduling-eviction. Sentences: pkg/scheduler/framework
(FitError), its plug-ins nodeaffinity, tainttoleration and nodeunschedulable. Resources are not counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from preflight.lab.cluster.store import Json

_HARD = ("NoSchedule", "NoExecute")
_AFFINITY = "node(s) didn't match Pod's node affinity/selector"
_CORDONED = "node(s) were unschedulable"


def choose(spec: Json, nodes: Sequence[Json], load: Mapping[str, int]) -> tuple[str | None, str]:
    """The admitted node with the fewest pods, or None and the sentence of the condition `PodScheduled`."""
    reasons: Counter[str] = Counter()
    fitting = []
    for node in nodes:
        why = _refusal(spec, node)
        if why is None:
            fitting.append(str(node["metadata"]["name"]))
        else:
            reasons[why] += 1
    if fitting:
        return min(fitting, key=lambda name: load.get(name, 0)), ""
    total = len(nodes)
    told = ", ".join(sorted(f"{number} {why}" for why, number in reasons.items()))
    no_victims = f"preemption: 0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
    return None, f"0/{total} nodes are available: {told}. {no_victims}"


def _refusal(spec: Json, node: Json) -> str | None:
    if not _matches(spec, node["metadata"].get("labels") or {}):
        return _AFFINITY
    tolerations = spec.get("tolerations") or []
    if (node.get("spec") or {}).get("unschedulable"):
        return _CORDONED
    for taint in (node.get("spec") or {}).get("taints") or []:
        if taint.get("effect") in _HARD and not any(_tolerates(one, taint) for one in tolerations):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return None


def _matches(spec: Json, labels: Mapping[str, str]) -> bool:
    if any(labels.get(name) != value for name, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_all(term.get("matchExpressions") or [], labels) for term in required["nodeSelectorTerms"])


def _all(expressions: Iterable[Json], labels: Mapping[str, str]) -> bool:
    return all(_admits(one, labels) for one in expressions)


def _admits(expression: Json, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None


def _tolerates(toleration: Json, taint: Json) -> bool:
    """kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration: an empty key or effect matches all."""
    if toleration.get("effect", taint["effect"]) != taint["effect"]:
        return False
    if toleration.get("operator") == "Exists":
        return bool(toleration.get("key", taint["key"]) == taint["key"])
    return bool(toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", ""))
