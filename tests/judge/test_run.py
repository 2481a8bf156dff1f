"""The whole: what was left out, exit codes, headline, banner, and judging again."""

import pytest
from builders.facts import (
    CORPORATE,
    answer,
    certificate,
    change,
    check,
    connection,
    dns,
    evidence,
    hop,
    http,
    observation,
    plan,
    tls,
    vantage,
)
from msgspec import UNSET

from preflight.judge import evidence_of, exit_code, judge
from preflight.model.plan import Expect, LeftOut
from preflight.model.vocabulary import Phase, Severity, Status

GOOD = hop()
SILENT = hop(connections=(connection(secure=False, result="timeout"),), http=UNSET)
HALF = hop(connections=(), http=UNSET)
EXPIRED_AAAA = hop(dns=dns(answer("20.60.1.4"), answer(rtype="AAAA", rcode="SERVFAIL")))


def left_out(requirement, status="skipped", phase=Phase.MODEL_DEPLOY, **more):
    base = {"title": requirement, "severity": Severity.REQUIRED, "reason": "vantage left out"}
    return LeftOut(requirement=requirement, phase=phase, status=status, **(base | more))


def run_of(the_hop, *, at="node/user1", severity=Severity.REQUIRED, decides=True, omitted=(), **more):
    one = check(at=at, severity=severity, decides=decides)
    return judge(evidence(plan(one, left_out=omitted), observation(the_hop, at=at), **more))


@pytest.mark.parametrize(
    ("the_hop", "more", "code"),
    [
        pytest.param(GOOD, {}, 0, id="all pass"),
        pytest.param(SILENT, {}, 1, id="a required check fails"),
        pytest.param(HALF, {}, 3, id="a required check is unknown"),
        pytest.param(SILENT, {"interrupted": True}, 130, id="interrupted outweighs failure"),
        pytest.param(SILENT, {"severity": Severity.RECOMMENDED}, 0, id="a recommended check fails"),
        pytest.param(SILENT, {"severity": Severity.RECOMMENDED, "strict": True}, 4, id="and with --strict"),
        pytest.param(SILENT, {"strict": True}, 1, id="failure outweighs strict"),
        pytest.param(HALF, {"severity": Severity.RECOMMENDED}, 0, id="a recommended check is unknown"),
        pytest.param(EXPIRED_AAAA, {"strict": True}, 4, id="a reservation with --strict"),
        pytest.param(EXPIRED_AAAA, {}, 0, id="a reservation"),
        pytest.param(SILENT, {"decides": False}, 3, id="nothing that was tested decides"),
        pytest.param(
            GOOD, {"omitted": (left_out("x.y", "unknown", cause="vantage.not-run"),)}, 3, id="a vantage could not run"
        ),
        pytest.param(GOOD, {"omitted": (left_out("x.y"),)}, 0, id="a vantage left out by choice"),
        pytest.param(
            SILENT,
            {"omitted": (left_out("x.y", "unknown", cause="vantage.not-run"),)},
            1,
            id="failure outweighs unknown",
        ),
    ],
)
def test_the_exit_code_follows_the_fixed_order(the_hop, more, code):
    assert run_of(the_hop, **more).exit_code == code


def test_nothing_checked_and_everything_skipped_are_never_success():
    assert exit_code(()) == 3
    assert judge(evidence(plan(left_out=(left_out("mcr.resolve"),), vantages=("workstation",)))).exit_code == 3


def test_a_waived_verdict_counts_as_passed_and_a_blocked_one_as_its_blocker():
    failing, passing = run_of(SILENT).verdicts[0], run_of(GOOD).verdicts[0]
    blocked = change(failing, check="b", status=Status.BLOCKED, cause=None, blocked_by=failing.check)
    assert exit_code((change(failing, status=Status.WAIVED), passing)) == 0
    assert exit_code((change(failing, status=Status.WAIVED), blocked)) == 0
    assert exit_code((failing, blocked)) == 1
    assert exit_code((passing, blocked)) == 0
    assert exit_code((change(blocked, blocked_by="nowhere"),)) == 3


def test_comparison_evidence_is_shown_and_never_counted():
    run = run_of(SILENT, decides=False)
    assert [v.status for v in run.verdicts] == [Status.FAIL]
    assert sum(run.counts.values()) == 0
    assert run.findings == ()


def test_all_seven_statuses_are_counted():
    assert set(run_of(GOOD).counts) == {status.value for status in Status}


def test_what_was_left_out_stands_where_its_requirement_stands():
    checks = [check(name) for name in ("api-server.resolve", "mcr.resolve", "storage.blob.resolve")]
    omitted = (
        left_out("mcr.resolve", vantage="pod"),
        left_out("mcr.layers"),
        left_out("canary.score", phase=Phase.CANARY),
    )
    run = judge(evidence(plan(*checks, left_out=omitted), observation(GOOD)))
    assert [(v.requirement, v.status.value) for v in run.verdicts] == [
        ("api-server.resolve", "pass"),
        ("mcr.resolve", "pass"),
        ("mcr.resolve", "skipped"),
        ("mcr.layers", "skipped"),
        ("storage.blob.resolve", "pass"),
        ("canary.score", "skipped"),
    ]


def test_left_out_requirements_have_ids_of_their_own_and_their_reason():
    omitted = (left_out("mcr.resolve", vantage="node"), left_out("mcr.resolve", vantage="node"), left_out("x.y"))
    run = judge(evidence(plan(left_out=omitted, vantages=())))
    assert [v.check for v in run.verdicts] == ["mcr.resolve@node", "mcr.resolve@node#2", "x.y"]
    assert {v.reason for v in run.verdicts} == {"vantage left out"}


@pytest.mark.parametrize(
    ("facts", "more", "cause"),
    [
        ((), {}, "vantage.not-run"),
        ((vantage(complete=False),), {}, "vantage.incomplete"),
        ((vantage(),), {"interrupted": True}, "check.interrupted"),
        ((vantage(complete=False, error="the agent ended", error_cause="vantage.not-run"),), {}, "vantage.not-run"),
        ((vantage(complete=False, error="?", error_cause="future.cause"),), {}, "vantage.incomplete"),
    ],
)
def test_a_planned_check_without_observation_is_unknown_with_a_cause(facts, more, cause):
    run = judge(evidence(plan(check()), facts=facts, **more))
    assert [(v.status, v.cause) for v in run.verdicts] == [(Status.UNKNOWN, cause)]


def test_the_headline_says_that_nothing_is_proven_for_places_left_out():
    run = run_of(GOOD, at="workstation", omitted=(left_out("mcr.resolve", vantage="node"),))
    assert run.headline == "Ready: the one requirement tested holds. Nothing is proven for nodes and pods: left out."


@pytest.mark.parametrize(
    ("the_hop", "more", "beginning"),
    [
        (SILENT, {}, "Not ready: 1 requirement fails."),
        (HALF, {}, "Not proven: 1 requirement could not be tested"),
        (GOOD, {"interrupted": True}, "Interrupted: this report is partial."),
        (EXPIRED_AAAA, {}, "Ready: the one requirement tested holds; 1 requirement warns."),
        (GOOD, {"decides": False}, "Nothing was tested that decides."),
    ],
)
def test_the_headline_gives_the_verdict_first(the_hop, more, beginning):
    assert run_of(the_hop, **more).headline.startswith(beginning)


def test_a_stand_in_is_the_first_line_and_proves_for_whom_it_stands():
    one = check(at="workstation")
    the_plan = plan(one, stand_in=("node", "pod"))
    run = judge(evidence(the_plan, observation(GOOD, at="workstation"), banner="Embedded Azure."))
    assert run.banner.startswith("Embedded Azure. The workstation stands in for nodes and pods")
    assert "Nothing is proven" not in run.headline
    assert judge(evidence_of(run)).banner == run.banner


def test_judging_a_saved_run_again_gives_the_same_run():
    run = run_of(SILENT, strict=True, banner="b", notices=("n",))
    assert judge(evidence_of(run)) == run
    assert evidence_of(run, strict=False).strict is False


@pytest.mark.parametrize(
    ("services", "causes"),
    [
        (["mcr.microsoft.com", "acrprod.azurecr.io"], ["tls.intercepted", "tls.intercepted", "tls.intercepted"]),
        (["mcr.microsoft.com"], ["tls.intercepted", "tls.untrusted"]),
    ],
    ids=["several services show it", "one service shows it"],
)
def test_who_stands_in_for_several_services_stands_in_for_a_dependency_too(services, causes):
    checks, seen = [], []
    for host in (*services, "features.contoso.com"):
        expect = Expect(issuers=("Microsoft Azure",)) if host in services else Expect(catalogue_name=False)
        forged = tls("unverified", host, verify_code=20, chain=(certificate(CORPORATE, sans=(host,)),))
        checks.append(check(f"{host.partition('.')[0]}.reach", expect=expect, task=host, target=f"{host}:443"))
        the_hop = hop(url=f"https://{host}/", connections=(connection(secure=forged),), http=UNSET)
        seen.append(observation(the_hop, task=host, target=f"{host}:443"))
    run = judge(evidence(plan(*checks), *seen))
    assert sorted(verdict.cause for verdict in run.verdicts) == sorted(causes)


def test_of_many_wrong_clocks_the_first_are_told():
    names = [f"node/p{at}" for at in range(9)]
    late = {"headers": (("date", "Sun, 22 Nov 2026 14:00:00 GMT"),)}
    hosts = [f"h{at}.example.com" for at in range(3)]
    checks = [check(f"dependency.{host}", at=name, task=host) for name in names for host in hosts]
    seen = [
        observation(hop(url=f"https://{host}/", http=http(**late)), at=name, task=host)
        for name in names
        for host in hosts
    ]
    told = [notice for notice in judge(evidence(plan(*checks), *seen)).notices if "clock" in notice]
    assert len(told) == 7
    assert told[-1] == "and 3 more clocks are wrong"
