"""A router that was started before the proxy was changed is told from one that has what a new pod gets."""

import pytest
from builders.facts import change, check, evidence, hop, observation, plan, vantage

from preflight.judge import judge
from preflight.judge.router import differences
from preflight.model.cluster import ClusterFacts, NodeFacts, RouterPod
from preflight.model.vocabulary import Confidence, Owner, Severity, Status

NEW = {"https_proxy": "http://new.corp:3128", "no_proxy": "10.0.0.0/8,.svc"}


def a_pod(proxies: dict[str, str], **more) -> RouterPod:
    base = {"name": "azureml-fe-1", "namespace": "default", "node": "n2", "started": "2026-10-01T00:00:00Z"}
    return RouterPod(proxies=proxies, **(base | more))


def run_of(*pods: RouterPod, probes=None, strict=False):
    facts = probes or (vantage("pod/a", proxies={}), vantage("pod/b", proxies=NEW))
    nodes = (NodeFacts(name="n1", pool="a"), NodeFacts(name="n2", pool="b"))
    cluster = ClusterFacts(nodes=nodes, nodes_total=2, router_pods=pods)
    checks = [check("storage.table.reach", at=fact.vantage) for fact in facts]
    whole = change(plan(*checks), cluster=cluster)
    return judge(evidence(whole, *(observation(hop(), at=f.vantage) for f in facts), facts=facts, strict=strict))


def test_other_proxy_settings_than_a_new_pod_s_mean_a_restart():
    run = run_of(a_pod({"https_proxy": "http://old.corp:3128", "no_proxy": "10.0.0.0/8"}))
    (found,) = run.findings
    assert (found.cause, found.owner, found.status) == ("router.restart-needed", Owner.PLATFORM, Status.WARN)
    assert (found.severity, found.confidence) == (Severity.RECOMMENDED, Confidence.LIKELY)
    assert found.title == "Restart the router's pods in default: they were started with other proxy settings"
    assert found.vantages == ("pod/b",), "the probe of the router's own pool is what it is compared with"
    line = found.why[0]
    assert "default/azureml-fe-1 on n2, started 2026-10-01T00:00:00Z (52 days before this run)" in line
    assert "HTTPS_PROXY http://old.corp:3128, now http://new.corp:3128" in line
    assert "NO_PROXY lacks .svc" in line
    assert run.exit_code == 0


def test_instances_that_are_alike_are_one_finding():
    old = {"https_proxy": "http://old.corp:3128", "no_proxy": NEW["no_proxy"]}
    run = run_of(a_pod(old), a_pod(old, name="azureml-fe-2"), a_pod(NEW, name="azureml-fe-3"))
    (found,) = run.findings
    assert sum("azureml-fe-" in line for line in found.why) == 2


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (NEW, NEW),
        ({**NEW, "no_proxy": " .SVC, 10.0.0.0/8 "}, NEW),
        ({**NEW, "https_proxy": NEW["https_proxy"] + "/"}, NEW),
        ({}, {}),
    ],
)
def test_what_means_the_same_is_the_same(then, now):
    assert differences(a_pod(then), now) == ()


@pytest.mark.parametrize(
    ("then", "now", "words"),
    [
        ({}, NEW, "HTTPS_PROXY not set, now http://new.corp:3128"),
        (NEW, {}, "HTTPS_PROXY http://new.corp:3128, now not set"),
        (NEW, {**NEW, "no_proxy": ".svc"}, "NO_PROXY still has 10.0.0.0/8"),
    ],
)
def test_what_was_added_or_removed_is_named(then, now, words):
    assert words in differences(a_pod(then), now)


def test_a_router_that_aks_writes_nothing_into_is_left_out():
    assert differences(a_pod({}, exempt=True), NEW) == ()


def test_without_a_probe_in_the_pod_network_nothing_is_said():
    lost = (vantage("pod/b", proxies={}, complete=False),)
    causes = {one.cause for one in run_of(a_pod({"https_proxy": "http://old:1"}), probes=lost).findings}
    assert "router.restart-needed" not in causes
