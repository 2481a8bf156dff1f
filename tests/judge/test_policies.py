"""Passes of pod vantages where network policies select the real pods and not the probe."""

import msgspec
import pytest
from builders.facts import (
    HOST,
    PUBLIC,
    answer,
    change,
    check,
    connection,
    dns,
    evidence,
    hop,
    http,
    observation,
    plan,
    proxied,
    vantage,
)
from msgspec import UNSET

from preflight import journal
from preflight.judge import evidence_of, judge, policies
from preflight.kube import policies as parse
from preflight.model.cluster import ClusterFacts
from preflight.model.journal import Begin
from preflight.model.plan import Expect
from preflight.model.policies import PolicyFacts, Role, Stand
from preflight.model.run import Run
from preflight.model.vocabulary import Confidence, Phase, ProbeName, Status

ROUTER = Stand(
    namespace="default", labels={"azuremlappname": "azureml-fe"}, role=Role.ROUTER, known_from="pod default/a"
)
MODEL = Stand(namespace="azureml-ws", labels={"isazuremlapp": "true"}, role=Role.MODEL, known_from="pod azureml-ws/b")
OUTSIDE = Stand(namespace="", labels={"app.kubernetes.io/managed-by": "preflight"})
BESIDE = Stand(namespace="default", labels={**ROUTER.labels, **OUTSIDE.labels})
EVERYTHING = [{}]
ALLOWED = [{"to": [{"ipBlock": {"cidr": f"{PUBLIC}/32"}}], "ports": [{"port": 443}]}]
NAMES = [{"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "UDP", "port": 53}]}]
DNS_ONLY = {"toPorts": [{"ports": [{"port": "53"}]}]}
WORLD = {"toEntities": ["world"]}
SILENT = hop(connections=(connection(secure=False, result="timeout"),), http=UNSET)


def lock(egress=(), *, name="lock", namespace="default", selector=None, types=("Egress",)):
    spec = {"podSelector": selector or {}, "policyTypes": list(types), "egress": list(egress)}
    return parse.kubernetes({"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def of_cilium(*rules, deny=None):
    """One that isolates nothing."""
    spec = {"endpointSelector": {}, "egress": list(rules), "enableDefaultDeny": {"egress": False}}
    spec |= {"egressDeny": [deny]} if deny else {}
    return parse.cilium({"metadata": {"name": "c", "namespace": "default"}, "spec": spec}, parse.CILIUM)


def facts(*found, probe=OUTSIDE, real=(ROUTER, MODEL), **more):
    return PolicyFacts(read=True, policies=found, real=real, probe=probe, **more)


def run_of(known, the_hop=None, *, at="pod/user1", phase=Phase.ROUTER_RUN, **more):
    one = check(at=at, phase=phase, **more)
    the_plan = change(plan(one), cluster=ClusterFacts(policies=known))
    return judge(evidence(the_plan, observation(the_hop or hop(), at=at)))


def verdict_of(known, the_hop=None, **more):
    return run_of(known, the_hop, **more).verdicts[0]


CASES = [
    pytest.param(facts(), "pass", None, id="no policy at all"),
    pytest.param(facts(lock(EVERYTHING)), "warn", policies.DIFFERS, id="one that allows everything selects only them"),
    pytest.param(facts(lock()), "warn", policies.MAY_DENY, id="one that allows nothing"),
    pytest.param(facts(lock([*ALLOWED, *NAMES])), "warn", policies.DIFFERS, id="one that names destination and DNS"),
    pytest.param(facts(lock(ALLOWED)), "warn", policies.MAY_DENY, id="one that forgets DNS"),
    pytest.param(facts(lock(), probe=BESIDE), "pass", None, id="it selects the probe, too"),
    pytest.param(
        facts(lock(selector={"matchLabels": {"other": "x"}})), "pass", None, id="it selects neither"
    ),
    pytest.param(facts(lock(types=("Ingress",))), "pass", None, id="it speaks of ingress only"),
    pytest.param(facts(lock(NAMES, types=("Ingress",))), "pass", None, id="its egress rules lack their type"),
    pytest.param(facts(*of_cilium(DNS_ONLY)), "pass", None, id="it allows, and holds nothing back"),
    pytest.param(facts(lock(NAMES), *of_cilium(DNS_ONLY, WORLD)), "warn", policies.DIFFERS, id="allowed by another"),
    pytest.param(facts(*of_cilium(deny=WORLD)), "warn", policies.MAY_DENY, id="it denies, and isolates nothing"),
    pytest.param(facts(lock(namespace="azureml-ws")), "pass", None, id="it selects models, and the router asks"),
    pytest.param(facts(lock(), real=()), "pass", None, id="nobody knows the real pods"),
    pytest.param(facts(lock(), probe=None), "pass", None, id="no probe stands anywhere"),
    pytest.param(None, "pass", None, id="nobody looked"),
]  # fmt: skip


@pytest.mark.parametrize(("known", "status", "cause"), CASES)
def test_a_pass_is_a_reservation_where_policies_tell_probe_and_pods_apart(known, status: str, cause: str | None):
    verdict = verdict_of(known)
    assert (verdict.status, verdict.cause) == (status, cause)


def test_the_reservation_names_every_policy_and_what_it_does_not_obviously_allow():
    clusterwide = parse.cilium(
        {
            "metadata": {"name": "wall"},
            "spec": {
                "endpointSelector": {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "default"}},
                "egress": [{"toFQDNs": [{"matchName": "mcr.microsoft.com"}]}],
            },
        },
        parse.CLUSTERWIDE,
    )
    verdict = verdict_of(facts(lock(), *clusterwide))
    assert verdict.reason == (
        "it holds for the probe, but NetworkPolicy default/lock, CiliumClusterwideNetworkPolicy wall select the"
        " router pods in default and not the probe; their rules do not obviously allow UDP 53 to 10.0.0.4,"
        f" TCP 443 to {HOST} ({PUBLIC})"
    )
    assert verdict.owner == "platform"


@pytest.mark.parametrize(
    ("phase", "held"),
    [(phase, phase in (Phase.MODEL_DEPLOY, Phase.SERVE, Phase.CANARY)) for phase in Phase],
)
def test_phases_of_models_are_held_against_the_models_pods(phase: Phase, held: bool):
    verdict = verdict_of(facts(lock(namespace="azureml-ws")), phase=phase)
    assert (verdict.status is Status.WARN) is held


@pytest.mark.parametrize("at", ["node/user1", "workstation"])
def test_only_pod_vantages_speak_for_pods(at: str):
    assert verdict_of(facts(lock()), at=at).status is Status.PASS


def test_failures_stay_failures_and_name_the_policy_that_selects_the_probe():
    run = run_of(facts(lock(), probe=BESIDE), SILENT)
    assert run.verdicts[0].cause == "tcp.timeout"
    (finding,) = run.findings
    assert finding.candidates[0].what == "NetworkPolicy default/lock"
    allowing = run_of(facts(lock([*ALLOWED, *NAMES]), probe=BESIDE), SILENT).findings[0]
    assert not any("NetworkPolicy default/lock" in one.what for one in allowing.candidates)


def test_a_policy_is_no_candidate_for_what_a_policy_cannot_do():
    refused = hop(url="https://login.microsoftonline.com/", http=http(401))
    one = check(at="pod/user1", expect=Expect(statuses=((200, 200),)))
    the_plan = change(plan(one), cluster=ClusterFacts(policies=facts(lock(), probe=BESIDE)))
    (finding,) = judge(evidence(the_plan, observation(refused, at="pod/user1"))).findings
    assert finding.cause == "http.unexpected-status"
    assert not any("NetworkPolicy" in candidate.what for candidate in finding.candidates)


def test_a_policy_that_holds_back_the_probe_alone_speaks_against_a_failure():
    given = Stand(namespace="given", labels=OUTSIDE.labels)
    (finding,) = run_of(facts(lock(namespace="given"), probe=given), SILENT).findings
    assert finding.candidates[0].what == "NetworkPolicy given/lock"
    assert any(
        "given/lock may hold back the probe here, and none of the real pods" in line for line in finding.contradicts
    )
    (finding,) = run_of(facts(lock(), probe=BESIDE), SILENT).findings
    assert not any("real pods" in line for line in finding.contradicts)


def test_where_no_policy_selects_the_probe_none_is_suspected():
    def suspects(known):
        nodes, pods = check(at="node/user1"), check(at="pod/user1")
        the_plan = change(plan(nodes, pods), cluster=ClusterFacts(policies=known))
        seen = (observation(hop(), at="node/user1"), observation(SILENT, at="pod/user1"))
        return [one.what for one in judge(evidence(the_plan, *seen)).findings[0].candidates]

    usual = "NetworkPolicy (Cilium, Calico, Azure) that applies to the pods"
    assert usual in suspects(None)
    assert usual not in suspects(facts())
    assert usual in suspects(change(facts(), read=False))


def test_one_finding_says_how_to_settle_it():
    (finding,) = run_of(facts(lock())).findings
    assert finding.cause == policies.MAY_DENY
    assert finding.confidence is Confidence.POSSIBLE
    assert finding.title == f"Check that NetworkPolicy default/lock allows the real pods TCP 443 to {HOST}"
    assert "--pod-as" in finding.settle
    (other,) = run_of(facts(lock(EVERYTHING))).findings
    assert other.cause == policies.DIFFERS
    assert other.confidence is Confidence.PROVEN
    assert "NetworkPolicy default/lock" in other.title


def test_the_way_to_verify_stands_beside_the_pods_that_are_meant():
    one = check(at="pod/user1", phase=Phase.SERVE)
    the_plan = change(plan(one), cluster=ClusterFacts(policies=facts(lock(namespace="azureml-ws"))))
    places = (vantage("pod/user1", place="node n2, pool user1"),)
    (finding,) = judge(evidence(the_plan, observation(hop(), at="pod/user1"), facts=places)).findings
    assert finding.verify.endswith("--vantage pod --pool user1 --pod-as model")


def test_what_goes_through_a_proxy_is_sent_to_the_proxy():
    seen = policies.destinations(observation(proxied(), at="pod/user1"))
    assert [one.title for one in seen] == ["UDP 53 to 10.0.0.4", "TCP 3128 to proxy.corp (10.9.9.9)"]


def test_servers_that_are_only_compared_are_no_destinations():
    names = dns(answer(PUBLIC), answer(PUBLIC, server="10.9.9.9:53", role="compared"))
    seen = policies.destinations(observation(hop(dns=names), at="pod/user1"))
    assert [one.title for one in seen] == ["UDP 53 to 10.0.0.4", f"TCP 443 to {HOST} ({PUBLIC})"]


def test_judging_a_saved_run_again_says_the_same():
    run = run_of(facts(lock()))
    again = msgspec.json.decode(msgspec.json.encode(run), type=Run)
    assert judge(evidence_of(again)) == run


def test_a_journal_carries_the_policies():
    run = run_of(facts(lock()))
    begin = Begin(tool_version="1", run_id="r1", started=run.started, environment={}, plan=run.plan)
    recovered = journal.read(journal.encode(begin), "journal").evidence
    assert policies.facts_of(recovered) == facts(lock())


def asked(known, *, to: str, phase=Phase.ROUTER_START):
    """A check of one pod by another, from a pod vantage."""
    one = check("peers.router", at="pod/user1", phase=phase)
    the_plan = plan(one)
    tasks = tuple(change(task, params={"to": to}) for task in the_plan.tasks)
    the_plan = change(the_plan, tasks=tasks, cluster=ClusterFacts(policies=known))
    return judge(evidence(the_plan, observation(hop(), at="pod/user1")))


def shut(namespace="default", name="shut"):
    return lock(namespace=namespace, name=name, types=("Ingress",))


BETWEEN = [
    pytest.param(
        facts(shut()), "router", "default/shut selects the router pods in default", id="ingress of the router"
    ),
    pytest.param(facts(shut()), "model", None, id="whom nobody asked"),
    pytest.param(
        facts(shut("azureml-ws")), "model", "selects the model pods in azureml-ws", id="ingress of the models"
    ),
    pytest.param(facts(lock()), "model", "selects the router pods in default", id="egress of those who ask"),
    pytest.param(facts(shut(), probe=BESIDE), "router", None, id="it selects the probe, too"),
    pytest.param(facts(shut()), "nobody", None, id="a word that is no role"),
]


@pytest.mark.parametrize(("known", "to", "words"), BETWEEN)
def test_between_pods_the_policies_of_those_who_are_asked_count_too(known, to: str, words: str | None):
    (verdict,) = asked(known, to=to).verdicts
    assert (words in verdict.reason if words else verdict.status == "pass") is True
    assert verdict.cause in ((None,) if words is None else (policies.DIFFERS, policies.MAY_DENY))


def test_how_a_pod_looks_from_another_node_is_no_destination_of_real_pods():
    asked_pod = hop(url="tcp://10.251.2.9:5001", dns=UNSET, connections=(connection("10.251.2.9", port=5001),))
    looked = hop("seen", url="tcp://10.250.1.2:27001", dns=UNSET, connections=(connection("10.250.1.2", port=27_001),))
    sent = policies.destinations(observation(asked_pod, looked, probe=ProbeName.PEERS))
    assert [(one.address, one.port) for one in sent] == [("10.251.2.9", 5001)]


def test_rules_that_name_the_real_pods_are_obvious_wherever_the_pod_that_answered_stood():
    to_models = [{"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"isazuremlapp": "true"}}}]}, *NAMES]
    (verdict,) = asked(facts(lock(to_models)), to="model").verdicts
    assert verdict.cause == policies.DIFFERS
    (verdict,) = asked(facts(lock(NAMES)), to="model").verdicts
    assert verdict.cause == policies.MAY_DENY
