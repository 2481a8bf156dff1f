"""Findings: one thing to change each, for one owner, with evidence, doubt, candidates and queries."""

import msgspec
import pytest
from builders.facts import (
    CORPORATE,
    HOST,
    PRIVATE,
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
    through_proxy,
    tls,
    vantage,
)
from msgspec import UNSET

from preflight.judge import attribution, judge, queries, remedies
from preflight.model.causes import CAUSES
from preflight.model.plan import Expect, LeftOut
from preflight.model.vocabulary import Confidence, Link, Owner, Phase, ProbeName, Severity, Status

CUT = {"connections": (connection(secure=tls("reset")),), "http": UNSET}
SILENT = {"connections": (connection(secure=False, result="timeout"),), "http": UNSET}
CHAIN = (HOST, "stmlprod.privatelink.blob.core.windows.net")
OTHERS = ("westeurope.data.mcr.microsoft.com", "mcr.microsoft.com", "acrprod.azurecr.io")


def url(host):
    return f"https://{host}/"


def run_of(places, environment=None, *, requirement="mcr.layers", host=HOST, expect=None, decides=None, **more):
    """One requirement at each place, {vantage: stages of its hop}."""
    checks = [
        check(
            requirement, at=at, target=f"{host}:443", expect=expect or Expect(), decides=(decides or {}).get(at, True)
        )
        for at in places
    ]
    seen = [observation(hop(url=url(host), **stages), at=at) for at, stages in places.items()]
    return judge(evidence(plan(*checks), *seen, environment=environment or {}, **more))


def model(name, **pools):
    return {"environment": {"network_model": name}, "pool": [{"name": key, **value} for key, value in pools.items()]}


def test_a_cut_connection_becomes_a_change_that_can_be_pasted():
    run = run_of({"node/system": {}, "node/user1": CUT}, host="westeurope.data.mcr.microsoft.com")
    (found,) = run.findings
    assert found.title == (
        "Allow TCP 443 from node/user1 (10.240.8.17) to westeurope.data.mcr.microsoft.com"
        " on the firewall that filters by server name"
    )
    assert (found.id, found.cause, found.owner) == ("1", "tls.reset-after-hello", Owner.NETWORK)
    assert (found.status, found.severity, found.confidence) == (Status.FAIL, Severity.REQUIRED, Confidence.LIKELY)
    assert "The same works from node/system, so the pools meet different rules." in found.why
    assert found.verify == "preflight run --only mcr.layers --vantage workstation,node --stand-in node"
    assert "Without it: The model cannot be downloaded." in found.change
    assert found.settle


def test_what_the_catalogue_says_to_open_is_printed_instead_of_single_hosts():
    host = "westeurope.data.mcr.microsoft.com"
    layers = check("mcr.layers", opens=("*.data.mcr.microsoft.com:443",))
    data = check("mcr.data", task="data", target=f"{host}:443")
    seen = [observation(hop(url=url(host), **CUT), task=task) for task in ("task", "data")]
    (found,) = judge(evidence(plan(layers, data), *seen)).findings
    assert "to *.data.mcr.microsoft.com on" in found.title
    assert "westeurope" in found.change


@pytest.mark.parametrize(("code", "cause"), [(1, "route.unreachable"), (13, "route.prohibited")])
def test_a_device_that_says_by_icmp_that_there_is_no_way_is_proven_and_named(code, cause):
    seen = connection(PUBLIC, secure=False, result="error", errno="EHOSTUNREACH", icmp_code=code, icmp_from="10.0.0.1")
    (found,) = run_of({"node/user1": {"connections": (seen,), "http": UNSET}}).findings
    assert (found.cause, found.confidence, found.candidates) == (cause, Confidence.PROVEN, ())
    assert "says 10.0.0.1 by ICMP" in found.why[0]


@pytest.mark.parametrize(
    ("stated", "first", "never"),
    [
        ("overlay", "NetworkPolicy", "subnet"),
        ("kubenet", "NetworkPolicy", "subnet"),
        ("node-subnet", "NetworkPolicy", None),
        ("pod-subnet", "NSG, route table", None),
    ],
)
def test_a_pod_only_failure_is_read_with_the_network_model(stated, first, never):
    run = run_of({"node/user1": {}, "pod/user1": SILENT}, model(stated))
    (found,) = run.findings
    assert found.candidates[0].what.startswith(first)
    assert found.confidence is Confidence.LIKELY
    if never:
        assert never not in found.candidates[0].what
        assert "would stop the nodes too" in found.contradicts[0]


def test_without_a_network_model_both_are_possible():
    run = run_of({"node/user1": {}, "pod/user1": SILENT})
    (found,) = run.findings
    assert found.confidence is Confidence.POSSIBLE
    kinds = [one.what.partition(" ")[0] for one in found.candidates]
    assert kinds[:2] == ["NetworkPolicy", "NSG,"]


def test_names_of_subnets_are_printed_only_when_known():
    known = model("pod-subnet", user1={"pod_subnet": "snet-pods-user1"})
    places = {"node/user1": {}, "pod/user1": SILENT}
    assert "snet-pods-user1" in run_of(places, known).findings[0].candidates[0].what
    assert "snet" not in run_of(places, model("pod-subnet")).findings[0].candidates[0].what


def test_a_workstation_that_works_is_a_clue_and_covers_nothing():
    run = run_of({"workstation": {}, "node/user1": SILENT}, decides={"workstation": False})
    (found,) = run.findings
    assert found.vantages == ("node/user1",)
    assert any("works from workstation" in line for line in found.why)


def test_private_and_public_silence_have_different_suspects():
    inside = {
        "dns": resolved(PRIVATE),
        "connections": (connection(PRIVATE, secure=False, result="timeout"),),
        "http": UNSET,
    }
    assert "peering" in run_of({"node/a": inside}).findings[0].candidates[0].what
    assert "default route" in run_of({"node/a": SILENT}).findings[0].candidates[0].what


def test_a_public_answer_for_a_private_link_name_names_all_three_reasons_with_what_would_settle_each():
    public = {"dns": dns(answer(PUBLIC, chain=CHAIN))}
    run = run_of({"node/a": public, "pod/a": public}, expect=Expect(link=Link.PRIVATE))
    (found,) = run.findings
    assert (found.cause, found.owner, found.confidence) == (
        "dns.privatelink-public-answer",
        Owner.DNS,
        Confidence.LIKELY,
    )
    assert len(found.candidates) == 3
    assert all(one.settle for one in found.candidates)
    assert "privatelink.blob.core.windows.net" in found.title


def test_hosts_cut_at_the_same_places_are_one_change_request():
    checks = [check(f"dependency.d{n}", target=f"{host}:443", task=f"t{n}") for n, host in enumerate(OTHERS)]
    seen = [observation(hop(url=url(host), **CUT), task=f"t{n}") for n, host in enumerate(OTHERS)]
    (found,) = judge(evidence(plan(*checks), *seen)).findings
    assert found.targets == tuple(f"{host}:443" for host in OTHERS)
    assert len(found.checks) == 3


def test_hosts_cut_at_different_places_are_different_ones():
    checks = [
        check("a.b", at="node/x", target=f"{OTHERS[0]}:443", task="t0"),
        check("c.d", at="pod/x", target=f"{OTHERS[1]}:443", task="t1"),
    ]
    seen = [
        observation(hop(url=url(OTHERS[0]), **CUT), at="node/x", task="t0"),
        observation(hop(url=url(OTHERS[1]), **CUT), at="pod/x", task="t1"),
    ]
    assert len(judge(evidence(plan(*checks), *seen)).findings) == 2


def test_a_finding_covers_what_it_blocks():
    checks = [check("acr.resolve", "origin.dns"), check("acr.reach", "origin.tcp"), check("acr.layers", "layer")]
    lost = hop(dns=dns(answer(rcode="NXDOMAIN")), connections=(), http=UNSET)
    (found,) = judge(evidence(plan(*checks), observation(lost))).findings
    assert found.checks == tuple(one.id for one in checks)
    assert found.verify.count("--only") == 3


def test_one_inspecting_authority_is_one_finding_and_its_name_is_in_it():
    inspected = {
        "connections": (
            connection(
                secure=tls("unverified", verify_code=20, chain=(certificate("CN=Zscaler Root CA,O=Zscaler Inc."),))
            ),
        ),
        "http": UNSET,
    }
    checks = [
        check(f"dependency.d{n}", task=f"t{n}", target=f"{host}:443", expect=Expect(issuers=("DigiCert",)))
        for n, host in enumerate(OTHERS)
    ]
    seen = [observation(hop(url=url(host), **inspected), task=f"t{n}") for n, host in enumerate(OTHERS)]
    (found,) = judge(evidence(plan(*checks), *seen)).findings
    assert "Zscaler Root CA" in found.title
    assert found.confidence is Confidence.PROVEN


def test_azure_firewall_is_named_only_by_its_own_text():
    text = "Action: Deny. Reason: No rule matched. Proceeding with default action."
    told = run_of({"node/a": {"http": http(470, text)}}).findings[0]
    assert "Azure Firewall" in told.title
    assert (told.confidence, told.candidates) == (Confidence.PROVEN, ())
    guessed = run_of({"node/a": CUT}).findings[0]
    assert "Azure Firewall" not in guessed.title + "".join(one.what for one in guessed.candidates)


def test_a_proxy_that_demands_credentials_is_one_finding_for_all_targets():
    run = run_of({"node/a": {"dns": UNSET, "connections": (), "proxy": proxied(407).proxy, "http": UNSET}})
    assert "http://proxy.corp:3128" in run.findings[0].title


def test_a_vantage_that_could_not_run_is_one_finding():
    omitted = tuple(
        LeftOut(
            requirement=f"mcr.{name}",
            title=name,
            phase=Phase.ROUTER_INSTALL,
            severity=Severity.REQUIRED,
            vantage="node/a",
            reason="rejected",
            status="unknown",
            cause="vantage.not-run",
        )
        for name in ("resolve", "reach")
    )
    run = judge(evidence(plan(left_out=omitted, vantages=())))
    (found,) = run.findings
    assert (found.cause, len(found.checks), found.severity) == ("vantage.not-run", 2, Severity.REQUIRED)


def test_failures_come_before_what_could_not_be_told_and_warnings_last():
    checks = [
        check("a.warn", task="t0", target="a:443", severity=Severity.RECOMMENDED),
        check("b.unknown", task="t1", target="b:443"),
        check("c.fail", task="t2", target="c:443"),
    ]
    seen = [
        observation(hop(url=url("a"), **SILENT), task="t0"),
        observation(hop(url=url("b"), connections=(), http=UNSET), task="t1"),
        observation(hop(url=url("c"), **CUT), task="t2"),
    ]
    found = judge(evidence(plan(*checks), *seen)).findings
    assert [one.status for one in found] == [Status.FAIL, Status.UNKNOWN, Status.WARN]
    assert [one.id for one in found] == ["1", "2", "3"]


def test_queries_carry_source_destination_name_and_time():
    (found,) = run_of({"node/a": CUT}).findings
    (query,) = found.queries
    assert query.text.splitlines()[:5] == [
        "// sent from 10.240.8.17:51234 at 2026-11-22T10:00:00.000Z",
        "AZFWApplicationRule",
        "| where TimeGenerated between (datetime(2026-11-22T09:55:00Z) .. datetime(2026-11-22T10:05:00Z))",
        f'| where Fqdn in~ ("{HOST}")',
        '| where SourceIp in ("10.240.8.17")',
    ]
    firewall, flows = run_of({"node/a": SILENT}).findings[0].queries
    assert f'| where DestinationIp in ("{PUBLIC}")' in firewall.text
    assert "| where DestinationPort in (443)" in firewall.text
    assert "\nNTANetAnalytics\n" in flows.text
    lost = run_of({"node/a": {"dns": dns(answer(rcode="NXDOMAIN")), "connections": (), "http": UNSET}})
    assert f'| where QueryName has_any ("{HOST}")' in lost.findings[0].queries[0].text


def test_where_pods_are_translated_the_log_has_another_source():
    run = run_of({"pod/a": CUT}, model("overlay"))
    text = run.findings[0].queries[0].text
    assert "where SourceIp" not in text
    assert "add the node's address" in text


def test_hostile_names_never_reach_a_query():
    names = ('x") | take 1 //', "ok.example")
    traffic = queries.Traffic(
        times=("2026-11-22T10:00:00Z",), names=names, sources=("1.2.3.4\n",), sent=("1.2.3.4:1\n",)
    )
    (query,) = queries.for_server_names(traffic)
    assert "take 1" not in query.text
    assert '("ok.example")' in query.text
    assert "1.2.3.4" not in query.text


def test_every_cause_has_a_title_and_no_title_is_without_a_cause():
    assert set(remedies.TITLES) == set(CAUSES)
    words = remedies.Words(who="node/a", hosts="h", ports="443")
    for cause in CAUSES:
        assert "{" not in remedies.title(cause, words)


def test_the_words_do_not_shout_and_never_say_unknown_error():
    for title in remedies.TITLES.values():
        assert "!" not in title
        assert "unknown error" not in title.lower()


def test_a_corporate_issuer_on_a_dependency_is_for_the_trust_store():
    inspected = {
        "connections": (connection(secure=tls("unverified", verify_code=20, chain=(certificate(CORPORATE),))),),
        "http": UNSET,
    }
    (found,) = run_of({"node/a": inspected}).findings
    assert (found.cause, found.owner) == ("tls.untrusted", Owner.PLATFORM)


def test_facts_of_the_vantage_are_optional():
    run = run_of({"node/a": SILENT}, facts=(vantage("node/other"),))
    assert run.findings[0].cause == "tcp.timeout"


def test_a_place_that_works_through_a_proxy_says_nothing_about_the_direct_way():
    run = run_of(
        {"workstation": {"dns": UNSET, "connections": (), "proxy": through_proxy(), "tls": tls()}, "node/a": CUT}
    )
    assert any("workstation goes through a proxy" in line for line in run.findings[0].contradicts)


def test_a_silent_public_api_server_may_have_authorized_ranges():
    run = run_of({"node/a": SILENT}, requirement="api-server.reach", expect=Expect(trust="cluster-ca"))
    assert any("authorized IP ranges" in one.what for one in run.findings[0].candidates)


def test_the_address_that_the_service_saw_goes_into_the_change():
    told = {
        "error": "DENIED",
        "denied_source": "20.120.109.180",
        "error_message": "client with IP is not allowed access",
    }
    denied = hop(url=url("acrprod.azurecr.io"), http=http(403), service=told)
    one = check("acr.reach", target="acrprod.azurecr.io:443")
    run = judge(evidence(plan(one), observation(denied, probe=ProbeName.REGISTRY)))
    (found,) = run.findings
    assert found.cause == "registry.denied-by-network"
    assert "20.120.109.180" in found.title


def test_pods_that_do_not_trust_what_nodes_trust_point_to_the_image():
    inspected = tls("unverified", verify_code=20, chain=(certificate(CORPORATE),))
    run = run_of(
        {"node/a": {}, "pod/a": {"connections": (connection(secure=inspected),), "http": UNSET}}, model("overlay")
    )
    assert "trust store of the image" in run.findings[0].candidates[0].what


def test_every_network_cause_on_the_wire_ranks_places_or_names_the_change_itself():
    settled = {
        "dns.tcp-blocked",
        "proxy.auth-required",
        "proxy.denied",
        "path.firewall-resolved-public",
        "kube.sni-missing",
    }
    for cause in CAUSES.values():
        if cause.owner is Owner.NETWORK and cause.id not in settled and not cause.id.startswith("registry."):
            assert attribution.candidates(attribution.View(cause=cause.id, failing=("node/a",), working=())), cause.id


def test_a_place_that_was_observed_in_full_can_still_have_a_trouble_of_its_own():
    whole = evidence(plan(check("a.b", at="node/a")), observation(hop(), at="node/a"))
    seen = tuple(
        msgspec.structs.replace(one, error="logs fail", error_cause="kube.log-channel-broken", complete=True)
        for one in whole.vantages
    )
    run = judge(msgspec.structs.replace(whole, vantages=seen))
    found = next(one for one in run.findings if one.cause == "kube.log-channel-broken")
    assert (found.severity, found.status, found.checks) == (Severity.RECOMMENDED, Status.WARN, ())
    assert found.why == ("node/a: logs fail",)
    assert found.candidates


def test_an_image_that_no_pool_can_pull_is_one_finding():
    omitted = tuple(
        LeftOut(
            requirement="mcr.resolve",
            title="x",
            phase=Phase.ROUTER_INSTALL,
            severity=Severity.REQUIRED,
            vantage=vantage,
            reason=f"{vantage} cannot pull the probe image",
            status="unknown",
            cause="pull.not-found",
        )
        for vantage in ("node/a", "node/b", "pod/a")
    )
    (found,) = judge(evidence(plan(left_out=omitted, vantages=()))).findings
    assert found.vantages == ("node/a", "node/b", "pod/a")
    assert found.why[-1] == "The same from node/a, node/b, pod/a."
    assert len(found.why) == 4


def test_a_finding_of_a_cluster_is_verified_in_the_same_places_of_the_cluster():
    whole = evidence(plan(check("a.b", at="node/user1"), vantages=("node/user1",)))
    seen = tuple(msgspec.structs.replace(one, place="node n, pool user1") for one in whole.vantages)
    (found,) = judge(msgspec.structs.replace(whole, vantages=seen)).findings
    assert found.verify == "preflight run --only a.b --kubeconfig FILE --vantage node --pool user1"


def test_what_many_places_share_is_one_finding_and_of_few_each_has_its_own():
    def found(number):
        names = [f"node/p{at}" for at in range(number)]
        facts = tuple(vantage(name, complete=False, error="it did not start") for name in names)
        told = evidence(plan(*(check(at=name) for name in names)), facts=facts)
        return [one for one in judge(told).findings if one.cause == "vantage.incomplete"]

    assert [len(one.vantages) for one in found(5)] == [1] * 5
    assert [len(one.vantages) for one in found(6)] == [6]
