"""Which pods a network policy selects, by the rules of its kind. Pure: values in, yes or no out.

Kubernetes, "Network Policies": a selector that is empty selects all; `NotIn` and `DoesNotExist` hold for labels that
are not there. Cilium, "Layer 3 Examples" and "Kubernetes Constructs in Policy": labels carry their source (`k8s:`,
`any:`), and namespace, labels of the namespace and service account are labels of the pod.
"""

from typing import Final

from preflight.model.policies import Operator, Policy, PolicyFacts, Selector, Stand, Term

NAMESPACE: Final = "io.kubernetes.pod.namespace"
_OF_NAMESPACE: Final = "io.cilium.k8s.namespace.labels."
_ACCOUNT: Final = "io.cilium.k8s.policy.serviceaccount"
_CLUSTER: Final = "io.cilium.k8s.policy.cluster"  # nobody tells its value, and all pods of a cluster share it
OWN_NAMESPACE: Final = "\0own"  # of the run's own namespace: a name that no policy can have written down


def holds(term: Term, labels: dict[str, str]) -> bool:
    """Whether one term holds for these labels."""
    match term.operator:
        case Operator.IN:
            return term.key in labels and labels[term.key] in term.values
        case Operator.NOT_IN:
            return labels.get(term.key) not in term.values
        case Operator.EXISTS:
            return term.key in labels
        case Operator.ABSENT:
            return term.key not in labels


def matches(selector: Selector, labels: dict[str, str]) -> bool:
    """Whether all terms hold."""
    return all(holds(term, labels) for term in selector.terms)


def selects(policy: Policy, stand: Stand, facts: PolicyFacts) -> bool:
    """Whether the policy is about these pods."""
    if policy.kind == "NetworkPolicy":
        return policy.namespace == stand.namespace and matches(policy.selector, stand.labels)
    return matches(_without_cluster(policy.selector), as_cilium_sees(stand, facts))


def reaches(pods: Selector | None, namespaces: Selector | None, policy: Policy, to: Stand, facts: PolicyFacts) -> bool:
    """Whether a peer of a rule means these pods."""
    if policy.kind != "NetworkPolicy":
        return matches(_without_cluster(pods or Selector()), as_cilium_sees(to, facts))
    if namespaces is None and to.namespace != policy.namespace:
        return False
    if namespaces is not None and not matches(namespaces, namespace_labels(to.namespace, facts)):
        return False
    return pods is None or matches(pods, to.labels)


def namespace_labels(name: str, facts: PolicyFacts) -> dict[str, str]:
    """As far as they are known; since 1.21 every namespace carries its own name."""
    return {"kubernetes.io/metadata.name": name or OWN_NAMESPACE, **facts.namespaces.get(name, {})}


def as_cilium_sees(stand: Stand, facts: PolicyFacts) -> dict[str, str]:
    """The labels of a pod's endpoint, without their source."""
    of_namespace = {_OF_NAMESPACE + key: value for key, value in namespace_labels(stand.namespace, facts).items()}
    own = {NAMESPACE: stand.namespace or OWN_NAMESPACE, _ACCOUNT: stand.service_account}
    return {**stand.labels, **of_namespace, **own}


def _without_cluster(selector: Selector) -> Selector:
    """A term on the cluster's name holds for every pod of it, or for none: it tells no two apart."""
    return Selector(terms=tuple(term for term in selector.terms if term.key != _CLUSTER))
