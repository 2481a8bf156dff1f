"""Whether connections of one vantage come about only because their first packet was sent again. Pure.

One lost packet is chance and no fault: it takes several, to several hosts, before a place is called lossy.
"""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET

from preflight.model.observation import Connection, Hop, Observation

_CONNECTIONS, _HOSTS = 3, 2  # that lost packets
_SHARE = 0.1  # of all that were made


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Of how many connections the first packet, or its answer, was lost."""

    lost: int
    made: int

    @property
    def words(self) -> str:
        """`7 of 21 connections`."""
        return f"{self.lost} of {self.made} connections"


def loss(observations: Iterable[Observation]) -> Loss | None:
    """The loss at the vantage that made these observations; None when it is nothing to speak of."""
    made, lost, hosts = 0, 0, set[str]()
    for url, connection, again in (each for observation in observations for each in _made(observation)):
        made += 1
        if again:
            lost += 1
            hosts.add(f"{url.partition('://')[2].partition('/')[0]} {connection.address}")
    enough = lost >= _CONNECTIONS and len(hosts) >= _HOSTS and lost >= made * _SHARE
    return Loss(lost=lost, made=made) if enough else None


def sent_again(connections: tuple[Connection, ...]) -> tuple[str, ...]:
    """Addresses of a hop that were connected to only after a repetition."""
    return tuple(dict.fromkeys(one.address for one in connections if _again(one, connections)))


def _made(observation: Observation) -> Iterator[tuple[str, Connection, bool]]:
    """(URL, connection, whether it took a repetition) for each connection that came about."""
    for hop in observation.hops:
        connections = _all(hop)
        for one in connections:
            if one.tcp.result == "connected" and one.tcp.mss is None:
                yield hop.url, one, _again(one, connections)


def _all(hop: Hop) -> tuple[Connection, ...]:
    return hop.connections or (hop.proxy.connections if hop.proxy is not UNSET else ())


def _again(one: Connection, beside: tuple[Connection, ...]) -> bool:
    """The kernel sent its first packet again, or the attempt before it got no answer and was overtaken."""
    if one.tcp.result != "connected" or one.tcp.mss is not None:
        return False
    before = [other for other in beside if other.address == one.address and other.tcp.attempt < one.tcp.attempt]
    overtaken = bool(before) and all(other.tcp.result == "timeout" for other in before)
    return one.tcp.retransmits > 0 or overtaken
