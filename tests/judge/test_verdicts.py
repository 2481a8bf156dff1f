"""Who fails, who is blocked, what could not be told: the checks that share one staged attempt."""

import pytest
from builders.facts import (
    HOST,
    PUBLIC,
    answer,
    certificate,
    check,
    connection,
    dns,
    evidence,
    hop,
    http,
    observation,
    plan,
    proxied,
    resolved,
    reused,
    tls,
    vantage,
)
from msgspec import UNSET

from preflight.judge import judge
from preflight.judge.outcome import PASS, fail, unknown, warn
from preflight.judge.scene import Scene, moment
from preflight.judge.verdicts import judge_task
from preflight.judge.walk import Tables
from preflight.model.plan import Expect
from preflight.model.vocabulary import Link, ProbeName, Severity, Status

RESOLVE = check("mcr.resolve", "origin.dns")
REACH = check("mcr.reach", "origin.proxy", "origin.tcp", "origin.tls", "origin.http")
MANIFEST = check("mcr.manifest", "token", "manifest")
LAYERS = check("mcr.layers", "layer")
ALL = [RESOLVE, REACH, MANIFEST, LAYERS]
NO_NAME = hop(dns=dns(answer(rcode="NXDOMAIN")), connections=(), http=UNSET)
SILENT = hop(connections=(connection(secure=False, result="timeout"),), http=UNSET)
CUT = hop(connections=(connection(secure=tls("reset")),), http=UNSET)


def tables(answer_with=lambda hop: PASS, missing_with=lambda role: unknown("registry.needs-credentials", role)):
    return Tables(
        answer=dict.fromkeys(ProbeName, lambda _check, hop, _observation: answer_with(hop)),
        missing=dict.fromkeys(ProbeName, lambda _check, role, _observation: missing_with(role)),
    )


def statuses(*hops, checks=ALL, how=None, interrupted=False, **more):
    scene = Scene(observation=observation(*hops, **more), facts=vantage(), now=moment("2026-11-22T10:00:00Z"))
    found = judge_task(list(checks), scene, interrupted=interrupted, tables=how or tables())
    return {
        v.requirement: (v.status.value, v.cause or (v.blocked_by or "").partition("@")[0] or None)
        for v in found.values()
    }


def whole(*last):
    return (hop(), reused("token"), reused("manifest"), *(last or (reused("layer"),)))


def test_everything_fine_is_a_pass_for_each():
    assert statuses(*whole()) == {one.requirement: ("pass", None) for one in ALL}


@pytest.mark.parametrize(
    ("broken", "owner", "cause"),
    [
        (NO_NAME, "mcr.resolve", "dns.nxdomain"),
        (SILENT, "mcr.reach", "tcp.timeout"),
        (CUT, "mcr.reach", "tls.reset-after-hello"),
    ],
)
def test_the_earliest_owner_fails_and_later_ones_are_blocked_by_it(broken, owner, cause):
    found = statuses(broken)
    place = [one.requirement for one in ALL].index(owner)
    for number, one in enumerate(ALL):
        expected = ("pass", None) if number < place else ("fail", cause) if number == place else ("blocked", owner)
        assert found[one.requirement] == expected


def test_a_blocked_verdict_has_no_cause_and_names_the_check():
    scene = Scene(observation=observation(SILENT), facts=vantage(), now=moment("2026-11-22T10:00:00Z"))
    found = judge_task(ALL, scene, tables=tables())[LAYERS.id]
    assert (found.cause, found.owner, found.blocked_by) == (None, None, REACH.id)
    assert "mcr.reach" in found.reason


def test_a_bad_answer_about_the_name_blocks_even_what_went_on():
    expect = Expect(link=Link.PRIVATE)
    checks = [
        check("storage.blob.resolve", "origin.dns", expect=expect),
        check("storage.blob.reach", "origin", expect=expect),
    ]
    assert statuses(hop(), checks=checks) == {
        "storage.blob.resolve": ("fail", "dns.public-when-private-expected"),
        "storage.blob.reach": ("blocked", "storage.blob.resolve"),
    }


def test_redirects_belong_to_the_owner_of_the_answer():
    data = hop(
        role="layer.redirect1",
        url="https://weu.data.mcr.microsoft.com/",
        connections=(connection(secure=tls("reset")),),
        http=UNSET,
    )
    found = statuses(*whole(reused("layer", http=http(307)), data))
    assert found["mcr.layers"] == ("fail", "tls.reset-after-hello")
    assert found["mcr.manifest"] == ("pass", None)


def test_what_is_expected_of_the_targets_address_is_not_expected_of_where_it_redirects_to():
    one = check("acr.layers", "origin", "layer", expect=Expect(link=Link.PRIVATE))
    data = hop(role="layer.redirect1", url="https://weumanaged15.blob.core.windows.net/")
    origin = hop(dns=resolved("10.1.1.5"), connections=(connection("10.1.1.5"),))
    found = statuses(origin, reused("layer", http=http(307)), data, checks=[one])
    assert found["acr.layers"] == ("pass", None)


def test_a_signpost_that_was_followed_is_not_judged_itself():
    judge_by_status = tables(lambda one: PASS if one.http.status == 200 else fail("http.unexpected-status", "x"))
    found = statuses(*whole(reused("layer", http=http(307)), reused("layer.redirect1")), how=judge_by_status)
    assert found["mcr.layers"] == ("pass", None)


def test_a_failure_that_nobody_owns_is_not_lost():
    assert statuses(NO_NAME, checks=[MANIFEST, LAYERS]) == {
        "mcr.manifest": ("fail", "dns.nxdomain"),
        "mcr.layers": ("blocked", "mcr.manifest"),
    }


def test_a_required_check_is_not_hidden_behind_a_recommended_one():
    lax = check("mcr.resolve", "origin.dns", severity=Severity.RECOMMENDED)
    assert statuses(NO_NAME, checks=[lax, REACH]) == {
        "mcr.resolve": ("warn", "dns.nxdomain"),
        "mcr.reach": ("fail", "dns.nxdomain"),
    }


def test_a_deciding_check_is_not_hidden_behind_comparison_evidence():
    informs = check("mcr.resolve", "origin.dns", decides=False)
    assert statuses(NO_NAME, checks=[informs, REACH])["mcr.reach"] == ("fail", "dns.nxdomain")


def test_two_owners_of_one_stage_do_not_both_fail():
    twin = check("mcr.data", "origin")
    assert statuses(SILENT, checks=[REACH, twin])["mcr.data"] == ("blocked", "mcr.reach")


def test_a_step_that_was_never_begun_is_judged_by_its_service():
    found = statuses(hop(), reused("token"), reused("manifest"))
    assert found["mcr.layers"] == ("unknown", "registry.needs-credentials")


def test_a_step_that_was_not_needed_is_not_blocked_by_what_comes_after_it():
    lenient = tables(missing_with=lambda role: PASS)
    data = hop("layer.redirect1", connections=(connection(secure=tls("reset")),), http=UNSET)
    found = statuses(hop(), reused("manifest"), reused("layer", http=http(307)), data, how=lenient)
    assert found["mcr.manifest"] == ("pass", None)
    assert found["mcr.layers"] == ("fail", "tls.reset-after-hello")


def test_unknown_in_a_service_step_does_not_block_what_has_facts():
    unsure = tables(lambda one: unknown("storage.admission-unknown", "x") if one.role == "token" else PASS)
    found = statuses(*whole(), how=unsure)
    assert found["mcr.manifest"] == ("unknown", "storage.admission-unknown")
    assert found["mcr.layers"] == ("pass", None)


def test_a_missing_step_that_fails_blocks_the_next():
    foreign = tables(missing_with=lambda role: fail("registry.no-challenge", role))
    found = statuses(hop(), how=foreign)
    assert found["mcr.manifest"] == ("fail", "registry.no-challenge")
    assert found["mcr.layers"] == ("blocked", "mcr.manifest")


def test_a_name_that_may_not_exist_is_unknown_and_what_needs_it_is_blocked():
    expect = Expect(options={"nxdomain": "telemetry.name-undocumented"})
    checks = [
        check("telemetry.resolve", "origin.dns", expect=expect),
        check("telemetry.reach", "origin.tcp", expect=expect),
    ]
    assert statuses(NO_NAME, checks=checks) == {
        "telemetry.resolve": ("unknown", "telemetry.name-undocumented"),
        "telemetry.reach": ("blocked", "telemetry.resolve"),
    }


def test_a_warning_counts_once_and_blocks_nothing():
    unsure = tables(lambda one: warn("kube.unauthorized", "x") if one.role == "manifest" else PASS)
    found = statuses(*whole(), how=unsure)
    assert found["mcr.manifest"] == ("warn", "kube.unauthorized")
    assert found["mcr.layers"] == ("pass", None)


HALF = hop(connections=(connection(secure=False),), http=UNSET)


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"deadline_hit": True}, "check.deadline"),
        ({"tool_error": "KeyError at preflight.probes.tls:12"}, "preflight.internal"),
        ({"interrupted": True}, "check.interrupted"),
        ({}, "vantage.incomplete"),
    ],
)
def test_what_was_not_reached_is_unknown_with_the_reason(more, cause):
    found = statuses(HALF, **more)
    assert found["mcr.resolve"] == ("pass", None)
    assert {found[name] for name in ("mcr.reach", "mcr.manifest", "mcr.layers")} == {("unknown", cause)}


def test_an_interruption_changes_nothing_of_what_a_probe_had_finished():
    """A step that a probe had no reason to begin is judged as in a run that nobody interrupted."""
    steps = (hop(), reused("manifest"), reused("layer"))  # no token was demanded
    how = tables(missing_with=lambda _role: PASS)
    assert statuses(*steps, how=how, interrupted=True, finished=True) == statuses(*steps, how=how)
    cut = statuses(*steps, how=how, interrupted=True, finished=False)
    assert ("unknown", "check.interrupted") in cut.values()


def test_an_answer_that_the_probe_had_no_time_to_read_does_not_fail():
    """Read it would have facts of its own; a run that nobody interrupted, and facts that are there, are judged."""
    how = tables(answer_with=lambda hop: PASS if hop.service else fail("kube.unexpected-answer", "not as it should be"))
    probe = {"probe": ProbeName.KUBE_API, "checks": [REACH]}
    assert statuses(hop(), how=how, interrupted=True, finished=False, **probe)["mcr.reach"] == (
        "unknown", "check.interrupted",
    )  # fmt: skip
    assert statuses(hop(), how=how, interrupted=True, finished=True, **probe)["mcr.reach"][0] == "fail"
    read = hop(service={"kind": "version"})
    bad = tables(answer_with=lambda _hop: fail("kube.unexpected-answer", "not as it should be"))
    assert statuses(read, how=bad, interrupted=True, finished=False, **probe)["mcr.reach"][0] == "fail"


def test_a_deadline_after_a_failure_changes_nothing():
    assert statuses(SILENT, deadline_hit=True)["mcr.reach"] == ("fail", "tcp.timeout")


def test_an_observation_without_a_single_fact_is_never_a_pass():
    assert set(statuses().values()) == {("unknown", "vantage.incomplete")}


def test_a_check_whose_stages_do_not_apply_is_never_a_pass():
    only_proxy = check("mcr.proxy", "origin.proxy")
    assert statuses(hop(), checks=[only_proxy])["mcr.proxy"] == ("unknown", "vantage.incomplete")


def test_behind_a_proxy_name_and_connection_of_the_target_never_block():
    lost = proxied(dns=dns(answer(rcode="NXDOMAIN")))
    assert statuses(lost, checks=[RESOLVE, REACH]) == {"mcr.resolve": ("pass", None), "mcr.reach": ("pass", None)}


CA_MISSING = {"precondition": "kube.ca-not-given", "expect": Expect(trust="cluster-ca")}


@pytest.mark.parametrize(
    "the_hop",
    [
        hop(
            connections=(connection(secure=tls("unverified", verify_code=20, chain=(certificate("CN=ca"),))),),
            http=UNSET,
        ),
        hop(),
    ],
)
def test_without_the_clusters_ca_the_api_server_is_unknown_and_not_intercepted(the_hop):
    reach = check("api-server.reach", "origin.tcp", "origin.tls", **CA_MISSING)
    assert statuses(the_hop, checks=[reach])["api-server.reach"] == ("unknown", "kube.ca-not-given")


def test_what_fails_before_tls_needs_no_ca_to_be_a_failure():
    reach = check("api-server.reach", "origin.tcp", "origin.tls", **CA_MISSING)
    assert statuses(SILENT, checks=[reach])["api-server.reach"] == ("fail", "tcp.timeout")


def test_the_real_services_judge_a_registry_without_credentials():
    origin = hop(
        url=f"https://{HOST}/v2/",
        http=http(401, headers=(("www-authenticate", f'Bearer realm="https://{HOST}/oauth2/token"'),)),
        service={"challenge": "bearer"},
    )
    checks = [
        check("acr.resolve", "origin.dns"),
        check("acr.reach", "origin.tcp", "origin.tls", "origin.http"),
        check("acr.layers", "layer"),
    ]
    run = judge(evidence(plan(*checks), observation(origin, probe=ProbeName.REGISTRY)))
    assert [v.status for v in run.verdicts] == [Status.PASS, Status.PASS, Status.UNKNOWN]
    assert run.verdicts[2].cause == "registry.needs-credentials"
    assert run.exit_code == 3


def test_the_duration_is_that_of_the_stages_a_check_owns():
    scene = Scene(observation=observation(hop()), facts=vantage(), now=moment("2026-11-22T10:00:00Z"))
    found = judge_task([RESOLVE, REACH], scene, tables=tables())
    assert found[RESOLVE.id].duration_ms == 4.0
    assert found[REACH.id].duration_ms == 2.0 + 12.0 + 15.0


def test_the_place_of_a_failure_names_step_and_stage():
    scene = Scene(
        observation=observation(
            *whole(hop("layer.redirect1", connections=(connection(PUBLIC, secure=tls("closed")),), http=UNSET))
        ),
        facts=vantage(),
        now=moment("2026-11-22T10:00:00Z"),
    )
    assert judge_task(ALL, scene, tables=tables())[LAYERS.id].at == "layer.redirect1.tls"
