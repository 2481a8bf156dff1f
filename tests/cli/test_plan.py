"""`preflight plan`: what a firewall team reads. Golden files show it; nothing is sent."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from preflight import catalogue
from preflight.cli import load, plan_text
from preflight.cli.options import Selection
from preflight.failures import UsageFailure
from preflight.model.plan import Check, Expect, Plan, Target, Task
from preflight.model.vocabulary import Phase, ProbeName, Severity, VantageKind

GOLDEN = Path(__file__).parent / "golden"
CONFIG = GOLDEN / "preflight.toml"
_VERSION = re.compile(r"20\d\d\.\d\d\+[0-9a-f]{8}")


@pytest.mark.parametrize(
    ("wanted", "file"), [("table", "plan.txt"), ("json", "plan.json"), ("csv", "plan.csv"), ("markdown", "plan.md")]
)
def test_every_format_looks_as_its_golden_file(preflight, wanted, file):
    code, out, _ = preflight("plan", "--config", str(CONFIG), "--format", wanted)
    assert code == 0
    assert _VERSION.sub("VERSION", out) == (GOLDEN / file).read_bytes().decode()


def test_the_table_fits_a_terminal(preflight):
    _, out, _ = preflight("plan", "--config", str(CONFIG))
    assert max(map(len, out.splitlines())) <= 80


def test_a_firewall_team_gets_one_line_per_connection(preflight):
    _, out, _ = preflight("plan", "--config", str(CONFIG), "--format", "csv", "--vantage", "node")
    lines = list(csv.DictReader(io.StringIO(out)))
    needed = [line for line in lines if line["needed"] == "yes"]
    assert {line["vantage"] for line in lines} == {"node/system", "node/user1"}
    assert len(
        {(line["vantage"], line["host"], line["port"], line["protocol"], line["second_hop"]) for line in lines}
    ) == len(lines)
    assert {"mcr.microsoft.com", "*.data.mcr.microsoft.com", "acrprod.northeurope.data.azurecr.io"} <= {
        one["host"] for one in needed
    }
    assert not any(line["host"] == "stmlprod.table.core.windows.net" for line in needed), "a node needs no tables"


def _plan(why: str, host: str = "a.test") -> Plan:
    task = Task(key="k", probe=ProbeName.HTTP, target=Target(scheme="https", host=host, port=443))
    check = Check(
        id="own@node", requirement="own", title=why, phase=Phase.SERVE, severity=Severity.REQUIRED, vantage="node",
        target=f"{host}:443", task="k", judges=("origin",), decides=True, expect=Expect(), breaks=why,
    )  # fmt: skip
    return Plan(catalogue_version="1", vantages=("node",), tasks=(task,), runs={"node": ("k",)}, checks=(check,))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
@pytest.mark.parametrize("space", ["", " ", "\t", "\r", "\n", "\u00a0"])
def test_no_cell_is_a_formula_to_a_spreadsheet(start, space):
    out = plan_text.as_csv(_plan(f"{space}{start}HYPERLINK(1)"), "x")
    (line,) = csv.DictReader(io.StringIO(out, newline=""))
    assert line["why"] == f"'{start}HYPERLINK(1)"


def test_markdown_takes_nothing_literally_that_came_from_a_file():
    out = plan_text.as_markdown(_plan("a | b <script>\n# x"), "x")
    assert r"a \| b \<script\> \# x |" in out


def test_json_says_what_is_left_out_and_why(preflight):
    _, out, _ = preflight("plan", "--config", str(CONFIG), "--format", "json", "--only", "acr.*")
    told = json.loads(out)
    assert {connection["host"].partition(".")[0] for connection in told["connections"]} == {"acrprod"}
    assert {entry["requirement"]: entry["reason"] for entry in told["left_out"]}[
        "mcr.reach"
    ] == "not among those chosen with --only"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--only", "mrc.*"], "did you mean mcr"),
        (["--vantage", "nodes"], "did you mean node?"),
        (["--vantage", ","], "names no vantage"),
        (["--stand-in", "workstation"], "allowed: node, pod"),
        (["--stand-in", "node", "--vantage", "pod"], "--stand-in needs the workstation"),
        (["--set", "environment.region"], "is not TABLE.KEY=VALUE"),
        (["--set", "environment.region=West Europe"], "--set environment.region: "),
        (["--set", "proxy.https=http://user:hunter2@proxy:1"], "holds credentials"),
        (["--config", "none.toml"], "preflight init"),
        (["--checks", "none"], "no such folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_exits_2(preflight, argv, said):
    code, out, err = preflight("plan", "--config", str(CONFIG), *argv)
    assert code == 2
    assert out == ""
    assert said in err
    assert "hunter2" not in err
    assert "Traceback" not in err


# -- the glue that `run` uses as well


def test_by_default_node_and_pod_decide_and_cannot_run_here():
    found = load.choose_vantages(None)
    assert found.names == ("workstation",)
    assert found.left_out == {}
    assert {kind: cause for kind, (cause, _) in found.unavailable.items()} == {
        "node": "vantage.not-run",
        "pod": "vantage.not-run",
    }


def test_what_is_not_chosen_is_left_out_by_choice():
    found = load.choose_vantages("workstation")
    assert found.unavailable == {}
    assert found.left_out == {VantageKind.NODE: "vantage left out", VantageKind.POD: "vantage left out"}


def test_a_run_without_the_workstation_cannot_start_here():
    catalogue, env = load.everything(CONFIG, (), (), {})
    with pytest.raises(UsageFailure, match="--vantage workstation,node"):
        load.plan(catalogue, env, Selection(vantage="node"))


def test_a_stand_in_decides_for_what_was_left_out_by_choice():
    catalogue, env = load.everything(CONFIG, (), (), {})
    built = load.plan(catalogue, env, Selection(vantage="workstation", stand_in="node,pod"))
    assert all(check.decides for check in built.checks)
    assert not [entry for entry in built.left_out if entry.status == "unknown"]


def test_a_later_set_wins():
    _, env = load.everything(CONFIG, (), ("environment.region=one", "environment.region=two"), {})
    assert env.main.region == "two"


def test_by_step_says_what_of_each_documented_step_is_proven_and_what_is_not(preflight):
    code, out, _ = preflight("plan", "--config", CONFIG, "--by-step")
    steps = re.split(r"\n\n(?=\d  )", out)[1:]
    assert code == 0
    assert [step.splitlines()[0][:1] for step in steps] == list("12345678")
    assert all("not proven" in step for step in steps)
    assert "proves     nothing" in steps[4]
    assert "compares" in steps[0]
    assert "proves" not in steps[0].replace("not proven", "")
    assert "dependency.features" in steps[5]
    assert "left out   entra.token" in steps[5]
    assert max(map(len, out.splitlines())) <= 80


def test_every_requirement_but_the_endpoint_and_the_router_s_own_belongs_to_a_step():
    known = {one.id for one in catalogue.load().requirements}
    told = {requirement for step in catalogue.load_steps(known) for requirement in step.requirements}
    assert {one.partition(".")[0] for one in known - told} <= {"dependency", "endpoint", "router", "workspace"}


def test_steps_are_text_for_people(preflight):
    code, _, err = preflight("plan", "--config", CONFIG, "--by-step", "--format", "csv")
    assert (code, "--format csv" in err) == (2, True)
