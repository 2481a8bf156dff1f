"""What a container registry's answers mean: MCR, ACR and any other that speaks the OCI distribution protocol.

Facts are those of `preflight.probes.services.registry`. Option of a check: `regions`, comma separated: those whose
data hosts (`<registry>.<region>.data.<suffix>`) are configured; a layer from another region's data host fails.
"""

from collections.abc import Callable

from preflight.judge.outcome import PASS, Outcome, fail, good, unknown
from preflight.judge.scene import host_of
from preflight.judge.services.network import denied
from preflight.judge.services.reading import admits_nobody, fact, find, header, said, status, step
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

_REFUSALS = ("is not allowed access", "aka.ms/acr/firewall", "public network access", "not allowed by the network")


def answer(check: Check, hop: Hop, observation: Observation) -> Outcome:
    """Judge one complete answer; the step decides what is good, errors mean the same at every step."""
    trouble = _overloaded(hop) or _denied(hop, observation)
    return trouble or _STEPS.get(step(hop), _origin)(check, hop, observation)


def missing(check: Check, role: str, observation: Observation) -> Outcome:
    """A step that the probe did not come to although nothing before it failed."""
    rule = _MISSING.get(role.partition(".")[0])
    return rule(check, observation) if rule else _needs_credentials()


def _overloaded(hop: Hop) -> Outcome | None:
    code = status(hop)
    if code == 429 or fact(hop, "error") == "TOOMANYREQUESTS":
        return fail("registry.throttled", said(hop))
    if code >= 500:
        return fail("registry.unavailable", said(hop))
    return None


def _denied(hop: Hop, observation: Observation) -> Outcome | None:
    if status(hop) != 403:
        return None
    if admits_nobody(hop):  # a storage account that holds layers
        return fail(
            "storage.denied-by-network",
            f"the layer store {said(hop)}: its network rules, or a service endpoint policy on this"
            " subnet that does not contain the registry's storage accounts",
        )
    source = fact(hop, "denied_source")
    by_network = source or any(text in fact(hop, "error_message").lower() for text in _REFUSALS)
    if by_network or (fact(hop, "error") == "DENIED" and step(hop) in ("origin", "token")):
        return denied("registry.denied-by-network", hop, observation, source)
    return None


def _origin(_check: Check, hop: Hop, _observation: Observation) -> Outcome:
    challenge, api = fact(hop, "challenge"), header(hop, "docker-distribution-api-version")
    if status(hop) == 401 and (challenge == "bearer" or (challenge == "basic" and api)):
        return PASS
    if status(hop) == 200 and (api.startswith("registry/2") or fact(hop, "document") == "empty-object"):
        return PASS
    if status(hop) in (200, 401, 403, 404):
        return fail(
            "registry.no-challenge",
            f"{said(hop)} to GET /v2/, without a registry's challenge or version header",
        )
    return _unexpected(hop)


def _token(_check: Check, hop: Hop, _observation: Observation) -> Outcome:
    if status(hop) == 200 and fact(hop, "token") == "given":
        return PASS
    if status(hop) in (400, 401, 403):
        return _refused(hop)
    return _unexpected(hop)


def _manifest(_check: Check, hop: Hop, _observation: Observation) -> Outcome:
    if status(hop) == 200 and fact(hop, "manifest") in ("index", "image"):
        return _digest(hop) or PASS
    return _content(hop)


def _layer(check: Check, hop: Hop, _observation: Observation) -> Outcome:
    if (stranger := _unexpected_region(check, hop)) is not None:
        return stranger
    if 300 <= status(hop) < 400:
        return good(f"redirected to {_location_host(hop) or 'the data host'}")
    if status(hop) in (200, 206):
        return _digest(hop) or good(_layer_remark(hop))
    return _content(hop)


def _content(hop: Hop) -> Outcome:
    """Refusals of manifest and layer: without credentials a registry hides what it does not show to everybody."""
    if status(hop) in (401, 403):
        return _refused(hop)
    if status(hop) in (404, 416):
        return fail("registry.not-found", said(hop))
    return _unexpected(hop)


def _refused(hop: Hop) -> Outcome:
    if fact(hop, "auth") == "anonymous":
        return unknown("registry.needs-credentials", f"{said(hop)} to a request without credentials")
    return fail("registry.unauthorized", f"{said(hop)} to the credentials given")


def _unexpected(hop: Hop) -> Outcome:
    return fail("http.unexpected-status", f"{said(hop)}, not as a registry does")


def _digest(hop: Hop) -> Outcome | None:
    if fact(hop, "digest") == "mismatch":
        return fail(
            "registry.digest-mismatch",
            f"what {host_of(hop)} sent is not {fact(hop, 'expected_digest') or 'what the digest says'}",
        )
    return None


def _layer_remark(hop: Hop) -> str:
    size = fact(hop, "layer_bytes")
    known = {"verified": "digest verified", "partial": "the beginning of the layer"}.get(fact(hop, "digest"), "")
    return ", ".join(part for part in (f"{size} bytes from {host_of(hop)}" if size else "", known) if part)


def _location_host(hop: Hop) -> str:
    return header(hop, "location").partition("://")[2].partition("/")[0].partition("?")[0].lower()


def _unexpected_region(check: Check, hop: Hop) -> Outcome | None:
    """Only hosts of the form <registry>.<region>.data.<suffix> name a region; managed blob accounts do not."""
    regions = {
        region.strip().lower() for region in check.expect.options.get("regions", "").split(",") if region.strip()
    }
    labels = host_of(hop).split(".")
    if not regions or len(labels) < 5 or labels[2] != "data" or labels[1] in regions:
        return None
    return fail(
        "registry.unexpected-data-host",
        f"the registry sends layers from {host_of(hop)}; configured regions: {', '.join(sorted(regions))}",
    )


def _needs_credentials(what: str = "no credentials are given") -> Outcome:
    return unknown("registry.needs-credentials", f"{what}, so the registry shows nothing more")


def _missing_token(_check: Check, observation: Observation) -> Outcome:
    origin = find(observation, "origin")
    if origin is None or status(origin) == 200:
        return good("this registry asks for no token")
    if fact(origin, "challenge") == "basic":
        return good("this registry asks for the password itself, not for a token")
    if fact(origin, "realm") in ("foreign", "invalid"):
        return fail(
            "registry.no-challenge",
            f"the challenge sends clients to {fact(origin, 'realm_host') or 'no usable address'}, which is not the"
            f" registry's token service; nothing was sent there",
        )
    return _needs_credentials()


def _missing_manifest(_check: Check, observation: Observation) -> Outcome:
    origin = find(observation, "origin")
    if origin is not None and fact(origin, "repository") == "not-given":
        return _needs_credentials("registry.repository is not given")
    return _needs_credentials()


def _missing_layer(check: Check, observation: Observation) -> Outcome:
    manifest = find(observation, "manifest")
    if manifest is None or not status(manifest):
        return _missing_manifest(check, observation)
    if fact(manifest, "auth") == "anonymous" and status(manifest) in (401, 403):
        return _needs_credentials()
    if fact(manifest, "layers") == "0":
        return unknown("registry.not-found", "the manifest names no layer that could be downloaded")
    return unknown("registry.not-found", f"no layer is known: {said(manifest)} to the request for the manifest")


_STEPS: dict[str, Callable[[Check, Hop, Observation], Outcome]] = {
    "origin": _origin,
    "token": _token,
    "manifest": _manifest,
    "layer": _layer,
}
_MISSING: dict[str, Callable[[Check, Observation], Outcome]] = {
    "token": _missing_token,
    "manifest": _missing_manifest,
    "layer": _missing_layer,
}
