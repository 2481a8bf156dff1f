"""The lab on real addresses and ports, in a network namespace of its own: nothing is mapped, the names are real."""

import json
import shutil
import subprocess
import sys

import pytest

from preflight.failures import UsageFailure
from preflight.lab import deployment as at
from preflight.lab.embedded import Network
from preflight.lab.faults import parse
from preflight.lab.network import network as network_of
from preflight.lab.network import unproducible

# Runs inside `unshare`: the interface is brought up, the lab serves, and a client that knows nothing of it asks.
INSIDE = """
import asyncio, json, ssl, sys
import dns.asyncquery, dns.message
from pathlib import Path
from preflight.lab.embedded import Lab, Network
from preflight.lab.faults import parse

async def look(name, lab):
    query = dns.message.make_query(name, "A")
    answer = await dns.asyncquery.udp(query, "203.0.113.53", port=53, timeout=2, source=SOURCE)
    address = str(answer.answer[-1][0])
    context = ssl.create_default_context(cafile="ca.pem")
    reader, writer = await asyncio.open_connection(
        address, 443, ssl=context, server_hostname=name, local_addr=(SOURCE, 0)
    )
    writer.write(f"GET /v2/ HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
    status = int((await reader.readline()).split()[1])
    writer.transport.abort()
    return address, status

SOURCE = "10.70.0.10"

async def main():
    network = Network(assign=True, cidrs=(*Network().cidrs, "10.70.0.0/24"), views={"10.70.0.0/24": "node/demo"})
    async with Lab([parse("acr.reach=registry.denied-by-network@node")], network=network) as lab:
        text = lab.write_environment(Path(".")).read_text()
        first = await look("acrprod.azurecr.io", lab)
        await lab.replace([])
        print(json.dumps([first, await look("acrprod.azurecr.io", lab), "[mapping]" in text, lab.mappings]))

asyncio.run(main())
"""


def test_the_view_follows_the_client_s_network():
    network = Network(views={"10.71.0.0/24": "node/demo", "10.72.0.0/24": "workstation"})
    assert [network.vantage(client) for client in ("10.71.0.9", "10.72.0.9", "10.99.0.1")] == [
        "node/demo",
        "workstation",
        "pod/demo",
    ]


@pytest.mark.e2e
def test_real_names_on_port_443_in_a_namespace(tmp_path):
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    assert unshare, "util-linux is missing"
    assert ip, "iproute2 is missing"
    script = tmp_path / "inside.py"
    script.write_text(INSIDE)
    run = subprocess.run(
        [unshare, "-Urn", "sh", "-c", f"{ip} link set lo up && exec {sys.executable} -W error {script}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.stderr == ""
    assert run.stdout == '[["10.73.0.30", 403], ["10.73.0.30", 401], false, {}]\n'


ENGINE = """
import asyncio, os, sys
from pathlib import Path
from preflight.lab.embedded import Lab, Network

async def main():
    async with Lab(network=Network(assign=True)) as lab:
        path = lab.write_environment(Path("."))
        plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        command = ("-m", "preflight", "run", "--config", str(path), "--vantage=workstation", "--stand-in=node,pod")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, "--format", "json", "--out", "out", env={**plain, **lab.secrets}
        )
        print(await process.wait())

asyncio.run(main())
"""


@pytest.mark.e2e
def test_the_unmodified_engine_finds_everything_well_behind_the_system_resolver(tmp_path):
    script, resolv = tmp_path / "engine.py", tmp_path / "resolv.conf"
    script.write_text(ENGINE)
    resolv.write_text(f"nameserver {Network().dns}\n")
    inside = f"ip link set lo up && mount --bind {resolv} /etc/resolv.conf && exec {sys.executable} {script}"
    run = subprocess.run(
        ["unshare", "-Urnm", "sh", "-c", inside],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.stdout == "0\n", run.stderr
    finished = json.loads((tmp_path / "out" / "run.json").read_text())
    assert finished["plan"]["stand_in"] == ["node", "pod"]
    assert finished["vantages"][0]["resolver"]["nameservers"] == [f"{Network().dns}:53"]
    assert {verdict["status"] for verdict in finished["verdicts"]} == {"pass", "skipped"}


def test_a_range_of_one_s_own_gets_every_host_an_address_there():
    network = Network(cidrs=("10.252.0.64/26",), dns="10.252.0.53")
    moved = [address for host in at.HOSTS for address in network.moved(host).addresses]
    assert len(set(moved)) == len({address for host in at.HOSTS for address in host.addresses})
    assert {address.rpartition(".")[0] for address in moved} == {"10.252.0"}
    assert network.private
    assert not Network().moves


def test_a_range_that_is_too_small_is_refused():
    with pytest.raises(UsageFailure, match="holds 4 addresses"):
        _ = Network(cidrs=("10.252.0.64/30",)).moves


def test_the_dns_server_s_address_is_nobody_else_s():
    network = Network(cidrs=("10.252.0.0/24",), dns="10.252.0.5")
    assert "10.252.0.5" not in network.moves.values()


def test_views_name_the_vantages_and_the_pools():
    made = network_of(
        ["10.252.0.64/26"],
        "10.252.0.53",
        ["10.0.1.0/24=node/a", "10.0.2.0/24=pod/a", "10.0.0.0/24=workstation"],
        assign=False,
    )
    assert made.vantages == ("node/a", "pod/a", "workstation")
    assert made.vantage("10.0.2.9") == "pod/a"
    assert made.vantage("10.9.9.9") == "workstation"
    assert parse("mcr.reach=tls.closed@pod/a", made.vantages).vantage == "pod/a"
    with pytest.raises(UsageFailure, match="pod/b"):
        parse("mcr.reach=tls.closed@pod/b", made.vantages)


@pytest.mark.parametrize(
    ("cidrs", "dns", "views"),
    [
        (["nonsense"], None, []),
        ([], "x", []),
        ([], None, ["10.0.0.0/24"]),
        ([], None, ["10.0.0.0/24=moon/a"]),
        ([], None, ["x=pod/a"]),
    ],
)
def test_words_that_are_no_network_are_refused(cidrs: list[str], dns: str | None, views: list[str]):
    with pytest.raises(UsageFailure, match=r"--(network|dns|view)"):
        network_of(cidrs, dns, views, assign=False)


def test_public_answers_cannot_be_played_where_everything_is_private():
    private = Network(cidrs=("10.252.0.64/26",))
    fault = parse("storage.blob.resolve=dns.privatelink-public-answer")
    assert unproducible(fault, Network(), running=False) is None
    assert "private" in str(unproducible(fault, private, running=False))
