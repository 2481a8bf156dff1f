"""Which pods ask which: one answers in each pool, and a bounded number of others ask it. Pure: places in, pairs out.

Every pool asks every other one while there are few of them. Beyond that a pool asks its neighbours on a ring, so that
each is asked as often as it asks, and pairs that are tested are tested in both directions.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from preflight.kube.pools import Place
from preflight.model.vocabulary import VantageKind

MOST_OTHERS: Final = 4  # pools that one place asks, besides its own
MOST_PAIRS: Final = 400  # of all places together, where there are very many
SUFFIX: Final = ".pods"
_LABEL: Final = re.compile(r"[^a-z0-9-]+")


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """A pod to be that answers."""

    host: str  # "user1.pods": its name in the plan; nobody looks it up
    place: Place


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers, and who asks whom."""

    answering: tuple[Answering, ...] = ()
    sources: dict[str, tuple[str, ...]] = {}  # host -> vantages that ask it
    notice: str = ""  # what was sampled, when not all pairs are tested


def pairs(places: Sequence[Place]) -> Pairs:
    """For the pod places of a run; node places ask nobody."""
    pods = [place for place in places if place.kind is VantageKind.POD]
    pools = list(dict.fromkeys(place.pool for place in pods))
    if not pools:
        return Pairs()
    hosts = _hosts(pools)
    most = min(MOST_OTHERS, len(pools) - 1, max(1, MOST_PAIRS // len(pods)))
    asked = {pool: _neighbours(pools, number, most) for number, pool in enumerate(pools)}
    sources: dict[str, list[str]] = {}
    for place in pods:
        own = (place.pool,) if place.total > 1 or len(pools) == 1 else ()
        for pool in (*own, *asked[place.pool]):
            sources.setdefault(hosts[pool], []).append(place.vantage)
    answering = tuple(
        Answering(host=hosts[pool], place=next(place for place in pods if place.pool == pool))
        for pool in pools
        if hosts[pool] in sources
    )
    return Pairs(
        answering=answering,
        sources={one.host: tuple(sources[one.host]) for one in answering},
        notice=_notice(len(pools), most),
    )


def _neighbours(pools: Sequence[str], number: int, most: int) -> tuple[str, ...]:
    """Nearest first, alternating between after and before: distances 1, -1, 2, -2, ..."""
    steps = [step for distance in range(1, len(pools)) for step in (distance, -distance)]
    return tuple(dict.fromkeys(pools[(number + step) % len(pools)] for step in steps))[:most]


def _hosts(pools: Sequence[str]) -> dict[str, str]:
    """Names that stand in a URL, one for each pool."""
    found: dict[str, str] = {}
    for pool in pools:
        plain = _LABEL.sub("-", pool.lower()).strip("-")[:50] or "pool"
        host = plain + SUFFIX
        if host in found.values():  # labels of other clusters may differ in capitals or dots alone
            host = f"{plain}-{hashlib.sha256(pool.encode()).hexdigest()[:6]}{SUFFIX}"
        found[pool] = host
    return found


def _notice(pools: int, most: int) -> str:
    whole, tested = pools * (pools - 1), pools * most
    if tested >= whole:
        return ""
    return f"pod to pod: {tested} of {whole} pairs of pools were tested, each pool with {most} others"
