"""Runs whose way is cut while they are under way: the log channel, the API server, the command line itself."""

import json
import signal
import time
from pathlib import Path

import pytest
from clusters.kit import Kit
from clusters.world import World

pytestmark = pytest.mark.cluster
# A kubelet of 1.20 takes up to a minute to confirm the end of a pod that was killed while it started.
KUBELET_S = 90


def test_logs_that_do_not_come_are_replaced_by_the_second_channel(world: World, firewall: Kit):
    firewall.fw(
        "drop", "--from", firewall.settings["NODE1_IP"], "--to", firewall.settings["NODE2_IP"], "--port", "10250"
    )
    done = world.run("--pool", "user1", "--pool", "system")
    assert done.findings["kube.log-channel-broken"] == {"node/user1", "pod/user1"}
    assert "pass" in done.statuses("pod/user1")
    assert done.vantages["pod/system"]["complete"]


def test_an_api_server_that_goes_away_in_mid_run_and_comes_back(world: World, firewall: Kit, slow: tuple[str, ...]):
    out = world.out()
    with world.start(out, *slow) as going:
        world.wait_for_probe()
        firewall.kill_api_server()
        time.sleep(2)
        firewall.up()
        _, err = going.communicate(timeout=200)
    run = json.loads((out / "run.json").read_text())
    assert going.returncode == 1, err
    assert all(one["complete"] for one in run["vantages"]), err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_a_partial_report_and_nothing_left(
    world: World, slow: tuple[str, ...], number: signal.Signals
):
    out = world.out()
    with world.start(out, *slow, own_namespace=number is signal.SIGTERM) as going:
        world.wait_for_probe()
        going.send_signal(number)
        _, err = going.communicate(timeout=120)
    assert going.returncode == 130, err
    assert json.loads((out / "run.json").read_text())["interrupted"]
    assert world.gone(KUBELET_S) == []


def test_what_probes_had_seen_of_a_check_under_way_is_in_the_partial_report(world: World, slow: tuple[str, ...]):
    """Their pods are told to stop, and what they say then is still read from their logs."""
    out = world.out()
    with world.start(out, *slow, "--pool", "user1", "--vantage", "node,pod") as going:
        world.wait_for(lambda: _heard(out, "node/user1") and _heard(out, "pod/user1"), "a line of both probes")
        going.send_signal(signal.SIGINT)
        _, err = going.communicate(timeout=120)
    assert going.returncode == 130, err
    seen = json.loads((out / "run.json").read_text())["observations"]
    for vantage in ("node/user1", "pod/user1"):
        cut = [one for one in seen if one["vantage"] == vantage and not one["finished"]]
        assert any(hop.get("dns") for one in cut for hop in one["hops"]), f"{vantage}: {err}"
    assert world.gone(KUBELET_S) == []


def _heard(out: Path, vantage: str) -> bool:
    """Whether the journal has an observation from there."""
    lines = [line for path in out.glob("run-*.journal.jsonl") for line in path.read_text().splitlines()]
    return any('"line":"observation"' in line and f'"vantage":"{vantage}"' in line for line in lines)


def test_two_runs_at_once_do_not_meet(world: World):
    outs = [world.out(), world.out()]
    runs = [world.start(out) for out in outs]
    for one in runs:
        one.communicate(timeout=200)
    both = [json.loads((out / "run.json").read_text()) for out in outs]
    assert both[0]["run_id"] != both[1]["run_id"]
    for run in both:
        assert all(one["complete"] for one in run["vantages"])
