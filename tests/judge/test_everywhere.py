"""A resolver that gives one address for every name: named when nothing answers there, and no fault when services do."""

import pytest
from builders.facts import (
    answer,
    check,
    connection,
    dns,
    evidence,
    hop,
    nodata_aaaa,
    observation,
    plan,
    tls,
)

from preflight.judge import everywhere, judge
from preflight.model.vocabulary import Owner, Status

PORTAL = "10.9.9.9"
HOSTS = ("mcr.microsoft.com", "api.azureml.ms", "acrprod.azurecr.io", "one.azurecr.io", "login.microsoftonline.com")
WRONG_NAME = tls("unverified", verify_code=62)


def asked(host, *addresses, secure=WRONG_NAME, **more):
    facts = dns(answer(*addresses, chain=(host,), **more), nodata_aaaa(chain=(host,)), name=host)
    stages = (connection(address=addresses[0], secure=secure),) if addresses else ()
    return hop(url=f"https://{host}/", dns=facts, connections=stages)


def seen(*hops):
    return [observation(one, task=one.url) for one in hops]


def judged(*hops):
    checks = [check(f"one.r{number}", "origin", task=one.url) for number, one in enumerate(hops)]
    return judge(evidence(plan(*checks), *seen(*hops)))


@pytest.mark.parametrize(
    ("hops", "found"),
    [
        pytest.param([asked(host, PORTAL) for host in HOSTS], {PORTAL}, id="every name"),
        pytest.param([asked(host, PORTAL) for host in HOSTS[:4]], set(), id="too few names"),
        pytest.param([*(asked(host, PORTAL) for host in HOSTS), asked("x.example")], {PORTAL}, id="one without any"),
        pytest.param([*(asked(host, PORTAL) for host in HOSTS), asked("x.example", "20.1.1.1")], set(), id="not all"),
        pytest.param([asked(f"h{n}.azurecr.io", PORTAL) for n in range(9)], set(), id="all of one domain"),
        pytest.param([asked(host, PORTAL, "10.9.9.8") for host in HOSTS], set(), id="two addresses"),
        pytest.param([asked(host, PORTAL, role="compared") for host in HOSTS], set(), id="a resolver nobody uses"),
    ],
)
def test_one_address_for_many_names_of_several_domains(hops, found):
    assert everywhere.catch_all(seen(*hops)) == found


def test_it_is_one_finding_for_all_names():
    run = judged(*(asked(host, PORTAL) for host in HOSTS))
    assert {(verdict.status, verdict.cause) for verdict in run.verdicts} == {(Status.FAIL, "dns.catch-all")}
    assert [(finding.owner, len(finding.checks)) for finding in run.findings] == [(Owner.DNS, len(HOSTS))]


def test_a_gateway_that_routes_by_server_name_is_no_fault():
    run = judged(*(asked(host, PORTAL, secure=tls(name=host)) for host in HOSTS))
    assert {verdict.status for verdict in run.verdicts} == {Status.PASS}
