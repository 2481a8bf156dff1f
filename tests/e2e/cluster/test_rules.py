"""Rules of a cluster that a run meets: quota, rights, limits, admission, and namespaces that are somebody else's."""

import json
from pathlib import Path

import pytest
from clusters.kit import Kit
from clusters.world import World

pytestmark = pytest.mark.cluster
ONE = ("--vantage", "workstation,pod")


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
    assert world.kubectl("-n", namespace, "get", "jobs,pods,events", "-o", "name") == ""


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
        world.kubectl("-n", namespace, "delete", "role,rolebinding", namespace, "--ignore-not-found")
        world.kubectl("delete", "clusterrole,clusterrolebinding", namespace)


def test_a_given_namespace_stays_and_is_empty_again(world: World, namespace: str):
    world.run("--namespace", namespace, *ONE)
    assert world.left() == []
    assert namespace in world.kubectl("get", "namespace", "-o", "name")


def test_a_namespace_that_is_not_there_is_made_and_removed(world: World):
    world.run("--namespace", "made-for-a-run", *ONE)
    assert world.gone() == []
    assert "made-for-a-run" not in world.kubectl("get", "namespace", "-o", "name")


def test_a_probe_that_the_kubelet_evicts_is_named(world: World, slow: tuple[str, ...], namespace: str):
    limits = {"type": "Container", "default": {"ephemeral-storage": "1Ki"}, "defaultRequest": {"ephemeral-storage": 0}}
    small = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": [limits]}}
    world.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(small))
    done = world.run("--namespace", namespace, *ONE, "--pool", "user1", "--check-deadline", "40", "--connect-cap", "30")
    assert done.findings["pod.evicted"] == {"pod/user1"}
    assert "ephemeral" in done.why("pod.evicted")
    assert done.vantages["workstation"]["complete"]


def test_what_git_applied_is_collected(world: World, firewall: Kit, tmp_path: Path):
    stay = ("--namespace", "pf-git", "--run-id", "git1")
    config = ("--config", str(world.config))
    printed = world.call("manifests", *config, "--probe-image", world.image, *stay)
    assert printed.returncode == 0, printed.stderr
    world.kubectl("apply", "-f", "-", stdin=printed.stdout)
    keys = [
        f"--from-literal=PREFLIGHT_SECRET_{name.removeprefix('PREFLIGHT_LAB_')}={value}"
        for name, value in world.environ.items()
    ]
    world.kubectl("-n", "pf-git", "create", "secret", "generic", "preflight-credentials", *keys)
    world.kubectl("-n", "pf-git", "wait", "--for=condition=complete", "job", "--all", "--timeout=60s")
    out = tmp_path / "out"
    collected = world.call(
        "collect", *config, "--kubeconfig", world.kubeconfig, *stay, "--out", str(out), "--format", "json"
    )
    assert collected.returncode == 0, collected.stderr
    assert len(json.loads((out / "run.json").read_text())["vantages"]) == 4
    assert world.call("clean", "--kubeconfig", world.kubeconfig, "--namespace", "pf-git").returncode == 0
    world.kubectl("delete", "namespace", "pf-git", "--wait=false")
