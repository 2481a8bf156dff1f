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
        403, 'jobs.batch "p" is forbidden: unable to create new content in namespace x because it is being terminated',
        "kube.namespace-gone", id="terminating",
    ),
    pytest.param(403, 'jobs.batch is forbidden: User "u" cannot create resource "jobs" in API group "batch"', "kube.forbidden", id="RBAC"),
    pytest.param(401, "Unauthorized", "kube.login-refused", id="credentials"),
    pytest.param(429, "too many requests", "kube.throttled", id="throttled"),
    pytest.param(503, "apiserver not ready", "kube.unavailable", id="server error"),
    pytest.param(422, "Job is invalid: spec.template", "kube.rejected", id="invalid"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "message", "cause"), TEXTS)
def test_a_refusal_gets_its_cause(status: int, message: str, cause: str):
    assert refusals.cause(status, message) == cause
    assert cause in CAUSES
