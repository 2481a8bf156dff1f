"""What fails in the crowd is tried again alone: a server that gives way under load, and one that is down for good."""

import asyncio

import pytest
from builders.facts import connection, hop, http, observation, proxied, through_proxy, tls
from msgspec import UNSET
from servers import raw

from preflight import runner
from preflight.model.observation import Observation
from preflight.model.plan import Limits, Pace, Target, Task, VantagePlan
from preflight.model.vocabulary import ProbeName
from preflight.probes import doubt

LIMITS = Limits(connect_cap_s=0.4, second_attempt_s=0.1, answer_cap_s=1.0)
CROWD = Pace(places=20, alone_s=0.2)
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


class Overloaded:
    """Answers 429 while more than one request is in hand."""

    def __init__(self) -> None:
        self.busy = 0
        self.together = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.busy += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            if self.busy > 1:
                self.together.set()
            with_others = self.together.is_set() and self.busy > 1
            await asyncio.sleep(0.1)
            writer.write(ANSWER.replace(b"200 OK", b"429 Too Many") if with_others else ANSWER)
            await writer.drain()
        finally:
            self.busy -= 1


def plan_of(port, number, pace=CROWD, vantage="node/a"):
    target = Target(scheme="http", host="127.0.0.1", port=port)
    tasks = tuple(Task(key=f"t{at}", probe=ProbeName.HTTP, target=target) for at in range(number))
    return VantagePlan(run_id="r", vantage=vantage, tasks=tasks, limits=LIMITS, pace=pace)


async def observe(plan):
    seen: list[Observation] = []
    facts = await runner.run(plan, {}, lambda item: seen.append(item) if isinstance(item, Observation) else None)
    assert facts.complete
    assert sorted(one.task for one in seen) == sorted(task.key for task in plan.tasks)
    return {one.task: one for one in seen}


async def test_what_gave_way_under_load_holds_alone_and_both_are_kept():
    async with raw.serve(Overloaded()) as server:
        seen = await observe(plan_of(server.port, 4))
    failed = [one for one in seen.values() if one.hops[0].http.status == 429]
    assert failed
    for one in failed:
        assert one.alone is not UNSET
        assert one.alone.finished
        assert one.alone.hops[0].http.status == 200
        assert one.alone.started > one.started
    assert all(one.alone is UNSET for one in seen.values() if one not in failed)


async def test_what_is_down_for_good_fails_again():
    with raw.dropping() as port:
        seen = await observe(plan_of(port, 1))
    assert seen["t0"].hops[0].connections[-1].tcp.result == "timeout"
    assert seen["t0"].alone.hops[0].connections[-1].tcp.result == "timeout"


async def test_few_places_try_nothing_again():
    with raw.dropping() as port:
        seen = await observe(plan_of(port, 1, pace=Pace(places=4)))
    assert seen["t0"].alone is UNSET


async def test_a_definite_answer_is_not_tried_again():
    with raw.refusing() as port:
        seen = await observe(plan_of(port, 1))
    assert seen["t0"].alone is UNSET


async def test_one_place_tries_no_more_than_a_few_again():
    with raw.dropping() as port:
        seen = await observe(plan_of(port, 12))
    assert sum(one.alone is not UNSET for one in seen.values()) == 8


async def test_an_interruption_loses_none_of_what_waits_for_its_second_try():
    seen: list[Observation] = []
    with raw.dropping() as port:
        plan = plan_of(port, 2, pace=Pace(places=1000, alone_s=1e9))
        running = asyncio.create_task(
            runner.run(plan, {}, lambda item: seen.append(item) if isinstance(item, Observation) else None)
        )
        await asyncio.sleep(LIMITS.connect_cap_s + 0.6)
        assert seen == []
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert sorted(one.task for one in seen) == ["t0", "t1"]


SILENT = connection(secure=False, result="timeout")


@pytest.mark.parametrize(
    ("the_hop", "doubtful"),
    [
        pytest.param(hop(), False, id="good"),
        pytest.param(hop(connections=(SILENT,), http=UNSET), True, id="silence"),
        pytest.param(hop(connections=(SILENT, connection("20.1.1.2"))), False, id="one address is enough"),
        pytest.param(
            hop(connections=(connection(secure=False, result="error", errno="ECONNRESET"),)), True, id="reset"
        ),
        pytest.param(
            hop(connections=(connection(secure=False, result="error", errno="ECONNREFUSED"),)), False, id="refused"
        ),
        pytest.param(hop(connections=(connection(secure=tls("closed")),), http=UNSET), True, id="handshake cut"),
        pytest.param(hop(connections=(connection(secure=tls("unverified")),), http=UNSET), False, id="certificate"),
        pytest.param(hop(http=http(429)), True, id="429"),
        pytest.param(hop(http=http(503)), True, id="503"),
        pytest.param(hop(http=http(403)), False, id="403"),
        pytest.param(hop(http=http(None, result="timeout")), True, id="no answer"),
        pytest.param(proxied(503), True, id="the proxy is busy"),
        pytest.param(proxied(407), False, id="the proxy refuses"),
        pytest.param(
            proxied(None, proxy=through_proxy(None, connections=(SILENT,))), True, id="the proxy does not answer"
        ),
    ],
)
def test_what_may_be_load(the_hop, doubtful):
    assert doubt.may_be_load(observation(the_hop)) is doubtful


def test_a_broken_tool_is_no_load():
    assert not doubt.may_be_load(observation(hop(http=http(429)), tool_error="KeyError"))
