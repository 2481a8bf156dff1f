"""What Entra's answers mean: the OpenID configuration proves the way there, a token proves the identity.

Facts are those of `preflight.probes.services.entra`.
Codes: learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

from preflight.judge.outcome import PASS, Outcome, fail, unknown
from preflight.judge.services.reading import fact, said, status, step
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

_TENANT, _APPLICATION = "entra.tenant-not-found", "entra.application-not-found"
_POLICY, _THROTTLED = "entra.conditional-access", "entra.throttled"

_CODES = {
    "AADSTS90002": _TENANT,
    "AADSTS90013": _TENANT,
    "AADSTS900023": _TENANT,
    "AADSTS900021": _TENANT,
    "AADSTS900020": _TENANT,
    "AADSTS50059": _TENANT,
    "AADSTS700016": _APPLICATION,
    "AADSTS700038": _APPLICATION,
    "AADSTS90130": _APPLICATION,
    "AADSTS53000": _POLICY,
    "AADSTS53001": _POLICY,
    "AADSTS53002": _POLICY,
    "AADSTS53003": _POLICY,
    "AADSTS530003": _POLICY,
    "AADSTS530035": _POLICY,
    "AADSTS50196": _THROTTLED,
    "AADSTS90033": "entra.unavailable",
    "AADSTS90006": "entra.unavailable",
}
_NAMES = {"invalid_tenant": _TENANT, "temporarily_unavailable": "entra.unavailable"}


def answer(_check: Check, hop: Hop, _observation: Observation) -> Outcome:
    """Judge one complete answer of the OpenID configuration or of the token endpoint."""
    if status(hop) == 200 and fact(hop, "document") == {"token": "token"}.get(step(hop), "openid-configuration"):
        return PASS
    cause = _CODES.get(fact(hop, "error")) or _NAMES.get(fact(hop, "error_name")) or _by_status(hop)
    return fail(cause, said(hop))


def missing(_check: Check, _role: str, _observation: Observation) -> Outcome:
    """No token was asked for."""
    return unknown(
        "entra.needs-credentials",
        "tenant, client id and secret are not all given, so no token was asked for",
    )


def _by_status(hop: Hop) -> str:
    if status(hop) == 429:
        return _THROTTLED
    if status(hop) >= 500:
        return "entra.unavailable"
    if step(hop) == "token" and status(hop) in (400, 401, 403) and fact(hop, "document") == "error":
        return "entra.unauthorized"
    return "http.unexpected-status"
