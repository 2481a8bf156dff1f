"""How a finding names its places: with the address that the network sees, and for how many nodes. Pure."""

from collections.abc import Sequence

from preflight.judge.cases import Case
from preflight.judge.nodes import place_of
from preflight.judge.pattern import View
from preflight.judge.scene import listed
from preflight.model.vocabulary import VantageKind, vantage_kind

_MOST_NODES = 3  # nodes of one pool that are named one by one


def places(vantages: Sequence[str], every: tuple[Case, ...], view: View) -> list[str]:
    """Each place, or each pool of which many nodes are concerned."""
    pools: dict[str, list[str]] = {}
    for vantage in vantages:
        pools.setdefault(place_of(vantage), []).append(vantage)
    named: list[str] = []
    for pool, members in pools.items():
        if len(members) > _MOST_NODES:
            named.append(f"{pool} ({view.shares.get(pool) or f'{len(members)} nodes'})")
        else:
            named += [place(vantage, every, view) for vantage in members]
    return named


def place(vantage: str, every: tuple[Case, ...], view: View) -> str:
    """The place, with the address that it sent from where the network sees that address, or that a service saw."""
    share = view.shares.get(vantage)  # of the pool, where one node stands for it
    told = [*_address(vantage, every, view), *([share] if share else [])]
    return f"{vantage} ({', '.join(told)})" if told else vantage


def hidden(vantage: str, view: View) -> bool:
    """Pods that leave behind their node's address; among themselves they keep their own."""
    return bool(view.behind) and not view.between_pods and vantage_kind(vantage) is VantageKind.POD


def _address(vantage: str, every: tuple[Case, ...], view: View) -> list[str]:
    egress = [case.egress for case in every if case.vantage == vantage and case.egress]
    if egress:
        return [f"seen as {listed(egress, most=2)}"]
    if hidden(vantage, view):
        return [f"behind its node, {view.seen_as[vantage]}"] if vantage in view.seen_as else []
    sources = [source for case in every if case.vantage == vantage for source in case.sources]
    if vantage in view.ranges:
        return [*sources[:1], f"of {view.ranges[vantage]}"]
    return [listed(sources, most=2)] if sources else []
