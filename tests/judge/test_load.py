"""What failed in the crowd and held alone: a reservation, which names the first failure; ports that may be used up."""

import pytest
from builders.facts import change, check, connection, evidence, hop, http, observation, plan, resolved, tls
from msgspec import UNSET

from preflight.judge import judge
from preflight.model.observation import Repeat
from preflight.model.vocabulary import Confidence, Owner, Severity, Status

GOOD = hop()
SILENT = hop(connections=(connection(secure=False, result="timeout"),), http=UNSET)
REFUSED = hop(connections=(connection(secure=False, result="error", errno="ECONNREFUSED"),), http=UNSET)
RESET = hop(connections=(connection(secure=False, result="error", errno="ECONNRESET"),), http=UNSET)
CUT = hop(connections=(connection(secure=tls("reset", errno="ECONNRESET")),), http=UNSET)
MANY = hop(http=http(429))
LATE = hop(http=http(None, result="timeout"))
INDUCED, SNAT = "check.load-induced", "snat.exhaustion-suspected"


def again(*hops, finished=True):
    return Repeat(started="2026-11-22T10:02:00.000Z", duration_ms=20.0, hops=hops, finished=finished)


def run_of(first, second=None, *, checks=None, **more):
    seen = observation(first, finished=True, **({"alone": again(second)} if second is not None else {}))
    return judge(evidence(plan(*(checks or (check(),))), seen, **more))


def told(run):
    return [(one.status, one.cause) for one in run.verdicts]


@pytest.mark.parametrize(
    ("first", "second", "status", "cause"),
    [
        pytest.param(SILENT, None, Status.FAIL, "tcp.timeout", id="not tried again"),
        pytest.param(SILENT, SILENT, Status.FAIL, "tcp.timeout", id="silent alone too"),
        pytest.param(SILENT, REFUSED, Status.FAIL, "tcp.timeout", id="another failure alone"),
        pytest.param(SILENT, GOOD, Status.WARN, INDUCED, id="silence"),
        pytest.param(RESET, GOOD, Status.WARN, INDUCED, id="reset"),
        pytest.param(CUT, GOOD, Status.WARN, INDUCED, id="handshake cut"),
        pytest.param(MANY, GOOD, Status.WARN, INDUCED, id="429"),
        pytest.param(LATE, GOOD, Status.WARN, INDUCED, id="no answer"),
        pytest.param(REFUSED, GOOD, Status.FAIL, "tcp.refused", id="refusal is definite"),
        pytest.param(GOOD, SILENT, Status.PASS, None, id="what held stays"),
    ],
)
def test_what_the_second_try_makes_of_the_first(first, second, status, cause):
    assert told(run_of(first, second)) == [(status, cause)]


def test_the_reason_keeps_the_first_failure_and_the_finding_is_likely():
    run = run_of(SILENT, GOOD)
    assert "(tcp.timeout) while many asked; alone it held" in run.verdicts[0].reason
    (finding,) = run.findings
    assert (finding.cause, finding.confidence, finding.owner) == (INDUCED, Confidence.LIKELY, Owner.PLATFORM)
    assert "connects_per_s" in finding.settle
    assert run.exit_code == 0
    assert run_of(SILENT, GOOD, strict=True).exit_code == 4


def test_a_second_try_that_was_cut_short_proves_nothing():
    seen = observation(SILENT, alone=again(hop(connections=(), http=UNSET), finished=False))
    assert told(judge(evidence(plan(check()), seen))) == [(Status.FAIL, "tcp.timeout")]


def test_what_the_failure_blocked_is_judged_by_the_second_try():
    reach = check("storage.blob.reach", "origin.tcp", "origin.tls")
    answer = check("storage.blob.read", "origin.http")
    assert told(run_of(SILENT, checks=(reach, answer))) == [(Status.FAIL, "tcp.timeout"), (Status.BLOCKED, None)]
    assert told(run_of(SILENT, GOOD, checks=(reach, answer))) == [(Status.WARN, INDUCED), (Status.PASS, None)]
    wrong = hop(http=http(500))
    assert told(run_of(SILENT, wrong, checks=(reach, answer))) == [
        (Status.WARN, INDUCED),
        (Status.FAIL, "http.unexpected-status"),
    ]


def crowd(number, *, address="20.60.1.{}", reached=True, second=GOOD, first=SILENT):
    """That many destinations, silent at one place and, where `reached`, good at another."""
    checks, seen = [], []
    for at in range(number):
        where, host = address.format(at + 1), f"h{at}.example.com"
        url = f"https://{host}/"
        names = resolved(where, name=host)
        for place, shape in (("node/a", first), ("node/b", GOOD if reached else first)):
            task = f"task{at}"
            checks.append(check(f"dependency.h{at}", at=place, task=task, target=f"{host}:443"))
            moved = _at(shape, url, names, where)
            alone = {"alone": again(_at(second, url, names, where))} if shape is first else {}
            seen.append(observation(moved, task=task, at=place, finished=True, target=f"{host}:443", **alone))
    return judge(evidence(plan(*checks), *seen))


def _at(shape, url, names, address):
    connections = tuple(change(one, address=address, tcp=change(one.tcp, address=address)) for one in shape.connections)
    return change(shape, url=url, dns=names, connections=connections)


@pytest.mark.parametrize(
    ("run", "causes"),
    [
        pytest.param(lambda: crowd(3), {SNAT}, id="three public destinations"),
        pytest.param(lambda: crowd(2), {INDUCED}, id="two are not many"),
        pytest.param(lambda: crowd(3, address="10.1.1.{}"), {INDUCED}, id="private ones take no port"),
        pytest.param(lambda: crowd(3, reached=False), {INDUCED}, id="nobody reached them at the same time"),
        pytest.param(lambda: crowd(3, first=RESET), {INDUCED}, id="resets are no silence"),
        pytest.param(lambda: crowd(3, second=SILENT), {"tcp.timeout"}, id="silent alone too"),
    ],
)
def test_when_outbound_ports_are_suspected(run, causes):
    judged = run()
    assert {one.cause for one in judged.verdicts if one.cause} == causes


def test_the_suspicion_is_one_finding_that_says_what_would_settle_it():
    (finding,) = crowd(4).findings
    assert (finding.cause, finding.owner) == (SNAT, Owner.NETWORK)
    assert finding.confidence is Confidence.POSSIBLE
    assert "SNAT connection count" in finding.settle
    assert [one.what.partition(" ")[0] for one in finding.candidates] == ["outbound", "NAT", "connection"]
    assert finding.status is Status.WARN
    assert finding.severity is Severity.RECOMMENDED
    assert "The same worked at that time from node/b." in finding.why
    assert "4 public addresses, each silent for some places only" in finding.why[0]
