"""The command line and the stand-in cluster: pools, interruptions, a lost API server, and what a kill leaves."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from builders.played import left

from preflight.cli.played import IMAGE, IN_NAME_ONLY, played, write_environment
from preflight.lab.cluster.api import Call
from preflight.lab.cluster.errors import ApiError
from preflight.lab.cluster.store import Selector
from preflight.lab.cluster.whole import Cluster
from preflight.lab.embedded import Lab
from preflight.lab.faults import parse

COMMAND = [sys.executable, "-P", "-m", "preflight"]
OURS = {"app.kubernetes.io/managed-by": "preflight"}
RUNNING = Selector("pods", labels=OURS, fields={"status.phase": "Running"})
ENDED = Selector("pods", fields={"status.phase": "Succeeded"})
SLOW = "mcr.reach=http.timeout"


def preflight(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *argv], capture_output=True, text=True, timeout=120, check=False)


def load(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())


def failing(out: Path) -> set[str]:
    return {one["vantage"] for one in load(out)["verdicts"] if one["decides"] and one["status"] == "fail"}


def test_a_fault_strikes_one_vantage_of_one_pool(tmp_path: Path):
    pools = ("--pool", "system", "--pool", "user1")
    fault = "mcr.layers=tls.reset-after-hello@node/user1"
    done = preflight("demo", *pools, "--fault", fault, "--format", "json", "--out", str(tmp_path))
    assert done.returncode == 1, done.stderr
    names = [one["vantage"] for one in load(tmp_path)["vantages"]]
    assert names == ["workstation", "node/system", "pod/system", "node/user1", "pod/user1"]
    assert failing(tmp_path) == {"node/user1"}


def test_a_fault_strikes_a_whole_pool_and_no_other(tmp_path: Path):
    pools = ("--pool", "system", "--pool", "user1")
    faults = ("--fault", "mcr.layers=tls.reset-after-hello@user1", "--fault", "entra.token=entra.unauthorized@user1")
    done = preflight("demo", *pools, *faults, "--format", "json", "--out", str(tmp_path))
    assert done.returncode == 1, done.stderr
    assert failing(tmp_path) == {"node/user1", "pod/user1"}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--pool", "User_1"), "no name of a Linux node pool"),
        (("--pool", "user1", "--fault", f"{SLOW}@node/demo"), 'no vantage "node/demo"'),
        (("--serve", "--fault", f"{SLOW}@node"), "leave out --serve, or the vantage"),
    ],
)
def test_a_pool_that_is_not_there_is_a_usage_failure(tmp_path: Path, argv: tuple[str, ...], words: str):
    done = preflight("demo", *argv, "--out", str(tmp_path))
    assert done.returncode == 2
    assert words in done.stderr


@contextlib.asynccontextmanager
async def world(folder: Path, *faults: str) -> AsyncIterator[tuple[Lab, Cluster, list[str]]]:
    """Azure, a cluster, and the options that name both."""
    async with played([parse(one) for one in faults], ("demo",), folder) as (lab, cluster):
        config = write_environment(lab, cluster, folder)
        names = ["--config", str(config), "--kubeconfig", str(cluster.kubeconfig), "--probe-image", IMAGE]
        names += ["--skip", IN_NAME_ONLY]
        yield lab, cluster, names


async def begin(lab: Lab, *argv: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND, *argv, env={**os.environ, **lab.secrets}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


async def ended(child: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(60):
        out, _ = await child.communicate()
    return child.returncode, out.decode()


async def under_way(child: asyncio.subprocess.Process) -> None:
    """Until probes of both kinds speak, and have had a moment."""
    assert child.stdout is not None
    waiting = {"node/demo: looking at", "pod/demo: looking at"}
    async with asyncio.timeout(60):
        while waiting:
            line = (await child.stdout.readline()).decode()
            waiting -= {one for one in waiting if line.startswith(one)}
    await asyncio.sleep(1.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_keeps_what_its_probes_had_seen_and_cleans_up(tmp_path: Path, number: signal.Signals):
    async with world(tmp_path, SLOW) as (lab, cluster, names):
        child = await begin(lab, "run", *names, "--vantage", "node,pod", "--format", "json", "--out", str(tmp_path))
        await under_way(child)
        child.send_signal(number)
        code, told = await ended(child)
        assert left(cluster) == []
    assert code == 130, told
    run = load(tmp_path)
    assert (run["interrupted"], run["exit_code"]) == (True, 130)
    for vantage in ("node/demo", "pod/demo"):
        seen = [one for one in run["observations"] if one["vantage"] == vantage]
        assert any(one["finished"] for one in seen), vantage
        assert any(not one["finished"] for one in seen), vantage


async def test_an_api_server_that_was_lost_in_mid_run_costs_nothing(tmp_path: Path):
    async with world(tmp_path, SLOW) as (lab, cluster, names):
        names += ["--skip", "in-cluster.*", "--vantage", "node,pod"]  # what asks that server itself sees it lost
        child = await begin(lab, "run", *names, "--format", "json", "--out", str(tmp_path))
        await under_way(child)
        await cluster.lose()
        await asyncio.sleep(1.0)
        await cluster.bring_back()
        code, told = await ended(child)
        assert left(cluster) == []
    assert code == 1, told
    run = load(tmp_path)
    assert [(one["vantage"], one["complete"]) for one in run["vantages"]] == [("node/demo", True), ("pod/demo", True)]
    seen = [(one["vantage"], one["task"]) for one in run["observations"]]
    assert len(seen) == len(set(seen)) == sum(len(keys) for keys in run["plan"]["runs"].values())


async def test_what_a_killed_run_left_is_removed_by_clean(tmp_path: Path):
    async with world(tmp_path, SLOW) as (lab, cluster, names):
        child = await begin(lab, "run", *names, "--vantage", "node", "--out", str(tmp_path))
        async with asyncio.timeout(60):
            await cluster.store.until(lambda: bool(cluster.store.select(RUNNING)))
        child.kill()
        await ended(child)
        spaces = cluster.store.select(Selector("namespaces", labels=OURS))
        (namespace,) = [one["metadata"]["name"] for one in spaces]
        listed = await ended(await begin(lab, "clean", "--kubeconfig", str(cluster.kubeconfig), "--dry-run"))
        spared = await ended(await begin(lab, "clean", "--kubeconfig", str(cluster.kubeconfig), "--older-than", "1h"))
        assert namespace in left(cluster)
        cleaned = await ended(await begin(lab, "clean", "--kubeconfig", str(cluster.kubeconfig)))
        async with asyncio.timeout(20):
            await cluster.store.until(lambda: left(cluster) == [])
    run_id = namespace.removeprefix("preflight-")
    assert listed == (0, f"would remove Namespace {namespace} of run {run_id}\n")
    assert spared == (0, "nothing is left of any run\n")
    assert cleaned == (0, f"removed Namespace {namespace} of run {run_id}\n")


async def test_the_demo_that_serves_tells_a_command_that_works(tmp_path: Path):
    serving = await asyncio.create_subprocess_exec(
        *COMMAND, "demo", "--serve", stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert serving.stdout is not None
    try:
        async with asyncio.timeout(60):
            told = (await serving.stdout.readuntil(b"Ctrl-C ends it.")).decode()
        command = shlex.split(told.partition("terminal:")[2].partition("Ctrl-C")[0].replace("\\\n", ""))
        variables = dict(word.partition("=")[::2] for word in command[: command.index("preflight")])
        argv = [*command[command.index("preflight") + 1 :], "--format", "json", "--out", str(tmp_path)]
        child = await asyncio.create_subprocess_exec(
            *COMMAND, *argv, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        code, said = await ended(child)
    finally:
        serving.send_signal(signal.SIGINT)
        await ended(serving)
    assert code == 0, said
    assert [one["vantage"] for one in load(tmp_path)["vantages"]] == ["workstation", "node/demo", "pod/demo"]
    assert serving.returncode == 0


async def test_a_signal_while_the_cluster_is_cleaned_up_does_not_end_it_half_way(tmp_path: Path):
    def refuse(call: Call) -> None:
        if (call.verb, call.resource) == ("delete", "namespaces"):
            raise ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request")

    async with world(tmp_path) as (lab, cluster, names):
        cluster.api.trouble = refuse
        child = await begin(lab, "run", *names, "--vantage", "node", "--format", "json", "--out", str(tmp_path))
        assert child.stdout is not None
        async with asyncio.timeout(60):
            await cluster.store.until(lambda: bool(cluster.store.select(ENDED)))
            await asyncio.sleep(0.5)
            child.send_signal(signal.SIGINT)
            while b"removing what the run created in the cluster" not in await child.stdout.readline():
                pass
        cluster.api.trouble = lambda _call: None
        code, told = await ended(child)
        assert left(cluster) == []
    assert code == 0, told
    assert load(tmp_path)["interrupted"] is False
