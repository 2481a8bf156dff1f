"""Shares of what a run may do to one destination: few places lose no time, many never exceed the cap."""

import pytest

from preflight import catalogue, environment, plan
from preflight.model.plan import Pace
from preflight.plan import pacing

CATALOGUE, CLOUDS = catalogue.load(), catalogue.load_clouds()
TEXT = """
schema_version = 1
[environment]
region = "westeurope"
layout = "v1"
[api_server]
fqdn = "a.hcp.westeurope.azmk8s.io"
[registry]
name = "acrprod"
[[storage]]
account = "stmlprod"
"""
PROXY = '[proxy]\nhttps = "http://proxy.test:3128"\nvantages = ["node", "pod"]\n'


@pytest.fixture
def of(tmp_path):
    """Plan and environment for that many nodes."""

    def made(places, text="", **overrides):
        path = tmp_path / "preflight.toml"
        path.write_text(TEXT + text)
        dotted = {key.replace("__", "."): value for key, value in overrides.items()}
        env = environment.load(path, environ={}, overrides=dotted, clouds=CLOUDS)
        names = ("workstation", *(f"node/pool/n{number}" for number in range(places)))
        return plan.build(CATALOGUE, env, vantages=names), env

    return made


def pace(plan_and_env, vantage="node/pool/n0"):
    return pacing.pace(*plan_and_env, vantage)


def test_the_workstation_has_its_own_way_out_and_no_bound(of):
    assert pace(of(1000), "workstation") == Pace()


@pytest.mark.parametrize("places", [1, 2, 4, 5, 9])
def test_few_places_lose_no_time(of, places):
    built, env = of(places)
    mine = pacing.pace(built, env, "node/pool/n0")
    assert (mine.spread_s, mine.alone_s) == (0.0, 0.0)
    assert pacing.limits(built, env, "node/pool/n0") == env.limits
    assert plan.deadline_s(built, env) == env.limits.run_deadline_s
    assert mine.burst >= 2


@pytest.mark.parametrize("places", [1, 2, 5, 10, 12])
def test_all_places_together_stay_within_the_cap_in_any_second(of, places):
    """What a place may have saved up, and what comes to it in a second."""
    mine = pace(of(places))
    assert places * (mine.burst + mine.connects_per_s) <= 50.0001


@pytest.mark.parametrize("places", [26, 41, 1000, 5000])
def test_many_places_share_the_cap_in_the_long_run(of, places):
    mine = pace(of(places))
    assert places * mine.connects_per_s <= 50.0001
    assert mine.spread_s > 0


def test_the_time_that_a_thousand_places_need_is_that_of_their_connections(of):
    built, env = of(1000)
    mine = pacing.pace(built, env, "node/pool/n0")
    hosts = [task.target.hostport for task in built.tasks if task.key in built.runs["node/pool/n0"]]
    tries = 2 * max(hosts.count(host) for host in hosts)
    assert mine.spread_s == pytest.approx(1000 * tries / 50)
    assert mine.alone_s == 60.0
    assert pacing.limits(built, env, "node/pool/n0").run_deadline_s == pytest.approx(300 + mine.spread_s + 60)
    assert plan.deadline_s(built, env) == pytest.approx(300 + mine.spread_s + 60)


def test_behind_a_proxy_everything_goes_to_one_destination(of):
    built, env = of(100, PROXY)
    checks = len(built.runs["node/pool/n0"])
    assert pacing.pace(built, env, "node/pool/n0").spread_s == pytest.approx(100 * 2 * checks / 50)


def test_a_lower_rate_takes_longer(of):
    slow = of(100, limits__connects_per_s="10")
    assert pace(slow).spread_s == pytest.approx(5 * pace(of(100)).spread_s)
    assert pace(slow).connects_per_s == pytest.approx(0.1)


def test_the_place_is_handed_its_share_and_the_longer_deadline(of):
    built, env = of(1000)
    handed = plan.vantage_plan(built, env, "node/pool/n3", run_id="r")
    assert handed.pace == pacing.pace(built, env, "node/pool/n3")
    assert handed.limits.run_deadline_s > 300
    assert plan.vantage_plan(built, env, "workstation", run_id="r").pace == Pace()
