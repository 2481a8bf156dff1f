"""`preflight init`: writes what it knows, never over what is there, never a password."""

import base64
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from preflight import catalogue, environment
from preflight.cli.main import main

CERTIFICATE = (Path(__file__).parents[1] / "environment" / "ca.pem").read_text()
CLUSTER = {
    "type": "Microsoft.ContainerService/ManagedClusters",
    "name": "aks-prod",
    "location": "westeurope",
    "fqdn": "aks-prod-1.hcp.westeurope.azmk8s.io",
    "networkProfile": {"networkPlugin": "azure", "outboundType": "userDefinedRouting"},
    "agentPoolProfiles": [{"name": "system", "mode": "System", "osType": "Linux"}],
    "httpProxyConfig": {
        "httpsProxy": "http://user:hunter2@proxy.contoso.com:3128/",
        "trustedCa": base64.b64encode(CERTIFICATE.encode()).decode(),
    },
}


@pytest.fixture
def init(capsys, tmp_path):
    def call(*argv: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(["init", str(tmp_path / "preflight.toml"), *argv])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out + err

    return call


def read(folder: Path):
    return environment.load(folder / "preflight.toml", environ={}, clouds=catalogue.load_clouds())


def test_from_flags(init, tmp_path):
    code, told = init(
        "--region", "westeurope", "--fqdn", "a.privatelink.westeurope.azmk8s.io", "--registry", "acrprod",
        "--storage", "stone", "--storage", "sttwo", "--token-authentication", "--endpoint", "scores",
        "--dependency", "features=https://features.contoso.com/?a=b",
    )  # fmt: skip
    assert code == 0
    assert "next: preflight plan" in told
    env = read(tmp_path)
    assert env.main.token_authentication is True
    assert env.api_server.access == "private"
    assert [one.account for one in env.storage] == ["stone", "sttwo"]
    assert env.endpoint.domain == "scores.westeurope.cloudapp.azure.com"
    assert env.dependencies[0].url == "https://features.contoso.com/?a=b"


def test_from_az_output_it_says_what_it_understood_and_writes_the_authority_beside(init, tmp_path):
    (tmp_path / "aks.json").write_text(json.dumps(CLUSTER))
    code, told = init("--from", str(tmp_path / "aks.json"), "--registry", "acrprod")
    assert code == 0
    assert "understood: cluster aks-prod: westeurope, public API server, network model node-subnet" in told
    assert "to do: the proxy needs a login" in told
    assert (tmp_path / "proxy-ca.pem").read_text() == CERTIFICATE
    env = read(tmp_path)
    assert (env.proxy.https, env.ca_pem, env.registry.name) == ("http://proxy.contoso.com:3128", CERTIFICATE, "acrprod")
    assert "hunter2" not in told + (tmp_path / "preflight.toml").read_text()


def test_an_existing_file_is_left_as_it_is(init, tmp_path):
    (tmp_path / "preflight.toml").write_text("mine")
    code, told = init("--region", "westeurope")
    assert code == 2
    assert "--force" in told
    assert (tmp_path / "preflight.toml").read_text() == "mine"
    assert init("--region", "westeurope", "--force")[0] == 0
    assert read(tmp_path).main.region == "westeurope"


def test_an_existing_certificate_is_left_as_it_is_and_nothing_is_written(init, tmp_path):
    (tmp_path / "aks.json").write_text(json.dumps(CLUSTER))
    (tmp_path / "proxy-ca.pem").write_text("mine")
    assert init("--from", str(tmp_path / "aks.json"))[0] == 2
    assert (tmp_path / "proxy-ca.pem").read_text() == "mine"
    assert not (tmp_path / "preflight.toml").exists()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--region", "West Europe"], '"westeurope"'),
        (["--registry", "https://acrprod.azurecr.io"], "is a URL"),
        (["--proxy", "http://user:hunter2@proxy:3128"], "holds credentials"),
        (["--dependency", "features"], "is not NAME=URL"),
        (["--ca-file", "none.pem"], "no such file"),
        (["--cloud", "Moon"], "is not a cloud"),
        (["--from", "none.json"], "cannot be read"),
    ],
)
def test_wrong_flags_write_nothing(init, tmp_path, argv, said):
    code, told = init(*argv)
    assert code == 2
    assert said in told
    assert "hunter2" not in told
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_said(capsys, tmp_path):
    with pytest.raises(SystemExit) as left:
        main(["init", str(tmp_path / "none" / "preflight.toml"), "--region", "westeurope"])
    assert left.value.code == 2
    assert "does not exist" in capsys.readouterr().err


def test_without_flags_and_without_a_terminal_a_file_of_examples_is_written(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "preflight", "init", str(tmp_path / "preflight.toml")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read(tmp_path).registry.name is None


def test_on_a_terminal_it_asks_and_asks_again_after_a_wrong_answer(tmp_path):
    answers = [
        "", "West Europe", "westeurope", "aks-prod", "", "", "acrprod", "", "", "", "", "", "", "stone, https://x",
        "stone", "y",
    ]  # fmt: skip
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "preflight", "init", str(tmp_path / "preflight.toml")],
        stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    os.close(terminal)
    os.write(controller, ("\n".join(answers) + "\n").encode())
    out, _ = process.communicate(timeout=60)
    os.close(controller)
    assert process.returncode == 0, out
    assert '"West Europe" has a space in it' in out
    env = read(tmp_path)
    assert (env.main.region, env.main.cluster, env.registry.name) == ("westeurope", "aks-prod", "acrprod")
    assert [one.account for one in env.storage] == ["stone"]
    assert env.main.token_authentication is True
