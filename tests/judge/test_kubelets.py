"""A node's own pull beside its probe: one root cause, one finding, and the pull decides."""

import pytest
from builders.facts import (
    CORPORATE,
    STARTED,
    certificate,
    check,
    connection,
    evidence,
    hop,
    http,
    observation,
    plan,
    resolved,
    reused,
    task,
    tls,
    vantage,
)
from msgspec import UNSET
from msgspec.structs import replace

from preflight.judge import evidence_of, judge
from preflight.model.observation import Hop
from preflight.model.plan import Expect
from preflight.model.vocabulary import Owner, ProbeName, Severity, Status

ACR, AT, NODE = "acrprod.azurecr.io", "node/user1", "aks-user1-0"
URL = f"https://{ACR}/v2/"
SAID = 'Failed to pull image "acrprod.azurecr.io/ml/model:v3": failed to resolve reference: failed to do request: Head "https://acrprod.azurecr.io/v2/ml/model/manifests/v3": '
EXPECT = Expect(issuers=("Microsoft",), statuses=((200, 206), (401, 401)))
BEARER = {"challenge": "bearer", "realm": "own"}
INSPECTED = connection(secure=tls("unverified", name=ACR, verify_code=20, chain=(certificate(CORPORATE, sans=(ACR,)),)))
SILENT = connection(secure=False, result="timeout")


def at_registry(**more) -> Hop:
    base = {"dns": resolved(name=ACR), "connections": (connection(secure=tls(name=ACR)),), "service": BEARER}
    return hop("origin", URL, **(base | {"http": http(401)} | more))


READ = (
    at_registry(),
    reused("token", URL, service={"token": "given", "auth": "basic"}),
    reused("manifest", URL, service={"manifest": "image", "layers": "1", "auth": "bearer"}),
    reused("layer", URL, service={"digest": "verified", "layer_bytes": "600", "auth": "bearer"}),
)
CUT = (at_registry(connections=(SILENT,), http=UNSET, service={}),)
FOREIGN = (at_registry(connections=(INSPECTED,), http=UNSET, service={}),)
PROBES = {
    "acr.resolve": ("origin.dns",),
    "acr.reach": ("origin.proxy", "origin.tcp", "origin.tls", "origin.http"),
    "acr.manifest": ("token", "manifest"),
    "acr.layers": ("layer",),
}


def pulled(result="pulled", said="", **facts) -> Hop:
    service = {"image": f"{ACR}/ml/model:v3", "node": NODE, "result": result, "login": "as the kubelet itself"}
    service |= {"message": said} if said else {}
    return Hop(
        role="pull",
        url=f"https://{ACR}/ml/model:v3",
        started=STARTED,
        at_ms=0.0,
        duration_ms=9.0,
        service=service | facts,
    )


def run(probe: tuple[Hop, ...], pull: Hop, *, node=NODE, expect=EXPECT, others=(), hops=()):
    target = f"{ACR}:443"
    checks = [check(name, *judges, target=target, task="acr", expect=expect) for name, judges in PROBES.items()]
    checks += [check("acr.pull", "pull", target=target, task="pull")]
    checks += [check("acr.pull-layers", "content", target=target, task="pull", severity=Severity.RECOMMENDED)]
    made = plan(*checks, *others)
    tasks = (task("acr", ProbeName.REGISTRY, ACR), task("pull", ProbeName.PULL, ACR), *made.tasks[2:])
    return judge(
        evidence(
            replace(made, tasks=tasks),
            observation(*probe, task="acr", probe=ProbeName.REGISTRY, target=target, finished=True),
            observation(pull, task="pull", probe=ProbeName.PULL, target=target, finished=True),
            *hops,
            facts=(vantage(AT, place=f"node {node}, pool user1, image probe:1"),),
        )
    )


def statuses(done) -> dict[str, tuple[str, str | None]]:
    return {one.requirement: (one.status.value, one.cause) for one in done.verdicts}


def test_a_pull_with_a_fresh_layer_proves_manifest_and_layers():
    done = run(READ, pulled(fresh="yes", seconds="1.9"))
    assert set(statuses(done).values()) == {("pass", None)}
    assert (done.exit_code, done.findings) == (0, ())


def test_without_a_fresh_layer_layers_are_unknown_cached_and_the_run_still_passes():
    done = run(READ, pulled())
    assert statuses(done)["acr.pull"] == ("pass", None)
    assert statuses(done)["acr.pull-layers"] == ("unknown", "pull.cached")
    assert done.exit_code == 0
    assert "--push-nonce" in done.findings[0].title


def test_what_could_not_be_pushed_is_told():
    done = run(READ, pulled(not_pushed="the layer: HTTP 403 DENIED"))
    assert statuses(done)["acr.pull-layers"] == ("unknown", "pull.not-pushed")
    assert "HTTP 403 DENIED" in done.findings[0].why[0]


OWN = [
    ("dial tcp 20.60.1.4:443: i/o timeout", "pull.runtime-differs", Owner.PLATFORM),
    ("dial tcp: lookup acrprod.azurecr.io on 10.0.0.9:53: no such host", "pull.runtime-differs", Owner.PLATFORM),
    ("proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused", "pull.proxy-failing", Owner.NETWORK),
    (
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "pull.untrusted",
        Owner.PLATFORM,
    ),
    ("pull access denied, repository does not exist or may require authorization", "pull.unauthorized", Owner.IDENTITY),
]


@pytest.mark.parametrize(("said", "cause", "owner"), OWN)
def test_a_pull_that_fails_where_the_probe_reads_everything_is_containerd_s_own(said: str, cause: str, owner: Owner):
    done = run(READ, pulled("failed", SAID + said))
    assert statuses(done)["acr.pull"] == ("fail", cause)
    assert statuses(done)["acr.pull-layers"][0] == "blocked"
    assert [(one.cause, one.owner) for one in done.findings] == [(cause, owner)]
    assert "the probe reads manifest and layer" in done.findings[0].why[0]


def test_a_pull_on_another_node_than_the_probe_s_says_nothing_of_containerd():
    done = run(READ, pulled("failed", f"{SAID}dial tcp 20.60.1.4:443: i/o timeout"), node="aks-user1-7")
    assert statuses(done)["acr.pull"] == ("fail", "pull.timeout")
    assert "from aks-user1-7" in done.findings[0].why[0]


def test_what_stops_probe_and_pull_alike_is_one_finding():
    done = run(CUT, pulled("failed", f"{SAID}dial tcp 20.60.1.4:443: i/o timeout"))
    assert statuses(done)["acr.pull"] == ("blocked", None)
    assert [one.cause for one in done.findings] == ["tcp.timeout"]
    pulls = {"acr.pull@node/user1", "acr.pull-layers@node/user1"}
    assert {"acr.reach@node/user1", *pulls} <= set(done.findings[0].checks)
    assert {one.blocked_by for one in done.verdicts if one.check in pulls} == {"acr.reach@node/user1"}


def test_a_foreign_issuer_that_the_node_does_not_trust_either_is_one_finding():
    done = run(FOREIGN, pulled("failed", f"{SAID}x509: certificate signed by unknown authority"))
    assert [one.cause for one in done.findings] == ["tls.intercepted"]
    assert done.exit_code == 1


def test_at_a_node_that_trusts_a_foreign_issuer_the_pull_decides():
    done = run(FOREIGN, pulled(fresh="yes"))
    assert statuses(done)["acr.reach"] == ("warn", "tls.intercepted")
    assert {statuses(done)[name][0] for name in ("acr.manifest", "acr.layers")} == {"warn"}
    assert done.exit_code == 0


def test_a_pull_without_a_fresh_layer_vouches_for_the_manifest_only():
    done = run(FOREIGN, pulled())
    assert statuses(done)["acr.manifest"] == ("warn", "tls.intercepted")
    assert statuses(done)["acr.layers"] == ("unknown", "tls.intercepted")
    assert done.exit_code == 3


def test_the_same_issuer_elsewhere_at_the_node_is_a_reservation_too_and_what_it_hides_is_unknown():
    reach = check("storage.blob.reach", "origin.dns", "origin.tcp", "origin.tls", task="blob", expect=EXPECT)
    read = check("storage.blob.read", "origin.http", task="blob", expect=EXPECT)
    seen = observation(hop(connections=(INSPECTED,), http=UNSET), task="blob", finished=True)
    done = run(FOREIGN, pulled(fresh="yes"), others=(reach, read), hops=(seen,))
    assert statuses(done)["storage.blob.reach"] == ("warn", "tls.intercepted")
    assert statuses(done)["storage.blob.read"] == ("unknown", "tls.intercepted")


def test_a_pull_that_works_where_the_probe_is_stopped_makes_that_a_reservation():
    done = run(CUT, pulled(fresh="yes"))
    assert statuses(done)["acr.reach"] == ("warn", "tcp.timeout")
    assert f"the kubelet of {NODE} pulls from {ACR}" in next(one.reason for one in done.verdicts if one.cause)


def test_the_change_names_the_data_host_at_which_the_layers_failed():
    said = SAID.partition("failed to resolve")[0] + (
        'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://acrprod.westeurope.data.azurecr.io/x": dial tcp 20.9.9.9:443: i/o timeout'
    )
    done = run(READ[:3], pulled("failed", said), node="another")
    pull = next(one for one in done.findings if one.cause == "pull.timeout")
    assert "to acrprod.westeurope.data.azurecr.io" in pull.title
    assert "20.9.9.9" in pull.change


@pytest.mark.parametrize(
    ("facts", "option", "status", "cause"),
    [
        ({"result": "no-answer", "limit": "330"}, {}, Status.UNKNOWN, "pull.no-answer"),
        ({"result": "no-answer", "limit": "330"}, {"stand_in": "yes"}, Status.FAIL, "pull.no-answer"),
        ({"result": "no-answer", "limit": "330", "fresh": "yes"}, {}, Status.FAIL, "pull.no-answer"),
        ({"result": "not-tried", "trouble": "pod.quota-exceeded", "message": "exceeded quota: none"}, {}, Status.UNKNOWN, "pod.quota-exceeded"),
        ({"result": "not-tried", "trouble": "no.such-cause"}, {}, Status.UNKNOWN, "vantage.incomplete"),
        ({"result": "failed", "message": f"{SAID}x/y:1: not found"}, {}, Status.FAIL, "pull.not-found"),
        ({"result": "failed", "message": f"{SAID}x/y:1: not found"}, {"stand_in": "yes"}, Status.UNKNOWN, "pull.not-found"),
        ({"result": "failed", "message": "pull QPS exceeded"}, {}, Status.UNKNOWN, "pull.kubelet-busy"),
        ({"result": "failed", "message": "the moon"}, {}, Status.FAIL, "pull.unclassified"),
    ],
)  # fmt: skip
def test_what_became_of_the_pull_is_its_verdict(facts, option, status, cause):
    one = check("mcr.pull", "pull", task="pull", expect=Expect(options=option))
    seen = observation(pulled(**facts), task="pull", probe=ProbeName.PULL, finished=True)
    made = replace(plan(one), tasks=(task("pull", ProbeName.PULL),))
    verdict = judge(evidence(made, seen)).verdicts[0]
    assert (verdict.status, verdict.cause) == (status, cause)


def test_judging_again_gives_the_same():
    done = run(FOREIGN, pulled())
    assert judge(evidence_of(done)).verdicts == done.verdicts


@pytest.mark.parametrize(("roots", "there"), [((CORPORATE,), "yes"), (("CN=Other",), "no")])
def test_where_a_foreign_authority_is_trusted_is_told_and_changes_no_verdict(roots, there):
    plain = run(FOREIGN, pulled("failed", f"{SAID}x509: certificate signed by unknown authority"))
    facts = tuple(replace(one, node_trust="142 certificates", node_roots=roots) for one in plain.vantages)
    told = judge(replace(evidence_of(plain), vantages=facts))
    assert statuses(told) == statuses(plain)
    reason = next(one.reason for one in told.verdicts if one.requirement == "acr.reach")
    assert reason.endswith(f"trusted by the node's store: {there}, by the probe image's: no")
