"""The lab on real addresses and ports, in a network namespace of its own: nothing is mapped, the names are real."""

import json
import shutil
import subprocess
import sys

import pytest

from preflight.lab.embedded import Network

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
