"""The http stage as far as no service is needed: transport, block pages, redirects, stalls. Services judge the rest."""

from urllib.parse import urljoin

from msgspec import UNSET

from preflight.judge import blockpages
from preflight.judge.outcome import Outcome, fail
from preflight.judge.scene import Scene, host_of, number
from preflight.model.observation import Hop, HttpFacts
from preflight.model.plan import Check

_MANY_REDIRECTS = 3  # an unfollowed redirect behind so many is the probe giving up
_UNFOLLOWABLE = {"malformed": "what is no URL", "too-long": "a URL that is too long"}
_REDIRECTS = (301, 302, 303, 307, 308)


def judge(check: Check, hop: Hop, scene: Scene) -> Outcome | None:
    """The outcome of the transport; None when the stage was not reached *or* the answer is complete and its own."""
    if hop.http is UNSET:
        return None
    return (
        _stalled(hop, hop.http)
        or _broken(hop, hop.http)
        or _block_page(check, hop, scene)
        or _nowhere(hop, hop.http)
        or _loop(hop, hop.http, scene)
    )


def was_followed(hop: Hop, scene: Scene) -> bool:
    """Whether the next hop of the same step exists, so that this answer is only a signpost."""
    base, number = step_of(hop)
    return any(step_of(other) == (base, number + 1) for other in scene.observation.hops)


def step_of(hop: Hop) -> tuple[str, int]:
    """`layer.redirect2` is (`layer`, 2), `layer` is (`layer`, 0)."""
    base, dot, last = hop.role.rpartition(".")
    count = number(last.removeprefix("redirect"))
    return (base, count) if dot and last.startswith("redirect") and count else (hop.role, 0)


def _stalled(hop: Hop, http: HttpFacts) -> Outcome | None:
    """Silence that a clamped segment size cures is a path MTU black hole."""
    if http.result != "timeout" or hop.clamped is UNSET or hop.clamped.result != "ok":
        return None
    sizes = [connection.tcp.mss for connection in hop.connections if connection.tcp.mss is not None]
    small = f"segments of {sizes[-1]} bytes" if sizes else "small segments"
    return fail(
        "http.stalled",
        f"{host_of(hop)}: no answer within {http.duration_ms / 1000:.1f} s, but HTTP {hop.clamped.status} with {small}",
    )


def _broken(hop: Hop, http: HttpFacts) -> Outcome | None:
    host = host_of(hop)
    match http.result:
        case "ok" if http.status is not None:
            return None
        case "timeout":
            part = f" ({http.body_bytes} bytes of the body came)" if http.body_bytes else ""
            return fail("http.timeout", f"{host}: no complete answer within {http.duration_ms / 1000:.1f} s{part}")
        case "reset":
            return fail("http.reset", f"{host}: connection reset before a complete answer{_so_far(http)}")
        case "closed":
            return fail("http.reset", f"{host}: connection closed before a complete answer{_so_far(http)}")
        case _:
            return fail("http.malformed", f"{host}: {http.detail[:120] or 'the answer is not HTTP'}")


def _so_far(http: HttpFacts) -> str:
    status = f" (HTTP {http.status}, " if http.status is not None else " ("
    return f"{status}{http.body_bytes} bytes of the body)" if http.status is not None or http.body_bytes else ""


def _block_page(check: Check, hop: Hop, scene: Scene) -> Outcome | None:
    if hop.service.get("sni") == "missing":  # the API server's judge has a cause of its own for that text
        return None
    page = blockpages.find(hop, scene.observation, catalogue_name=check.expect.catalogue_name)
    return None if page is None else fail("http.block-page", f"{host_of(hop)}: {page}")


def _nowhere(hop: Hop, http: HttpFacts) -> Outcome | None:
    """A redirect that no client could follow is no answer of a service."""
    what = _UNFOLLOWABLE.get(hop.service.get("redirect", ""))
    return fail("http.malformed", f"{host_of(hop)}: HTTP {http.status} to {what}") if what else None


def _loop(hop: Hop, http: HttpFacts, scene: Scene) -> Outcome | None:
    if http.status not in _REDIRECTS or was_followed(hop, scene):
        return None
    base, number = step_of(hop)
    location = next((value for name, value in http.headers if name.lower() == "location"), "")
    target = urljoin(hop.url, location)
    seen = [other.url for other in scene.observation.hops if step_of(other)[0] == base]
    if number >= _MANY_REDIRECTS or (location and target in seen) or seen.count(hop.url) > 1:
        many = f"{number + 1} redirects, the last" if number else "a redirect"
        return fail("http.redirect-loop", f"{many} from {hop.url} to {target[:200]}")
    return None
