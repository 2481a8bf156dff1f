"""New connections to one destination keep to their pace; what waits for its turn does not lose its time."""

import asyncio

import pytest
from probes_shared import QUICK
from servers import raw

from preflight import runner
from preflight.model.observation import Observation
from preflight.model.plan import Limits, Mapping, Pace, Target, Task, VantagePlan
from preflight.model.vocabulary import ProbeName
from preflight.probes.connector import Connector
from preflight.probes.pacing import PATIENCE, Pacer, moment

SLOW = Pace(connects_per_s=20, burst=3)


async def turns(pacer: Pacer, number: int, *destinations: tuple[str, int]) -> list[float]:
    """When each connection had its turn, seconds since the first."""
    loop = asyncio.get_running_loop()
    begin, seen = loop.time(), []

    async def one(destination: tuple[str, int]) -> None:
        await pacer.turn(*destination)
        seen.append(loop.time() - begin)

    await asyncio.gather(*(one(destination) for _ in range(number) for destination in destinations))
    return sorted(seen)


async def test_so_many_go_at_once_and_the_others_one_by_one():
    seen = await turns(Pacer(SLOW), 7, ("20.1.1.1", 443))
    for at, when in enumerate(seen):
        assert when >= max(at - 2, 0) / 20 - 0.001


async def test_destinations_do_not_wait_for_each_other():
    seen = await turns(Pacer(SLOW), 3, ("20.1.1.1", 443), ("20.1.1.2", 443), ("20.1.1.1", 444))
    pacer = Pacer(SLOW)
    assert len(seen) == 9
    assert all(pacer.spend("20.1.1.1", 443) <= 0 for _ in range(3))
    assert pacer.spend("20.1.1.2", 443) <= 0
    assert pacer.spend("20.1.1.1", 443) > 0


async def test_what_cannot_wait_is_counted_and_others_wait_for_it():
    pacer = Pacer(SLOW)
    for _ in range(5):
        pacer.spend("20.1.1.1", 443)
    (when,) = await turns(pacer, 1, ("20.1.1.1", 443))
    assert when >= 3 / 20 - 0.001


async def test_without_a_pace_nothing_is_counted():
    pacer = Pacer(Pace())
    assert [pacer.spend("20.1.1.1", 443) for _ in range(100)] == [0.0] * 100


async def test_the_deadline_of_a_check_moves_by_what_it_waits():
    moved: list[float] = []
    token = PATIENCE.set(moved.append)
    pacer = Pacer(SLOW)
    for _ in range(4):
        await pacer.turn("20.1.1.1", 443)
    PATIENCE.reset(token)
    assert sum(moved) == pytest.approx(1 / 20, abs=0.02)


async def test_the_connections_of_a_place_reach_a_server_at_their_pace():
    """Counted where they arrive: never more than the burst and what has come due since."""
    loop = asyncio.get_running_loop()
    arrived: list[float] = []

    async def note(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        arrived.append(loop.time())

    async with raw.serve(note) as server:
        tasks = tuple(
            Task(key=f"t{number}", probe=ProbeName.TCP, target=Target(scheme="tcp", host="127.0.0.1", port=server.port))
            for number in range(12)
        )
        limits = Limits(per_host=64, check_deadline_s=0.25)  # much shorter than the last one waits
        plan = VantagePlan(run_id="r", vantage="node/a", tasks=tasks, limits=limits, pace=SLOW)
        seen: list[Observation] = []
        await runner.run(plan, {}, lambda item: seen.append(item) if isinstance(item, Observation) else None)
    assert len(arrived) == 12
    assert [one.hops[0].connections[0].tcp.result for one in seen] == ["connected"] * 12
    assert not any(one.deadline_hit for one in seen)
    for first in range(12):
        for last in range(first, 12):
            due = SLOW.burst + (arrived[last] - arrived[first] + 0.05) * SLOW.connects_per_s
            assert last - first + 1 <= due + 1


async def test_second_attempts_count_and_never_wait():
    connector = Connector(QUICK, {}, Pace(connects_per_s=1, burst=1))
    with raw.dropping() as port:
        plan = VantagePlan(
            run_id="r",
            vantage="node/a",
            tasks=(Task(key="t", probe=ProbeName.TCP, target=Target(scheme="tcp", host="127.0.0.1", port=port)),),
            limits=QUICK,
            mapping=Mapping(),
            pace=Pace(connects_per_s=1, burst=1),
        )
        seen: list[Observation] = []
        await runner.run(plan, {}, lambda item: seen.append(item) if isinstance(item, Observation) else None)
    assert [one.tcp.attempt for one in seen[0].hops[0].connections] == [1, 2]
    assert connector.pacer.spend("127.0.0.1", port) <= 0


def test_moments_are_spread_over_the_time_and_always_the_same():
    found = [moment(20.0, f"node/pool/n{number}", "task") for number in range(1000)]
    assert found == [moment(20.0, f"node/pool/n{number}", "task") for number in range(1000)]
    busiest = max(sum(start <= one < start + 1 for one in found) for start in range(20))
    assert busiest <= 80  # 50 on average
    assert all(0 <= one < 20 for one in found)
    assert moment(0.0, "x") == 0.0


async def test_many_places_together_keep_near_the_cap():
    """Forty places, twenty a second: counted at the server that all of them ask, two checks each."""
    loop = asyncio.get_running_loop()
    arrived: list[float] = []

    async def note(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        arrived.append(loop.time())

    async with raw.serve(note) as server:
        target = Target(scheme="tcp", host="127.0.0.1", port=server.port)
        tasks = tuple(Task(key=f"t{number}", probe=ProbeName.TCP, target=target) for number in range(2))
        pace = Pace(connects_per_s=0.5, burst=2, spread_s=4.0, places=40)
        plans = [VantagePlan(run_id="r", vantage=f"node/p/n{at}", tasks=tasks, pace=pace) for at in range(40)]
        await asyncio.gather(*(runner.run(plan, {}, lambda _item: None) for plan in plans))
    assert len(arrived) == 80
    busiest = max(sum(start <= one < start + 1 for one in arrived) for start in arrived)
    assert busiest <= 36  # without the pace: 80
