"""Packets lost while connecting: several of them are named, one is chance, and what never connects is another cause."""

import pytest
from builders.facts import answer, check, connection, dns, evidence, hop, observation, plan

from preflight.judge import judge, lossy
from preflight.model.vocabulary import Owner, Status

HOSTS = tuple(f"h{number}.example.com" for number in range(10))


def met(host, *connections):
    return hop(url=f"https://{host}/", dns=dns(answer("20.1.1.1", chain=(host,)), name=host), connections=connections)


FINE = (connection(),)
LATE = (connection(retransmits=1),)
OVERTAKEN = (connection(result="timeout"), connection(attempt=2))
SHAKEN_TWICE = (connection(), connection(attempt=2))  # the handshake was tried again, not the connection
CLAMPED = (connection(result="timeout"), connection(attempt=2, mss=1200))
DEAD = (connection(result="timeout"), connection(result="timeout", attempt=2))


def seen(*kinds):
    return [observation(met(host, *kind), task=host) for host, kind in zip(HOSTS, kinds, strict=False)]


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        pytest.param([LATE] * 3 + [FINE] * 4, (3, 7), id="three of seven"),
        pytest.param([OVERTAKEN, LATE, OVERTAKEN], (3, 3), id="by the kernel or by the second attempt"),
        pytest.param([LATE] * 2 + [FINE] * 4, None, id="two are chance"),
        pytest.param([FINE] * 8, None, id="none"),
        pytest.param([SHAKEN_TWICE] * 5, None, id="second handshakes"),
        pytest.param([CLAMPED] * 5, None, id="clamped segments"),
        pytest.param([DEAD] * 5, None, id="nothing connects"),
        pytest.param([DEAD] * 4 + [LATE] * 3, (3, 3), id="dead ones do not count"),
    ],
)
def test_what_counts_as_loss(kinds, found):
    said = lossy.loss(seen(*kinds))
    assert (said and (said.lost, said.made)) == found


def test_one_host_that_is_slow_is_not_the_way_there():
    assert lossy.loss([observation(met(HOSTS[0], *LATE), task=str(number)) for number in range(5)]) is None


def test_few_of_very_many_are_chance():
    many = [observation(*(met(f"{host}{number}", *FINE) for host in HOSTS)) for number in range(4)]
    assert lossy.loss(many + seen(LATE, LATE, LATE)) is None
    assert lossy.loss(many[:1] + seen(LATE, LATE, LATE)) is not None


def test_it_warns_where_it_was_seen_and_is_one_finding():
    kinds = [LATE, LATE, OVERTAKEN, FINE, FINE]
    checks = [check(f"one.r{number}", "origin.tcp", task=HOSTS[number]) for number in range(len(kinds))]
    run = judge(evidence(plan(*checks), *seen(*kinds)))
    assert [(one.status, one.cause) for one in run.verdicts] == [(Status.WARN, "tcp.lossy")] * 3 + [
        (Status.PASS, None)
    ] * 2
    assert "3 of 5 connections" in run.verdicts[0].reason
    (finding,) = run.findings
    assert (finding.owner, len(finding.checks)) == (Owner.NETWORK, 3)
    assert len(finding.candidates) >= 2


def test_a_url_that_is_none_is_a_host_like_any_other():
    hops = [hop(url=url, connections=LATE) for url in ("x", "", "//", "https://", "https://a.example")]
    assert lossy.loss([observation(one, task=str(number)) for number, one in enumerate(hops)]) is not None
