"""The whole loop on the embedded Azure: every fault that can be asked for is named, by its cause, for its requirement.

Faults that do not meet (another host, another vantage) share a run: seven hundred runs would take half an hour.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import msgspec
import pytest

from preflight import catalogue, environment, plan, runner
from preflight.judge import judge
from preflight.lab.embedded import VANTAGES, Lab
from preflight.lab.faults import FAULTS, Fault
from preflight.lab.sites import NOT_GIVEN
from preflight.model.observation import Observation
from preflight.model.run import Evidence, Run
from preflight.model.vocabulary import Status

# Waiting is what takes time here; on a loaded machine these still leave room for what does answer.
LIMITS = {"limits.connect_cap_s": "3", "limits.second_attempt_s": "0.6", "limits.answer_cap_s": "3"}

# Acts on a whole vantage, so that all requirements can show it in one run of its own.
WIDE = (
    "proxy.unresolved", "proxy.unreachable", "proxy.auth-required", "proxy.denied", "proxy.failed", "dns.server-dead",
    "dns.inconsistent", "dns.rebind-filtered", *NOT_GIVEN,
)  # fmt: skip
KINDS = tuple(vantage.partition("/")[0] for vantage in VANTAGES)
SEEN_FROM = {"aks-egress": ("workstation", "node")}  # every other requirement is judged, or compared, everywhere


def service(requirement: str) -> str:
    """What shares a host, or a connection, with it."""
    first, second = requirement.split(".")[:2]
    return second if first in ("aks-egress", "storage", "dependency") else first


def batches(faults: Sequence[Fault]) -> list[list[Fault]]:
    """Runs in which every fault has a service and a vantage for itself; wide ones are together and everywhere."""
    wide = [[fault for fault in faults if fault.cause == cause] for cause in WIDE]
    queues: dict[tuple[str, str], list[Fault]] = {}
    turns: dict[str, cycle] = {}
    for fault in faults:
        if fault.cause not in WIDE:
            group, name = fault.requirement.partition(".")[0], service(fault.requirement)
            turn = turns.setdefault(group, cycle(SEEN_FROM.get(group, KINDS)))
            queues.setdefault((name, next(turn)), []).append(fault)
    rounds = max((len(queue) for queue in queues.values()), default=0)
    narrow = [
        [
            msgspec.structs.replace(queue[number], vantage=kind)
            for (_, kind), queue in queues.items()
            if number < len(queue)
        ]
        for number in range(rounds)
    ]
    return [batch for batch in (*wide, *narrow) if batch]


async def run(faults: Sequence[Fault]) -> Run:
    """One run of all vantages in this process, judged."""
    observations: list[Observation] = []

    def emit(item) -> None:
        if isinstance(item, Observation):
            observations.append(item)

    with tempfile.TemporaryDirectory() as folder:
        async with Lab(faults) as lab:
            path = lab.write_environment(Path(folder))
            env = environment.load(path, overrides=LIMITS, environ=lab.secrets, clouds=catalogue.load_clouds())
            secrets = environment.read_secrets(env, lab.secrets)
            made = plan.build(catalogue.load(), env, vantages=VANTAGES)
            plans = [plan.vantage_plan(made, env, name, run_id="lab", mapping=lab.mappings[name]) for name in VANTAGES]
            started = runner.utc_now()
            facts = await asyncio.gather(*(runner.run(each, secrets, emit) for each in plans))
    evidence = Evidence(
        run_id="lab", started=started, finished=runner.utc_now(), duration_ms=0.0, plan=made, vantages=tuple(facts),
        environment=environment.describe(env), observations=tuple(observations),
    )  # fmt: skip
    return judge(evidence)


def unnamed(finished: Run, fault: Fault) -> str | None:
    """What the report says instead of the fault, or None when it names it."""
    seen = [
        verdict
        for verdict in finished.verdicts
        if verdict.requirement == fault.requirement and verdict.vantage and fault.hits(verdict.vantage)
    ]
    named = [verdict for verdict in seen if verdict.cause == fault.cause]
    # At a node the kubelet's own pull decides whether an authority is trusted; what comes behind is unknown.
    reserved = fault.cause == "tls.intercepted" and all(verdict.vantage.startswith("node/") for verdict in named)
    fails = fault.fails and not reserved
    if named and (not fails or any(verdict.status is Status.FAIL for verdict in named)):
        return None
    said = "; ".join(
        f"{verdict.check}: {verdict.status} {verdict.cause} ({verdict.reason[:90]} {verdict.blocked_by or ''})"
        for verdict in seen
    )
    return f"{fault} -> {said or 'no verdict'}"


async def shown(batch: Sequence[Fault]) -> list[str]:
    finished = await run(batch)
    return [text for text in (unnamed(finished, fault) for fault in batch) if text]


def once_each() -> list[Fault]:
    """For every cause one fault, spread over the services so that few runs hold them all."""
    load: Counter[str] = Counter()
    chosen = []
    for cause in dict.fromkeys(fault.cause for fault in FAULTS):
        producing = [fault for fault in FAULTS if fault.cause == cause]
        fault = min(producing, key=lambda fault: (not fault.fails, load[service(fault.requirement)]))
        load[service(fault.requirement)] += 1
        chosen.append(fault)
    return chosen


def test_the_requirements_exist_and_fail_exactly_when_they_are_required():
    severities = {requirement.id: requirement.severity for requirement in catalogue.load().requirements}
    failing = {fault.requirement for fault in FAULTS if fault.fails}
    for requirement in {fault.requirement for fault in FAULTS}:
        known = severities[requirement if requirement in severities else requirement.partition(".")[0]]
        assert (requirement in failing) is (known == "required"), requirement


async def test_a_healthy_azure_passes_at_all_three_vantages():
    finished = await run(())
    bad = [(verdict.check, verdict.cause) for verdict in finished.verdicts if verdict.status not in ("pass", "skipped")]
    assert (finished.exit_code, bad) == (0, [])


@pytest.mark.parametrize("batch", batches(once_each()), ids=lambda batch: str(batch[0]))
async def test_every_cause_is_named(batch):
    assert await shown(batch) == []


@pytest.mark.e2e
@pytest.mark.parametrize("batch", batches(FAULTS), ids=lambda batch: str(batch[0]))
async def test_every_fault_is_named_for_its_requirement(batch):
    assert await shown(batch) == []


@pytest.mark.parametrize("text", ["mcr.layers", "acr.layers", "storage.blob.read", "endpoint.answer"])
async def test_a_required_fault_makes_the_run_fail(text):
    fault = next(fault for fault in FAULTS if fault.requirement == text and fault.fails)
    assert (await run([fault])).exit_code == 1
