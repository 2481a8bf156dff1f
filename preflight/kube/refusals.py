"""What an error of the API server means for a run: the cause, and who has to change what. From status and text. Pure.

The texts, and where they come from: quota and LimitRange (kubernetes plugin/pkg/admission/resourcequota, limitranger,
pkg/quota), Pod Security (k8s.io/pod-security-admission), webhooks (k8s.io/apiserver admission/plugin/webhook),
ValidatingAdmissionPolicy (the same, plugin/policy/validating), Gatekeeper (webhook/policy.go), Azure Policy add-on
(learn.microsoft.com/azure/aks/use-azure-policy), Kyverno (kyverno.io, "Validate Rules"), PodSecurityPolicy and
OpenShift's constraints. Kubernetes 1.20 to 1.33. Order matters: the most particular text comes first.
"""

import re
from typing import Final

import msgspec

_QUOTA: Final = "pod.quota-exceeded"
_DENIED: Final = "pod.admission-denied"
_GONE: Final = "kube.namespace-gone"
_NODES_OUT: Final = "or leave the nodes out by choice (--vantage workstation,pod)"

# The API server's own words, and the proxy's in front of konnectivity: Azure/AKS#1361, apiserver-network-proxy.
_TUNNEL: Final = re.compile(r"error dialing backend|No agent available")


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule of the cluster says no to."""

    cause: str
    advice: str  # who has to change what, as a sentence without its end


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    pattern: re.Pattern[str]
    cause: str
    advice: str  # with the pattern's groups by name


def _rule(pattern: str, cause: str, advice: str) -> _Rule:
    return _Rule(pattern=re.compile(pattern, re.DOTALL), cause=cause, advice=advice)


_RULES: Final = (
    _rule(
        r"exceeded quota: (?P<name>[^,\s]+)", _QUOTA,
        "the owner of the namespace raises ResourceQuota {name}, or another namespace is named (--namespace)",
    ),
    _rule(
        r"failed quota: (?P<name>[^:\s]+): must specify (?P<what>[^;\n]{1,120})", _QUOTA,
        "ResourceQuota {name} wants {what}, which probes have for CPU and memory only: its owner relaxes it,"
        " or another namespace is named (--namespace)",
    ),
    _rule(
        r"insufficient quota to (match these scopes|consume)", _QUOTA,
        "the owner of the namespace adds a ResourceQuota for this scope, or another namespace is named (--namespace)",
    ),
    _rule(
        r"violates PodSecurity \"(?P<level>\w+):(?P<version>[\w.]+)\"[^\n]*hostNetwork", _DENIED,
        "the namespace enforces Pod Security {level}, which forbids hostNetwork: its owner labels it"
        f" pod-security.kubernetes.io/enforce=privileged, {_NODES_OUT}",
    ),
    _rule(
        r"violates PodSecurity \"(?P<level>\w+):(?P<version>[\w.]+)\"", _DENIED,
        "the namespace enforces Pod Security {level} ({version}): its owner lowers the level,"
        " or another namespace is named (--namespace)",
    ),
    _rule(
        r"\[(?:denied by )?(?P<name>azurepolicy-[\w-]+)\]", _DENIED,
        "the owner of the Azure Policy assignment behind constraint {name} excludes the probes' namespace"
        f" (excludedNamespaces), {_NODES_OUT}",
    ),
    _rule(
        r"validation\.gatekeeper\.sh\" denied the request: *\n? *\[(?:denied by )?(?P<name>[\w.-]+)\]", _DENIED,
        "the owner of Gatekeeper constraint {name} excludes the probes' namespace (match.excludedNamespaces),"
        f" {_NODES_OUT}",
    ),
    _rule(
        r"kyverno\S*\" denied the request:.*?following policies:?\s+(?P<name>[\w.-]+):", _DENIED,
        f"the owner of Kyverno policy {{name}} excludes the probes' namespace (PolicyException), {_NODES_OUT}",
    ),
    _rule(
        r"ValidatingAdmissionPolicy '(?P<name>[^']+)' with binding '(?P<binding>[^']+)' denied", _DENIED,
        "the owner of ValidatingAdmissionPolicy {name} leaves the probes' namespace out of its binding {binding},"
        f" {_NODES_OUT}",
    ),
    _rule(
        r"ValidatingAdmissionPolicy '?(?P<name>[^'\s]+)'? .*denied", _DENIED,
        f"the owner of ValidatingAdmissionPolicy {{name}} leaves the probes' namespace out, {_NODES_OUT}",
    ),
    _rule(
        r"failed calling webhook \"(?P<name>[^\"]+)\"", _DENIED,
        "whoever runs the admission webhook {name} repairs it, or lets it fail open (failurePolicy: Ignore): it gives"
        " the API server no usable answer, so nothing of its kind can be created",
    ),
    _rule(
        r"admission webhook \"(?P<name>[^\"]+)\" (?:denied|does not support dry run)", _DENIED,
        f"whoever runs the admission webhook {{name}} exempts the probes' namespace, {_NODES_OUT}",
    ),
    _rule(
        r"unable to validate against any pod security policy", _DENIED,
        "the cluster's administrator lets the probes' service account use a PodSecurityPolicy with hostNetwork,"
        f" {_NODES_OUT}",
    ),
    _rule(
        r"unable to validate against any security context constraint", _DENIED,
        "the cluster's administrator gives the probes' service account a security context constraint that admits them,"
        f" {_NODES_OUT}",
    ),
    _rule(
        r"(?:maximum|minimum) (?P<what>[\w.\-/]+) usage per (?P<per>Pod|Container) is (?P<limit>[^,.\s\]]+)", _DENIED,
        "the owner of the namespace's LimitRange lets a {per} have what a probe has (50m to 1 CPU, 64Mi to 256Mi):"
        " {what} is bounded by {limit}; or another namespace is named (--namespace)",
    ),
    _rule(
        r"(?P<what>[\w.\-/]+) max limit to request ratio per (?P<per>Pod|Container) is (?P<limit>\d+)", _DENIED,
        "the owner of the namespace's LimitRange admits the ratio of a probe's limits to its requests (CPU 20, memory"
        " 4): {what} is bounded by {limit}; or another namespace is named (--namespace)",
    ),
    _rule(
        r"because it is being terminated|namespaces? .*(is|was) terminating|namespaces? \"[^\"]*\" not found", _GONE,
        "the namespace is created again, or another one is named (--namespace)",
    ),
)  # fmt: skip


def refusal(message: str) -> Refusal | None:
    """Which rule of the cluster said no, by the text of a refusal or of a controller's event; None for any other."""
    for rule in _RULES:
        found = rule.pattern.search(message)
        if found is not None:
            return Refusal(cause=rule.cause, advice=rule.advice.format(**found.groupdict()))
    return None


def told(message: str) -> str:
    """The text with who has to change what, where that is known."""
    known = refusal(message)
    return f"{message.rstrip('. ')}. To be changed: {known.advice}" if known is not None else message


def cause(status: int, message: str) -> str:
    """The cause of a refusal; what a rule of the cluster forbids comes before what a role does not grant."""
    if (rule := by_rule(message)) is not None:
        return rule
    if _TUNNEL.search(message):
        return "kube.log-channel-broken"
    match status:
        case 401:
            return "kube.login-refused"
        case 403:
            return "kube.forbidden"
        case 429:
            return "kube.throttled"
        case _ if status >= 500:
            return "kube.unavailable"
        case _:
            return "kube.rejected"


def by_rule(message: str) -> str | None:
    """The cause when quota or admission refused an object, by the text of a refusal or of a controller's event."""
    known = refusal(message)
    return known.cause if known is not None else None
