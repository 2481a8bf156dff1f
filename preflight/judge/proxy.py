"""The proxy stage: the proxy's own name, its connection, and what it said to CONNECT. The target is not judged here."""

from msgspec import UNSET

from preflight.judge import tcp
from preflight.judge.addresses import is_address
from preflight.judge.answers import Kind, by_server
from preflight.judge.outcome import Outcome, fail, good
from preflight.judge.scene import Scene, host_of, listed, scheme_of
from preflight.model.observation import Hop, HttpFacts, ProxyFacts
from preflight.model.plan import Check
from preflight.model.vocabulary import Status

_DENIED = (401, 403, 405, 451, 470)  # 470: Azure Firewall's explicit proxy
_BROKE = {
    "timeout": "gave no answer in time",
    "reset": "reset the connection",
    "closed": "closed the connection",
    "malformed": "answered with what is not HTTP",
    "too-large": "answered without end",
    "error": "broke off",
}


def judge(check: Check, hop: Hop, scene: Scene) -> Outcome | None:  # noqa: ARG001 - every stage has this shape
    """The outcome of the stage, or None when it was not reached."""
    if hop.proxy is UNSET:
        return None
    return (
        _resolves(hop.proxy, scene)
        or _connects(hop.proxy, scene)
        or _connect(hop, hop.proxy)
        or _fetches(hop, hop.proxy)
    )


def _resolves(proxy: ProxyFacts, scene: Scene) -> Outcome | None:
    if proxy.dns is UNSET or proxy.dns.addresses or proxy.connections or is_address(proxy.dns.name):
        return None
    said = [word for word in by_server(proxy.dns, scene.families) if word.role == "configured"]
    if any(word.kind is Kind.ADDRESSES for word in said) or (not said and not proxy.dns.system.error):
        return None
    seen = listed([f"{word.server}: {word.words}" for word in said]) or proxy.dns.system.error or ""
    return fail("proxy.unresolved", f"{proxy.dns.name}, named by {proxy.source}: {seen}")


def _connects(proxy: ProxyFacts, scene: Scene) -> Outcome | None:
    if not proxy.connections:
        return None
    groups = tcp.by_address(proxy.connections)
    outcome = tcp.together({address: tcp.judge_address(group) for address, group in groups.items()}, scene.families)
    if outcome.status is Status.FAIL:
        return fail("proxy.unreachable", f"{proxy.url}: {outcome.reason}")
    handshakes = [connection.tls for connection in proxy.connections if connection.tls is not UNSET]
    if handshakes and all(tls.result != "ok" for tls in handshakes):
        last = handshakes[-1]
        return fail("proxy.unreachable", f"{proxy.url}: TLS to the proxy: {last.verify_message or last.result}")
    return None


def _connect(hop: Hop, proxy: ProxyFacts) -> Outcome | None:
    if proxy.connect is UNSET:
        return None
    facts = proxy.connect
    if facts.result != "ok" or facts.status is None:
        return fail("proxy.failed", f"{proxy.url} {_BROKE.get(facts.result, 'broke off')} to CONNECT {host_of(hop)}")
    if 200 <= facts.status < 300:
        return good(f"through {proxy.url} ({proxy.source})")
    return _refused(hop, proxy, facts)


def _refused(hop: Hop, proxy: ProxyFacts, facts: HttpFacts) -> Outcome:
    seen = f"{proxy.url} answered {facts.status}{_named(facts)} for {host_of(hop)}"
    if facts.status == 407:
        offered = listed([value for name, value in facts.headers if name.lower() == "proxy-authenticate"])
        return fail("proxy.auth-required", f"{seen}{f'; it offers {offered[:120]}' if offered else ''}")
    if facts.status in _DENIED:
        return fail("proxy.denied", seen)
    return fail("proxy.failed", seen)


def _fetches(hop: Hop, proxy: ProxyFacts) -> Outcome | None:
    """A plain-HTTP target: the proxy itself answers, for better or worse; its own errors are its own."""
    if scheme_of(hop) != "http" or hop.http is UNSET:
        return None
    status = hop.http.status
    if status == 407 or (_own_error(hop.http) and status is not None and status >= 400):
        return _refused(hop, proxy, hop.http)
    return good(f"through {proxy.url} ({proxy.source})")


def _own_error(facts: HttpFacts) -> bool:
    """Squid marks its own errors; other proxies say so with Proxy-Status (RFC 9209)."""
    return any(name.lower() in ("x-squid-error", "proxy-status") for name, _value in facts.headers)


def _named(facts: HttpFacts) -> str:
    """The proxy's own word for its error, when it gave one."""
    value = next((value for name, value in facts.headers if name.lower() == "x-squid-error"), facts.reason)
    return f" ({value[:60]})" if value else ""
