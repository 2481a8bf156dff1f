"""The node's certificates beside the probe's own: what only the node trusts is named, and nothing is trusted by it."""

from pathlib import Path

import pytest
from probes_shared import facts, plan
from servers.certs import Authority

from preflight.probes import local, node_store, trust

BROKEN = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "certs"
    made.mkdir()
    return made


def own() -> str:
    import ssl

    return "".join(ssl.DER_cert_to_PEM_cert(one) for one in sorted(trust.own())[:5])


@pytest.mark.parametrize("name", ["ca-certificates.crt", "ca-bundle.crt", "corp.pem"])
def test_an_authority_that_only_the_node_has_is_named(folder: Path, name: str):
    (folder / name).write_text(own() + Authority("Corp Inspection CA").pem)
    told = node_store.told(facts(), folder)
    assert told.node_roots == ("CN=Corp Inspection CA",)
    assert told.node_trust.startswith("6 certificates, 1 of them not in the probe's store")


def test_without_the_folder_nothing_is_said(folder: Path):
    assert node_store.told(facts(), None) == facts()


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe not a certificate", BROKEN])
def test_a_folder_that_cannot_be_read_is_a_notice_and_no_failure(folder: Path, content: bytes | None):
    if content is not None:
        (folder / "ca-certificates.crt").write_bytes(content)
    told = node_store.told(facts(), folder)
    assert (told.node_trust, told.node_roots) == ("", ())
    assert "no certificate can be read" in told.notices[-1]


def test_a_link_that_leads_out_of_the_mount_is_a_notice(folder: Path):
    (folder / "ca-bundle.crt").symlink_to("/etc/pki/nowhere/tls-ca-bundle.pem")
    assert node_store.told(facts(), folder).notices


def test_many_authorities_are_cut(folder: Path):
    (folder / "ca-certificates.crt").write_text("".join(Authority(f"CA {number}").pem for number in range(60)))
    assert len(node_store.told(facts(), folder).node_roots) == 40


def test_the_place_itself_is_looked_at_as_before():
    assert node_store.told(local.look(plan()), None).trust
