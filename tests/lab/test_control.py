"""A running lab in a namespace of its own takes faults over a unix socket, from a process outside of it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from preflight.failures import UsageFailure
from preflight.lab.control import Request, ask
from preflight.lab.embedded import Lab
from preflight.lab.faults import parse
from preflight.lab.network import Network, unproducible

DIG = """
import dns.message, dns.query, dns.rcode
answer = dns.query.udp(dns.message.make_query("mcr.microsoft.com", "A"), "203.0.113.53", timeout=2)
print(dns.rcode.to_text(answer.rcode()))
"""


class Served:
    """`preflight lab serve` in a user and network namespace."""

    def __init__(self, folder: Path) -> None:
        self.control = folder / "lab.sock"
        command = f'ip link set lo up && exec "{sys.executable}" -P -m preflight lab serve --assign --control lab.sock'
        self.process = subprocess.Popen(
            ["unshare", "-Urn", "sh", "-c", command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        )  # fmt: skip
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()

    def tell(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "preflight", "lab", *words, "--control", str(self.control)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    def rcode(self) -> str:
        """What the lab's DNS says to a client inside the namespace."""
        inside = ["nsenter", "-t", str(self.process.pid), "-U", "-n", "--preserve-credentials", sys.executable]
        return subprocess.run(
            [*inside, "-c", DIG], capture_output=True, text=True, timeout=30, check=True
        ).stdout.strip()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.fixture
def served(tmp_path):
    lab = Served(tmp_path)
    yield lab
    lab.end()


@pytest.mark.e2e
def test_a_fault_is_made_and_mended_from_outside_the_namespace(served):
    assert "serving" in served.said
    assert served.rcode() == "NOERROR"
    told = served.tell("fault", "mcr.resolve=dns.nxdomain")
    assert (told.returncode, told.stdout) == (0, "mcr.resolve=dns.nxdomain\n")
    assert served.rcode() == "NXDOMAIN"
    more = served.tell("fault", "acr.reach=tcp.refused", "mcr.resolve=dns.nxdomain")
    assert more.stdout.split() == ["mcr.resolve=dns.nxdomain", "acr.reach=tcp.refused"]
    assert (served.tell("clear").stdout, served.rcode()) == ("", "NOERROR")


@pytest.mark.e2e
def test_what_cannot_be_done_is_refused_with_its_reason_and_changes_nothing(served):
    served.tell("fault", "mcr.resolve=dns.nxdomain")
    unknown = served.tell("fault", "mcr.resolve=dns.nxdomian")
    proxied = served.tell("fault", "acr.reach=proxy.denied")
    assert (unknown.returncode, proxied.returncode) == (2, 2)
    assert "did you mean" in unknown.stderr
    assert "needs another preflight.toml" in proxied.stderr
    assert served.rcode() == "NXDOMAIN"


@pytest.mark.e2e
def test_the_socket_is_the_owner_s_alone_and_goes_with_the_lab(served):
    assert served.control.stat().st_mode & 0o077 == 0
    assert served.end() == 0
    assert not served.control.exists()


def bound(path: Path) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX)
    opened.bind(str(path))
    return opened


@pytest.mark.e2e
def test_a_socket_left_by_a_killed_lab_is_replaced_and_a_file_is_not(tmp_path):
    bound(tmp_path / "lab.sock").close()
    first = Served(tmp_path)
    assert "serving" in first.said
    first.end()
    first.control.write_text("mine")
    second = Served(tmp_path)
    assert "cannot listen there" in second.said
    second.process.communicate(timeout=20)
    assert second.process.returncode == 2
    assert first.control.read_text() == "mine"


@pytest.mark.parametrize(
    ("fault", "running", "word"),
    [
        ("acr.reach=proxy.denied", True, "preflight.toml"),
        ("acr.reach=proxy.denied", False, None),
        ("acr.manifest=registry.needs-credentials", True, "preflight.toml"),
        ("acr.resolve=dns.inconsistent", False, "one resolver"),
        ("mcr.reach=route.unreachable", False, "ip route"),
        ("mcr.reach=tcp.refused", True, None),
    ],
)
def test_faults_that_real_addresses_cannot_produce_are_known(fault: str, running: bool, word: str | None):
    why = unproducible(parse(fault), Network(), running=running)
    assert (why is None) if word is None else (word in str(why))
    if why is not None:
        with pytest.raises(UsageFailure, match=fault.partition("=")[0]):
            Lab(network=Network()).check([parse(fault)], running=running)


async def test_nobody_listening_is_said_with_the_path(tmp_path):
    with pytest.raises(UsageFailure, match=r"lab\.sock: no lab answers there.*\n.*lab serve"):
        await ask(tmp_path / "lab.sock", Request())


async def test_an_answer_that_is_no_lab_s_is_named(tmp_path):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n")
        writer.close()

    async with await asyncio.start_unix_server(talk, tmp_path / "web.sock"):
        with pytest.raises(UsageFailure, match="not a lab"):
            await ask(tmp_path / "web.sock", Request())
