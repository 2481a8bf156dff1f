"""The tls stage: (result, verify code, bytes, chain) to cause. Verification itself happened in the probe."""

from datetime import datetime, timedelta

from msgspec import UNSET

from preflight.judge import intercepted, tcp
from preflight.judge.addresses import is_address
from preflight.judge.blockpages import in_plain_bytes
from preflight.judge.outcome import PASS, Outcome, fail, good, warn
from preflight.judge.scene import Scene, host_of, listed, moment
from preflight.model.observation import Certificate, Connection, Hop, TlsFacts
from preflight.model.plan import Check
from preflight.model.vocabulary import Status, VantageKind

EXPIRING = timedelta(days=7)
_EXPIRED, _NOT_YET = (10,), (9,)
WRONG_NAME = (62, 63, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, EMAIL, IP_ADDRESS
_VERSION_WORDS = ("unsupported protocol", "unsupported_protocol", "no protocols available", "no_protocols_available")
_VERSION_ALERTS = ("protocol_version", "tlsv1_alert_protocol_version")


def judge(check: Check, hop: Hop, scene: Scene) -> Outcome | None:
    """The outcome of the stage, or None when it was not reached."""
    if hop.proxy is not UNSET:
        return None if hop.tls is UNSET else _one(check, hop, hop.tls, scene)
    groups = tcp.by_address(tuple(connection for connection in hop.connections if connection.tls is not UNSET))
    if not groups:
        return None
    outcomes = {address: _address(check, hop, group, scene) for address, group in groups.items()}
    broken = {address: outcome if outcome.status is Status.FAIL else PASS for address, outcome in outcomes.items()}
    together = tcp.together(broken, scene.families)
    if together.cause is not None:
        return together
    held = [outcome for outcome in outcomes.values() if outcome.status is not Status.FAIL]
    return next((outcome for outcome in held if outcome.cause is not None), held[0])


def _address(check: Check, hop: Hop, attempts: list[Connection], scene: Scene) -> Outcome:
    """One address: any attempt that succeeds is enough, but for the one that succeeds only with small packets."""
    handshakes = [(attempt, attempt.tls) for attempt in attempts if attempt.tls is not UNSET]
    plain = [tls for attempt, tls in handshakes if attempt.tcp.mss is None]
    small = [(attempt, tls) for attempt, tls in handshakes if attempt.tcp.mss is not None]
    passed = next((tls for tls in plain if tls.result == "ok"), None)
    if passed is None and plain:
        for attempt, tls in small:
            if tls.result in ("ok", "unverified"):
                return fail(
                    "http.stalled",
                    f"{attempt.address}: the handshake hangs, and passes with segments of {attempt.tcp.mss} bytes",
                )
    chosen = passed or _definite(plain) or handshakes[-1][1]
    return _one(check, hop, chosen, scene)


def _definite(handshakes: list[TlsFacts]) -> TlsFacts | None:
    """Of several failed attempts the one that says most: what verification said, then any answer, then silence."""
    order = ("unverified", "not-tls", "alert", "too-large", "error", "reset", "closed", "timeout")
    ranked = sorted(handshakes, key=lambda tls: order.index(tls.result) if tls.result in order else len(order))
    return ranked[0] if ranked else None


def _one(check: Check, hop: Hop, tls: TlsFacts, scene: Scene) -> Outcome:
    name = tls.server_name or host_of(hop)
    match tls.result:
        case "ok":
            return _verified(check, tls, scene)
        case "unverified":
            return _unverified(check, name, tls, scene)
        case "timeout":
            half = f", {tls.bytes_received} bytes came before" if tls.bytes_received else ""
            return fail("tls.timeout", f"{name}: no handshake within {tls.duration_ms / 1000:.1f} s{half}")
        case "reset" | "closed" if tls.bytes_received == 0 and _nameless(check, name):
            return fail("kube.sni-missing", f"{name}: {_cut(tls)}, which names no server: {name} is an address")
        case "reset" if tls.bytes_received == 0:
            return fail("tls.reset-after-hello", f"{name}: connection reset right after the ClientHello")
        case "reset" | "closed":
            return fail("tls.closed", f"{name}: {_cut(tls)}")
        case "alert":
            return _alert(name, tls)
        case _:
            return _no_tls(name, tls)


def _nameless(check: Check, name: str) -> bool:
    """Whether the API server was called by its address: a handshake with an address carries no SNI (RFC 6066)."""
    return check.expect.trust != "system" and is_address(name)


def _cut(tls: TlsFacts) -> str:
    how = "connection reset" if tls.result == "reset" else "connection closed"
    return f"{how} {f'after {tls.bytes_received} bytes' if tls.bytes_received else 'right after the ClientHello'}"


def _alert(name: str, tls: TlsFacts) -> Outcome:
    if (tls.alert or "").lower() in _VERSION_ALERTS:
        return fail("tls.version", f"{name}: refused with the alert {tls.alert}")
    return fail("tls.alert", f"{name}: refused with the alert {tls.alert or 'without a name'}")


def _no_tls(name: str, tls: TlsFacts) -> Outcome:
    if any(word in tls.detail.lower() for word in _VERSION_WORDS):
        return fail("tls.version", f"{name}: {tls.detail[:120]}")
    if tls.result == "too-large":
        return fail("tls.not-tls", f"{name}: the handshake is larger than any service's ({tls.detail[:120]})")
    said = in_plain_bytes(tls.first_bytes)
    return fail("tls.not-tls", f"{name}: {said or tls.detail[:120] or 'the answer is not TLS'}")


def _unverified(check: Check, name: str, tls: TlsFacts, scene: Scene) -> Outcome:
    leaf = tls.chain[0] if tls.chain else None
    code = tls.verify_code
    if code in (*_EXPIRED, *_NOT_YET):
        return _out_of_date(name, tls, scene)
    if code in WRONG_NAME:
        names = listed(leaf.sans) if leaf and leaf.sans else "no names"
        return fail("tls.wrong-name", f"the certificate is for {names}, not for {name}")
    return _untrusted(check, name, tls, scene)


def _out_of_date(name: str, tls: TlsFacts, scene: Scene) -> Outcome:
    """The certificate's fault, the server's own or one above it; or the clock's, when services prove that."""
    early = tls.verify_code in _NOT_YET
    outside = [one for one in tls.chain if not _valid(one, scene.now)]
    culprit = next(iter(outside or tls.chain), None)
    when = (culprit.not_before if early else culprit.not_after) if culprit else "an unknown date"
    seen = f"{'valid from' if early else 'expired on'} {when}"
    if scene.skew is not None and outside and all(_valid(one, scene.true_now) for one in tls.chain):
        says = f"the clock here is {scene.skew.words} of {len(scene.skew.hosts)} services"
        return fail("clock.wrong", f"{name}: {seen}, but {says} (Date headers), by which it is valid")
    whose = (
        f"the certificate of '{intercepted.common_name(culprit.subject)}' above it " if culprit in tls.chain[1:] else ""
    )
    return fail("tls.not-yet-valid" if early else "tls.expired", f"{name}: {whose}{seen}")


def _valid(certificate: Certificate, now: datetime) -> bool:
    return moment(certificate.not_before) <= now <= moment(certificate.not_after)


def _untrusted(check: Check, name: str, tls: TlsFacts, scene: Scene) -> Outcome:
    issuer, device = intercepted.issuer_of(tls), intercepted.device_of(tls)
    seen = f"{name}: issued by '{issuer}'{f' ({device})' if device else ''}"
    if intercepted.is_foreign(check, tls):
        return _strange(f"{seen} instead of {listed(check.expect.issuers)}", scene)
    if check.expect.trust != "system" and not check.expect.issuers and tls.chain:
        if intercepted.is_cluster_ca(tls):
            return fail("tls.untrusted", f"{seen}, which is not the cluster CA that was given")
        return fail("tls.intercepted", f"{seen} instead of the cluster's own CA")
    if tls.chain and tls.chain[0].issuer in scene.inspectors:
        return _strange(f"{seen}, who also stands in for other services here", scene)
    if intercepted.lacks_intermediate(check, tls):
        return fail("tls.incomplete-chain", f"{seen}, and only the server's own certificate was sent")
    message = tls.verify_message or f"verify code {tls.verify_code}"
    return fail("tls.untrusted", f"{seen}: {message}")


def _strange(seen: str, scene: Scene) -> Outcome:
    """At a node it was the image that did not trust: authorities that are added to nodes do not reach images."""
    if scene.kind is not VantageKind.NODE:
        return fail("tls.intercepted", seen)
    return warn("tls.intercepted", f"{seen}; the probe's image does not trust it, the node may: its own pull decides")


def _verified(check: Check, tls: TlsFacts, scene: Scene) -> Outcome:
    if check.expect.alpn and tls.alpn not in check.expect.alpn:
        return fail(
            "tls.alpn-stripped",
            f"ALPN {listed(tls.alpn_offered)} was offered and {tls.alpn or 'nothing'} came back;"
            f" expected: {listed(check.expect.alpn)}",
        )
    return _foreign(check, tls) or _expiring(tls, scene) or good(_summary(tls))


def _foreign(check: Check, tls: TlsFacts) -> Outcome | None:
    """Trusted, yet by another authority: what the owner of ca_file knows, and what only this machine's store knows."""
    if not intercepted.is_foreign(check, tls):
        return None
    seen = f"issued by '{intercepted.issuer_of(tls)}' instead of {listed(check.expect.issuers)}"
    if tls.trust != "system":
        return good(f"{seen}, trusted through ca_file: something on the way inspects TLS")
    return warn("tls.intercepted", f"{seen}; the store of this place trusts it, images may not")


def _expiring(tls: TlsFacts, scene: Scene) -> Outcome | None:
    if not tls.chain:
        return None
    left = moment(tls.chain[0].not_after) - scene.true_now
    if timedelta(0) <= left < EXPIRING:
        return warn("tls.expiring", f"the certificate expires on {tls.chain[0].not_after}")
    return None


def _summary(tls: TlsFacts) -> str:
    by = f", issued by '{intercepted.issuer_of(tls)}'" if tls.chain else ""
    return f"{tls.version or 'TLS'}{by}"
