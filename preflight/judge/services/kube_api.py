"""What the API server's answers mean: 401 or 403 with a Kubernetes Status body is reachable, rights are not judged.

Facts are those of `preflight.probes.services.kube_api`.
"""

from preflight.judge.outcome import PASS, Outcome, fail, good, unknown
from preflight.judge.scene import host_of
from preflight.judge.services.reading import fact, find, said, status, step
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

_SHOWN = {"origin": ("version",), "ready": ("ready",), "query": ("groups", "list")}


def answer(_check: Check, hop: Hop, _observation: Observation) -> Outcome:
    """Judge one complete answer of /version, /readyz or /apis."""
    if fact(hop, "sni") == "missing":
        return fail("kube.sni-missing", f"the answer to {host_of(hop)} says: SNI TLS extension was missing")
    if fact(hop, "kind") == "not-ready":
        return fail("kube.not-ready", f"{said(hop)} to /readyz: {fact(hop, 'failed') or 'not ready'}")
    if status(hop) == 429:
        return fail("kube.throttled", said(hop))
    if status(hop) >= 500:
        return fail("kube.unavailable", said(hop))
    if status(hop) in (401, 403) and fact(hop, "kind") == "status":
        return _refused(hop)
    if status(hop) == 200 and fact(hop, "kind") in _SHOWN.get(step(hop), ()):
        return PASS
    seen = f"{said(hop)} to {_path(hop)}"
    return fail("kube.unexpected-answer", f"{seen}, not as a Kubernetes API server does")


def missing(check: Check, role: str, observation: Observation) -> Outcome:
    """Without a token there is no query; that the API server answered as one is enough for reaching it."""
    if role == "rights":
        return _rights(check)
    answered = [hop for hop in observation.hops if fact(hop, "kind") in ("version", "status", "ready")]
    if role == "query" and answered:
        token = "credentials.api_server_token" if check.expect.trust == "cluster-ca" else "a service account's token"
        return good(f"the API server answers; without {token} its rights (RBAC) are not judged")
    last = find(observation, "origin")
    seen = said(last) if last is not None else "nothing was answered"
    return fail("kube.unexpected-answer", f"{seen}, not as a Kubernetes API server does")


def _rights(check: Check) -> Outcome:
    """What SubjectAccessReview said of the router's own account: `pods=yes,endpoints=no`."""
    told = check.expect.options.get("rights", "")
    if not told:
        return unknown("kube.rights-unknown", "whether the router's account may list anything could not be asked")
    refused = [part.partition("=")[0] for part in told.split(",") if not part.endswith("=yes")]
    if refused:
        return fail("kube.router-forbidden", f"the router's account may not list {', '.join(refused)}")
    return good(f"the router's account may list {', '.join(part.partition('=')[0] for part in told.split(','))}")


def _refused(hop: Hop) -> Outcome:
    if fact(hop, "auth") == "service-account" and status(hop) == 403:
        return good(f"reached: the API server knows the probe's own account, which may not list {_path(hop)[8:]}")
    if fact(hop, "auth") == "bearer" and step(hop) == "query":
        return fail("kube.unauthorized", f"reached, but {said(hop)} to the token given")
    return good(f"reached: {said(hop)} with a Kubernetes Status")


def _path(hop: Hop) -> str:
    return "/" + hop.url.partition("://")[2].partition("/")[2].partition("?")[0]
