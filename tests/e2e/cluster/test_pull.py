"""Kubelets that pull: from the embedded registries and from real ones, with right, wrong and missing credentials."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from clusters.kit import Kit
from clusters.world import Finished, World

pytestmark = pytest.mark.cluster
PULLS = ("--only", "acr.*", "--only", "mcr.*", "--vantage", "workstation,node")
OF_ACR = ("--only", "acr.*", "--vantage", "node", "--pool", "user1")
NONCE = ("--push-nonce", "preflight/nonce")
USER1 = "node/user1"


def pulled(done: Finished, requirement: str, vantage: str = USER1) -> dict:
    return next(one for one in done.run["verdicts"] if (one["requirement"], one["vantage"]) == (requirement, vantage))


def status(done: Finished, requirement: str, vantage: str = USER1) -> tuple[str, str | None]:
    verdict = pulled(done, requirement, vantage)
    return verdict["status"], verdict["cause"]


def test_every_node_pulls_from_mcr_and_downloads_a_layer_that_was_pushed_for_the_run(world: World, firewall: Kit):
    done = world.run(*PULLS, *NONCE)
    assert (done.code, done.findings) == (0, {}), done.err
    for vantage in ("node/system", USER1):
        for requirement in ("mcr.pull", "acr.pull", "acr.pull-layers"):
            assert status(done, requirement, vantage) == ("pass", None)
    assert "node2 pulled acrprod.azurecr.io/preflight/nonce:" in pulled(done, "acr.pull")["reason"]
    left = next(notice for notice in done.run["notices"] if notice.startswith("left on nodes"))
    assert "mcr.microsoft.com/mcr/hello-world:latest on node1" in left
    assert world.left() == []


def test_without_a_fresh_layer_a_second_pull_proves_the_manifest_only(world: World, firewall: Kit):
    done = world.run(*OF_ACR)
    assert done.code == 0, done.err
    assert status(done, "acr.pull") == ("pass", None)
    assert status(done, "acr.pull-layers") == ("unknown", "pull.cached")
    assert list(done.findings) == ["pull.cached"]


def test_a_data_host_that_nodes_cannot_reach_stops_probe_and_pull_and_is_one_finding(world: World, firewall: Kit):
    firewall.fw("reject", "--from", "10.250.2.0/24", "--sni", "acrprod.westeurope.data.azurecr.io")
    done = world.run(*OF_ACR, *NONCE)
    assert done.code == 1
    assert done.required == {"tls.reset-after-hello": {USER1}}
    assert status(done, "acr.pull") == ("blocked", None)
    assert "acrprod.westeurope.data.azurecr.io" in pulled(done, "acr.pull")["reason"]


def test_a_mirror_that_leads_nowhere_is_the_runtime_s_own(
    world: World, firewall: Kit, mirror: Callable[[str, str], None]
):
    nowhere = "https://refused.k8s.test:5999"
    mirror("acrprod.azurecr.io", f'server = "{nowhere}"\n[host."{nowhere}"]\n  capabilities = ["pull", "resolve"]\n')
    done = world.run(*OF_ACR, *NONCE)
    assert done.required == {"pull.runtime-differs": {USER1}}
    assert "connection refused" in done.why("pull.runtime-differs")
    assert {"acr.manifest", "acr.layers"} <= {
        one["requirement"] for one in done.run["verdicts"] if one["status"] == "pass"
    }
    title = next(one["title"] for one in done.run["findings"])
    assert "refused.k8s.test" in title


def test_at_a_node_that_trusts_a_foreign_issuer_the_kubelet_decides(world: World, firewall: Kit, tmp_path: Path):
    foreign = tmp_path / "preflight.toml"
    lines = world.config.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("ca_file", "issuers"))]
    foreign.write_text("\n".join(kept).replace('ca_file = "', f'ca_file = "{world.config.parent}/'))
    done = world.run(*OF_ACR, "--config", str(foreign), "--node-trust")
    assert {name: status(done, name)[0] for name in ("acr.pull", "acr.reach", "acr.manifest", "acr.layers")} == {
        "acr.pull": "pass",
        "acr.reach": "warn",
        "acr.manifest": "warn",
        "acr.layers": "unknown",
    }
    assert status(done, "acr.reach")[1] == "tls.intercepted"
    assert done.code == 3, done.err  # layers: nothing fresh was pushed, and the probe does not trust what it sees
    assert "trusted by the node's store: yes, by the probe image's: no" in pulled(done, "acr.reach")["reason"]


@pytest.fixture
def mirror(firewall: Kit) -> Iterator[Callable[[str, str], None]]:
    """Writes hosts.toml of node2's containerd, which reads it for each pull."""
    made: list[str] = []

    def write(registry: str, text: str) -> None:
        folder = f"/etc/containerd/certs.d/{registry}"
        made.append(folder)
        _at_node(firewall, f"mkdir -p {folder} && cat > {folder}/hosts.toml", text)

    yield write
    for folder in made:
        _at_node(firewall, f"rm -r {folder}")


def _at_node(kit: Kit, command: str, text: str = "") -> None:
    argv = [str(kit.folder / "node-exec"), "node2", "sh", "-c", command]
    subprocess.run(argv, input=text, text=True, check=True, capture_output=True, timeout=60)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One of the kit's registries on node1, which are Debian's docker-registry, and what the file says of it."""

    registry: str
    given: str = ""  # more of [registry]
    ca: str = "ca.crt"
    login: tuple[str, str] | None = None
    more: tuple[str, ...] = ()

    def config(self, folder: Path, kit: Kit) -> str:
        """The file's path."""
        folder.mkdir()
        ca = Path(kit.settings["CLUSTER_CA"]).with_name(self.ca)
        text = f'schema_version = 1\n[environment]\nca_file = "{ca}"\n[limits]\nconnect_cap_s = 1.0\n'
        text += f'[registry]\nname = "{self.registry}"\nrepository = "lib/pause"\nreference = "3.4.1"\n{self.given}\n'
        if self.login is not None:
            text += '[credentials]\nregistry_user = { file = "user" }\nregistry_password = { file = "password" }\n'
            (folder / "user").write_text(self.login[0])
            (folder / "password").write_text(self.login[1])
        (folder / "preflight.toml").write_text(text)
        return str(folder / "preflight.toml")


RIGHT, WRONG = ("user", "secret"), ("user", "guess")
AUTH, BY_ADDRESS = "auth.k8s.test:5444", "10.250.1.2:5444"  # the workstation does not know the name
CASES = {
    "credentials": Case(registry=AUTH, login=RIGHT),
    "fresh layer": Case(registry=BY_ADDRESS, login=RIGHT, more=NONCE),
    "wrong password": Case(registry=BY_ADDRESS, login=WRONG, more=NONCE),
    "right secret": Case(registry=AUTH, login=RIGHT, given='pull_secret = "pull-right"'),
    "wrong secret": Case(registry=AUTH, login=RIGHT, given='pull_secret = "pull-wrong"'),
    "missing secret": Case(registry=AUTH, login=RIGHT, given='pull_secret = "nosuch"'),
    "no secret": Case(registry=AUTH, login=RIGHT, given='pull_secret = "-"'),
    "trusted by the probe": Case(registry="untrusted.k8s.test:5445", ca="badca.crt"),
    "trusted by nobody": Case(registry="untrusted.k8s.test:5445"),
    "no such tag": Case(registry="registry.k8s.test:5443", given='pull_image = "lib/pause:nosuch"'),
    "refused": Case(registry="refused.k8s.test:5999"),
    "no such name": Case(registry="nosuch.k8s.test"),
    "silent": Case(registry="timeout.k8s.test:5998"),
}


@pytest.fixture(scope="module")
def outcomes(session_world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finished]:
    """All cases, a few at once: kubelets wait ten seconds between two tries, and containerd thirty for a connection."""
    world, folder = session_world, tmp_path_factory.mktemp("real")
    if world.kit is None:
        pytest.skip("needs CLUSTER_KIT: registries that fail in known ways")
    for name, password in (("pull-right", "secret"), ("pull-wrong", "guess")):
        server = (f"--docker-server={AUTH}", "--docker-username=user", f"--docker-password={password}")
        world.kubectl("-n", world.namespace, "create", "secret", "docker-registry", name, *server)
    argvs = [
        (*OF_ACR, *case.more, "--config", case.config(folder / str(number), world.kit))
        for number, case in enumerate(CASES.values())
    ]
    return dict(zip(CASES, world.run_all(argvs), strict=True))


def test_a_real_registry_takes_the_fresh_layer_with_a_password_and_gives_it_to_the_kubelet(outcomes):
    done = outcomes["fresh layer"]
    assert done.code == 0, done.err
    assert status(done, "acr.pull-layers") == ("pass", None)
    assert "with the credentials of preflight.toml" in pulled(done, "acr.pull")["reason"]
    assert not any("left in the registry" in notice for notice in done.run["notices"])


def test_a_password_that_is_wrong_stops_probe_push_and_pull_and_is_one_finding(outcomes):
    done = outcomes["wrong password"]
    assert status(done, "acr.pull") == ("blocked", None)  # by acr.manifest: the same password
    assert list(done.required) == ["registry.unauthorized"]
    assert "guess" not in json.dumps(done.run)


@pytest.mark.parametrize("name", ["credentials", "right secret"])
def test_a_pull_with_the_right_secret_passes(outcomes, name: str):
    assert status(outcomes[name], "acr.pull") == ("pass", None), outcomes[name].err
    assert outcomes[name].code == 0


@pytest.mark.parametrize("name", ["wrong secret", "missing secret", "no secret"])
def test_a_secret_that_is_wrong_or_missing_is_the_identity_team_s(outcomes, name: str):
    done = outcomes[name]
    assert status(done, "acr.pull") == ("fail", "pull.unauthorized")
    assert done.required == {"pull.unauthorized": {USER1}}
    assert "yet the probe reads manifest and layer" in done.why("pull.unauthorized")
    assert next(one["owner"] for one in done.run["findings"] if one["cause"] == "pull.unauthorized") == "identity"


def test_a_registry_that_only_the_probe_trusts_is_the_nodes_trust(outcomes):
    done = outcomes["trusted by the probe"]
    assert done.required == {"pull.untrusted": {USER1}}
    assert "x509: certificate signed by unknown authority" in done.why("pull.untrusted")


def test_a_tag_that_is_not_there_is_named(outcomes):
    assert outcomes["no such tag"].required == {"pull.not-found": {USER1}}


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("refused", "tcp.refused"),
        ("no such name", "dns.nxdomain"),
        ("silent", "tcp.timeout"),
        ("trusted by nobody", "tls.intercepted"),
    ],
)
def test_what_stops_probe_and_kubelet_alike_is_one_finding(outcomes, name: str, cause: str):
    done = outcomes[name]
    assert done.required == {cause: {USER1}}
    assert status(done, "acr.pull") == ("blocked", None)
    assert "the kubelet says" in pulled(done, "acr.pull")["reason"]


def test_nothing_of_the_pulls_stays_in_the_cluster(world: World, outcomes):
    assert world.left() == []
    assert len(outcomes) == len(CASES)
