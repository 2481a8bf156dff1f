"""What a machine adds to the servers' word by itself: hosts file, search domains, other name services. Pure."""

from msgspec import UNSET

from preflight.judge import names
from preflight.judge.addresses import is_internal
from preflight.judge.answers import Kind, Said
from preflight.judge.outcome import Outcome, fail, good, warn
from preflight.judge.scene import Scene, listed
from preflight.judge.tls import WRONG_NAME
from preflight.model.observation import DnsFacts, Hop, VantageFacts
from preflight.model.plan import Check
from preflight.model.vocabulary import Status, VantageKind


def hosts_file(check: Check, hop: Hop, dns: DnsFacts, said: tuple[Said, ...], scene: Scene) -> Outcome:
    """The hosts file is what counts. AKS itself writes the API server's line on nodes of private clusters."""
    lines = dns.system.hosts_file
    answered = [word for word in said if word.role == "configured" and word.kind is Kind.ADDRESSES]
    hosts = Said(server="the hosts file", role="configured", kind=Kind.ADDRESSES, addresses=lines, words=listed(lines))
    outcome = names.judge(check, dns.name, hosts, said)
    dns_says = listed([f"{word.server}: {word.words}" for word in said if word.role == "configured"])
    seen = f"the hosts file says {hosts.words}; {dns_says or 'no server was asked'}"
    if outcome.status is not Status.PASS:
        return fail("dns.hosts-override", f"{seen}; {outcome.reason}")
    agrees = answered and set(lines) <= {address for word in answered for address in word.addresses}
    if answered and not agrees and leads_astray(hop):
        return fail("dns.hosts-override", f"{seen}; the service does not answer there")
    if check.expect.trust != "system" and scene.kind is VantageKind.NODE:
        return good(f"{seen}; AKS writes this line on nodes of private clusters, so it proves nothing of DNS")
    if agrees:
        return good(seen)
    return warn("dns.hosts-override", seen)


def leads_astray(hop: Hop) -> bool:
    """Nothing was connected to, or what answered is somebody else."""
    return bool(hop.connections) and all(
        connection.tcp.result != "connected"
        or (connection.tls is not UNSET and connection.tls.verify_code in WRONG_NAME)
        for connection in hop.connections
    )


def lookup(outcome: Outcome, check: Check, dns: DnsFacts, servers: tuple[Said, ...], scene: Scene) -> Outcome:
    """The system's own lookup sees what no query shows: search domains, other name services, split DNS of a VPN."""
    answered = {address for word in servers for address in word.addresses}
    own = set(dns.system.addresses)
    if outcome.status is not Status.PASS or dns.system.result != "answer" or not own or not answered:
        return outcome
    inside, outside = {is_internal(address) for address in own}, {is_internal(address) for address in answered}
    stable = check.expect.private_zone is not None and inside == outside == {True}
    if inside & outside and not (stable and not own & answered):
        return outcome
    seen = f"the system's own lookup gives {listed(sorted(own))}, the servers answer {listed(sorted(answered))}"
    search = scene.facts.resolver.search if scene.facts is not None and _searched_first(dns.name, scene.facts) else ()
    if search:
        tried = f"ndots:{scene.facts.resolver.ndots} tries {dns.name}.{search[0]} first" if scene.facts else ""
        return fail("dns.search-domain", f"{seen} for the name itself; {tried}")
    return warn("dns.inconsistent", seen)


def _searched_first(name: str, facts: VantageFacts) -> bool:
    """resolv.conf(5): a name with fewer dots than ndots is tried with the search domains before it is tried itself."""
    return name.count(".") < facts.resolver.ndots
