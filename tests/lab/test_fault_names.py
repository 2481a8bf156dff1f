"""The vocabulary of faults: what can be asked for, and what is said to a wrong wish."""

import re

import pytest

from preflight.failures import UsageFailure
from preflight.lab import deployment as at
from preflight.lab.faults import FAULTS, parse
from preflight.lab.sites import SITES
from preflight.model.causes import CAUSES


def test_every_fault_names_a_cause_of_the_closed_vocabulary():
    assert {fault.cause for fault in FAULTS} <= set(CAUSES)


def test_every_site_is_a_host_of_the_deployment():
    assert {site.host for site in SITES} <= set(at.BY_NAME)


def test_faults_are_listed_once_and_in_the_form_that_other_tools_read():
    lines = [str(fault) for fault in FAULTS]
    assert len(lines) == len(set(lines))
    assert all(re.fullmatch(r"[a-z0-9.-]+=[a-z]+\.[a-z0-9-]+", line) for line in lines)


# What neither a server nor a lack in the environment can produce: facts of the machine and of a cluster, guesses of the
# judge, and what a run asks of Azure for itself.
NOT_SERVED = ("vantage", "check", "preflight", "pull", "pod", "policy", "peers", "router", "snat", "azure")
OF_A_CLUSTER = {
    f"kube.{name}"
    for name in (
        "no-usable-node", "forbidden", "login-refused", "unreachable", "api-lost", "log-channel-broken", "rejected",
        "namespace-gone", "router-forbidden", "rights-unknown",
    )
}  # fmt: skip
OF_A_CLUSTER |= {f"dns.{name}" for name in ("cluster-names", "replica-failing", "local-cache-differs")}
ELSEWHERE = {
    "clock.wrong", "dns.catch-all", "dns.hosts-override", "dns.no-resolver", "dns.search-domain", "dns.unresolved",
    "route.prohibited",
    "tcp.reset", "tcp.lossy",
}  # fmt: skip


def test_every_cause_of_the_network_and_of_a_service_can_be_produced():
    own = {cause for cause in CAUSES if cause.partition(".")[0] not in NOT_SERVED} - OF_A_CLUSTER
    assert own - {fault.cause for fault in FAULTS} == ELSEWHERE & own


@pytest.mark.parametrize(
    ("text", "vantage"),
    [
        ("mcr.resolve=dns.nxdomain", None),
        ("mcr.resolve=dns.nxdomain@node", "node"),
        ("mcr.resolve=dns.nxdomain@pod/demo", "pod/demo"),
    ],
)
def test_a_fault_is_read_back_from_what_it_prints(text, vantage):
    fault = parse(text)
    assert (fault.vantage, str(fault)) == (vantage, text)


@pytest.mark.parametrize(("vantage", "hit"), [("node/demo", True), ("pod/demo", False), ("workstation", False)])
def test_a_kind_means_all_its_vantages(vantage, hit):
    assert parse("mcr.resolve=dns.nxdomain@node").hits(vantage) is hit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mcr.resolve", "REQUIREMENT=CAUSE"),
        ("=dns.nxdomain", "REQUIREMENT=CAUSE"),
        ("mcr.resolv=dns.nxdomain", "did you mean mcr.resolve"),
        ("mcr.resolve=dns.nxdoman", "did you mean dns.nxdomain"),
        ("mcr.resolve=storage.throttled", "cannot be produced for mcr.resolve"),
        ("mcr.resolve=dns.nxdomain@moon", 'no vantage "moon"'),
        ("mcr.resolve=dns.nxdomain@", 'no vantage ""'),
    ],
)
def test_a_wrong_fault_is_explained(text, said):
    with pytest.raises(UsageFailure, match=re.escape(said)):
        parse(text)
