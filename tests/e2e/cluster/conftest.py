"""The cluster of KUBECONFIG, with the embedded Azure in the kit's stand-in network when CLUSTER_KIT names the kit."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from clusters.kit import Kit
from clusters.world import MANAGED, RUN, Finished, World, environ

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Last: what waits for a run that was killed when the suite began, and then what cleans the whole cluster.
    items.sort(key=lambda item: ("killed" in item.name, "by_itself" not in item.name))
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
    first, _ = kit.settings["AZURE_ADDRESSES"].split("-")
    where = ("--network", f"{first}/26", "--dns", kit.settings["AZURE_DNS"])
    views = [word for view in _VIEWS for word in ("--view", view)]
    files = ("--ca-out", str(folder / "lab.pem"), "--environment-out", str(config))
    command = [sys.executable, "-P", "-m", "preflight", "lab", "serve", *where, *views, *files]
    with subprocess.Popen(
        kit.in_azure(*command, "--control", str(folder / "control")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ(),
    ) as lab:  # fmt: skip
        try:
            assert lab.stderr is not None
            assert lab.stdout is not None
            said = lab.stderr.readline()
            assert "serving" in said, said
            kit.fw("clear")  # a suite that was killed may have left rules
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
) -> Iterator[World]:
    image = os.environ.get("PROBE_IMAGE")
    assert os.environ.get("KUBECONFIG"), "KUBECONFIG names the cluster"
    assert image, "PROBE_IMAGE names the probe image, which the nodes have or can pull"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background; programs would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config, variables = azure
    namespace = f"suite-{time.monotonic_ns() % 10**8}"
    world = World(config, variables, image, kit, tmp_path_factory.mktemp("runs"), namespace)
    if kit is not None:
        world.call("clean", "--kubeconfig", world.kubeconfig)
    world.kubectl("create", "namespace", namespace)
    yield world
    world.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(scope="session", autouse=True)
def abandoned(request: pytest.FixtureRequest, session_world: World) -> Iterator[tuple[str, float, float]]:
    """A killed run's namespace, when that was, and how long its objects may stay; made first, looked at last."""
    if not any("by_itself" in item.name for item in request.session.items):
        yield "", 0.0, 0.0
        return
    world, name = session_world, f"abandoned-{time.monotonic_ns() % 10**8}"
    world.kubectl("create", "namespace", name)
    short = ("--start-deadline", "5", "--check-deadline", "5", "--deadline", "5")
    made = {"job.batch", "pod", "configmap"}
    with world.start(world.out(), "--namespace", name, "--vantage", "pod", *short) as going:

        def kinds() -> set[str]:
            return {one.partition("/")[0] for one in world.left_in(name)}

        world.wait_for(lambda: kinds() >= made or going.poll() is not None, "a probe's pod")
        assert going.poll() is None, going.communicate()
        going.kill()
        going.communicate(timeout=20)
    assert kinds() >= made
    world.spared = world.pods(f"metadata.labels.{RUN.replace('.', chr(92) + '.')}", name)[0]
    yield name, time.monotonic(), 5 + 5 + 180  # deadlines, and what the first Job stays beyond them
    world.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def world(session_world: World) -> Iterator[World]:
    """Clean before, and nothing of ours in the cluster afterwards."""
    assert session_world.gone() == []
    yield session_world
    assert session_world.gone() == []


@pytest.fixture(scope="session")
def healthy(session_world: World) -> Finished:
    """One run in a namespace of its own, with nothing broken; several tests look at it."""
    return session_world.run(own_namespace=True)


@pytest.fixture
def firewall(world: World) -> Iterator[Kit]:
    """The kit with its firewall and stand-in network; clusters without them skip what needs it."""
    if world.kit is None:
        pytest.skip("needs CLUSTER_KIT: a firewall that tests may switch")
    yield world.kit
    world.kit.fw("clear")


@pytest.fixture
def slow(world: World, firewall: Kit) -> tuple[str, ...]:
    """Destinations that swallow packets; with these options the checks there take eight seconds."""
    for name in ("stmlprod.blob.core.windows.net", "acrprod.azurecr.io", "mcr.microsoft.com"):
        firewall.fw("drop", "--from", "all", "--to", firewall.address_of(name), "--port", "443")
    return ("--connect-cap", "8")


@pytest.fixture
def break_azure(world: World, firewall: Kit) -> Iterator[Callable[..., None]]:
    """Switch a fault of the embedded Azure."""

    def lab(*words: str) -> None:
        command = [sys.executable, "-P", "-m", "preflight", "lab", *words]
        control = str(world.config.with_name("control"))
        subprocess.run([*command, "--control", control], env=environ(), check=True, capture_output=True, timeout=60)

    yield lambda *faults: lab("fault", *faults)
    lab("clear")


@pytest.fixture
def namespace(world: World) -> Iterator[str]:
    """A namespace that somebody else made; it stays when a run is over."""
    name = f"given-{time.monotonic_ns() % 10**8}"
    world.kubectl("create", "namespace", name)
    yield name
    world.kubectl("delete", "namespace", name, "--wait=false")
    # What a test applied of `preflight rbac --name NAMESPACE`, here and elsewhere; nobody else's.
    template = '{range .items[*]}{.kind} {.metadata.namespace} {.metadata.name}{"\\n"}{end}'
    kinds = "clusterrole,clusterrolebinding,role,rolebinding"
    for line in world.kubectl("get", kinds, "-A", "-l", MANAGED, "-o", f"jsonpath={template}").splitlines():
        *_, role = words = line.split()
        if role.startswith(name):
            where = ("-n", words[1]) if len(words) == 3 else ()
            world.kubectl("delete", words[0], role, *where, "--ignore-not-found")


@pytest.fixture
def user(world: World, namespace: str, tmp_path: Path) -> str:
    """A service account of that namespace, as a kubeconfig."""
    world.kubectl("-n", namespace, "create", "serviceaccount", "runner")
    secret = world.kubectl("-n", namespace, "apply", "-o", "name", "-f", "-", stdin=_TOKEN).strip()
    template = 'go-template={{or .data.token "" | base64decode}}'
    world.wait_for(lambda: bool(world.kubectl("-n", namespace, "get", secret, "-o", template)), "a token", 10)
    path = tmp_path / "runner.kubeconfig"
    config = yaml.safe_load(Path(world.kubeconfig).read_text())
    config["users"] = [
        {"name": "runner", "user": {"token": world.kubectl("-n", namespace, "get", secret, "-o", template)}}
    ]
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
