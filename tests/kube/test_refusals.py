"""The texts with which clusters refuse objects, and what they mean for a run."""

import pytest

from preflight.kube import refusals
from preflight.model.causes import CAUSES

TEXTS = [
    pytest.param(
        403, 'pods "p" is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0',
        "pod.quota-exceeded", id="quota, as the test cluster says it",
    ),
    pytest.param(403, 'pods "p" is forbidden: failed quota: mem: must specify limits.memory', "pod.quota-exceeded", id="quota 1.20"),
    pytest.param(
        403, 'pods "p" is forbidden: failed quota: mem: must specify limits.memory for: probe', "pod.quota-exceeded", id="quota 1.27"
    ),
    pytest.param(
        403,
        'Error creating: pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
        "pod.admission-denied", id="Pod Security 1.25",
    ),
    pytest.param(
        403, 'Error creating: pods "p" is forbidden: violates PodSecurity "restricted:v1.24": host namespaces', "pod.admission-denied",
        id="Pod Security, pinned version",
    ),
    pytest.param(
        403, 'pods "p" is forbidden: unable to validate against any pod security policy: [spec.securityContext.hostNetwork]',
        "pod.admission-denied", id="PodSecurityPolicy",
    ),
    pytest.param(
        400, 'admission webhook "no-host-network.preflight.test" denied the request: hostNetwork is not allowed here',
        "pod.admission-denied", id="a webhook",
    ),
    pytest.param(
        403,
        'admission webhook "validation.gatekeeper.sh" denied the request: [azurepolicy-k8sazurev3hostnetworkingports-x] The specified '
        "hostNetwork and hostPort are not allowed, pod: p. Allowed values: {}",
        "pod.admission-denied", id="Azure Policy add-on",
    ),
    pytest.param(
        422, 'pods "p" is forbidden: ValidatingAdmissionPolicy \'no-host\' with binding \'b\' denied request: no', "pod.admission-denied",
        id="ValidatingAdmissionPolicy",
    ),
    pytest.param(
        500, 'Internal error occurred: failed calling webhook "x.y": Post "https://x": context deadline exceeded', "pod.admission-denied",
        id="a webhook that does not answer",
    ),
    pytest.param(
        403, 'pods "p" is forbidden: maximum memory usage per Container is 100Mi, but limit is 256Mi', "pod.admission-denied", id="LimitRange"
    ),
    pytest.param(
        403,
        'pods "p" is forbidden: [maximum cpu usage per Container is 500m, but limit is 1, maximum memory usage per Container is 100Mi, '
        "but limit is 256Mi]",
        "pod.admission-denied", id="LimitRange, two bounds",
    ),
    pytest.param(
        403, 'pods "p" is forbidden: minimum memory usage per Pod is 500Mi.  No limit is specified', "pod.admission-denied",
        id="LimitRange, minimum",
    ),
    pytest.param(
        403, 'pods "p" is forbidden: cpu max limit to request ratio per Container is 4, but provided ratio is 20.000000',
        "pod.admission-denied", id="LimitRange, ratio",
    ),
    pytest.param(
        403, "Error creating: insufficient quota to match these scopes: [{PriorityClass In [system-node-critical]}]",
        "pod.quota-exceeded", id="quota by scope",
    ),
    pytest.param(
        403,
        'Error creating: pods "p" is forbidden: violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true), '
        'allowPrivilegeEscalation != false (container "probe" must set securityContext.allowPrivilegeEscalation=false)',
        "pod.admission-denied", id="Pod Security, several fields",
    ),
    pytest.param(
        403,
        'admission webhook "validation.gatekeeper.sh" denied the request: [denied by azurepolicy-host-networking-ports-1f0c4c3d] The '
        "specified hostNetwork and hostPort are not allowed, pod: p. Allowed values: {}",
        "pod.admission-denied", id="Azure Policy add-on, its first form",
    ),
    pytest.param(
        400,
        'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource Pod/ns/p was blocked due to the following '
        "policies \n\ndisallow-host-namespaces:\n  host-namespaces: 'validation error: Sharing the host namespaces is disallowed.'",
        "pod.admission-denied", id="Kyverno",
    ),
    pytest.param(
        500,
        'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call webhook: Post '
        '"https://kyverno-svc.kyverno.svc:443/validate/fail?timeout=10s": dial tcp 10.96.19.182:443: connect: connection refused',
        "pod.admission-denied", id="a webhook that is down",
    ),
    pytest.param(
        403,
        'pods "p" is forbidden: unable to validate against any security context constraint: [provider "restricted-v2": Forbidden: '
        "hostNetwork]",
        "pod.admission-denied", id="OpenShift",
    ),
    pytest.param(
        404, 'namespaces "gone" not found', "kube.namespace-gone", id="no namespace"
    ),
    pytest.param(
        403, 'jobs.batch "p" is forbidden: unable to create new content in namespace x because it is being terminated',
        "kube.namespace-gone", id="terminating",
    ),
    pytest.param(403, 'jobs.batch is forbidden: User "u" cannot create resource "jobs" in API group "batch"', "kube.forbidden", id="RBAC"),
    pytest.param(401, "Unauthorized", "kube.login-refused", id="credentials"),
    pytest.param(429, "too many requests", "kube.throttled", id="throttled"),
    pytest.param(503, "apiserver not ready", "kube.unavailable", id="server error"),
    pytest.param(422, "Job is invalid: spec.template", "kube.rejected", id="invalid"),
]  # fmt: skip

ADVICE = [
    pytest.param(
        'pods "p" is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0',
        "the owner of the namespace raises ResourceQuota none", id="quota",
    ),
    pytest.param(
        'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
        "its owner labels it pod-security.kubernetes.io/enforce=privileged", id="Pod Security and the node's network",
    ),
    pytest.param(
        'violates PodSecurity "restricted:v1.24": seccompProfile', "enforces Pod Security restricted (v1.24)", id="Pod Security"
    ),
    pytest.param(
        'admission webhook "validation.gatekeeper.sh" denied the request: [azurepolicy-k8sazurev3hostnetworkingports-x] no',
        "the owner of the Azure Policy assignment behind constraint azurepolicy-k8sazurev3hostnetworkingports-x", id="Azure Policy",
    ),
    pytest.param(
        'admission webhook "validation.gatekeeper.sh" denied the request: [no-host-network] not allowed',
        "the owner of Gatekeeper constraint no-host-network", id="Gatekeeper",
    ),
    pytest.param(
        'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource Pod/ns/p was blocked due to the following '
        "policies \n\ndisallow-host-namespaces:\n  host-namespaces: 'no'",
        "the owner of Kyverno policy disallow-host-namespaces", id="Kyverno",
    ),
    pytest.param(
        "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'no-host' with binding 'all' denied request: no",
        "the owner of ValidatingAdmissionPolicy no-host leaves the probes' namespace out of its binding all", id="admission policy",
    ),
    pytest.param(
        'admission webhook "no-host-network.preflight.test" denied the request: no', "admission webhook no-host-network.preflight.test",
        id="a webhook",
    ),
    pytest.param(
        'failed calling webhook "x.y": Post "https://x": context deadline exceeded', "whoever runs the admission webhook x.y repairs it",
        id="a webhook that does not answer",
    ),
    pytest.param(
        'pods "p" is forbidden: [maximum memory usage per Container is 100Mi, but limit is 256Mi]', "memory is bounded by 100Mi", id="LimitRange"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("message", "advice"), ADVICE)
def test_a_refusal_says_who_has_to_change_what(message: str, advice: str):
    told = refusals.told(message)
    assert told.startswith(message.rstrip(". "))
    assert advice in told.partition(". To be changed: ")[2]


def test_a_text_that_is_not_known_stays_as_it_is():
    assert refusals.told("Job is invalid: spec.template") == "Job is invalid: spec.template"
    assert refusals.refusal("{name} of nothing") is None


@pytest.mark.parametrize(("status", "message", "cause"), TEXTS)
def test_a_refusal_gets_its_cause(status: int, message: str, cause: str):
    assert refusals.cause(status, message) == cause
    assert cause in CAUSES
