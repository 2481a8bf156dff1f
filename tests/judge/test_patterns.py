"""Places side by side: which pattern they form, whom it points to, what they saw differently. Opens no socket."""

import pytest
from builders.facts import (
    CORPORATE,
    HOST,
    PRIVATE,
    PUBLIC,
    STARTED,
    certificate,
    change,
    check,
    connection,
    evidence,
    hop,
    observation,
    plan,
    resolved,
    through_proxy,
    tls,
    vantage,
)
from msgspec import UNSET

from preflight.judge import judge
from preflight.judge.attribution import candidates, contradicts
from preflight.judge.pattern import Pattern, View, clue, pattern
from preflight.judge.standing import standing
from preflight.model.cluster import Behind, ClusterFacts, NetworkFacts, NodeFacts
from preflight.model.environment import NetworkModel
from preflight.model.observation import Hop
from preflight.model.vocabulary import Confidence

SILENT = {"connections": (connection(secure=False, result="timeout"),), "http": UNSET}
INSIDE = {
    "dns": resolved(PRIVATE),
    "connections": (connection(PRIVATE, secure=False, result="timeout"),),
    "http": UNSET,
}
CUT = {"connections": (connection(secure=tls("reset")),), "http": UNSET}
WELL: dict = {}

PATTERNS = [
    ("pod/a", "node/a", Pattern.POD_ONLY),
    ("pod/a pod/b", "node/a node/b workstation", Pattern.POD_ONLY),
    ("pod/a", "node/a pod/b node/b", Pattern.SOME_PODS),
    ("pod/a/n1", "pod/a/n2 node/a/n1", Pattern.SOME_PODS),
    ("pod/a", "pod/b", Pattern.SOME_POOLS),
    ("pod/a", "pod/b node/b", Pattern.SOME_POOLS),
    ("pod/a node/a", "pod/b node/b workstation", Pattern.SOME_POOLS),
    ("node/a", "node/b pod/a", Pattern.SOME_POOLS),
    ("node/a node/b", "pod/a pod/b", Pattern.NODE_ONLY),
    ("node/a pod/a", "workstation", Pattern.CLUSTER_ONLY),
    ("workstation", "node/a", Pattern.WORKSTATION_ONLY),
    ("workstation node/a pod/a", "", Pattern.EVERYBODY),
    ("node/a pod/a", "", Pattern.EVERYWHERE),
    ("pod/a", "", Pattern.ONE_PLACE),
]


@pytest.mark.parametrize(("failing", "working", "expected"), PATTERNS)
def test_places_form_a_pattern(failing: str, working: str, expected: Pattern):
    view = View(cause="tcp.timeout", failing=tuple(failing.split()), working=tuple(working.split()))
    assert pattern(view) is expected
    assert clue(view).startswith("The same") is (expected is not Pattern.ONE_PLACE)


def a_view(failing: str, working: str, cause="tcp.timeout", **more) -> View:
    return View(cause=cause, failing=tuple(failing.split()), working=tuple(working.split()), **more)


# Who fails, who does not, whether pods hide behind their nodes -> what is suspected first, and what never.
FIRST = [
    ("pod/a", "node/a", True, "NetworkPolicy", "subnet"),
    ("pod/a", "node/a", False, "NSG, route table or firewall", None),
    ("pod/a", "node/a", None, "NetworkPolicy", None),
    ("pod/a", "node/a pod/b node/b", True, "rules of the node", "subnet"),
    ("pod/a", "node/a pod/b node/b", False, "NSG, route table or firewall", None),
    ("pod/a node/a", "pod/b node/b", True, "NSG, route table or firewall", None),
    ("pod/a node/a", "pod/b node/b", False, "NSG, route table or firewall", None),
    ("node/a pod/a", "workstation", None, "the cluster's way out", None),
    ("workstation node/a pod/a", "", None, "the service itself", None),
]


@pytest.mark.parametrize(("failing", "working", "behind", "first", "never"), FIRST)
def test_silence_points_to_the_place_that_fits_the_pattern(failing, working, behind, first, never):
    found = candidates(a_view(failing, working, behind=behind))
    assert found[0].what.startswith(first)
    if never:
        assert not any(never in one.what for one in found)


@pytest.mark.parametrize("cause", ["tcp.timeout", "tls.reset-after-hello", "tls.closed", "proxy.unreachable"])
def test_behind_their_nodes_no_rule_of_the_network_is_suspected_for_pods_alone(cause):
    view = a_view("pod/a", "node/a", cause=cause, behind=True)
    words = " ".join(one.what for one in candidates(view))
    assert not any(word in words for word in ("NSG", "subnet", "peering", "SNI_FILTER", "default route"))
    assert any("would stop the nodes too" in line for line in contradicts(view))


POD_CAUSES = [
    ("tcp.refused", "NetworkPolicy"),
    ("dns.timeout", "NetworkPolicy that keeps pods from CoreDNS"),
    ("dns.nxdomain", "CoreDNS"),
    ("proxy.denied", "proxy settings of the pod"),
    ("tls.untrusted", "the trust store of the image"),
    ("tls.timeout", "MTU of the pods' interface"),
    ("http.stalled", "MTU of the pods' interface"),
]


@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize(("cause", "first"), POD_CAUSES)
def test_what_pods_alone_meet_is_policy_dns_proxy_trust_or_mtu(cause, first, behind):
    assert candidates(a_view("pod/a", "node/a", cause=cause, behind=behind))[0].what.startswith(first)


def run_of(places, *, environment=None, facts=None, cluster=None, more=()):
    checks = [check("storage.blob.reach", at=at) for at in places]
    seen = [observation(hop(**stages), at=at) for at, stages in places.items()]
    whole = change(plan(*checks), cluster=cluster)
    return judge(evidence(whole, *seen, *more, environment=environment or {}, facts=facts))


def stated(model: str):
    return {"environment": {"network_model": model}}


def seen_from_another_node(at: str, own: str, seen: str):
    """What a pod in another node's network said about this place."""
    facts = {"own": own, "seen_as": seen}
    one = Hop(role="seen", url="tcp://10.250.1.2:27000", started=STARTED, at_ms=0.0, duration_ms=1.0, service=facts)
    return observation(one, task=f"peers:{at}", at=at)


OWN = ("10.251.2.9", "10.251.2.9")
BEHIND = ("10.251.2.9", "10.250.2.2")


@pytest.mark.parametrize(("what", "first"), [(OWN, "NSG, route table"), (BEHIND, "NetworkPolicy")])
def test_without_a_stated_model_what_another_node_saw_decides(what, first):
    (found,) = run_of({"node/a": WELL, "pod/a": SILENT}, more=(seen_from_another_node("pod/a", *what),)).findings
    assert found.candidates[0].what.startswith(first)
    assert found.confidence is Confidence.LIKELY


def test_what_was_seen_outweighs_what_is_stated_and_the_report_says_so():
    run = run_of(
        {"node/a": WELL, "pod/a": SILENT},
        environment=stated("pod-subnet"),
        more=(seen_from_another_node("pod/a", *BEHIND),),
    )
    assert run.findings[0].candidates[0].what.startswith("NetworkPolicy")
    assert any("says environment.network_model pod-subnet, yet" in notice for notice in run.notices)


def test_two_ways_of_leaving_in_one_cluster_are_named_and_decide_nothing():
    run = run_of(
        {"node/a": WELL, "pod/a": SILENT},
        more=(seen_from_another_node("pod/a", *OWN), seen_from_another_node("pod/b", *BEHIND)),
    )
    assert any("in two ways: pod/b with their node's address; pod/a with an address" in one for one in run.notices)
    assert run.findings[0].confidence is Confidence.POSSIBLE


def test_the_change_carries_the_address_that_the_network_sees():
    places = {"node/a": WELL, "pod/a": SILENT}
    (behind,) = run_of(places, more=(seen_from_another_node("pod/a", *BEHIND),)).findings
    assert "From: pod/a (behind its node, 10.250.2.2)" in behind.change
    assert any('SourceIp in ("10.250.2.2")' in query.text for query in behind.queries)
    (own,) = run_of(places, more=(seen_from_another_node("pod/a", *OWN),)).findings
    assert "From: pod/a (10.240.8.17)" in own.change


CLUSTER = ClusterFacts(
    nodes=(
        NodeFacts(name="n1", pool="a", address="10.250.2.2", pod_cidrs=("10.251.2.0/24",), image="A", zone="1"),
        NodeFacts(name="n2", pool="a", address="10.250.2.3", image="A", zone="1"),
        NodeFacts(name="n3", pool="a", address="10.250.2.4", image="B", zone="2"),
    ),
    nodes_total=3,
)


def on(*places: tuple[str, str]):
    return tuple(vantage(name, node=node) for name, node in places)


def labelled(behind: Behind, words: str = ""):
    return change(CLUSTER, network=NetworkFacts(pods_behind_nodes=behind, known_from="node label x", words=words))


def test_the_cluster_s_own_labels_count_where_nothing_is_stated():
    places, facts = {"node/a": WELL, "pod/a": SILENT}, on(("node/a", "n1"), ("pod/a", "n1"))
    (found,) = run_of(places, facts=facts, cluster=labelled(Behind.YES, "overlay")).findings
    assert "From: pod/a (behind its node, 10.250.2.2" in found.change
    (found,) = run_of(places, facts=facts, cluster=labelled(Behind.NO, "vnet")).findings
    assert "From: pod/a (10.240.8.17, of 10.251.2.0/24, 1 of 3 nodes)" in found.change
    assert "10.251.2.0/24" in found.candidates[0].what


def test_a_label_gives_the_model_too():
    facts = on(("pod/a", "n1"))
    whole = evidence(change(plan(check(at="pod/a")), cluster=labelled(Behind.YES, "overlay")), facts=facts)
    assert (standing(whole).model, standing(whole).behind) == (NetworkModel.OVERLAY, True)


def test_a_finding_says_for_how_many_nodes_of_the_pool_it_speaks():
    (one,) = run_of({"node/a": SILENT}, cluster=CLUSTER).findings
    assert "node/a fails on 1 of 3 nodes of the pool; 1 of 3 was probed." in one.why
    places = {"node/a/n1": SILENT, "node/a/n2": SILENT, "node/a/n3": WELL}
    (two,) = run_of(places, cluster=CLUSTER).findings
    assert "node/a fails on 2 of 3 nodes of the pool." in two.why


def test_pools_whose_nodes_differ_are_told_once():
    old = change(CLUSTER, nodes=(*CLUSTER.nodes[:2], change(CLUSTER.nodes[2], created="2026-11-20T00:00:00Z")))
    old = change(old, nodes=(change(old.nodes[0], created="2026-09-01T00:00:00Z"), *old.nodes[1:]))
    (notice,) = [one for one in run_of({"node/a": WELL}, cluster=old).notices if "differ" in one]
    assert "image (2 of A, 1 of B)" in notice
    assert "zone (2 of 1, 1 of 2)" in notice
    assert "age (made between 2026-09-01 and 2026-11-20)" in notice
    assert "--all-nodes" in notice
    assert not any("differ" in one for one in run_of({"node/other": WELL}, cluster=CLUSTER).notices)


def test_split_horizon_is_named_with_both_answers():
    private = {"dns": resolved(PRIVATE), "connections": (connection(PRIVATE),)}
    run = run_of({"workstation": private, "node/a": SILENT, "pod/a": SILENT})
    (found,) = run.findings
    assert (
        f"DNS answers differ by place (split horizon): {HOST} is {PUBLIC} at node/a, pod/a,"
        f" and {PRIVATE} at workstation." in found.why
    )


def test_split_horizon_without_a_failure_is_a_notice():
    private = {"dns": resolved(PRIVATE), "connections": (connection(PRIVATE),)}
    run = run_of({"workstation": WELL, "node/a": private})
    assert run.findings == ()
    assert f"split horizon: {HOST} is {PRIVATE} at node/a, and {PUBLIC} at workstation" in run.notices


def test_public_answers_that_differ_are_a_matter_of_course():
    other = {"dns": resolved("20.60.9.9"), "connections": (connection("20.60.9.9"),)}
    run = run_of({"workstation": other, "node/a": SILENT})
    assert not any("split" in line for line in (*run.findings[0].why, *run.notices))


def test_a_proxy_on_the_workstation_hides_a_direct_way_that_may_be_closed_there_too():
    through = {"dns": UNSET, "connections": (), "proxy": through_proxy(), "tls": tls()}
    (found,) = run_of({"workstation": through, "node/a": CUT, "pod/a": CUT}).findings
    assert any("workstation goes through a proxy" in line for line in found.contradicts)
    assert any("may be closed there as well" in line for line in found.contradicts)
    assert not any("service is up" in line for line in found.why)
    assert not any("cluster's way out" in one.what for one in found.candidates)


def unverified(**more):
    chain = (certificate(CORPORATE, **more),)
    return {"connections": (connection(secure=tls("unverified", verify_code=20, chain=chain)),), "http": UNSET}


def test_a_certificate_that_is_trusted_here_and_not_there_is_a_matter_of_stores():
    mine = change(certificate(CORPORATE), sha256="ab")
    trusted = {"connections": (connection(secure=tls(chain=(mine,))),)}
    untrusted = {"connections": (connection(secure=tls("unverified", verify_code=20, chain=(mine,))),), "http": UNSET}
    (found,) = run_of({"workstation": trusted, "node/a": untrusted, "pod/a": untrusted}).findings
    assert any("same certificate" in line and "the trust stores differ" in line for line in found.why)
    assert "trust store of nodes and images" in found.candidates[0].what


def test_another_certificate_there_is_a_matter_of_the_way():
    (found,) = run_of({"workstation": WELL, "pod/a": unverified()}).findings
    assert any(CORPORATE in line and "the ways differ" in line for line in found.why)


def test_silence_inside_and_outside_have_their_own_suspects_besides():
    inside = run_of(
        {"workstation": {"dns": resolved(PRIVATE), "connections": (connection(PRIVATE),)}, "node/a": INSIDE}
    )
    assert "peering" in inside.findings[0].candidates[0].what


def test_the_title_says_for_how_many_nodes_it_speaks():
    (one,) = run_of({"node/a": SILENT}, cluster=CLUSTER).findings
    assert one.title == f"Allow TCP 443 from node/a (10.240.8.17, 1 of 3 nodes) to {HOST}"


def test_many_nodes_of_a_pool_are_counted_not_listed():
    nodes = tuple(NodeFacts(name=f"n{number}", pool="a") for number in range(9))
    cluster = ClusterFacts(nodes=nodes, nodes_total=9)
    places = {f"node/a/n{number}": SILENT if number < 5 else WELL for number in range(9)}
    (found,) = run_of(places, cluster=cluster).findings
    assert found.title == f"Allow TCP 443 from node/a (5 of 9 nodes) to {HOST}"
