"""A plan that is run here gives each observation once, whatever breaks or takes too long; a session merges places."""

import socket

import pytest

from preflight import runner, session
from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import Limits, Mapping, Plan, Target, Task, VantagePlan
from preflight.model.secret import Secret
from preflight.model.vocabulary import ProbeName
from preflight.vantages import agent
from preflight.vantages.workstation import workstation


def plan_for(*ports: int, vantage: str = "node/demo", probe: ProbeName = ProbeName.TCP, **limits: float) -> VantagePlan:
    tasks = tuple(
        Task(
            key=f"tcp:127.0.0.1:{port}", probe=probe, target=Target(scheme="tcp", host="127.0.0.1", port=port, path="")
        )
        for port in ports
    )
    mapping = Mapping(nameservers=("127.0.0.1:9",))
    return VantagePlan(run_id="r1", vantage=vantage, tasks=tasks, limits=Limits(**limits), mapping=mapping)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def open_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(8)
        yield sock.getsockname()[1]


class Heard:
    def __init__(self) -> None:
        self.facts: list[VantageFacts] = []
        self.observations: list[Observation] = []

    def __call__(self, item: VantageFacts | Observation) -> None:
        (self.observations if isinstance(item, Observation) else self.facts).append(item)


async def test_a_plan_is_run_and_every_task_is_observed_once(open_port: int, closed_port: int):
    heard = Heard()
    facts = await workstation(plan_for(open_port, closed_port), {}, heard)
    assert facts.complete
    assert facts.finished
    assert len(heard.facts) == 1
    assert all(seen.finished for seen in heard.observations)
    results = {seen.target: seen.hops[0].connections[0].tcp for seen in heard.observations}
    assert results[f"127.0.0.1:{open_port}"].result == "connected"
    assert results[f"127.0.0.1:{closed_port}"].errno == "ECONNREFUSED"


async def test_a_broken_probe_is_the_tool_that_broke_and_the_others_go_on(open_port: int):
    heard = Heard()
    plan = plan_for(open_port)
    broken = Task(
        key="registry", probe=ProbeName.REGISTRY, target=Target(scheme="nonsense", host="x", port=1, path="/")
    )
    facts = await runner.run(VantagePlan(run_id="r", vantage="workstation", tasks=(broken, *plan.tasks)), {}, heard)
    assert facts.complete
    by_key = {seen.task: seen for seen in heard.observations}
    assert by_key["registry"].tool_error is not None
    assert by_key[plan.tasks[0].key].tool_error is None


async def test_a_deadline_ends_a_check_with_what_was_seen(open_port: int):
    heard = Heard()
    target = Target(scheme="http", host="127.0.0.1", port=open_port)  # accepts, and never answers
    task = Task(key="slow", probe=ProbeName.HTTP, target=target)
    plan = VantagePlan(
        run_id="r", vantage="workstation", tasks=(task,), limits=Limits(check_deadline_s=0.5, answer_cap_s=30)
    )
    await runner.run(plan, {}, heard)
    (seen,) = heard.observations
    assert seen.deadline_hit
    assert seen.deadline_ms == 500
    assert seen.hops[0].connections[0].tcp.result == "connected"


async def test_a_session_merges_vantages_in_the_plans_order(open_port: int, closed_port: int):
    plans = {name: plan_for(open_port, closed_port, vantage=name) for name in ("workstation", "node/demo")}
    keys = tuple(task.key for task in plans["workstation"].tasks)
    plan = Plan(
        catalogue_version="1",
        vantages=tuple(plans),
        tasks=plans["workstation"].tasks,
        runs=dict.fromkeys(plans, keys),
        checks=(),
    )
    one = session.Session(plan, plans, run_id="r1")
    before = one.evidence(one.begin({}), one.end())
    assert before.observations == ()
    assert [facts.complete for facts in before.vantages] == [False, False]
    await one.conduct({"workstation": workstation, "node/demo": workstation}, {}, lambda _name, _item: None)
    evidence = one.evidence(one.begin({"cloud": "x"}, strict=True), one.end())
    assert [(seen.vantage, seen.task) for seen in evidence.observations] == [
        (name, key) for name in plans for key in keys
    ]
    assert evidence.strict


def test_secrets_travel_as_variables_and_come_back():
    secrets = {"registry_password": Secret("p@ss"), "proxy": Secret("u:p")}
    assert agent.secrets_from({**agent.secrets_to(secrets), "HOME": "/"}) == secrets
