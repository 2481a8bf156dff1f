"""Every message of the corpus gets its cause; what is not known is said to be not known."""

import tomllib
from pathlib import Path

import pytest

from preflight.judge import pulls
from preflight.model.causes import CAUSES

CORPUS = tomllib.loads((Path(__file__).parent / "pull_messages.toml").read_text())["message"]


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row["name"])
def test_a_kubelet_s_message_gets_its_cause(row):
    assert pulls.classify(row["text"]).cause == row["cause"]


def test_the_corpus_has_a_message_for_every_pattern():
    assert {row["cause"] for row in CORPUS} == pulls.CAUSES


def test_every_cause_of_a_pull_is_in_the_vocabulary():
    beside = {"pull.cached", "pull.not-pushed", "pull.runtime-differs"}  # of more than one message
    assert {cause for cause in CAUSES if cause.startswith("pull.")} == pulls.CAUSES | beside


def test_newer_containerd_s_prefix_changes_nothing():
    said = 'Failed to pull image "r/a:1": Head "https://r/v2/": {}x509: certificate signed by unknown authority'
    assert pulls.classify(said.format("")) == pulls.classify(said.format("tls: failed to verify certificate: "))


def test_the_image_s_own_name_does_not_decide():
    said = 'Failed to pull image "r.example/x509/not-found:429": dial tcp 10.0.0.1:443: i/o timeout'
    assert pulls.classify(said).cause == "pull.timeout"


@pytest.mark.parametrize("text", ['Back-off pulling image "a"', "Error: ErrImagePull", "", "  "])
def test_a_message_that_only_says_that_it_failed_again_is_no_reason(text: str):
    assert not pulls.says_why(text)


@pytest.mark.parametrize(
    ("name", "host", "port", "address"),
    [
        ("acr-layer-store-cut", "weumanaged15.blob.core.windows.net", 443, ""),
        ("mcr-data-refused", "eastus.data.mcr.microsoft.com", 443, "204.79.197.219"),
        ("reset", "stub.k8s.test", 5006, ""),
        ("dns-nxdomain", "nosuch.k8s.test", 443, ""),
        ("qps", "", 0, ""),
    ],
)
def test_the_host_at_which_a_pull_failed_is_the_last_one_that_was_asked(name: str, host: str, port: int, address: str):
    text = next(row["text"] for row in CORPUS if row["name"] == name)
    assert pulls.contact(text) == pulls.Contact(host=host, port=port, address=address)
