"""The second channel: what an agent saw survives in 4,096 bytes, and judging it says the same."""

import asyncio

import msgspec
import pytest
from builders import example_runs, facts

from preflight.judge import judge
from preflight.judge.run import evidence_of
from preflight.model.observation import Observation, Repeat
from preflight.model.plan import Target, Task, VantagePlan
from preflight.model.run import Run
from preflight.model.vocabulary import ProbeName
from preflight.vantages import agent, protocol, summary
from preflight.vantages.listener import Listener

RUNS = [example_runs.healthy(), example_runs.failing()]


def part(run: Run, vantage: str) -> VantagePlan:
    keys = set(run.plan.runs[vantage])
    return VantagePlan(run_id=run.run_id, vantage=vantage, tasks=tuple(t for t in run.plan.tasks if t.key in keys))


def seen(run: Run, vantage: str) -> list[Observation]:
    return [one for one in run.observations if one.vantage == vantage]


def place(run: Run, vantage: str):
    return next(one for one in run.vantages if one.vantage == vantage)


CASES = [(run, vantage) for run in RUNS for vantage in run.plan.vantages]


@pytest.mark.parametrize(("run", "vantage"), CASES)
def test_a_summary_fits_a_termination_message_and_is_text(run: Run, vantage: str):
    packed = summary.pack(part(run, vantage), place(run, vantage), seen(run, vantage))
    assert len(packed) <= summary.MAX_BYTES
    assert packed.decode("ascii").isprintable()


@pytest.mark.parametrize(("run", "vantage"), CASES)
def test_judging_what_arrived_that_way_gives_the_same_verdicts(run: Run, vantage: str):
    plan = part(run, vantage)
    found = summary.unpack(plan, summary.pack(plan, place(run, vantage), seen(run, vantage)).decode())
    assert found is not None
    assert found.observed == len(seen(run, vantage))
    assert found.observations
    back = {one.task: one for one in found.observations}
    whole = evidence_of(run)
    mixed = tuple(back.get(one.task, one) if one.vantage == vantage else one for one in whole.observations)
    again = judge(msgspec.structs.replace(whole, observations=mixed))
    before = judge(whole)
    assert [(v.check, v.status, v.cause) for v in again.verdicts] == [
        (v.check, v.status, v.cause) for v in before.verdicts
    ]


def many(number: int) -> tuple[VantagePlan, list[Observation]]:
    target = [Target(scheme="https", host=f"host{n}.example", port=443) for n in range(number)]
    tasks = tuple(Task(key=f"t{n}", probe=ProbeName.HTTP, target=one) for n, one in enumerate(target))
    plan = VantagePlan(run_id="r", vantage="node/a", tasks=tasks)
    return plan, [
        msgspec.structs.replace(facts.observation(facts.hop(), at="node/a"), task=f"t{n}") for n in range(number)
    ]


def test_what_does_not_fit_is_counted():
    plan, observations = many(400)
    found = summary.unpack(plan, summary.pack(plan, facts.vantage("node/a"), observations).decode())
    assert found is not None
    assert found.observed == 400
    assert 10 < len(found.observations) < 400


@pytest.mark.parametrize(
    "text",
    ["", "panic: something else", summary.MARK, summary.MARK + "not base85 \x00", summary.MARK + "0" * 300],
)
def test_what_is_no_summary_is_none(text: str):
    assert summary.unpack(many(1)[0], text) is None


def test_a_summary_of_another_run_or_one_that_was_cut_is_none():
    plan, observations = many(3)
    packed = summary.pack(plan, facts.vantage("node/a"), observations).decode()
    assert summary.unpack(msgspec.structs.replace(plan, run_id="other"), packed) is None
    assert summary.unpack(plan, packed[: len(packed) // 2]) is None


def test_a_bomb_is_not_unpacked():
    import base64
    import zlib

    plan, _ = many(1)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = base64.b85encode(deflate.compress(b"[" * 200_000_000) + deflate.flush()).decode()
    assert summary.unpack(plan, summary.MARK + bomb) is None


async def test_the_agent_leaves_a_summary_that_completes_a_lost_log():
    plan = VantagePlan(run_id="r", vantage="pod/a", tasks=())
    lines: list[bytes] = []
    left: list[bytes] = []
    await agent.speak(plan, {}, lines.append, left.append)
    listener = Listener(plan, lambda _item: None)
    listener.feed(lines[0])
    assert not listener.complete
    found = summary.unpack(plan, left[0].decode())
    assert found is not None
    listener.add(found)
    assert listener.complete
    assert listener.facts("").complete


async def test_lines_that_come_twice_or_in_between_others_count_once():
    plan = VantagePlan(run_id="r", vantage="pod/a", tasks=())
    lines: list[bytes] = []
    await agent.speak(plan, {}, lines.append)
    heard: list[object] = []
    listener = Listener(plan, heard.append)
    for line in (b"I0101 klog line", *lines, b"", *lines, protocol.SENTINEL + b"{broken"):
        listener.feed(line)
    assert listener.complete
    assert len(heard) == 1
    assert listener.reader.repeated == 2
    assert listener.reader.broken == 1
    await asyncio.sleep(0)


def test_the_words_that_both_ends_know_never_change():
    """Another version of the agent compresses against them."""
    import hashlib

    known = "190a93f3fa7c6a262cfa04b9368bfa9b8bd006d826b79678e90223282a16393a"
    assert hashlib.sha256(summary._WORDS.encode()).hexdigest() == known


def test_a_summary_is_read_in_another_process(tmp_path):
    import subprocess
    import sys

    plan = VantagePlan(run_id="r", vantage="pod/a", tasks=())
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(plan))
    argv = ("agent", "--plan", str(tmp_path / "plan.json"), "--vantage", "pod/a", "--summary", str(tmp_path / "left"))
    subprocess.run([sys.executable, "-P", "-m", "preflight", *argv], check=True, capture_output=True, timeout=60)
    assert summary.unpack(plan, (tmp_path / "left").read_text()) is not None


def test_a_second_try_arrives_too_and_is_judged():
    run, name = example_runs.failing(), "pod/user1"
    good = {one.task: one for one in seen(example_runs.healthy(), name)}
    tried = [
        msgspec.structs.replace(one, alone=Repeat(started=one.started, duration_ms=9.0, hops=good[one.task].hops))
        if "blob" in one.task
        else one
        for one in seen(run, name)
    ]
    plan = part(run, name)
    found = summary.unpack(plan, summary.pack(plan, place(run, name), tried).decode())
    assert found is not None
    whole = evidence_of(run)
    back = {one.task: one for one in found.observations}
    mixed = tuple(back.get(one.task, one) if one.vantage == name else one for one in whole.observations)
    told = {one.check: one.cause for one in judge(msgspec.structs.replace(whole, observations=mixed)).verdicts}
    assert told["storage.blob.reach@pod/user1"] == "check.load-induced"
