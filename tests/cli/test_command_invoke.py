"""`--via command-invoke` from the command line, against the lab's Resource Manager; commands run in a real shell."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from preflight.lab import deployment as at
from preflight.lab.commands import runner
from preflight.lab.embedded import Lab
from preflight.lab.faults import parse
from preflight.lab.http import Response, document
from preflight.lab.services.arm import ManagedCluster, failure

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = f"{at.SUBSCRIPTION}/{at.GROUP}/{at.CLUSTER}"
AZ = """\
#!/bin/sh
echo "$@" >> "{log}"
case "$*" in
"account get-access-token"*) ;;
*) exit 3 ;;
esac
echo '{{"accessToken": "{token}", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800}}'
"""


class World:
    """A lab, a folder with its environment, and an `az` that is signed in."""

    def __init__(self, lab: Lab, cluster: ManagedCluster, folder: Path) -> None:
        self.lab, self.cluster, self.folder = lab, cluster, folder
        self.config = lab.write_environment(folder)
        self.log = folder / "az.log"
        self.sign_in(at.ARM_TOKEN)

    def sign_in(self, token: str) -> None:
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        az = programs / "az"
        az.write_text(AZ.format(log=self.log, token=token))
        az.chmod(0o755)

    async def run(self, *argv: str, target: str = CLUSTER) -> tuple[int, str, dict[str, Any]]:
        out = self.folder / "out"
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy") and not name.startswith("AZURE_")
        }
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "preflight", "run", "--config", str(self.config), "--out", str(out)),
            *("--format", "json", "--vantage", "workstation,pod", "--via", "command-invoke", target, *argv),
            env={**plain, "PYTHONPATH": str(ROOT), "PATH": path, **self.lab.secrets},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        _, err = await asyncio.wait_for(child.communicate(), 120)
        written = out / "run.json"
        assert written.is_file(), err.decode()
        return child.returncode or 0, err.decode(), json.loads(written.read_text())


@pytest.fixture
def entra() -> bool:
    return False


@pytest.fixture
def start():
    return runner("sh -s")


@pytest.fixture
async def world(tmp_path: Path, start, entra: bool) -> AsyncIterator[World]:
    cluster = ManagedCluster(start, entra=entra)
    async with Lab(vantages=("workstation",), own={at.Role.ARM: cluster}) as lab:
        yield World(lab, cluster, tmp_path)


def pod(run: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in run["vantages"] if one["vantage"] == "pod/aks-command")


def findings(run: dict[str, Any]) -> dict[str, list[str]]:
    return {one["cause"]: one["vantages"] for one in run["findings"]}


ONE = ("--only", "storage.*.reach")


async def test_a_command_pod_speaks_for_the_pod_network(world: World):
    code, err, run = await world.run(*ONE)
    facts = pod(run)
    assert facts["complete"], err
    assert facts["via"] == f"command-invoke {CLUSTER}"
    assert "aks-command" in facts["place"]
    seen = [one for one in run["observations"] if one["vantage"] == "pod/aks-command"]
    assert {one["target"] for one in seen} == {f"{host.name}:443" for host in (at.BLOB, at.TABLE)}
    assert code == 1  # the shell stands outside the lab: its names do not exist for it
    assert any(cause.startswith("dns.") for cause in findings(run))
    assert world.cluster.payloads[0]["command"] == "sh preflight.sh"
    assert "clusterToken" not in world.cluster.payloads[0]


async def test_many_targets_go_in_several_commands(world: World):
    _, _, run = await world.run()
    planned = len(run["plan"]["runs"]["pod/aks-command"])
    assert planned > 12
    assert len(world.cluster.payloads) == -(-planned // 12)
    assert pod(run)["complete"]


async def test_no_token_is_written_anywhere(world: World):
    _, err, _ = await world.run(*ONE)
    files = [path for path in (world.folder / "out").rglob("*") if path.is_file()]
    assert files
    assert all(at.ARM_TOKEN not in path.read_text(errors="replace") for path in files)
    assert at.ARM_TOKEN not in err
    script = world.cluster.payloads[0]["context"]
    assert at.ARM_TOKEN not in script


class TestWithEntraSignIn:
    @pytest.fixture
    def entra(self) -> bool:
        return True

    async def test_the_user_s_token_for_the_cluster_goes_along(self, world: World):
        _, _, run = await world.run(*ONE)
        assert pod(run)["complete"]
        assert world.cluster.payloads[0]["clusterToken"] == at.ARM_TOKEN
        assert "6dae42f8-4368-4678-94ff-3960e28e3630" in world.log.read_text()


class TestDisabled:
    @pytest.fixture
    def start(self):
        return None

    async def test_run_command_that_is_disabled_is_named_before_anything_is_sent(self, world: World):
        code, _, run = await world.run(*ONE)
        assert (code, findings(run)["azure.command-disabled"]) == (3, ["pod/aks-command"])
        assert world.cluster.payloads == []


FORBIDDEN = failure(
    403,
    "AuthorizationFailed",
    "The client 'x' with object id 'y' does not have authorization to perform action"
    " 'Microsoft.ContainerService/managedClusters/runCommand/action' over scope '/subscriptions/z' or the scope is"
    " invalid. If access was recently granted, please refresh your credentials.",
)
SLOW = failure(
    404,
    "KubernetesPerformanceError",
    "Failed to run command due to cluster perf issue, container command-357e in aks-command namespace did not start"
    " within 30s on your cluster, retry may helps.",
)
POLICY = failure(
    400,
    "KubernetesOperationError",
    "Failed to run command in managed cluster due to kubernetes failure. details: admission webhook"
    ' "validation.gatekeeper.sh" denied the request: [azurepolicy-x] Container user-command is not allowed',
)
BUSY = failure(503, "ServerTimeout", "later", {"Retry-After": "0"})
FOUND = document(200, {"properties": {}})
ANSWERS = [
    pytest.param([FORBIDDEN, FORBIDDEN], "azure.forbidden", "runCommand/action", id="403"),
    pytest.param([FOUND, SLOW], "azure.command-failed", "did not start within 30s", id="pod does not start"),
    pytest.param([FOUND, POLICY], "pod.admission-denied", "gatekeeper", id="policy"),
    pytest.param([failure(409, "OperationNotAllowed", "busy")], "azure.rejected", "OperationNotAllowed busy", id="409"),
    pytest.param([BUSY] * 4, "azure.unavailable", "503", id="503"),
    pytest.param(
        [failure(429, "SubscriptionRequestsThrottled", "wait", {"Retry-After": "0"})] * 4,
        "azure.throttled", "429", id="429 for ever",
    ),
    pytest.param(
        [FOUND, Response(status=202, headers={"Location": "https://evil.example/subscriptions/x", "Retry-After": "0"})],
        "azure.unexpected-answer", "evil.example", id="a result elsewhere",
    ),
    pytest.param(
        [FOUND, Response(status=202, headers={"Location": "@own", "Retry-After": "0"}),
         document(200, {"properties": {"provisioningState": "failed", "reason": "ImagePullBackoff"}})],
        "azure.command-failed", "ImagePullBackoff", id="the pod's image",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "cause", "said"), ANSWERS)
async def test_what_the_resource_manager_says_is_a_cause(world: World, answers: list[Response], cause: str, said: str):
    path = (
        f"https://{at.ARM.name}/subscriptions/{at.SUBSCRIPTION}/resourceGroups/{at.GROUP}/providers"
        f"/Microsoft.ContainerService/managedClusters/{at.CLUSTER}/commandResults/{'0' * 32}?api-version=2025-10-01"
    )
    world.cluster.answers = [
        Response(status=one.status, headers={**one.headers, "Location": path}, body=one.body)
        if one.headers.get("Location") == "@own" else one
        for one in answers
    ]  # fmt: skip
    code, err, run = await world.run(*ONE)
    assert code == 3, err
    assert findings(run)[cause] == ["pod/aks-command"]
    assert said in json.dumps(run["findings"])
    assert {one["status"] for one in run["verdicts"] if one["vantage"] == "pod/aks-command"} == {"unknown"}


UNREACHABLE = [
    ("aks-egress.arm=tcp.refused", "ECONNREFUSED"),
    ("aks-egress.arm=dns.nxdomain", "the name has no address here"),
    ("aks-egress.arm=tls.intercepted", "TLS unverified"),
    ("aks-egress.arm=http.reset", "no complete answer (reset"),
]


@pytest.mark.parametrize(("fault", "said"), UNREACHABLE)
async def test_a_resource_manager_that_cannot_be_reached_says_where_the_way_ends(world: World, fault: str, said: str):
    await world.lab.replace([parse(fault)])
    code, err, run = await world.run(*ONE)
    assert code == 3, err
    assert findings(run)["azure.unreachable"] == ["pod/aks-command"]
    assert said in json.dumps(run["findings"])


async def test_throttling_that_ends_is_waited_for(world: World):
    world.cluster.answers = [failure(429, "SubscriptionRequestsThrottled", "wait", {"Retry-After": "1"})]
    _, err, run = await world.run(*ONE)
    assert pod(run)["complete"], err


async def test_a_cluster_that_is_not_there_is_named(world: World):
    code, _, run = await world.run(*ONE, target=f"{at.SUBSCRIPTION}/{at.GROUP}/aks-typo")
    assert (code, findings(run)["azure.not-found"]) == (3, ["pod/aks-command"])


async def test_a_token_that_is_refused_is_a_sign_in(world: World):
    world.sign_in("stale-token-of-somebody")
    code, _, run = await world.run(*ONE)
    assert (code, findings(run)["azure.login-refused"]) == (3, ["pod/aks-command"])


async def test_nobody_signed_in_is_a_sign_in_too(world: World):
    (world.folder / "bin/az").write_text("#!/bin/sh\necho 'Please run az login to setup account.' >&2\nexit 1\n")
    code, _, run = await world.run(*ONE)
    assert (code, findings(run)["azure.login-refused"]) == (3, ["pod/aks-command"])
    assert "az login" in json.dumps(run["findings"])


def test_a_way_in_or_a_target_that_is_none_is_a_usage_mistake(preflight, tmp_path: Path):
    config = tmp_path / "preflight.toml"
    config.write_text('schema_version = 1\n[environment]\ncloud = "AzureCloud"\n')
    for way, target, said in (
        ("existing-pot", "a/b", "did you mean existing-pod?"),
        ("existing-pod", "a", "is not NAMESPACE/POD"),
        ("existing-pod", "a/b", "--kubeconfig"),
        ("existing-pod", "a/b --pool user1 --probe-image x:1", "--pool, --probe-image would do nothing"),
        ("command-invoke", "group/cluster", "is not SUBSCRIPTION/GROUP/CLUSTER"),
    ):
        code, _, err = preflight("run", "--config", str(config), "--via", way, *target.split(" "))
        assert code == 2
        assert said in err
