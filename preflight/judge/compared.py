"""What several places saw of the same target, side by side: answers of DNS, certificates, ways. Sentences, no verdicts.

Pure: evidence in, sentences out. Every value that is quoted was bounded where it was read.
"""

from collections.abc import Iterable, Sequence

from msgspec import UNSET

from preflight.judge.addresses import is_internal
from preflight.judge.scene import host_of, is_literal, listed, used_addresses
from preflight.model.observation import Certificate, Hop, Observation

_MOST = 3


def split_horizon(failing: Sequence[Observation], working: Sequence[Observation]) -> tuple[str, ...]:
    """Names that have other addresses where they fail than where they work, with both answers."""
    told = []
    for name, bad in _answers(failing).items():
        good = _answers(working).get(name, {})
        here, there = _union(bad), _union(good)
        if here and there and not here & there and _another_kind(here, there):
            told.append(
                f"DNS answers differ by place (split horizon): {name} is {_by_place(bad)}, and {_by_place(good)}."
            )
    return tuple(told)


def split_names(observations: Iterable[Observation]) -> tuple[str, ...]:
    """Names that are private at some places and public at others, though nothing need fail of it."""
    told = []
    for name, places in sorted(_answers(observations).items()):
        inside = {place: found for place, found in places.items() if all(map(is_internal, found))}
        outside = {place: found for place, found in places.items() if not any(map(is_internal, found))}
        if inside and outside:
            told.append(f"split horizon: {name} is {_by_place(inside)}, and {_by_place(outside)}")
    return tuple(told)


def certificates(failing: Sequence[Observation], working: Sequence[Observation]) -> tuple[str, ...]:
    """Whether the places that trust were shown the same certificate as those that do not."""
    told = []
    for host, bad in _leaves(failing).items():
        good = _leaves(working).get(host, {})
        if not good:
            continue
        (at, mine), (there, theirs) = next(iter(bad.items())), next(iter(good.items()))
        if mine.sha256 and mine.sha256 == theirs.sha256:
            told.append(
                f"{at} and {there} were shown the same certificate of {host} (issuer {mine.issuer}),"
                f" and only {there} trusts it: the trust stores differ."
            )
        elif mine.issuer != theirs.issuer:
            told.append(
                f"{at} was shown another certificate of {host} (issuer {mine.issuer}) than {there}"
                f" (issuer {theirs.issuer}): the ways differ."
            )
    return tuple(told)


def hidden_by_proxy(failing: Sequence[str], through: Sequence[str]) -> tuple[str, ...]:
    """That a place gets through only because a proxy goes for it, while the direct way is closed elsewhere."""
    if not through:
        return ()
    way = f"the direct way that {listed(list(failing))} must take: it may be closed there as well"
    return (f"{listed(list(through))} goes through a proxy, which says nothing about {way}.",)


def _answers(observations: Iterable[Observation]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Name -> vantage -> addresses that the place used, for names that were looked up there."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for observation in observations:
        for hop in observation.hops[:1]:
            if hop.dns is not UNSET and not is_literal(hop) and hop.proxy is UNSET:
                addresses = used_addresses(hop.dns)
                if addresses:
                    found.setdefault(host_of(hop), {})[observation.vantage] = tuple(sorted(set(addresses)))
    return found


def _union(places: dict[str, tuple[str, ...]]) -> set[str]:
    return {address for addresses in places.values() for address in addresses}


def _another_kind(here: set[str], there: set[str]) -> bool:
    """Public addresses differ by place as a matter of course (traffic managers); private and public do not."""
    return any(map(is_internal, here | there))


def _by_place(places: dict[str, tuple[str, ...]]) -> str:
    """`10.1.1.5 at workstation and node/user1`."""
    by_answer: dict[tuple[str, ...], list[str]] = {}
    for place, addresses in places.items():
        by_answer.setdefault(addresses, []).append(place)
    return ", ".join(f"{listed(addresses, _MOST)} at {listed(names, _MOST)}" for addresses, names in by_answer.items())


def _leaves(observations: Iterable[Observation]) -> dict[str, dict[str, Certificate]]:
    """Host -> vantage -> the certificate that it was shown first."""
    found: dict[str, dict[str, Certificate]] = {}
    for observation in observations:
        for hop in observation.hops[:1]:
            leaf = _leaf(hop)
            if leaf is not None:
                found.setdefault(host_of(hop), {})[observation.vantage] = leaf
    return found


def _leaf(hop: Hop) -> Certificate | None:
    if hop.tls is not UNSET and hop.tls.chain:
        return hop.tls.chain[0]
    shown = (one.tls.chain for one in hop.connections if one.tls is not UNSET and one.tls.chain)
    return next((chain[0] for chain in shown), None)
