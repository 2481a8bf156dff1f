"""The cluster of KUBECONFIG, with the embedded Azure in the kit's stand-in network when CLUSTER_KIT names the kit."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from clusters.kit import Kit
from clusters.world import World, environ

_VIEWS = (
    "10.250.0.0/24=workstation",
    "10.250.1.0/24=node/system",
    "10.251.1.0/24=pod/system",
    "10.250.2.0/24=node/user1",
    "10.251.2.0/24=pod/user1",
)
_ALONE = """\
schema_version = 1
[environment]
cloud = "AzureCloud"
[[dependency]]
name = "api"
url = "tcp://kubernetes.default.svc.cluster.local:443"
vantages = ["pod"]
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("KUBECONFIG") and os.environ.get("PROBE_IMAGE"):
        return
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(
                pytest.mark.skip(reason="needs a cluster: KUBECONFIG and PROBE_IMAGE, see `make e2e-cluster`")
            )


@pytest.fixture(scope="session")
def kit() -> Kit | None:
    folder = os.environ.get("CLUSTER_KIT")
    return Kit(Path(folder)) if folder else None


@pytest.fixture(scope="session")
def azure(kit: Kit | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """preflight.toml and the variables that it names."""
    folder = tmp_path_factory.mktemp("lab")
    config = folder / "preflight.toml"
    if kit is None:
        config.write_text(_ALONE)
        yield config, {}
        return
    first, last = kit.settings["AZURE_ADDRESSES"].split("-")
    views = [word for view in _VIEWS for word in ("--view", view)]
    command = (
        sys.executable,
        "-P",
        "-m",
        "preflight",
        "lab",
        "serve",
        "--network",
        f"{first}/26",
        "--dns",
        kit.settings["AZURE_DNS"],
    )
    files = (
        "--control",
        str(folder / "control"),
        "--ca-out",
        str(folder / "lab.pem"),
        "--environment-out",
        str(config),
    )
    assert last
    with subprocess.Popen(
        kit.in_azure(*command, *views, *files), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environ(),
    ) as lab:  # fmt: skip
        try:
            assert lab.stderr is not None
            assert lab.stdout is not None
            said = lab.stderr.readline()
            assert "serving" in said, said
            kit.up("--dns", kit.settings["AZURE_DNS"], "--trust", str(folder / "lab.pem"))
            yield config, _variables(lab.stdout)
        finally:
            lab.send_signal(signal.SIGTERM)
            lab.wait(20)
            kit.up("--dns", "none")


def _variables(lines) -> dict[str, str]:
    """`export NAME='value'`, six of them."""
    found = {}
    while len(found) < 6:
        match = re.match(r"export (\w+)='(.*)'", lines.readline())
        assert match
        found[match[1]] = match[2]
    return found


@pytest.fixture(scope="session")
def session_world(
    kit: Kit | None, azure: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> World:
    image = os.environ.get("PROBE_IMAGE")
    assert os.environ.get("KUBECONFIG"), "KUBECONFIG names the cluster"
    assert image, "PROBE_IMAGE names the probe image, which the nodes have or can pull"
    config, variables = azure
    return World(config, variables, image, kit, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def world(session_world: World) -> Iterator[World]:
    """Clean before, and nothing of ours in the cluster afterwards."""
    if session_world.kit is not None:
        session_world.kit.fw("clear")
        _clear(session_world)
    assert session_world.gone() == []
    yield session_world
    if session_world.kit is not None:
        session_world.kit.fw("clear")
        _clear(session_world)
    assert session_world.gone() == []


def _clear(world: World) -> None:
    subprocess.run(
        [sys.executable, "-P", "-m", "preflight", "lab", "clear", "--control", str(world.config.with_name("control"))],
        env=environ(), check=True, capture_output=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def firewall(world: World) -> Kit:
    """The kit with its firewall and stand-in network; clusters without them skip what needs it."""
    if world.kit is None:
        pytest.skip("needs CLUSTER_KIT: a firewall that tests may switch")
    return world.kit


@pytest.fixture
def break_azure(world: World, firewall: Kit):
    """Switch a fault of the embedded Azure."""

    def switch(*faults: str) -> None:
        subprocess.run(
            [sys.executable, "-P", "-m", "preflight", "lab", "fault", *faults, "--control", str(world.config.with_name("control"))],
            env=environ(), check=True, capture_output=True, timeout=60,
        )  # fmt: skip

    return switch


@pytest.fixture
def namespace(world: World) -> Iterator[str]:
    """A namespace that somebody else made; it stays when a run is over."""
    name = f"given-{time.monotonic_ns() % 10**8}"
    world.kubectl("create", "namespace", name)
    yield name
    world.kubectl("delete", "namespace", name)


@pytest.fixture
def user(world: World, namespace: str, tmp_path: Path):
    """A service account of that namespace and a kubeconfig for it; `grant` applies YAML."""
    world.kubectl("-n", namespace, "create", "serviceaccount", "runner")
    secret = world.kubectl("-n", namespace, "apply", "-o", "name", "-f", "-", stdin=_TOKEN)
    for _ in range(50):
        token = world.kubectl(
            "-n", namespace, "get", secret.strip(), "-o", 'go-template={{or .data.token "" | base64decode}}'
        )
        if token:
            break
        time.sleep(0.2)
    path = tmp_path / "runner.kubeconfig"
    config = yaml.safe_load(Path(world.kubeconfig).read_text())
    config["users"] = [{"name": "runner", "user": {"token": token}}]
    for context in config["contexts"]:
        context["context"]["user"] = "runner"
    path.write_text(yaml.safe_dump(config))
    return str(path)


_TOKEN = """\
apiVersion: v1
kind: Secret
metadata: {name: runner-token, annotations: {kubernetes.io/service-account.name: runner}}
type: kubernetes.io/service-account-token
"""
