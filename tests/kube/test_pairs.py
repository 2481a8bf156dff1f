"""Pods ask each other across pools, both ways, and a bounded number of times."""

import pytest

from preflight.kube.pairs import MOST_OTHERS, MOST_PAIRS, Pairs, pairs
from preflight.kube.pools import Place
from preflight.model.vocabulary import VantageKind


def a_place(pool: str, *, kind: VantageKind = VantageKind.POD, total: int = 1, node: str = "") -> Place:
    vantage = f"{kind.value}/{pool}{f'/{node}' if node else ''}"
    return Place(vantage=vantage, kind=kind, pool=pool, expressions=(), usable=total, total=total)


def asked(found: Pairs) -> set[tuple[str, str]]:
    return {(source, host) for host, sources in found.sources.items() for source in sources}


def test_two_pools_ask_each_other():
    found = pairs([a_place("system"), a_place("user1")])
    assert asked(found) == {("pod/system", "user1.pods"), ("pod/user1", "system.pods")}
    assert [one.place.pool for one in found.answering] == ["system", "user1"]
    assert found.notice == ""


def test_a_pool_of_several_nodes_asks_its_own_too():
    found = pairs([a_place("system"), a_place("user1", total=3)])
    assert ("pod/user1", "user1.pods") in asked(found)
    assert ("pod/system", "system.pods") not in asked(found)


def test_a_single_node_asks_itself_so_that_something_is_said():
    assert asked(pairs([a_place("only")])) == {("pod/only", "only.pods")}


def test_node_places_take_no_part():
    assert pairs([a_place("system", kind=VantageKind.NODE)]) == Pairs()


@pytest.mark.parametrize("pools", [6, 7, 20, 50])
def test_many_pools_are_sampled_in_both_directions_and_the_report_says_so(pools: int):
    found = pairs([a_place(f"p{number:02}") for number in range(pools)])
    tested = asked(found)
    assert len(tested) == pools * MOST_OTHERS
    assert all((f"pod/{host.removesuffix('.pods')}", f"{source[4:]}.pods") in tested for source, host in tested)
    assert f"{pools * MOST_OTHERS} of {pools * (pools - 1)} pairs of pools" in found.notice


def test_a_thousand_nodes_stay_within_bounds():
    places = [a_place(f"p{number % 4}", total=250, node=f"n{number}") for number in range(1000)]
    found = pairs(places)
    assert len(found.answering) == 4
    assert len(asked(found)) <= MOST_PAIRS + 2 * len(places)
    assert all(len([one for one in asked(found) if one[0] == place.vantage]) <= 2 for place in places)


def test_pool_labels_that_are_no_names_get_names_of_their_own():
    found = pairs([a_place("GPU"), a_place("gpu"), a_place("a b/..")])
    hosts = [one.host for one in found.answering]
    assert len(set(hosts)) == 3
    assert hosts[0] == "gpu.pods"
    assert hosts[2] == "a-b.pods"
