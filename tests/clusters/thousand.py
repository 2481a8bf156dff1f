"""A run with every node of a large stand-in cluster: its pods give the log of a real agent, moved to their place.

One agent runs for each plan; what it wrote is what all pods with that plan write. API server, controllers, watches and
logs are the stand-in's, the command line is a process of its own, as a user starts it.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from preflight.lab.cluster.container import Container, plain_environment, process
from preflight.lab.cluster.store import Selector
from preflight.lab.cluster.whole import IMAGE, Cluster, cluster, node
from preflight.lab.embedded import Lab
from preflight.lab.faults import places

ROOT = Path(__file__).resolve().parents[2]
POOLS = 5
RECORDED = "recorded"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one run was like, from outside."""

    code: int
    err: str
    run: dict[str, Any]
    seconds: float
    peak_mb: float
    calls: Counter[str]  # "create jobs" -> how often the server saw it
    at_once: int  # Jobs that were being created at the same time
    left: list[str]  # objects in the run's namespace when it had ended


class Canned:
    """What containers do: the agents give a recorded log; anything else is a real process."""

    def __init__(self, spread_s: float) -> None:
        self._spread_s = spread_s
        self._recorded: dict[str, asyncio.Task[tuple[list[bytes], bytes]]] = {}

    async def __call__(self, container: Container) -> int:
        told = dict(zip(container.arguments[1::2], container.arguments[2::2], strict=False))
        if "--plan" not in told:
            return await process(container)
        plan, vantage = _read(told["--plan"]), told["--vantage"]
        kind = vantage.partition("/")[0]
        key = hashlib.sha256(plan + kind.encode()).hexdigest()
        if key not in self._recorded:
            work = container.folder.parent / key
            self._recorded[key] = asyncio.create_task(_record(plan, f"{kind}/{RECORDED}", work, container.environ))
        lines, summary = await asyncio.shield(self._recorded[key])
        first, *rest = (line.replace(f"{kind}/{RECORDED}".encode(), vantage.encode()) for line in lines)
        await container.log.write(first)
        await asyncio.sleep(self._spread_s * int(hashlib.sha256(vantage.encode()).hexdigest()[:4], 16) / 65_536)
        for line in rest:
            await container.log.write(line)
        _write(told["--summary"], summary)
        return 0


async def _record(plan: bytes, vantage: str, work: Path, environ: Mapping[str, str]) -> tuple[list[bytes], bytes]:
    """The log and the summary of a real agent, which goes without the crowd's pace: there is no crowd."""
    _write_folder(work)
    _write(work / "plan.json", json.dumps(json.loads(plan) | {"pace": {}}).encode())
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "preflight", "agent", "--plan", str(work / "plan.json")),
        *("--vantage", vantage, "--summary", str(work / "summary")),
        stdout=asyncio.subprocess.PIPE,
        env=dict(environ),
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    return out.splitlines(keepends=True), _read(work / "summary")


def _write_folder(path: Path) -> None:
    path.mkdir()


def _read(path: str | Path) -> bytes:
    return Path(path).read_bytes()


def _write(path: str | Path, content: bytes) -> None:
    Path(path).write_bytes(content)


def run(number: int, work: Path, *argv: str, spread_s: float = 2.0) -> Found:
    """`preflight run --all-nodes` with that many nodes in five pools."""
    return asyncio.run(_run(number, work, argv, spread_s))


async def _run(number: int, work: Path, argv: tuple[str, ...], spread_s: float) -> Found:
    nodes = [node(f"aks-user{at % POOLS}-31337-vmss{at:06}", f"user{at % POOLS}") for at in range(number)]
    out, folder = work / "out", work / "cluster"
    folder.mkdir(parents=True)
    async with (
        Lab(vantages=places([f"user{at}" for at in range(POOLS)])) as lab,
        cluster(lab.pki, folder, nodes) as running,
    ):
        running.kubelet.play = Canned(spread_s)
        most = _watch_creations(running)
        config = lab.write_environment(folder)
        told = ("run", "--config", str(config), "--kubeconfig", str(running.kubeconfig), "--probe-image", IMAGE)
        command = [sys.executable, "-P", "-m", "preflight", *told, "--all-nodes", "--out", str(out), *argv]
        env = {**plain_environment(), **lab.secrets, "PYTHONPATH": str(ROOT)}
        begin = time.monotonic()
        code, err, peak_mb = await asyncio.to_thread(_call, command, env)
        seconds = time.monotonic() - begin
        left = [name for kind in ("jobs", "pods", "configmaps", "secrets") for name in _names(running, kind)]
        saved = out / "run.json"
        assert saved.is_file(), err[-2000:]
        return Found(
            code=code,
            err=err,
            run=json.loads(saved.read_text()),
            seconds=seconds,
            peak_mb=peak_mb,
            calls=Counter(running.api.calls),
            at_once=max(most, default=0),
            left=left,
        )


def _names(running: Cluster, resource: str) -> list[str]:
    return [f"{resource}/{one['metadata']['name']}" for one in running.store.select(Selector(resource))]


def _watch_creations(running: Cluster) -> list[int]:
    """How many creations of Jobs were under way whenever one began; each takes a moment, as at a real server."""
    counts, under_way = [], 0
    answer = running.api._outcome

    async def slow(stream: Any, request: Any) -> Any:
        nonlocal under_way
        if request.method != "POST" or not request.path.endswith("/jobs"):
            return await answer(stream, request)
        under_way += 1
        counts.append(under_way)
        try:
            await asyncio.sleep(0.01)
            return await answer(stream, request)
        finally:
            under_way -= 1

    running.api._outcome = slow  # type: ignore[method-assign]
    return counts


def _call(command: list[str], env: dict[str, str]) -> tuple[int, str, float]:
    """Exit code, what it said, and the most memory that it had, in megabytes."""
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, said, usage.ru_maxrss / 1024
