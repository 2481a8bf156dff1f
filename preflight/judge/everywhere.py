"""Whether resolvers give one address for every name, as captive portals and some filters do. Pure.

It proves nothing by itself: a gateway that routes by server name is published the same way, and works.
"""

from collections.abc import Iterable, Iterator

from msgspec import UNSET

from preflight.judge.scene import scheme_of
from preflight.model.observation import Connection, Hop, Observation

_NAMES, _DOMAINS = 5, 3  # that must agree before it is called every name


def catch_all(observations: Iterable[Observation]) -> frozenset[str]:
    """Addresses that a configured server of one vantage gives for every name that it knows."""
    told: dict[tuple[str, str], dict[str, set[str]]] = {}
    for key, name, addresses in (entry for observation in observations for entry in _answers(observation)):
        told.setdefault(key, {}).setdefault(name, set()).update(addresses)
    return frozenset(address for names in told.values() for address in _shared(names))


def _answers(observation: Observation) -> Iterator[tuple[tuple[str, str], str, tuple[str, ...]]]:
    """((server, type), name, addresses)."""
    for hop in observation.hops:
        for answer in hop.dns.answers if hop.dns is not UNSET else ():
            if answer.role == "configured" and answer.addresses and hop.dns is not UNSET:
                yield (answer.server, answer.rtype), hop.dns.name, answer.addresses


def _shared(names: dict[str, set[str]]) -> set[str]:
    domains = {".".join(name.split(".")[-2:]) for name in names}
    one = set.union(*names.values())
    return one if len(one) == 1 and len(names) >= _NAMES and len(domains) >= _DOMAINS else set()


def served(hop: Hop) -> bool:
    """Whether the service, or what may be it, was reached at the addresses that were looked up."""
    return any(_reached(hop, connection) for connection in hop.connections)


def _reached(hop: Hop, connection: Connection) -> bool:
    if connection.tls is not UNSET:
        return connection.tls.result == "ok"
    return connection.tcp.result == "connected" and scheme_of(hop) != "https"
