"""Connections between pods: every port in one verdict, both ends in one finding, one finding per thing to change."""

import pytest
from builders.facts import change, check, connection, evidence, observation, plan, vantage
from msgspec import UNSET

from preflight.judge import judge
from preflight.model.observation import Hop
from preflight.model.vocabulary import Confidence, Owner, ProbeName, Status

ADDRESS = {"system": "10.251.1.7", "user1": "10.251.2.7", "gpu": "10.251.3.7", "spot": "10.251.4.7"}
WORDS = {"drop": "timeout", "refuse": "error", "open": "connected"}


def a_hop(peer: str, port: int, how: str, *, role="origin", here="node1", answer="match", **facts) -> Hop:
    errno = "ECONNREFUSED" if how == "refuse" else None
    made = connection(ADDRESS[peer], secure=False, result=WORDS[how], errno=errno, port=port, source="10.251.9.9:40000")
    service = {"peer": f"{peer}.pods", "peer_node": f"node-{peer}", "node": here}
    service |= {"answer": answer} if how == "open" else {}
    return Hop(
        role=role, url=f"tcp://{ADDRESS[peer]}:{port}", started="2026-11-22T10:00:00.000Z", at_ms=0.0, duration_ms=9.0,
        connections=(made,), service=service | facts,
    )  # fmt: skip


def no_pod(peer: str, cause: str) -> Hop:
    service = {"peer": f"{peer}.pods", "trouble": "it could not be pulled", "trouble_cause": cause}
    return Hop(
        role="origin", url=f"tcp://{peer}.pods:5001", started="2026-11-22T10:00:00.000Z", at_ms=0.0, duration_ms=0.0,
        service=service,
    )  # fmt: skip


def run_of(pairs: dict[tuple[str, str], tuple[Hop, ...]], requirement="peers.model", environment=None, **more):
    """(who asks, whom) -> hops."""
    checks, seen = [], []
    for (source, peer), hops in pairs.items():
        port = hops[0].url.rpartition(":")[2]
        task, at, target = f"peers:{peer}.pods:{port}", f"pod/{source}", f"{peer}.pods:{port}"
        one = check(requirement, "origin", "port", at=at, target=target, task=task)
        checks.append(change(one, id=f"{one.id}[{peer}]"))
        seen.append(observation(*hops, task=task, at=at, probe=ProbeName.PEERS, target=target, finished=True))
    return judge(evidence(plan(*checks), *seen, environment=environment or {}, **more))


def both_ways(pools: str, *failing: tuple[str, str], how="drop", environment=None):
    names = pools.split()
    pairs = [(a, b) for a in names for b in names if a != b]
    return run_of(
        {pair: (a_hop(pair[1], 5001, how if pair in failing else "open"),) for pair in pairs}, environment=environment
    )


def test_a_pod_that_answers_on_all_ports_passes_and_says_on_how_many():
    hops = (a_hop("user1", 8000, "open"), a_hop("user1", 8001, "open", role="port.8001"))
    (verdict,) = run_of({("system", "user1"): hops}, "peers.router").verdicts
    assert (verdict.status, verdict.reason) == (Status.PASS, "pod/user1 on node-user1 answers on 2 ports")


def test_the_same_node_is_named_as_such():
    (verdict,) = run_of({("user1", "user1"): (a_hop("user1", 5001, "open", here="node-user1"),)}).verdicts
    assert verdict.status is Status.PASS
    assert "on the same node, so nothing crossed the network between nodes" in verdict.reason


def test_a_verdict_names_every_port_that_fails_and_how_many_do_not():
    hops = (
        a_hop("user1", 8000, "open"),
        a_hop("user1", 8001, "drop", role="port.8001"),
        a_hop("user1", 9001, "drop", role="port.9001"),
    )
    run = run_of({("system", "user1"): hops}, "peers.router")
    (verdict,), (found,) = run.verdicts, run.findings
    assert (verdict.status, verdict.cause) == (Status.FAIL, "tcp.timeout")
    assert verdict.reason.startswith("pod/user1 on node-user1: 10.251.2.7 port 8001: no answer within 3.0 s")
    assert verdict.reason.endswith("; also ports 9001; 1 other ports answer")
    assert found.title == "Allow TCP 8001, 9001 from pod/system (10.251.9.9) to pod/user1 (10.251.2.7)"


@pytest.mark.parametrize(("how", "cause"), [("drop", "tcp.timeout"), ("refuse", "tcp.refused")])
def test_one_direction_is_one_finding_with_both_ends_and_the_way_back(how, cause):
    (found,) = both_ways("system user1", ("user1", "system"), how=how).findings
    assert (found.cause, found.owner, found.confidence) == (cause, Owner.NETWORK, Confidence.POSSIBLE)
    assert "TCP 5001 from pod/user1 (10.251.9.9) to pod/system (10.251.1.7)" in found.title
    assert any(line.startswith("The other way is open: pod/system reaches pod/user1") for line in found.why)
    words = " ".join(one.what for one in found.candidates)
    assert all(word in words for word in ("NetworkPolicy", "NSG", "route table"))
    assert "To: pod/system TCP 5001 (10.251.1.7)" in found.change


FOLDS = [
    pytest.param("a b", [("a", "b")], 1, id="one pair"),
    pytest.param("a b", [("a", "b"), ("b", "a")], 1, id="both ways"),
    pytest.param("a b c", [("a", "b"), ("b", "a")], 1, id="both ways between two of three"),
    pytest.param("a b c", [("a", "b"), ("a", "c")], 1, id="from one to all"),
    pytest.param("a b c", [("b", "a"), ("c", "a")], 1, id="from all to one"),
    pytest.param("a b c", [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a")], 1, id="one pool cut off"),
    pytest.param("a b c", [(x, y) for x in "abc" for y in "abc" if x != y], 1, id="every pair"),
    pytest.param("a b c d", [("a", "b"), ("c", "d")], 2, id="two pairs that have nothing in common"),
]


@pytest.mark.parametrize(("pools", "failing", "number"), FOLDS)
def test_pairs_fold_into_as_few_findings_as_explain_them(pools, failing, number):
    names = dict(zip("abcd", ADDRESS, strict=True))
    run = both_ways(" ".join(names[one] for one in pools.split()), *[(names[a], names[b]) for a, b in failing])
    assert len(run.findings) == number
    assert sum(len(one.checks) for one in run.findings) == len(failing)


@pytest.mark.parametrize(
    ("model", "first"),
    [
        ("kubenet", "route table"),
        ("overlay", "NetworkPolicy"),
        ("pod-subnet", "NetworkPolicy"),
        ("node-subnet", "NetworkPolicy"),
    ],
)
def test_suspects_between_pods_follow_the_network_model(model, first):
    stated = {"environment": {"network_model": model}}
    (found,) = both_ways("system user1", ("user1", "system"), environment=stated).findings
    assert found.candidates[0].what.startswith(first)
    assert found.confidence is Confidence.LIKELY
    assert not any("default route" in one.what or "private endpoint" in one.what for one in found.candidates)


@pytest.mark.parametrize("answer", ["other", "closed", "silent"])
def test_what_answers_in_the_pod_s_place_fails_although_tcp_connects(answer):
    (found,) = run_of({("system", "user1"): (a_hop("user1", 5001, "open", answer=answer),)}).findings
    assert (found.cause, found.status) == ("peers.other-answer", Status.FAIL)
    assert "mesh" in found.candidates[0].what


def test_a_pod_that_did_not_start_is_unknown_and_its_own_pool_s_trouble():
    run = run_of(
        {("system", "user1"): (no_pod("user1", "pull.refused"),), ("user1", "system"): (a_hop("system", 5001, "open"),)}
    )
    assert [one.status for one in run.verdicts] == [Status.UNKNOWN, Status.PASS]
    (found,) = run.findings
    assert (found.cause, found.vantages) == ("pull.refused", ("pod/user1",))
    assert run.exit_code == 3


@pytest.mark.parametrize("cause", ["", "not.known"])
def test_a_pod_that_did_not_start_for_no_known_reason_has_a_cause_of_its_own(cause):
    run = run_of({("system", "user1"): (no_pod("user1", cause),)})
    assert run.verdicts[0].cause == "peers.no-listener"
    assert run.findings[0].title == "Look at why no pod answers at pod/user1"


def test_facts_that_are_missing_are_unknown_not_passed():
    lost = Hop(role="origin", url="tcp://user1.pods:5001", started="", at_ms=0.0, duration_ms=0.0, http=UNSET)
    (verdict,) = run_of({("system", "user1"): (lost,)}).verdicts
    assert verdict.status is Status.UNKNOWN


def test_a_blocked_pair_and_a_blocked_service_are_two_findings():
    pods = check("peers.model", "origin", at="pod/user1", target="system.pods:5001", task="peers:system.pods:5001")
    blob = check("storage.blob.reach", at="pod/user1", task="blob")
    silent = Hop(
        role="origin", url="https://stmlprod.blob.core.windows.net/", started="2026-11-22T10:00:00Z", at_ms=0.0,
        duration_ms=1.0, connections=(connection("10.1.1.5", secure=False, result="timeout"),),
    )  # fmt: skip
    seen = [
        observation(
            a_hop("system", 5001, "drop"), task="peers:system.pods:5001", at="pod/user1", probe=ProbeName.PEERS
        ),
        observation(silent, task="blob", at="pod/user1"),
    ]
    run = judge(evidence(plan(pods, blob), *seen, facts=(vantage("pod/user1"),)))
    assert len(run.findings) == 2


def test_between_pods_logs_are_searched_for_the_pods_own_addresses():
    stated = {"environment": {"network_model": "overlay"}}
    (found,) = both_ways("system user1", ("user1", "system"), environment=stated).findings
    assert all('"10.251.9.9"' in query.text and "add the node's address" not in query.text for query in found.queries)
    assert "From: pod/user1 (10.251.9.9)" in found.change


def test_a_repaired_pair_is_verified_with_both_of_its_pools():
    run = both_ways("system user1 gpu", ("user1", "system"))
    there = tuple(change(one, place="node n") for one in run.vantages)
    (found,) = judge(evidence(run.plan, *run.observations, facts=there)).findings
    assert found.verify == "preflight run --only peers.model --kubeconfig FILE --vantage pod --pool user1 --pool system"


@pytest.mark.parametrize("how", ["drop", "refuse", "open"])
def test_an_interrupted_run_takes_the_pods_that_answer_with_it(how: str):
    hops = (a_hop("user1", 5001, how, answer="closed"),)
    assert run_of({("system", "user1"): hops}).verdicts[0].status is Status.FAIL
    (verdict,) = run_of({("system", "user1"): hops}, interrupted=True).verdicts
    assert (verdict.status, verdict.cause) == (Status.UNKNOWN, "check.interrupted")
