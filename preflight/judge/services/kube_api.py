"""What the API server's answers mean: 401 or 403 with a Kubernetes Status body is reachable, rights are not judged.

Facts are those of `preflight.probes.services.kube_api`.
"""

from preflight.judge.outcome import PASS, Outcome, fail, good
from preflight.judge.scene import host_of
from preflight.judge.services.reading import fact, find, said, status, step
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

_SHOWN = {"origin": "version", "ready": "ready", "query": "groups"}


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
    if status(hop) == 200 and fact(hop, "kind") == _SHOWN.get(step(hop)):
        return PASS
    seen = f"{said(hop)} to {_path(hop)}"
    return fail("kube.unexpected-answer", f"{seen}, not as a Kubernetes API server does")


def missing(_check: Check, role: str, observation: Observation) -> Outcome:
    """Without a token there is no query; that the API server answered as one is enough for reaching it."""
    answered = [hop for hop in observation.hops if fact(hop, "kind") in ("version", "status", "ready")]
    if role == "query" and answered:
        return good("the API server answers; without credentials.api_server_token its rights (RBAC) are not judged")
    last = find(observation, "origin")
    seen = said(last) if last is not None else "nothing was answered"
    return fail("kube.unexpected-answer", f"{seen}, not as a Kubernetes API server does")


def _refused(hop: Hop) -> Outcome:
    if fact(hop, "auth") == "bearer" and step(hop) == "query":
        return fail("kube.unauthorized", f"reached, but {said(hop)} to the token given")
    return good(f"reached: {said(hop)} with a Kubernetes Status")


def _path(hop: Hop) -> str:
    return "/" + hop.url.partition("://")[2].partition("/")[2].partition("?")[0]
