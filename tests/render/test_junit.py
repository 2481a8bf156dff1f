"""JUnit: red exactly when the gate is, and stable names."""

import xml.etree.ElementTree as ET

import msgspec
import pytest
from builders import runs
from builders.example_runs import EXAMPLES

from preflight.model.vocabulary import ProbeName, Severity, Status
from preflight.render import junit

OF = runs.task(ProbeName.HTTP, "a.example")


def one(status, *, decides=True, severity=Severity.REQUIRED, strict=False, cause="tcp.timeout"):
    check = runs.check("dependency.a", "node/x", OF, title="a answers", decides=decides, severity=severity)
    told = None if status in {Status.PASS, Status.SKIPPED, Status.BLOCKED} else cause
    return runs.run((runs.verdict(check, status, cause=told, reason="because"),), strict=strict)


def inside(run):
    case = ET.fromstring(junit.render(run)).find(".//testcase[@classname='preflight.dependency.a']")
    return [(child.tag, child.get("type"), child.get("message")) for child in case]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (Status.PASS, []),
        (Status.FAIL, [("failure", "tcp.timeout", "tcp.timeout: because")]),
        (Status.UNKNOWN, [("error", "tcp.timeout", "not tested: tcp.timeout: because")]),
        (Status.SKIPPED, [("skipped", None, "skipped: because")]),
        (Status.BLOCKED, [("skipped", None, "blocked: because")]),
        (Status.WAIVED, [("skipped", None, "waived: because")]),
        (Status.WARN, [("system-out", None, None)]),
    ],
)
def test_each_status_has_its_element(status, told):
    assert inside(one(status)) == told


def test_comparison_evidence_is_never_red():
    run = one(Status.FAIL, decides=False)
    assert inside(run) == [("skipped", None, "comparison evidence, does not decide: fail, tcp.timeout: because")]
    suite = ET.fromstring(junit.render(run)).find("testsuite")
    assert suite.get("name").startswith("comparison, does not decide")


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (one(Status.PASS), 0),
        (one(Status.WARN, severity=Severity.RECOMMENDED), 0),
        (one(Status.WARN, severity=Severity.RECOMMENDED, strict=True), 4),
        (one(Status.FAIL), 1),
        (one(Status.UNKNOWN), 3),
        (one(Status.SKIPPED), 3),
        (one(Status.FAIL, decides=False), 3),
        (runs.run(()), 3),
        (msgspec.structs.replace(one(Status.PASS), interrupted=True, exit_code=130), 130),
    ],
)
def test_it_is_red_exactly_when_the_exit_code_is_not_zero(run, code):
    root = ET.fromstring(junit.render(run))
    assert run.exit_code == code
    assert (int(root.get("failures")) + int(root.get("errors")) > 0) is (code != 0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_totals_are_the_sums_of_what_is_there(name):
    root = ET.fromstring(junit.render(EXAMPLES[name]()))
    for key, path in (
        ("tests", "testcase"),
        ("failures", "testcase/failure"),
        ("errors", "testcase/error"),
        ("skipped", "testcase/skipped"),
    ):
        assert int(root.get(key)) == len(root.findall(f"testsuite/{path}"))
        for suite in root:
            assert int(suite.get(key)) == len(suite.findall(path))


def test_names_are_unique_and_stable():
    root = ET.fromstring(junit.render(EXAMPLES["failing"]()))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    assert ("preflight.mcr", "mcr.layers@node/user1: MCR layers can be downloaded") in names
    assert names == [
        (case.get("classname"), case.get("name"))
        for case in ET.fromstring(junit.render(EXAMPLES["failing"]())).iter("testcase")
    ]


def test_hostile_text_leaves_the_document_whole():
    root = ET.fromstring(junit.render(EXAMPLES["hostile"]()))
    assert {element.tag for element in root.iter()} <= {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped", "system-out",
    }  # fmt: skip
    assert "<script>alert(1)</script>" in root.find(".//failure").get("message")
