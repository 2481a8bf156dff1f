"""The main job as a newcomer meets it: the demo, healthy and broken, interrupted, rendered and judged again."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-P", "-m", "preflight"]


def preflight(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *argv], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("healthy")
    return preflight("demo", "--format", "console,html,json,junit,markdown", "--out", str(out)), out


def load(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())


def test_the_healthy_demo_exits_0_without_fail_unknown_or_blocked(healthy):
    done, out = healthy
    assert done.returncode == 0, done.stdout
    statuses = {verdict["status"] for verdict in load(out)["verdicts"] if verdict["decides"]}
    assert statuses <= {"pass", "skipped"}


def test_the_demo_speaks_from_three_vantages_and_the_agents_spoke_the_protocol(healthy):
    _, out = healthy
    facts = load(out)["vantages"]
    assert [one["vantage"] for one in facts] == ["workstation", "node/demo", "pod/demo"]
    assert all(one["complete"] for one in facts)


def test_every_report_says_first_that_it_shows_the_embedded_azure(healthy):
    done, out = healthy
    assert "embedded Azure" in done.stdout.splitlines()[0]
    assert "embedded Azure" in "\n".join((out / "report.md").read_text().splitlines()[:3])
    body = re.sub(
        r"<style.*?</style>|<[^>]+>", " ", (out / "report.html").read_text().partition("<body")[2], flags=re.DOTALL
    )
    assert "embedded Azure" in body[:600]


def test_files_are_those_that_were_asked_for(healthy):
    _, out = healthy
    assert sorted(path.name for path in out.iterdir()) == ["junit.xml", "report.html", "report.md", "run.json"]


def test_no_secret_of_the_lab_is_in_any_report(healthy):
    from preflight.lab import deployment

    _, out = healthy
    everything = "".join(path.read_text() for path in out.iterdir())
    for name, value in deployment.SECRETS.items():
        if name != "registry_user":
            assert value not in everything, name


def test_judging_a_saved_run_again_gives_the_same_verdicts(healthy, tmp_path):
    _, out = healthy
    done = preflight("judge", str(out / "run.json"), "--format", "json", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert load(tmp_path) == load(out)


def test_a_saved_run_is_rendered_to_stdout_and_nothing_else_is_there(healthy):
    _, out = healthy
    done = preflight("report", str(out / "run.json"), "--format", "json", "--out", "-")
    assert done.returncode == 0
    assert done.stdout == (out / "run.json").read_text()


@pytest.mark.parametrize(
    ("fault", "vantages"),
    [
        ("mcr.layers=tls.reset-after-hello", {"node/demo"}),
        ("storage.blob.resolve=dns.privatelink-public-answer@pod", {"pod/demo"}),
        ("entra.token=entra.unauthorized", {"pod/demo"}),
        ("acr.reach=registry.denied-by-network@node/demo", {"node/demo"}),
    ],
)
def test_a_fault_makes_exit_1_and_its_cause_is_named_where_it_was_put(tmp_path, fault: str, vantages: set[str]):
    done = preflight("demo", "--fault", fault, "--format", "json", "--out", str(tmp_path))
    assert done.returncode == 1, done.stderr
    requirement, cause = fault.partition("@")[0].split("=")
    verdicts = [one for one in load(tmp_path)["verdicts"] if one["decides"] and one["status"] == "fail"]
    found = {one["vantage"] for one in verdicts if (one["requirement"], one["cause"]) == (requirement, cause)}
    assert found == vantages


def test_listed_faults_have_the_published_form():
    done = preflight("demo", "--list-faults")
    lines = done.stdout.splitlines()
    assert len(lines) > 50
    assert all(re.fullmatch(r"[a-z0-9.-]+=[a-z]+\.[a-z0-9-]+", line) for line in lines)
    assert len(set(lines)) == len(lines)
    every = preflight("demo", "--list-faults", "--all").stdout.splitlines()
    assert set(lines) < set(every)


def test_an_unknown_fault_is_exit_2_with_a_suggestion(tmp_path):
    done = preflight("demo", "--fault", "mcr.layer=tls.reset-after-hello", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "mcr.layers" in done.stderr
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_writes_what_was_seen_and_exits_130(tmp_path, number: signal.Signals):
    command = [*COMMAND, "demo", "--fault", "mcr.reach=http.timeout", "--format", "json", "--out", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as child:
        assert child.stderr is not None
        seen = ""
        while "pod/demo: looking at" not in seen or "node/demo: looking at" not in seen:
            seen += child.stderr.readline()
        os.kill(child.pid, number)
        child.communicate(timeout=30)
    assert child.returncode == 130
    report = load(tmp_path)
    assert report["interrupted"] is True
    assert report["exit_code"] == 130
    assert "check.interrupted" in {verdict["cause"] for verdict in report["verdicts"]}
