"""`preflight capacity`: the number as a word of its own, the pools' room, and an exit code for gates."""

import asyncio
import json
import sys

import pytest
from servers.scripted import Reply, failing, kubeconfig, served

pytestmark = pytest.mark.usefixtures("no_proxy")

NODE = {
    "metadata": {"name": "a", "labels": {"agentpool": "user1"}},
    "status": {
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "30"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}
POD = {
    "spec": {"nodeName": "a", "containers": [{"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]},
    "status": {"phase": "Running"},
}
EXAMPLE = ("capacity", "--rps", "20", "--request-seconds", "10", "--per-replica", "1", "--utilization", "0.7")


def answers(_method: str, target: str) -> Reply:
    """Two pages of nodes, one of pods."""
    if target.startswith("/api/v1/nodes"):
        if "continue=next" in target:
            return Reply(body={"items": [{**NODE, "metadata": {**NODE["metadata"], "name": "b"}}]})
        return Reply(body={"items": [NODE], "metadata": {"continue": "next"}})
    return Reply(body={"items": [POD]})


def test_the_documented_example_is_a_word_of_its_own(preflight):
    code, out, _ = preflight(*EXAMPLE)
    assert code == 0
    assert "286" in out.split()
    assert max(map(len, out.splitlines())) <= 80


def test_json_says_the_same(preflight):
    told = json.loads(preflight(*EXAMPLE, "--format", "json")[1])
    assert told["replicas"] == 286
    assert told["autoscale"]["autoscale_max_replicas"] == 286
    assert "pools" not in told


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--rps", "0", "not above 0"),
        ("--rps", "many", "not a number"),
        ("--rps", "nan", "not above 0"),
        ("--utilization", "70", "at most 1"),
        ("--memory-gb", "-1", "not above 0"),
    ],
)
def test_a_wrong_number_is_said(preflight, option, value, words):
    code, _, err = preflight(*EXAMPLE, option, value)
    assert code == 2
    assert words in err
    assert option in err


async def beside(*argv: str) -> tuple[int | None, str, str]:
    """The command line in a process of its own, while the server answers here."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "preflight", *argv, stdout=pipe, stderr=pipe)
    out, err = await child.communicate()
    return child.returncode, out.decode(), err.decode()


async def test_room_of_the_pools_is_compared(tmp_path):
    async with served(answers) as (port, seen):
        config = kubeconfig(tmp_path, port)
        asked = (*EXAMPLE, "--kubeconfig", config, "--cpu-cores", "0.5", "--memory-gb", "1")
        code, out, _ = await beside(*asked)
        told = json.loads((await beside(*asked, "--format", "json"))[1])
        enough = await beside("capacity", "--rps", "1", "--request-seconds", "1", "--kubeconfig", config)
    assert (code, enough[0]) == (1, 0)
    assert "14 fit on 2 of 2 nodes" in out
    assert "272 replicas do not fit" in out
    assert "34 more nodes like those of user1" in out
    assert max(map(len, out.splitlines())) <= 80
    assert (told["fits"], told["missing"], told["pools"][0]["pool"]) == (14, 272, "user1")
    assert "All replicas fit" in enough[1]
    assert any("limit=" in one for one in seen)


async def test_a_missing_right_is_named(tmp_path):
    async with served(lambda *_: failing(403, 'User "u" cannot list resource "nodes"', "Forbidden")) as (port, _):
        code, _, err = await beside(*EXAMPLE, "--kubeconfig", kubeconfig(tmp_path, port))
    assert code == 3
    assert 'cannot list resource "nodes"' in err
