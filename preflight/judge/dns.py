"""The dns stage: what the servers said, as the consumer at this place would take it. No queries are made here."""

from msgspec import UNSET

from preflight.judge import everywhere, local_cache, names, own
from preflight.judge.addresses import is_internal
from preflight.judge.answers import DEFINITE, SILENT, Said, by_server
from preflight.judge.outcome import Outcome, fail, good, warn
from preflight.judge.scene import Scene, listed
from preflight.model.observation import DnsFacts, Hop
from preflight.model.plan import Check
from preflight.model.vocabulary import Status

# Consumers that may ask any of the configured servers for any query; the others keep to an order.
# CoreDNS: plugin forward, policy random by default. dnsmasq: without strict-order it asks all and keeps the fastest.
_ANY_SERVER = ("coredns", "dnsmasq")
_TOOLS = ("getent", "curl")  # that made the lookup, in place of an error code that they do not tell
_GLIBC_SERVERS = 3  # resolv.conf(5): MAXNS


def judge(check: Check, hop: Hop, scene: Scene) -> Outcome | None:
    """The outcome of the stage, or None when it was not reached."""
    if hop.dns is UNSET:
        return good("the proxy resolves the name") if hop.proxy is not UNSET else None
    dns = hop.dns
    if dns.system.result == "literal":
        return good("an address, nothing to resolve")
    said = by_server(dns, scene.families)
    if hop.proxy is not UNSET:
        return _behind_proxy(said)
    if dns.system.hosts_file:
        return own.hosts_file(check, hop, dns, said, scene)
    return _portal(hop, dns, scene) or _servers(check, hop, dns, said, scene)


def _behind_proxy(said: tuple[Said, ...]) -> Outcome:
    """Where a proxy applies it resolves the name; what is resolved here is side evidence."""
    seen = next((f"; here {word.server} says: {word.words}" for word in said if word.role == "configured"), "")
    return good(f"the proxy resolves the name{seen}")


def _portal(hop: Hop, dns: DnsFacts, scene: Scene) -> Outcome | None:
    """A name among many that all lead to one address, where nothing that could be the service answers."""
    if not dns.addresses or not set(dns.addresses) <= scene.catch_all or everywhere.served(hop):
        return None
    servers = listed([answer.server for answer in dns.answers if set(answer.addresses) & scene.catch_all])
    return fail("dns.catch-all", f"{servers} answers {listed(dns.addresses)} for {dns.name}, as for every other name")


def _servers(check: Check, hop: Hop, dns: DnsFacts, said: tuple[Said, ...], scene: Scene) -> Outcome | None:
    configured = tuple(word for word in said if word.role == "configured")
    if not configured:
        return _without_servers(dns, scene)
    if scene.facts is not None and scene.facts.resolver.consumer == "glibc":
        configured = configured[:_GLIBC_SERVERS]
    outcome = (_any if _takes_any(scene) else _ordered)(check, dns, configured, said)
    if outcome.cause == "dns.inconsistent" and own.leads_astray(hop):
        outcome = fail("dns.inconsistent", f"{outcome.reason}; the service does not answer at {listed(dns.addresses)}")
    outcome = _compared(own.lookup(outcome, check, dns, configured, scene), configured, said)
    cache = local_cache.remark(scene.facts.resolver) if scene.facts is not None and outcome.cause else ""
    return _with(outcome, cache)


def _takes_any(scene: Scene) -> bool:
    if scene.facts is None:
        return False
    resolver = scene.facts.resolver
    return resolver.consumer in _ANY_SERVER or "rotate" in resolver.options


def _without_servers(dns: DnsFacts, scene: Scene) -> Outcome | None:
    if dns.system.result == "answer":
        return good(f"the system's own lookup gives {listed(dns.system.addresses)}")
    if scene.facts is not None and not scene.facts.resolver.nameservers:
        source = scene.facts.resolver.source or "the system configuration"
        return fail("dns.no-resolver", f"{source} names no DNS server")
    return _by_system_alone(dns)


def _by_system_alone(dns: DnsFacts) -> Outcome | None:
    """A place where nothing could ask the servers themselves: that the name has no address is known, why is not."""
    if dns.system.error not in _TOOLS:  # a lookup of our own that was cut off before any server was heard
        return None
    match dns.system.result:
        case "failed":
            return fail("dns.unresolved", f"the system's own lookup gives no address for {dns.name}")
        case "timeout":
            seconds = dns.system.duration_ms / 1000
            return fail("dns.timeout", f"the system's own lookup of {dns.name} does not end within {seconds:.0f} s")
        case _:
            return None


def _ordered(check: Check, dns: DnsFacts, servers: tuple[Said, ...], said: tuple[Said, ...]) -> Outcome:
    """Servers in order (glibc, systemd-resolved): the first server that gives a definite answer is believed."""
    first = next((word for word in servers if word.kind in DEFINITE), None)
    if first is None:
        return _nobody(check, dns, servers, said)
    outcome = names.judge(check, dns.name, first, said)
    rest = [word for word in servers if word is not first]
    if outcome.status in (Status.FAIL, Status.UNKNOWN):
        return _with(outcome, _would_answer(check, dns, rest, said))
    differing = [word for word in rest if word.kind not in SILENT and _differs(check, dns, first, word, said)]
    if differing:
        seen = listed([f"{word.server}: {word.words}" for word in differing])
        return warn("dns.inconsistent", f"{first.server} answers {first.words}, but {seen}")
    return _reservations(outcome, servers, first)


def _would_answer(check: Check, dns: DnsFacts, rest: list[Said], said: tuple[Said, ...]) -> str:
    better = [word for word in rest if names.judge(check, dns.name, word, said).status is Status.PASS]
    return f"{better[0].server} would answer {better[0].words}, but the first answer is believed" if better else ""


def _any(check: Check, dns: DnsFacts, servers: tuple[Said, ...], said: tuple[Said, ...]) -> Outcome:
    """CoreDNS: any server may be asked, so one that answers otherwise fails some of the lookups."""
    heard = [word for word in servers if word.kind not in SILENT]
    if not heard:
        return _nobody(check, dns, servers, said)
    outcomes = [names.judge(check, dns.name, word, said) for word in heard]
    bad = [outcome for outcome in outcomes if outcome.status is not Status.PASS]
    differing = [word for word in heard[1:] if _differs(check, dns, heard[0], word, said)]
    if len(bad) == len(heard) or (bad and len(heard) == 1):
        return bad[0]
    if differing:
        seen = listed([f"{word.server}: {word.words}" for word in (heard[0], *differing)])
        return fail("dns.inconsistent", f"any of the servers may be asked for {dns.name}, and they differ: {seen}")
    return _reservations(outcomes[0], servers, heard[0])


def _differs(check: Check, dns: DnsFacts, one: Said, other: Said, said: tuple[Said, ...]) -> bool:
    """Whether a connection would fare otherwise; that a name has many addresses of one kind is no difference."""
    mine, theirs = names.judge(check, dns.name, one, said), names.judge(check, dns.name, other, said)
    if mine.status is not theirs.status or one.kind is not other.kind:
        return True
    inside, outside = {is_internal(address) for address in one.addresses}, {is_internal(a) for a in other.addresses}
    if inside != outside:
        return True
    zone = check.expect.private_zone is not None and inside == {True}
    return zone and not set(one.addresses) & set(other.addresses)


def _nobody(check: Check, dns: DnsFacts, servers: tuple[Said, ...], said: tuple[Said, ...]) -> Outcome:
    """No server gave a definite answer; one that spoke tells more than one that was silent."""
    telling = next((word for word in servers if word.kind not in SILENT), servers[0])
    outcome = names.judge(check, dns.name, telling, said)
    others = listed([f"{word.server}: {word.words}" for word in servers if word is not telling])
    return _with(outcome, others)


def _reservations(outcome: Outcome, servers: tuple[Said, ...], used: Said) -> Outcome:
    dead = [word for word in servers if word.kind in SILENT]
    if dead:
        seen = listed([f"{word.server} ({word.words})" for word in dead])
        return warn("dns.server-dead", f"{used.server} answers {used.words}; silent: {seen}")
    if used.flaw is not None:
        cause = "dns.aaaa-failing" if used.flaw_type == "AAAA" else names.CAUSE_OF[used.flaw]
        return warn(cause, f"{used.server} answers {used.words}, but {used.flaw_words} to the {used.flaw_type} query")
    return outcome


def _compared(outcome: Outcome, servers: tuple[Said, ...], said: tuple[Said, ...]) -> Outcome:
    """Resolvers that nobody here uses explain; they change no status."""
    ours = {(word.kind, is_internal(address)) for word in servers for address in word.addresses or ("",)}
    others = [
        word
        for word in said
        if word.role == "compared"
        and not {(word.kind, is_internal(address)) for address in word.addresses or ("",)} & ours
    ]
    return _with(outcome, "; ".join(f"for comparison {word.server} says: {word.words}" for word in others[:3]))


def _with(outcome: Outcome, more: str) -> Outcome:
    reason = "; ".join(part for part in (outcome.reason, more) if part)
    return Outcome(status=outcome.status, cause=outcome.cause, reason=reason)
