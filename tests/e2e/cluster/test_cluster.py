"""Runs in a real cluster: what is broken is named with its place, and nothing of ours is left behind."""

import json
import signal
import time
from pathlib import Path

import pytest
from clusters.kit import Kit
from clusters.world import World

pytestmark = pytest.mark.cluster
ONE = ("--vantage", "workstation,pod")
LONG = ("--connect-cap", "12")  # a destination that swallows packets keeps its checks busy so long


def test_a_healthy_cluster_passes_from_every_place(world: World, firewall: Kit):
    done = world.run()
    assert (done.code, done.findings) == (0, {}), done.err
    assert list(done.vantages) == ["workstation", "node/system", "pod/system", "node/user1", "pod/user1"]
    assert all(one["complete"] for one in done.vantages.values())
    assert "node2" in done.vantages["pod/user1"]["place"]
    assert done.vantages["node/user1"]["resolver"]["nameservers"] == ["10.252.0.53:53"]
    assert done.vantages["pod/user1"]["resolver"]["nameservers"] == ["10.96.0.10:53"]


def test_every_place_of_any_cluster_speaks_and_nothing_stays(world: World):
    done = world.run()
    inside = {name: one for name, one in done.vantages.items() if name != "workstation"}
    assert inside
    assert all(one["complete"] for one in inside.values()), done.err
    assert done.code in (0, 1, 3)


def test_every_node_can_be_probed_alone(world: World, firewall: Kit):
    done = world.run("--all-nodes", "--vantage", "workstation,node")
    assert done.code == 0, done.err
    assert set(done.vantages) == {"workstation", "node/system/node1", "node/user1/node2"}


def test_blob_storage_that_one_pool_cannot_reach_is_that_pool_s(world: World, firewall: Kit):
    firewall.fw(
        "drop", "--from", "user1", "--to", firewall.address_of("stmlprod.blob.core.windows.net"), "--port", "443"
    )
    done = world.run()
    assert done.code == 1
    assert done.findings["tcp.timeout"] <= {"node/user1", "pod/user1"}
    assert "pod/user1" in done.findings["tcp.timeout"]
    assert "fail" not in done.statuses("pod/system") | done.statuses("node/system")


def test_layers_that_no_node_can_download_are_every_node_s(world: World, firewall: Kit):
    for subnet in ("10.250.1.0/24", "10.250.2.0/24"):
        firewall.fw("reject", "--from", subnet, "--sni", "westeurope.data.mcr.microsoft.com")
    done = world.run()
    assert done.code == 1
    assert done.findings["tls.reset-after-hello"] == {"node/system", "node/user1"}
    title = next(one["title"] for one in done.run["findings"] if one["severity"] == "required")
    assert "*.data.mcr.microsoft.com" in title


def test_dns_that_fails_for_nodes_while_the_workstation_s_works(world: World, firewall: Kit):
    for subnet in ("10.250.1.0/24", "10.250.2.0/24"):
        firewall.fw("drop", "--from", subnet, "--to", "10.252.0.53")
    done = world.run()
    assert done.code == 1
    assert {"node/system", "node/user1"} <= done.findings["dns.timeout"]
    assert "workstation" not in done.findings["dns.timeout"]


def test_cluster_dns_that_forwards_to_nowhere_is_the_pods_alone(world: World, firewall: Kit):
    def endpoint(address: str) -> None:
        patch = json.dumps(
            {
                "subsets": [
                    {
                        "addresses": [{"ip": address}],
                        "ports": [
                            {"name": "dns", "port": 53, "protocol": "UDP"},
                            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                        ],
                    }
                ]
            }
        )
        world.kubectl("-n", "kube-system", "patch", "endpoints", "kube-dns", "--type=merge", "-p", patch)

    endpoint("10.250.1.66")
    try:
        done = world.run()
    finally:
        endpoint(firewall.settings["NODE1_IP"])
    assert done.code == 1
    assert {
        vantage for cause, where in done.findings.items() if cause.startswith(("dns.", "route.")) for vantage in where
    } == {"pod/system", "pod/user1"}


def test_inspection_on_the_pods_path_only(world: World, break_azure):
    break_azure("storage.blob.reach=tls.intercepted@pod/user1")
    done = world.run()
    assert done.code == 1
    assert done.required == {"tls.intercepted": {"pod/user1"}}


PULLS = [
    pytest.param("nosuch.k8s.test/probe:1", "pull.name-unknown", id="unresolvable"),
    pytest.param("refused.k8s.test:5999/probe:1", "pull.refused", id="refused"),
    pytest.param("untrusted.k8s.test:5445/lib/pause:3.4.1", "pull.untrusted", id="untrusted"),
    pytest.param("auth.k8s.test:5444/lib/pause:3.4.1", "pull.unauthorized", id="401"),
    pytest.param("stub.k8s.test:5006/x403/probe:1", "pull.denied", id="403"),
    pytest.param("registry.k8s.test:5443/nosuch/probe:1", "pull.not-found", id="404"),
    pytest.param("stub.k8s.test:5006/x503/probe:1", "pull.server-error", id="503"),
    pytest.param("localhost/notthere:1", "pull.not-on-node", id="local"),
    pytest.param("BAD/Name:1", "pull.bad-name", id="bad name"),
]


@pytest.mark.parametrize(("image", "cause"), PULLS)
def test_an_image_that_cannot_be_pulled_has_its_cause(world: World, firewall: Kit, image: str, cause: str):
    done = world.run(*ONE, "--pool", "user1", "--probe-image", image)
    assert done.code == 3
    assert done.findings == {cause: {"pod/user1"}}
    assert done.statuses("pod/user1") == {"unknown"}
    assert done.vantages["workstation"]["complete"]


def test_a_registry_that_hangs_is_given_up_at_the_start_deadline(world: World, firewall: Kit):
    done = world.run(
        *ONE, "--pool", "user1", "--probe-image", "stub.k8s.test:5006/xhang/probe:1", "--start-deadline", "8"
    )
    assert done.code == 3
    assert done.findings == {"pull.no-answer": {"pod/user1"}}


def test_the_next_image_is_tried_and_the_first_is_told(world: World):
    done = world.run(
        "--vantage", "workstation,pod", "--probe-image", "nosuch.invalid/probe:1", "--probe-image", world.image
    )
    inside = {name: one for name, one in done.vantages.items() if name != "workstation"}
    assert all(one["complete"] for one in inside.values()), done.err
    assert any("nosuch.invalid/probe:1 could not be used" in notice for notice in done.run["notices"])


def test_another_program_s_image_is_named_as_such(world: World, firewall: Kit):
    done = world.run(*ONE, "--pool", "user1", "--probe-image", "localhost/toolbox:1")
    assert done.code == 3
    assert done.findings.keys() <= {"pod.agent-failed", "pod.not-started"}


def test_a_quota_of_zero_is_named(world: World, namespace: str):
    world.kubectl("-n", namespace, "create", "quota", "none", "--hard=pods=0")
    done = world.run("--namespace", namespace, *ONE)
    assert done.code == 3
    assert list(done.findings) == ["pod.quota-exceeded"]
    assert "exceeded quota: none" in done.why("pod.quota-exceeded")


def test_a_missing_right_is_named_before_anything_is_created(world: World, namespace: str, user: str):
    done = world.run("--namespace", namespace, "--kubeconfig", user)
    assert done.code == 3
    assert list(done.findings) == ["kube.forbidden"]
    assert "create, delete, list jobs.batch" in done.why("kube.forbidden")
    assert "get pods/log" in done.why("kube.forbidden")


def test_the_printed_rights_are_enough(world: World, namespace: str, user: str):
    granted = world.call(
        "rbac", "--namespace", namespace, "--service-account", f"{namespace}/runner", "--name", namespace
    )
    assert granted.returncode == 0
    world.kubectl("apply", "-f", "-", stdin=granted.stdout)
    try:
        done = world.run("--namespace", namespace, "--kubeconfig", user)
        inside = {name: one for name, one in done.vantages.items() if name != "workstation"}
        assert len(inside) >= 2
        assert all(one["complete"] for one in inside.values()), done.err
    finally:
        world.kubectl("delete", "clusterrole,clusterrolebinding", namespace)


def test_a_given_namespace_stays_and_is_empty_again(world: World, namespace: str):
    world.run("--namespace", namespace, *ONE)
    assert world.left() == []
    assert namespace in world.kubectl("get", "namespace", "-o", "name")


def test_a_namespace_that_is_not_there_is_made_and_removed(world: World):
    world.run("--namespace", "made-for-a-run", *ONE)
    assert world.gone() == []
    assert "made-for-a-run" not in world.kubectl("get", "namespace", "-o", "name")


def test_a_cordoned_pool_is_unknown_and_the_others_go_on(world: World, firewall: Kit):
    world.kubectl("cordon", "node2")
    try:
        done = world.run()
    finally:
        world.kubectl("uncordon", "node2")
    assert done.code == 3
    assert done.findings == {"kube.no-usable-node": {"node/user1", "pod/user1"}}
    assert "1 cordoned" in done.why("kube.no-usable-node")
    assert done.vantages["pod/system"]["complete"]


def test_logs_that_do_not_come_are_replaced_by_the_second_channel(world: World, firewall: Kit):
    firewall.fw(
        "drop", "--from", firewall.settings["NODE1_IP"], "--to", firewall.settings["NODE2_IP"], "--port", "10250"
    )
    done = world.run("--pool", "user1", "--pool", "system")
    assert "kube.log-channel-broken" in done.findings
    assert done.findings["kube.log-channel-broken"] == {"node/user1", "pod/user1"}
    assert "pass" in done.statuses("pod/user1")
    assert done.vantages["pod/system"]["complete"]


def slow(world: World, firewall: Kit) -> None:
    """Checks that take a while: a destination that swallows packets."""
    for name in ("stmlprod.blob.core.windows.net", "acrprod.azurecr.io", "mcr.microsoft.com"):
        firewall.fw("drop", "--from", "all", "--to", firewall.address_of(name), "--port", "443")


def test_an_api_server_that_goes_away_in_mid_run_and_comes_back(world: World, firewall: Kit):
    slow(world, firewall)
    out = world.out()
    with world.start(out, *LONG) as going:
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
    world: World, firewall: Kit, number: signal.Signals
):
    slow(world, firewall)
    out = world.out()
    with world.start(out, *LONG) as going:
        world.wait_for_probe()
        going.send_signal(number)
        going.communicate(timeout=120)
    assert going.returncode == 130
    assert json.loads((out / "run.json").read_text())["interrupted"]
    assert world.left() == []


def test_a_killed_run_is_cleaned_up_by_the_command(world: World, firewall: Kit):
    slow(world, firewall)
    with world.start(world.out(), *LONG) as going:
        world.wait_for_probe()
        going.kill()
        going.communicate(timeout=20)
    assert world.left() != []
    kept = world.call("clean", "--kubeconfig", world.kubeconfig, "--older-than", "1h")
    assert "nothing" in kept.stdout
    cleaned = world.call("clean", "--kubeconfig", world.kubeconfig)
    assert cleaned.returncode == 0
    assert "removed Namespace preflight-" in cleaned.stdout
    assert world.gone() == []


def test_two_runs_at_once_do_not_meet(world: World):
    outs = [world.out(), world.out()]
    runs = [world.start(out) for out in outs]
    for one in runs:
        one.communicate(timeout=200)
    both = [json.loads((out / "run.json").read_text()) for out in outs]
    assert both[0]["run_id"] != both[1]["run_id"]
    for run in both:
        assert all(one["complete"] for one in run["vantages"])


def test_what_git_applied_is_collected(world: World, firewall: Kit, tmp_path: Path):
    argv = (
        "manifests",
        "--config",
        str(world.config),
        "--probe-image",
        world.image,
        "--namespace",
        "pf-git",
        "--run-id",
        "git1",
    )
    printed = world.call(*argv)
    assert printed.returncode == 0, printed.stderr
    world.kubectl("apply", "-f", "-", stdin=printed.stdout)
    keys = [
        f"--from-literal=PREFLIGHT_SECRET_{name.removeprefix('PREFLIGHT_LAB_')}={value}"
        for name, value in world.environ.items()
    ]
    world.kubectl("-n", "pf-git", "create", "secret", "generic", "preflight-credentials", *keys)
    world.kubectl("-n", "pf-git", "wait", "--for=condition=complete", "job", "--all", "--timeout=60s")
    out = tmp_path / "out"
    where = (
        "--config",
        str(world.config),
        "--kubeconfig",
        world.kubeconfig,
        "--namespace",
        "pf-git",
        "--run-id",
        "git1",
    )
    collected = world.call("collect", *where, "--out", str(out), "--format", "json")
    assert collected.returncode == 0, collected.stderr
    assert len(json.loads((out / "run.json").read_text())["vantages"]) == 4
    assert world.call("clean", "--kubeconfig", world.kubeconfig, "--namespace", "pf-git").returncode == 0
    world.kubectl("delete", "namespace", "pf-git")
