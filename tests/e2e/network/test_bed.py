"""The bed itself: it reaches nothing outside, it is quick, and nothing of it outlives a run that was killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bed import shell
from bed.namespaces import command

pytestmark = pytest.mark.e2e

# A run of the bed in namespaces of its own, below the test's: a part, a child, and a child's child in the background.
RUN = """
import json, os, sys, time
from pathlib import Path
from bed import namespaces
from bed.whole import Bed

namespaces.enter()
bed = Bed(Path(sys.argv[1]))
bed.start()
bed.topology.workstation.spawn("sh", "-c", "sleep 600 & sleep 600", log="sleepers")
bed.topology.firewall.spawn("sleep", "600", log="sleeper")
# more
networks = [path.stat().st_ino for path in (Path("/proc/self/ns/net"), *Path("/run/netns").iterdir())]
print(json.dumps(networks), flush=True)
time.sleep(600)
"""

# Every kind of real software at once.
SOFTWARE = """
from contextlib import ExitStack
from bed.parts.actions import ACTIONS

needed = {"gateway": {"address": "10.73.0.90"}}
stack = ExitStack()
for kind, (shape, apply) in ACTIONS.items():
    stack.enter_context(apply(bed, shape(**needed.get(kind, {}))))
"""
PROGRAMS = ("unbound", "dnsmasq", "squid", "basic_ncsa_auth", "mitmdump", "haproxy", "docker-registry", "azurite.js")


def inside(networks: list[int]) -> list[str]:
    """Command lines of the processes in these network namespaces."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "ns/net").stat().st_ino in networks:
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def killed_run(folder: Path, more: str = "") -> tuple[list[str], list[int]]:
    """What ran before a SIGKILL, and where."""
    script = RUN.replace("# more", more)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-P", "-c", script, str(folder)], stdout=subprocess.PIPE, env=environ, text=True
    ) as run:
        networks = json.loads(run.stdout.readline())
        time.sleep(0.2)  # the sleepers become what they are
        before = inside(networks)
        run.send_signal(signal.SIGKILL)
    return before, networks


def left(networks: list[int]) -> list[str]:
    """What still runs there when the kernel has had its time."""
    end = time.monotonic() + 10
    while inside(networks) and time.monotonic() < end:
        time.sleep(0.05)
    return inside(networks)


def test_nothing_outlives_a_run_that_was_killed(tmp_path):
    before, networks = killed_run(tmp_path)
    assert sum("sleep 600" in line for line in before) >= 3, before
    assert left(networks) == []


def test_no_real_software_outlives_a_run_that_was_killed(tmp_path):
    before, networks = killed_run(tmp_path, SOFTWARE)
    assert [program for program in PROGRAMS if not any(program in line for line in before)] == []
    assert left(networks) == []


def test_the_process_that_tests_has_no_way_to_any_network(bed):
    assert command("ip", "route") == ""
    with socket.socket() as sock, pytest.raises(OSError, match="unreachable"):
        sock.connect(("203.0.113.20", 443))


def test_a_reset_takes_everything_back(bed):
    with bed.topology.rules("drop"), bed.azure.six():
        bed.workstation.write_etc("resolv.conf", "nameserver 10.70.0.99\n")
    bed.reset()
    assert "drop" not in bed.topology.firewall.run("nft", "list", "ruleset").stdout
    assert bed.topology.workstation.run("getent", "ahosts", "mcr.microsoft.com").stdout.split()[0] == "203.0.113.20"


def lab_shell(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command_line = [sys.executable, "-P", "-m", "bed.shell", *words]
    return subprocess.run(
        command_line, input=script, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_shell_is_at_the_workstation_with_the_scenario_in_place_and_leaves_nothing():
    script = "stat -L -c %i /proc/self/ns/net\npreflight run --stand-in node,pod --format console --out out\nexit 7\n"
    done = lab_shell(script, "silent-drop-of-mcr-data-host")
    assert done.returncode == 7, done.stderr
    assert "drops connections to MCR's data host" in done.stdout
    assert "Allow TCP 443 from workstation (10.70.0.10)" in done.stdout
    (network,) = (int(line) for line in done.stdout.splitlines() if line.isdigit())
    assert inside([network]) == []


def test_the_shell_takes_a_fault_of_the_lab():
    done = lab_shell("curl -sS --cacert ca.pem https://acrprod.azurecr.io/v2/\n", "acr.reach=tls.reset-after-hello")
    assert "reset by peer" in done.stderr
    assert "fault of the lab: acr.reach=tls.reset-after-hello" in done.stdout


def test_without_a_word_the_shell_lists_the_scenarios(capsys):
    assert shell.main([]) == 0
    assert "silent-drop-of-mcr-data-host" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["no-such-scenario", "mcr.layers=nonsense"])
def test_a_wrong_word_is_said_and_enters_nothing(word, capsys):
    assert shell.main([word]) == 2
    assert word.partition("=")[2] in capsys.readouterr().err
