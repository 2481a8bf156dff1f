"""What an error of the API server means for a run: the cause, from status and message. Pure.

Texts of admission: Kubernetes 1.20 to 1.33 (quota, Pod Security, webhooks), Gatekeeper and Azure Policy add-on.
"""

import re
from typing import Final

_QUOTA: Final = re.compile(r"exceeded quota:|is forbidden: failed quota:|must specify .* for:")
_ADMISSION: Final = re.compile(
    r"violates PodSecurity"
    r"|admission webhook \".*\" denied"
    r"|failed calling webhook"
    r"|unable to validate against any (pod security policy|security context constraint)"
    r"|ValidatingAdmissionPolicy .* denied"
    r"|\[azurepolicy-|\[denied by "
    r"|is forbidden: (maximum|minimum) .* usage per"
)
_TERMINATING: Final = re.compile(r"because it is being terminated|namespace .* (is|was) (terminating|not found)")


def cause(status: int, message: str) -> str:
    """The cause of a refusal; what a rule of the cluster forbids comes before what a role does not grant."""
    if (rule := by_rule(message)) is not None:
        return rule
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
    if _QUOTA.search(message):
        return "pod.quota-exceeded"
    if _ADMISSION.search(message):
        return "pod.admission-denied"
    if _TERMINATING.search(message):
        return "kube.namespace-gone"
    return None
