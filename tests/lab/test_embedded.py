"""The lab as a whole: a complete environment without secrets, nothing leaves the machine, nothing stays behind."""

import socket
import tomllib

import pytest

from preflight import catalogue, environment
from preflight.lab import deployment as at
from preflight.lab.effects import Layer, layer
from preflight.lab.embedded import VANTAGES, Lab
from preflight.lab.faults import FAULTS, Fault
from preflight.lab.sites import NOT_GIVEN, SITES


async def test_the_environment_is_one_that_preflight_reads_with_every_secret_found(azure, tmp_path):
    path = azure.write_environment(tmp_path)
    read = environment.load(path, environ=azure.secrets, clouds=catalogue.load_clouds())
    assert read.main.region == at.REGION
    assert read.api_server_ca_pem == azure.cluster_ca_pem
    secrets = environment.read_secrets(read, azure.secrets)
    assert {name: secret.reveal() for name, secret in secrets.items()} == at.SECRETS


async def test_the_environment_names_secrets_and_holds_none(azure, tmp_path):
    text = azure.write_environment(tmp_path).read_text()
    assert [value for value in at.SECRETS.values() if value in text] == []
    assert set(tomllib.loads(text)["credentials"]) == set(at.SECRETS)


async def test_a_proxy_stands_in_the_environment_only_where_faults_need_one(tmp_path):
    faults = [Fault(requirement="mcr.reach", cause="proxy.denied", vantage="node")]
    async with Lab(faults) as lab:
        proxy = tomllib.loads(lab.write_environment(tmp_path).read_text())["proxy"]
    assert proxy == {"https": f"http://{at.PROXY.name}:{at.PROXY.port}", "vantages": ["node"]}


@pytest.mark.parametrize("cause", NOT_GIVEN)
async def test_what_is_not_given_is_left_out_of_the_environment(tmp_path, cause):
    fault = next(fault for fault in FAULTS if fault.cause == cause)
    async with Lab([fault]) as lab:
        written = tomllib.loads(lab.write_environment(tmp_path).read_text())
    present = {*written["credentials"], *(f"api_server.{key}" for key in written["api_server"])}
    assert not present & set(NOT_GIVEN[cause])


@pytest.mark.parametrize("vantage", VANTAGES)
async def test_every_address_that_a_resolver_can_answer_is_mapped_to_this_machine(client_at, vantage):
    """Whatever is broken, a probe that follows the answers sends no packet to anywhere else."""
    silent = ("dns.timeout", "dns.malformed", "dns.tcp-blocked")
    async with Lab() as lab:
        client = client_at(lab, vantage)
        answered = {(address, host.port) for host in at.HOSTS for address in await client.addresses(host.name)}
        for fault in FAULTS:
            if layer(fault.cause) is Layer.DNS and fault.cause not in silent:
                lab._effects.replace([fault])
                for host in {site.host for site in SITES if site.requirement == fault.requirement}:
                    answered |= {(address, at.BY_NAME[host].port) for address in await client.addresses(host)}
        mapping = lab.mappings[vantage].connect_to
    assert len(answered) > len(at.HOSTS)
    assert {f"{address}:{port}" for address, port in answered} <= set(mapping)
    assert {place.rpartition(":")[0] for place in mapping.values()} == {"127.0.0.1"}


async def test_nothing_listens_any_more_afterwards(node):
    place = await node.place(at.MCR.name)
    await node.lab.__aexit__(None, None, None)
    with socket.socket() as sock:
        assert sock.connect_ex(place) != 0


async def test_a_client_that_says_nothing_does_not_keep_the_lab_from_closing(client_at):
    async with Lab() as lab:
        client = client_at(lab, "node/demo")
        sockets = [socket.create_connection(await client.place(host.name, host.port)) for host in (at.MCR, at.DATABASE)]
    for sock in sockets:
        assert sock.recv(1) == b""
        sock.close()
