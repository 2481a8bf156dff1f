"""The ways in which such tools mislead, each shown not to happen: real servers, the whole engine, the judged run."""

import pytest

from preflight.model.run import Run, Verdict
from preflight.model.vocabulary import Status, VantageKind


def of(run: Run, requirement: str, vantage: str) -> Verdict:
    (found,) = [one for one in run.verdicts if (one.requirement, one.vantage) == (requirement, vantage)]
    return found


# -- who speaks for whom


async def test_what_the_workstation_sees_of_a_node_requirement_never_fails_the_gate(judged):
    run = await judged("mcr.reach=tcp.refused@workstation", only=("mcr.*",))
    seen = of(run, "mcr.reach", "workstation")
    assert (seen.status, seen.cause, seen.decides) == (Status.FAIL, "tcp.refused", False)
    assert run.exit_code == 0
    assert run.findings == ()


async def test_a_deciding_vantage_that_could_not_run_is_unknown_and_exits_3(judged):
    gone = {"node": ("vantage.not-run", "no cluster")}
    run = await judged(
        vantages=("workstation",), unavailable=gone, left_out={VantageKind.POD: "vantage left out"}, only=("mcr.*",)
    )
    decided = [one for one in run.verdicts if one.requirement == "mcr.reach" and one.decides]
    assert [(one.status, one.cause) for one in decided] == [(Status.UNKNOWN, "vantage.not-run")]
    assert run.exit_code == 3


async def test_a_vantage_left_out_by_choice_is_skipped_and_the_headline_says_what_is_not_proven(judged):
    by_choice = {VantageKind.NODE: "vantage left out", VantageKind.POD: "vantage left out"}
    run = await judged(vantages=("workstation",), left_out=by_choice, only=("endpoint.*", "mcr.*"))
    decided = [one for one in run.verdicts if one.requirement == "mcr.reach" and one.decides]
    assert {(one.status, one.reason) for one in decided} == {(Status.SKIPPED, "vantage left out")}
    assert run.exit_code == 0
    assert "Nothing is proven for nodes and pods" in run.headline


async def test_the_workstation_decides_where_it_stands_in_and_the_first_line_says_so(judged):
    run = await judged(
        "mcr.reach=tcp.refused@workstation",
        vantages=("workstation",),
        left_out={VantageKind.POD: "vantage left out"},
        stand_in=(VantageKind.NODE,),
        only=("mcr.*",),
    )
    assert of(run, "mcr.reach", "workstation").decides
    assert run.exit_code == 1
    assert "stands in for nodes" in run.banner


async def test_everything_left_out_is_never_success(judged):
    everything = dict.fromkeys((VantageKind.NODE, VantageKind.POD), "vantage left out")
    run = await judged(vantages=("workstation",), left_out=everything, only=("mcr.*",))
    assert run.exit_code == 3


# -- DNS as its consumer does it


async def test_resolvers_that_disagree_fail_pods_behind_coredns(judged):
    run = await judged("dependency.features=dns.inconsistent@pod/demo", only=("dependency.features",))
    assert of(run, "dependency.features", "pod/demo").cause == "dns.inconsistent"
    assert run.exit_code == 1


async def test_a_dead_second_resolver_is_a_warning_behind_glibc(judged):
    run = await judged("mcr.resolve=dns.server-dead@node/demo", only=("mcr.*",))
    assert of(run, "mcr.resolve", "node/demo").status is Status.WARN
    assert of(run, "mcr.resolve", "node/demo").cause == "dns.server-dead"
    assert run.exit_code == 0


async def test_a_public_answer_behind_a_private_link_name_fails_only_where_private_is_expected(judged):
    fault = "storage.blob.resolve=dns.privatelink-public-answer@pod/demo"
    expected = await judged(fault, only=("storage.blob.resolve",))
    assert of(expected, "storage.blob.resolve", "pod/demo").cause == "dns.privatelink-public-answer"
    (finding,) = expected.findings
    assert len(finding.candidates) >= 3
    assert all(candidate.settle for candidate in finding.candidates)
    anything = await judged(fault, without=("storage.blob_link",), only=("storage.blob.resolve",))
    assert of(anything, "storage.blob.resolve", "pod/demo").status in (Status.PASS, Status.WARN)
    assert anything.exit_code == 0


# -- API server


async def test_without_the_clusters_ca_the_api_server_is_unknown_not_intercepted(judged):
    run = await judged(without=("api_server.ca_file",), only=("api-server.*",))
    reach = of(run, "api-server.reach", "node/demo")
    assert (reach.status, reach.cause) == (Status.UNKNOWN, "kube.ca-not-given")
    assert of(run, "api-server.resolve", "node/demo").status is Status.PASS
    assert run.exit_code == 3


async def test_without_a_token_the_api_servers_refusal_proves_that_it_is_reached(judged):
    run = await judged(credentials=False, only=("api-server.*",))
    assert of(run, "api-server.query", "pod/demo").status is Status.PASS


# -- proxy


async def test_a_proxy_that_refuses_is_named_and_the_targets_own_dns_does_not_matter(judged):
    run = await judged("mcr.reach=proxy.denied@node/demo", only=("mcr.*",))
    assert of(run, "mcr.reach", "node/demo").cause == "proxy.denied"
    assert of(run, "mcr.resolve", "node/demo").status is Status.PASS


# -- storage and registry without credentials


async def test_without_credentials_storage_proves_transport_and_leaves_admission_unknown(judged):
    run = await judged(credentials=False, only=("storage.blob.*",))
    assert of(run, "storage.blob.reach", "node/demo").status is Status.PASS
    read = of(run, "storage.blob.read", "node/demo")
    assert (read.status, read.cause) == (Status.UNKNOWN, "storage.admission-unknown")
    assert run.exit_code == 3


async def test_without_credentials_layers_are_unknown_not_passed(judged):
    run = await judged(credentials=False, only=("acr.*",))
    assert of(run, "acr.reach", "node/demo").status is Status.PASS
    layers = of(run, "acr.layers", "node/demo")
    assert layers.status in (Status.UNKNOWN, Status.BLOCKED)
    assert of(run, "acr.manifest", "node/demo").cause == "registry.needs-credentials"
    assert run.exit_code == 3


async def test_the_data_host_of_a_replica_only_warns_and_the_home_regions_fails(judged):
    run = await judged("acr.data=tcp.refused@node/demo", only=("acr.data",))
    by_target = {one.target: one.status for one in run.verdicts if one.vantage == "node/demo"}
    assert by_target["acrprod.westeurope.data.azurecr.io:443"] is Status.FAIL
    assert by_target["acrprod.northeurope.data.azurecr.io:443"] in (Status.PASS, Status.WARN)


async def test_a_denial_that_names_a_public_source_behind_a_private_address_blames_the_firewalls_dns(judged):
    run = await judged("acr.reach=path.firewall-resolved-public@node/demo", only=("acr.*",))
    found = of(run, "acr.reach", "node/demo")
    assert found.cause == "path.firewall-resolved-public"
    assert found.owner == "dns"


# -- isolated clusters, layouts, telemetry


async def test_in_an_isolated_cluster_mcr_is_skipped_and_the_bootstrap_registry_takes_its_place(judged):
    isolated = {"environment.outbound_type": "none", "environment.bootstrap_registry": "acrprod.azurecr.io"}
    run = await judged(sets=isolated, only=("mcr.*", "bootstrap.*"))
    assert {one.status for one in run.verdicts if one.requirement.startswith("mcr.")} == {Status.SKIPPED}
    assert of(run, "bootstrap.reach", "node/demo").status is Status.PASS


@pytest.mark.parametrize(("layout", "wanted"), [("extension", True), ("v1", False)])
async def test_the_extension_layout_adds_the_regional_api(judged, layout: str, wanted: bool):
    run = await judged(sets={"environment.layout": layout}, only=("workspace.*",))
    checked = {one.requirement for one in run.verdicts if one.status is not Status.SKIPPED}
    assert ("workspace.regional" in checked) is wanted


async def test_a_telemetry_name_that_does_not_exist_is_unknown_and_fails_nothing(judged):
    run = await judged("telemetry.resolve=telemetry.name-undocumented", only=("telemetry.*", "entra.resolve"))
    found = of(run, "telemetry.resolve", "pod/demo")
    assert (found.status, found.cause) == (Status.UNKNOWN, "telemetry.name-undocumented")
    assert run.exit_code == 0


# -- owners, evidence, exit codes


async def test_a_silent_drop_belongs_to_the_network_with_ranked_candidates_and_no_guessed_names(judged):
    run = await judged("dependency.features=tcp.timeout@pod/demo", only=("dependency.features",))
    (finding,) = run.findings
    assert (finding.cause, finding.owner) == ("tcp.timeout", "network")
    assert len(finding.candidates) >= 2
    assert finding.confidence != "proven"


async def test_only_its_own_text_proves_azure_firewall(judged):
    run = await judged("dependency.features=http.block-page@pod/demo", only=("dependency.features",))
    (finding,) = run.findings
    assert "Azure Firewall" in finding.title
    assert finding.confidence == "proven"


async def test_findings_carry_queries_with_the_values_filled_in(judged):
    run = await judged("mcr.layers=tls.reset-after-hello@node/demo", only=("mcr.*",))
    (finding,) = run.findings
    text = "\n".join(query.text for query in finding.queries)
    assert "westeurope.data.mcr.microsoft.com" in text
    assert "AZFWApplicationRule" in text
    assert run.started[:10] in text
    sources = [
        connection.tcp.source
        for seen in run.observations
        for hop in seen.hops
        for connection in hop.connections
        if connection.tcp.result == "connected"
    ]
    assert sources
    assert all(source and source.rpartition(":")[2].isdigit() for source in sources)


async def test_warnings_exit_with_4_only_under_strict(judged):
    fault = "telemetry.reach=tcp.refused"
    assert (await judged(fault, only=("telemetry.*", "entra.resolve"))).exit_code == 0
    assert (await judged(fault, only=("telemetry.*", "entra.resolve"), strict=True)).exit_code == 4
