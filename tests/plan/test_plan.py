"""The plan: who is checked from where, what is left out and why. Pure, so without a socket."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight import catalogue, environment, plan
from preflight.failures import UsageFailure
from preflight.model.plan import Mapping
from preflight.model.vocabulary import Link, ProbeName, Severity, VantageKind

CATALOGUE, CLOUDS = catalogue.load(), catalogue.load_clouds()
WHOLE = (Path(__file__).parents[1] / "environment" / "whole.toml").read_text().partition("[mapping]")[0]
PEM = (Path(__file__).parents[1] / "environment" / "ca.pem").read_text()
ALL = ("workstation", "node/demo", "pod/demo")
NODE, POD, WORKSTATION = VantageKind.NODE, VantageKind.POD, VantageKind.WORKSTATION

PUBLIC = """
[environment]
region = "westeurope"
layout = "v1"
token_authentication = true
[api_server]
fqdn = "a.hcp.westeurope.azmk8s.io"
[registry]
name = "acrprod"
[[storage]]
account = "stmlprod"
[endpoint]
domain = "scores"
"""
DIGEST = f"sha256:{'0' * 64}"
DEPENDENCY = '[[dependency]]\nname = "a"\nurl = "https://a.test/x"\n'


@pytest.fixture
def env(tmp_path):
    def load(text: str, **overrides: str):
        path = tmp_path / "preflight.toml"
        (tmp_path / "ca.pem").write_text(PEM)
        path.write_text(text if text.startswith("schema_version") else f"schema_version = 1\n{text}")
        dotted = {key.replace("__", "."): value for key, value in overrides.items()}
        return environment.load(path, environ={}, overrides=dotted, clouds=CLOUDS)

    return load


def build(env, vantages=ALL, **others):
    return plan.build(CATALOGUE, env, vantages=vantages, **others)


def checks_of(built, requirement):
    return {check.vantage: check for check in built.checks if check.requirement == requirement}


def left_out(built, requirement):
    return [entry for entry in built.left_out if entry.requirement == requirement]


def test_nothing_vanishes_every_requirement_is_checked_or_left_out(env):
    for text in (PUBLIC, WHOLE, DEPENDENCY, ""):
        built = build(env(text))
        seen = {check.requirement for check in built.checks} | {entry.requirement for entry in built.left_out}
        assert {one.id for one in CATALOGUE.requirements} - seen <= {"dependency"}


def test_every_check_has_its_task_and_every_vantage_runs_what_its_checks_need(env):
    built = build(env(WHOLE))
    tasks = {task.key for task in built.tasks}
    assert len(tasks) == len(built.tasks)
    for check in built.checks:
        assert check.task in built.runs[check.vantage]
    assert {key for keys in built.runs.values() for key in keys} == tasks
    assert len({check.id for check in built.checks}) == len(built.checks)


def test_checks_stand_in_order_of_catalogue_then_vantage_then_target(env):
    built = build(env(WHOLE))
    order = [one.id for one in CATALOGUE.requirements]
    ranks = [
        (order.index(check.requirement), ALL.index(check.vantage))
        for check in built.checks
        if not check.requirement.startswith("dependency.")
    ]
    assert ranks == sorted(ranks)


def test_requirements_on_one_host_share_one_task(env):
    built = build(env(PUBLIC))
    assert {check.task for check in built.checks if check.requirement.startswith("acr.")} == {
        "registry:acrprod.azurecr.io:443"
    }


def test_slices_of_a_task_have_one_owner_at_each_vantage(env):
    built = build(env(WHOLE))
    seen = set()
    for check in built.checks:
        if check.requirement.startswith("dependency."):
            continue
        for text in check.judges:
            assert (check.vantage, check.task, text) not in seen
            seen.add((check.vantage, check.task, text))


# -- who speaks for whom


def test_a_workstation_never_decides_for_nodes_and_pods(env):
    built = build(env(PUBLIC))
    for check in built.checks:
        decides = next(one.decides for one in CATALOGUE.requirements if one.id == check.requirement)
        assert check.decides is (VantageKind(check.vantage.partition("/")[0]) in decides)


def test_a_kind_left_out_by_choice_is_skipped_with_its_reason(env):
    built = build(env(PUBLIC), ("workstation",), left_out={NODE: "vantage left out", POD: "vantage left out"})
    (entry,) = left_out(built, "mcr.reach")
    assert (entry.vantage, entry.status, entry.cause, entry.reason) == ("node", "skipped", None, "vantage left out")
    assert [one.vantage for one in left_out(built, "storage.blob.reach")] == ["node", "pod"]


def test_a_deciding_vantage_that_cannot_run_is_unknown(env):
    built = build(
        env(PUBLIC),
        ("workstation",),
        unavailable={"node": ("vantage.not-run", "no cluster"), "pod": ("vantage.not-run", "no cluster")},
    )
    (entry,) = left_out(built, "mcr.reach")
    assert (entry.vantage, entry.status, entry.cause, entry.reason) == (
        "node",
        "unknown",
        "vantage.not-run",
        "no cluster",
    )
    assert checks_of(built, "mcr.reach")["workstation"].decides is False


def test_a_deciding_vantage_that_nobody_mentions_is_unknown_too(env):
    (entry,) = left_out(build(env(PUBLIC), ("workstation",)), "mcr.reach")
    assert (entry.status, entry.cause) == ("unknown", "vantage.not-run")


def test_one_pool_that_cannot_run_is_unknown_beside_those_that_run(env):
    built = build(env(PUBLIC), ALL, unavailable={"node/user1": ("vantage.not-run", "no node")})
    (entry,) = left_out(built, "mcr.reach")
    assert (entry.vantage, entry.status) == ("node/user1", "unknown")
    assert checks_of(built, "mcr.reach")["node/demo"].decides is True


def test_a_vantage_that_only_informs_leaves_no_gap(env):
    built = build(env(PUBLIC), ("node/demo", "pod/demo"))
    assert left_out(built, "mcr.reach") == []


def test_the_workstation_decides_where_it_stands_in(env):
    built = build(
        env(PUBLIC),
        ("workstation",),
        stand_in=(NODE, POD),
        left_out={NODE: "vantage left out", POD: "vantage left out"},
    )
    assert built.stand_in == ("node", "pod")
    assert checks_of(built, "mcr.reach")["workstation"].decides is True
    assert left_out(built, "mcr.reach") == []


def test_standing_in_for_one_kind_leaves_the_other_open(env):
    built = build(env(PUBLIC), ("workstation",), stand_in=(NODE,), unavailable={"pod": ("vantage.not-run", "none")})
    assert checks_of(built, "mcr.reach")["workstation"].decides is True
    assert checks_of(built, "telemetry.reach")["workstation"].decides is False
    assert [one.vantage for one in left_out(built, "storage.blob.reach")] == ["pod"]


def test_standing_in_needs_the_workstation(env):
    with pytest.raises(UsageFailure, match="--vantage workstation"):
        build(env(PUBLIC), ("node/demo",), stand_in=(NODE,))


def test_no_vantage_at_all_is_refused(env):
    with pytest.raises(UsageFailure, match="nothing would be checked"):
        build(env(PUBLIC), ())


# -- dependencies


def test_a_dependency_decides_at_every_vantage_that_runs(env):
    built = build(env(DEPENDENCY))
    assert {vantage: check.decides for vantage, check in checks_of(built, "dependency.a").items()} == dict.fromkeys(
        ALL, True
    )
    check = checks_of(built, "dependency.a")["workstation"]
    assert (check.judges, check.expect.catalogue_name, check.expect.issuers) == (("origin",), False, ())
    assert check.id == "dependency.a@workstation"


def test_a_dependency_that_names_no_vantages_asks_for_none_that_cannot_run(env):
    built = build(
        env(DEPENDENCY),
        ("workstation",),
        unavailable={"node": ("vantage.not-run", "x"), "pod": ("vantage.not-run", "x")},
    )
    assert left_out(built, "dependency.a") == []


def test_a_dependency_that_names_vantages_needs_them(env):
    built = build(
        env(DEPENDENCY + 'vantages = ["pod"]'), ("workstation",), unavailable={"pod": ("vantage.not-run", "x")}
    )
    assert checks_of(built, "dependency.a") == {}
    assert [(one.vantage, one.status) for one in left_out(built, "dependency.a")] == [("pod", "unknown")]


def test_a_kind_that_a_dependency_names_and_that_was_left_out_is_skipped(env):
    built = build(
        env(DEPENDENCY + 'vantages = ["pod", "workstation"]'), ("workstation",), left_out={POD: "vantage left out"}
    )
    assert [(one.vantage, one.status) for one in left_out(built, "dependency.a")] == [("pod", "skipped")]


def test_a_file_of_dependencies_checks_those_and_nothing_else(env):
    built = build(env('[environment]\ncloud = "AzureCloud"\nca_file = "ca.pem"\n' + DEPENDENCY), ("workstation",))
    assert {check.requirement for check in built.checks} == {"dependency.a"}
    assert {entry.status for entry in built.left_out} == {"skipped"}
    assert left_out(built, "mcr.reach")[0].reason.startswith("no cluster is given")


def test_tcp_dependencies_are_probed_by_tcp_and_addresses_keep_their_form(env):
    built = build(env('[[dependency]]\nname = "db"\nurl = "tcp://[FD00::7]:5432"\nseverity = "recommended"'))
    (task,) = built.tasks
    assert (task.probe, task.target.host, task.target.port, task.target.hostport) == (
        "tcp",
        "fd00::7",
        5432,
        "[fd00::7]:5432",
    )
    assert {check.severity for check in built.checks} == {Severity.RECOMMENDED}


def test_two_dependencies_on_one_host_have_tasks_of_their_own_unless_they_ask_the_same(env):
    text = "".join(
        f'[[dependency]]\nname = "{name}"\nurl = "https://a.test/{path}"\nexpect = [{status}]\n'
        for name, path, status in (("a", "x", 200), ("b", "y", 200), ("c", "x", 401))
    )
    built = build(env(text), ("workstation",))
    assert [task.key for task in built.tasks] == ["http:a.test:443", "http:a.test:443/y"]
    assert [check.task for check in built.checks] == ["http:a.test:443", "http:a.test:443/y", "http:a.test:443"]
    assert checks_of(built, "dependency.c")["workstation"].expect.statuses == ((401, 401),)


# -- what applies


@pytest.mark.parametrize(
    ("text", "requirement", "reason"),
    [
        ('[environment]\nregion = "x"', "api-server.reach", "api_server.fqdn is not given"),
        ('[environment]\nregion = "x"', "acr.reach", "registry.name is not given"),
        ('[environment]\nregion = "x"', "storage.blob.reach", "no [[storage]] account is given"),
        ('[environment]\nregion = "x"', "entra.reach", "only with token authentication"),
        ('[environment]\nregion = "x"', "endpoint.answer", "endpoint.domain is not given"),
        ('[environment]\nregion = "x"', "bootstrap.reach", "only in an isolated cluster"),
        ('[environment]\nregion = "x"', "acr.data", "only with dedicated data endpoints"),
        ('[environment]\nregion = "x"\nlayout = "v1"', "workspace.regional", "only with the Kubernetes extension"),
        (
            '[environment]\nregion = "x"\nlayout = "extension"\n[[storage]]\naccount = "st1"',
            "storage.table.reach",
            "only in the v1 layout",
        ),
        (
            '[environment]\nlayout = "v1"\n[[storage]]\naccount = "st1"\ntable = false',
            "storage.table.reach",
            "only for accounts with tables",
        ),
        ('[environment]\ncluster = "x"', "telemetry.reach", "environment.region is not given"),
        ("", "dependency", "no [[dependency]] is given"),
        ("", "mcr.reach", "no cluster is given"),
    ],
)
def test_what_does_not_apply_is_left_out_with_its_reason(env, text, requirement, reason):
    (entry,) = left_out(build(env(text)), requirement)
    assert entry.reason.startswith(reason)
    assert (entry.vantage, entry.status, entry.cause) == (None, "skipped", None)


@pytest.mark.parametrize("outbound", ["none", "block"])
def test_in_an_isolated_cluster_the_bootstrap_registry_takes_the_place_of_mcr(env, outbound):
    built = build(env(PUBLIC, environment__outbound_type=outbound, environment__bootstrap_registry="cache1.azurecr.io"))
    assert "not in an isolated cluster" in left_out(built, "mcr.layers")[0].reason
    assert "not in an isolated cluster" in left_out(built, "aks-egress.arm")[0].reason
    assert checks_of(built, "bootstrap.layers")["node/demo"].target == "cache1.azurecr.io:443"


def test_an_unknown_layout_checks_what_only_one_of_them_needs_as_recommended(env):
    built = build(env(PUBLIC, environment__layout="auto"))
    assert checks_of(built, "storage.table.reach")["pod/demo"].severity is Severity.RECOMMENDED
    assert checks_of(built, "workspace.regional")["pod/demo"].severity is Severity.RECOMMENDED
    assert checks_of(built, "storage.blob.reach")["pod/demo"].severity is Severity.REQUIRED


def test_every_data_host_of_every_replica_is_a_target_and_the_home_region_weighs_more(env):
    checks = [
        check for check in build(env(WHOLE)).checks if check.requirement == "acr.data" and check.vantage == "node/demo"
    ]
    assert [(check.target, check.severity) for check in checks] == [
        ("acrprod.westeurope.data.azurecr.io:443", Severity.REQUIRED),
        ("acrprod.northeurope.data.azurecr.io:443", Severity.RECOMMENDED),
    ]
    assert checks[0].id == "acr.data@node/demo[acrprod.westeurope.data.azurecr.io]"


def test_layer_hosts_that_cannot_be_named_are_given_as_patterns(env):
    assert checks_of(build(env(PUBLIC)), "acr.layers")["node/demo"].opens == ("*.blob.core.windows.net:443",)
    assert checks_of(build(env(WHOLE)), "acr.layers")["node/demo"].opens == ()
    assert "*.data.mcr.microsoft.com:443" in checks_of(build(env(PUBLIC)), "mcr.layers")["node/demo"].opens


def test_one_account_without_tables_is_left_out_alone(env):
    text = PUBLIC + '[[storage]]\naccount = "stmlcfg"\ntable = false\n'
    built = build(env(text))
    assert {check.target for check in built.checks if check.requirement == "storage.table.reach"} == {
        "stmlprod.table.core.windows.net:443"
    }
    (entry,) = left_out(built, "storage.table.reach")
    assert entry.target == "stmlcfg"


def test_an_own_cloud_without_a_suffix_leaves_out_what_needs_it(env):
    text = PUBLIC.replace(
        "[environment]", '[clouds.Moon]\nacr = "azurecr.moon"\n[environment]\ncloud = "Moon"'
    ).replace('domain = "scores"', 'domain = "scores.moon"')
    built = build(env(text))
    assert checks_of(built, "acr.reach")["node/demo"].target == "acrprod.azurecr.moon:443"
    assert left_out(built, "storage.blob.reach")[0].reason == "clouds.Moon.storage is not given"
    assert checks_of(built, "acr.reach")["node/demo"].expect.issuers == ()


# -- expectations


@pytest.mark.parametrize(
    ("access", "fqdn", "link", "zone"),
    [
        ("public", "a.hcp.westeurope.azmk8s.io", Link.PUBLIC, None),
        ("private", "a.hcp.westeurope.azmk8s.io", Link.PRIVATE, "privatelink.westeurope.azmk8s.io"),
        ("private", "a.g.privatelink.westeurope.azmk8s.io", Link.PRIVATE, "privatelink.westeurope.azmk8s.io"),
        ("vnet-integrated", "a.hcp.westeurope.azmk8s.io", Link.ANY, "private.westeurope.azmk8s.io"),
    ],
)
def test_the_api_servers_access_sets_link_and_zone(env, access, fqdn, link, zone):
    built = build(env(PUBLIC, api_server__access=access, api_server__fqdn=fqdn))
    expect = checks_of(built, "api-server.resolve")["node/demo"].expect
    assert (expect.link, expect.private_zone) == (link, zone)


def test_without_the_clusters_ca_everything_from_tls_on_has_a_precondition(env):
    without, given = build(env(PUBLIC)), build(env(PUBLIC, api_server__ca_file=_ca(env)))
    for requirement, cause in (("resolve", None), ("reach", "kube.ca-not-given"), ("query", "kube.ca-not-given")):
        assert checks_of(without, f"api-server.{requirement}")["pod/demo"].precondition == cause
        assert checks_of(given, f"api-server.{requirement}")["pod/demo"].precondition is None
    check = checks_of(given, "api-server.reach")["pod/demo"]
    assert (check.expect.trust, check.expect.issuers, check.expect.alpn) == ("cluster-ca", (), ("h2", "http/1.1"))


def _ca(env):
    return str(Path(env(PUBLIC).source).parent / "ca.pem")


def test_expectations_of_the_file_reach_the_checks(env):
    built = build(env(WHOLE))
    blob = checks_of(built, "storage.blob.resolve")["pod/demo"].expect
    assert (blob.link, blob.public_access_denied, blob.private_zone) == (
        Link.ANY,
        False,
        "privatelink.blob.core.windows.net",
    )
    acr = checks_of(built, "acr.resolve")["node/demo"].expect
    assert (acr.link, acr.public_access_denied) == (Link.PRIVATE, True)
    assert checks_of(built, "acr.layers")["node/demo"].expect.options == {"regions": "westeurope,northeurope"}
    assert checks_of(built, "endpoint.resolve")["pod/demo"].expect.addresses == ("20.1.2.3",)
    assert checks_of(built, "telemetry.resolve")["pod/demo"].expect.options == {
        "nxdomain": "telemetry.name-undocumented"
    }


def test_issuers_are_the_clouds_unless_the_file_replaces_them(env):
    assert checks_of(build(env(PUBLIC)), "mcr.reach")["node/demo"].expect.issuers == (
        "Microsoft Corporation",
        "DigiCert",
    )
    built = build(env('schema_version = 1\nissuers = ["Lab CA"]\n' + PUBLIC))
    assert checks_of(built, "mcr.reach")["node/demo"].expect.issuers == ("Lab CA",)
    assert checks_of(built, "endpoint.reach")["pod/demo"].expect.issuers == ()


def test_registry_credentials_go_to_that_registry_and_to_no_other(env):
    text = WHOLE.replace(
        'outbound_type = "userDefinedRouting"', 'outbound_type = "none"\nbootstrap_registry = "cache1.azurecr.io"'
    )
    tasks = {task.target.host: task for task in build(env(text)).tasks if task.probe == "registry"}
    assert tasks["acrprod.azurecr.io"].secrets == ("registry_user", "registry_password")
    assert tasks["cache1.azurecr.io"].secrets == ()


def test_parameters_of_keys_that_are_not_given_are_dropped(env):
    tasks = {task.probe.value: task for task in build(env(PUBLIC), skip=("mcr.*",)).tasks}
    assert tasks["registry"].params == {"reference": "latest"}
    assert tasks["blob"].params == {"account": "stmlprod"}
    assert tasks["entra"].params == {"tenant": "common"}


# -- only and skip


def test_only_keeps_what_matches_and_says_what_was_deselected(env):
    built = build(env(PUBLIC + DEPENDENCY), ("workstation",), only=("dependency.*",))
    assert {check.requirement for check in built.checks} == {"dependency.a"}
    assert left_out(built, "mcr.reach")[0].reason == "not among those chosen with --only"
    assert [task.key for task in built.tasks] == ["http:a.test:443"]


def test_skip_says_which_pattern_it_was(env):
    built = build(env(PUBLIC), skip=("mcr.*",))
    assert left_out(built, "mcr.layers")[0].reason == "left out with --skip mcr.*"
    assert checks_of(built, "mcr.reach") == {}


@pytest.mark.parametrize(
    "flags", [{"only": ("mrc.reach",)}, {"skip": ("mrc.reach",)}, {"only": ("mcr.*", "nothing.*")}]
)
def test_a_pattern_that_matches_nothing_is_refused(env, flags):
    with pytest.raises(UsageFailure, match="matches no requirement"):
        build(env(PUBLIC), **flags)


# -- what a vantage is handed


def test_a_vantage_is_handed_its_tasks_and_circumstances(env):
    loaded = env(WHOLE)
    built = build(loaded)
    for vantage, consumer, semantics in (
        ("workstation", None, "python"),
        ("node/demo", None, "go"),
        ("pod/demo", "coredns", "go"),
    ):
        part = plan.vantage_plan(built, loaded, vantage, run_id="r1")
        assert [task.key for task in part.tasks] == list(built.runs[vantage])
        assert (part.run_id, part.vantage, part.resolver_consumer, part.no_proxy_as) == (
            "r1",
            vantage,
            consumer,
            semantics,
        )
        assert part.compare_resolvers == ("10.0.0.4", "[fd00::4]:53")


def test_the_proxy_applies_where_the_file_says(env):
    loaded = env(WHOLE)
    built = build(loaded)
    parts = {vantage: plan.vantage_plan(built, loaded, vantage, run_id="r").proxy for vantage in ALL}
    assert parts["workstation"].https is None
    assert parts["node/demo"].https == parts["pod/demo"].https == "http://proxy.contoso.com:3128"
    assert {name for name, proxy in parts.items() if proxy.from_environment} == {"workstation", "pod/demo"}


def test_a_mapped_vantage_ignores_the_machines_own_proxies(env):
    loaded = env(PUBLIC)
    mapping = Mapping(nameservers=("127.0.0.1:5353",))
    part = plan.vantage_plan(build(loaded), loaded, "workstation", run_id="r", mapping=mapping)
    assert part.mapping == mapping
    assert part.proxy.from_environment is False


def test_a_stand_in_reads_no_proxy_as_those_it_stands_for(env):
    loaded = env(PUBLIC)
    built = build(loaded, ("workstation",), stand_in=(NODE, POD))
    assert plan.vantage_plan(built, loaded, "workstation", run_id="r").no_proxy_as == "go"


def test_kubelets_pull_only_in_a_run_with_a_cluster_and_nobody_stands_in_for_them(env):
    loaded = env(PUBLIC, registry__repository="ml/model")
    for pulled in ("mcr.pull", "acr.pull", "acr.pull-layers"):
        alone = build(loaded)
        assert checks_of(alone, pulled) == {}
        assert "--kubeconfig" in left_out(alone, pulled)[0].reason
        inside = build(loaded, kubelets=True)
        assert set(checks_of(inside, pulled)) == {"node/demo"}
        instead = build(loaded, ("workstation",), stand_in=(NODE,), kubelets=True)
        assert checks_of(instead, pulled) == {}
        assert "--kubeconfig" in left_out(instead, pulled)[0].reason
        gone = build(loaded, ("workstation",), unavailable={"node": ("kube.unreachable", "no way")}, kubelets=True)
        assert [one.cause for one in left_out(gone, pulled)] == ["kube.unreachable"]


@pytest.mark.parametrize(
    ("given", "image"),
    [
        ({"registry__repository": "ml/model"}, "acrprod.azurecr.io/ml/model:latest"),
        ({"registry__repository": "ml/model", "registry__reference": DIGEST}, f"acrprod.azurecr.io/ml/model@{DIGEST}"),
        ({"registry__repository": "ml/model", "registry__pull_image": "ml/small:1"}, "acrprod.azurecr.io/ml/small:1"),
    ],
)  # fmt: skip
def test_what_nodes_pull_is_the_image_of_the_registry_or_the_one_named_for_it(env, given, image):
    built = build(env(PUBLIC, **given), kubelets=True)
    task = next(one for one in built.tasks if one.key == "pull:acrprod.azurecr.io:443")
    assert task.params["image"] == image
    assert {check.requirement for check in built.checks if check.task == task.key} == {"acr.pull", "acr.pull-layers"}


def test_without_an_image_nothing_is_pulled_from_the_registry(env):
    built = build(env(PUBLIC), kubelets=True)
    assert left_out(built, "acr.pull")[0].reason == "registry.repository or registry.pull_image is not given"


def test_what_nodes_pull_from_mcr_can_be_chosen(env):
    built = build(env(PUBLIC, environment__mcr_image="oss/kubernetes/pause:3.6"), kubelets=True)
    assert [task.params["image"] for task in built.tasks if task.key.startswith("pull:mcr")] == [
        "mcr.microsoft.com/oss/kubernetes/pause:3.6"
    ]


@settings(deadline=None, max_examples=20)
@given(text=st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=4, max_size=24))
def test_a_plan_never_holds_a_secret(tmp_path_factory, text):
    secret = f"hunter2-{text}"  # no word of ours
    path = tmp_path_factory.mktemp("secret") / "preflight.toml"
    path.write_text(WHOLE)
    (path.parent / "secrets").mkdir()
    (path.parent / "secrets" / "acr").write_text(secret)
    names = ("ACR_USER", "SAS", "ENTRA", "WORKSPACE", "KUBE")
    environ = {**dict.fromkeys(names, secret), "PROXY_LOGIN": f"user:{secret}"}
    loaded = environment.load(path, environ=environ, clouds=CLOUDS)
    assert len(environment.read_secrets(loaded, environ)) == 7
    built = plan.build(CATALOGUE, loaded, vantages=ALL)
    parts = [plan.vantage_plan(built, loaded, vantage, run_id="r") for vantage in ALL]
    assert secret not in msgspec.json.encode([built, *parts]).decode()
    assert secret not in str(environment.describe(loaded))


def test_a_plan_survives_the_journey_as_json(env):
    built = build(env(WHOLE))
    assert msgspec.json.decode(msgspec.json.encode(built), type=type(built)) == built


ASKING = ("workstation", "pod/a", "pod/b", "pod/c")
PEERS = {"a.pods": ("pod/b",), "b.pods": ("pod/a", "pod/c")}


@pytest.mark.parametrize("requirement", ["peers.router", "peers.model"])
def test_without_a_cluster_nobody_is_asked_and_the_plan_says_why(env, requirement):
    built = build(env(""))
    (entry,) = left_out(built, requirement)
    assert (entry.status, entry.vantage) == ("skipped", None)
    assert "--kubeconfig" in entry.reason
    assert not any(task.probe is ProbeName.PEERS for task in built.tasks)


def test_each_pair_is_one_check_of_the_one_who_asks(env):
    built = build(env(""), ASKING, peers=PEERS)
    ids = {check.id for check in built.checks if check.requirement == "peers.model"}
    assert ids == {"peers.model@pod/b[a.pods]", "peers.model@pod/a[b.pods]", "peers.model@pod/c[b.pods]"}
    assert set(built.runs["pod/b"]) >= {"peers:a.pods:5001", "peers:a.pods:8000"}
    assert "peers:b.pods:5001" not in built.runs["pod/b"]
    assert not any(key.startswith("peers:") for key in built.runs["workstation"])


def test_the_router_s_ports_are_the_documented_ones(env):
    built = build(env(""), ASKING, peers=PEERS)
    task = next(one for one in built.tasks if one.key == "peers:a.pods:8000")
    assert task.params == {"to": "router", "ports": "8001,9001,11001,12001,12101,12201,20000"}


def test_one_pod_alone_needs_no_brackets(env):
    built = build(env(""), ("pod/a",), peers={"a.pods": ("pod/a",)})
    assert checks_of(built, "peers.model")["pod/a"].id == "peers.model@pod/a"


def test_pods_left_out_by_choice_leave_them_out_too(env):
    built = build(env(""), ("workstation",), left_out={VantageKind.POD: "vantage left out"})
    assert checks_of(built, "peers.model") == {}
