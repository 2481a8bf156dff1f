"""`--via existing-pod` from the command line, into pods of the stand-in cluster: shells of this machine."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from servers.raw import serve
from servers.web import Web

from preflight.judge import evidence_of, judge
from preflight.lab.cluster import scenery
from preflight.lab.cluster.container import plain_environment
from preflight.lab.cluster.exec import exec_into
from preflight.lab.cluster.whole import Cluster, cluster, node
from preflight.lab.pki import Pki
from preflight.render.json import parse

CONFIG = """\
schema_version = 1
[environment]
cloud = "AzureCloud"
[[dependency]]
name = "features"
url = "http://127.0.0.1:{port}/health"
vantages = ["pod"]
[[dependency]]
name = "database"
url = "tcp://127.0.0.1:1"
vantages = ["pod"]
[limits]
connect_cap_s = 1.0
"""
ONLY = ("--only", "dependency.*")  # everything else would ask this machine's resolver


class World:
    def __init__(self, played: Cluster, config: Path, folder: Path) -> None:
        self.played, self.config, self.folder = played, config, folder

    def put(self, name: str, on: str = "aks-user1-12345678-vmss000000", state: str = "running") -> str:
        """A pod that has been there for long."""
        pod = scenery.pod(name, on, "10.244.1.7")
        pod["status"]["containerStatuses"] = [{"name": "main", "state": {state: {}}}]
        self.played.store.add("pods", "default", pod)
        return f"default/{name}"

    async def run(self, *argv: str) -> tuple[int, str, dict[str, Any]]:
        out = self.folder / "out"
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "preflight", "run", "--config", str(self.config), "--out", str(out)),
            *("--kubeconfig", str(self.played.kubeconfig), "--vantage", "workstation,pod", *ONLY),
            *("--format", "json", *argv),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=plain_environment(),
        )  # fmt: skip
        _, err = await asyncio.wait_for(child.communicate(), 120)
        written = out / "run.json"
        assert written.is_file(), err.decode()
        return child.returncode or 0, err.decode(), json.loads(written.read_text())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        web = await stack.enter_async_context(serve(Web()))
        config = tmp_path / "preflight.toml"
        config.write_text(CONFIG.format(port=web.port))
        (tmp_path / "pki").mkdir()
        nodes = [node("aks-user1-12345678-vmss000000", "user1"), node("aks-system-12345678-vmss000000", "system")]
        played = await stack.enter_async_context(cluster(Pki(tmp_path / "pki"), tmp_path, nodes))
        yield World(played, config, tmp_path)


def facts(run: dict[str, Any], vantage: str) -> dict[str, Any]:
    return next(one for one in run["vantages"] if one["vantage"] == vantage)


def statuses(run: dict[str, Any], vantage: str) -> dict[str, str]:
    return {one["requirement"]: one["status"] for one in run["verdicts"] if one["vantage"] == vantage}


async def test_two_pods_speak_for_two_pools_and_nothing_is_created(world: World):
    first, second = world.put("model-0"), world.put("fe-0", "aks-system-12345678-vmss000000")
    code, err, run = await world.run("--via", "existing-pod", first, "--via", "existing-pod", f"{second}/main")
    assert code == 1, err
    for vantage in ("pod/user1", "pod/system"):
        assert facts(run, vantage)["complete"], err
        assert statuses(run, vantage) == {"dependency.features": "pass", "dependency.database": "fail"}
    (finding,) = run["findings"]
    assert finding["cause"] == "tcp.refused"
    assert finding["verify"].count("--via existing-pod default/") == 2
    again = judge(evidence_of(parse((world.folder / "out/run.json").read_bytes(), "run.json")))
    assert [(one.check, one.status) for one in again.verdicts] == [(v["check"], v["status"]) for v in run["verdicts"]]
    assert not [
        call for call in world.played.api.calls if call.startswith(("create", "delete")) and "reviews" not in call
    ]


async def test_the_report_says_so_on_the_console(world: World):
    pod = world.put("model-0")
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "preflight", "run", "--config", str(world.config)),
        *("--kubeconfig", str(world.played.kubeconfig), "--vantage", "workstation,pod", "--format", "console", *ONLY),
        *("--via", "existing-pod", pod), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=plain_environment(),
    )  # fmt: skip
    out, err = await asyncio.wait_for(child.communicate(), 120)
    text = " ".join(out.decode().split())
    assert "a shell probe in pod default/model-0" in text, err
    assert "fewer stages" in text


FORBIDDEN = [
    pytest.param({"pods"}, "get pods", id="pods"),
    pytest.param({"pods/exec"}, "create, get pods/exec", id="exec"),
]


@pytest.mark.parametrize(("denied", "said"), FORBIDDEN)
async def test_a_missing_right_is_named_before_anything_is_run(world: World, denied: set[str], said: str):
    pod = world.put("model-0")
    world.played.api.allow = lambda _verb, resource: resource not in denied
    code, err, run = await world.run("--via", "existing-pod", pod)
    assert code == 3, err
    (finding,) = [one for one in run["findings"] if one["cause"] == "kube.forbidden"]
    assert said in json.dumps(finding)
    assert "preflight rbac --via existing-pod" in json.dumps(finding)


async def test_without_the_right_to_see_nodes_the_pool_is_read_from_the_node_s_name(world: World):
    pod = world.put("model-0")
    world.played.api.allow = lambda _verb, resource: resource != "nodes"
    _, err, run = await world.run("--via", "existing-pod", pod)
    assert facts(run, "pod/user1")["complete"], err
    assert any("finds the pool of the pod's node" in notice for notice in run["notices"])


async def test_pods_that_are_not_there_do_not_run_or_have_no_shell_are_unknown(world: World):
    waiting = world.put("waiting-0", state="waiting")
    for target, cause in (("default/nosuch", "pod.not-found"), (waiting, "pod.not-running")):
        code, err, run = await world.run("--via", "existing-pod", target)
        assert code == 3, err
        assert cause in {one["cause"] for one in run["findings"]}
    world.played.api.upgrades["pods/exec"] = exec_into(world.played.store, {"PATH": str(world.folder)})
    code, err, run = await world.run("--via", "existing-pod", world.put("bare-0"))
    assert (code, {one["cause"] for one in run["findings"]}) == (3, {"pod.no-shell"}), err


async def test_two_pods_of_one_pool_are_a_usage_mistake(world: World):
    pods = world.put("model-0"), world.put("model-1")
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "preflight", "run", "--config", str(world.config)),
        *("--kubeconfig", str(world.played.kubeconfig), "--via", "existing-pod", pods[0]),
        *("--via", "existing-pod", pods[1]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=plain_environment(),
    )  # fmt: skip
    _, err = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == 2
    assert b"stands in pod/user1, as the one before it does" in err
