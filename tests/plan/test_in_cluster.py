"""What is planned only when a cluster is named, from what the cluster says of itself. Pure."""

from pathlib import Path

import msgspec
import pytest

from preflight import catalogue, environment, plan
from preflight.model.cluster import ClusterFacts, DnsReplica, RouterFacts, ServiceFacts
from preflight.model.environment import Environment

CATALOGUE, CLOUDS = catalogue.load(), catalogue.load_clouds()
TEXT = 'schema_version = 1\n[environment]\nregion = "westeurope"\n[api_server]\nfqdn = "a.hcp.westeurope.azmk8s.io"\n'
PEM = (Path(__file__).parents[1] / "environment" / "ca.pem").read_text()
API = ServiceFacts(name="kubernetes", namespace="default", addresses=("10.96.0.1", "fd00::1"), ports=(443,))
DNS = ServiceFacts(name="kube-dns", namespace="kube-system", addresses=("fd00::a",), ports=(53,))
REPLICAS = (
    DnsReplica(address="10.251.1.4", ready=True, port=5353),
    DnsReplica(address="10.251.1.5", ready=False),
    DnsReplica(address="fd00::5", ready=True),
)
WHOLE = ClusterFacts(api_service=API, dns_service=DNS, dns_replicas=REPLICAS)
INSIDE = ("in-cluster.", "cluster-dns.")


@pytest.fixture
def env(tmp_path) -> Environment:
    path = tmp_path / "preflight.toml"
    path.write_text(TEXT)
    return environment.load(path, environ={}, clouds=CLOUDS)


def built(env: Environment, cluster: ClusterFacts | None, **changes):
    env = msgspec.structs.replace(env, **changes)
    return plan.build(CATALOGUE, env, vantages=("workstation", "node/a", "pod/a"), cluster=cluster)


def reasons(the_plan) -> dict[str, str]:
    return {one.requirement: one.reason for one in the_plan.left_out if one.requirement.startswith(INSIDE)}


def test_without_a_cluster_all_of_it_is_left_out_with_that_reason(env):
    the_plan = built(env, None)
    assert the_plan.cluster is None
    assert not any(one.requirement.startswith(INSIDE) for one in the_plan.checks)
    assert {"no cluster was named (--kubeconfig)"} <= set(reasons(the_plan).values())


def test_addresses_are_the_cluster_s_own(env):
    the_plan = built(env, WHOLE)
    assert the_plan.cluster == WHOLE
    targets = {one.requirement: one.target for one in the_plan.checks if one.vantage == "pod/a"}
    assert targets["in-cluster.api-server"] == "10.96.0.1:443"
    assert targets["in-cluster.api-name"] == "kubernetes.default.svc.cluster.local:443"
    assert targets["cluster-dns.answers"] == "[fd00::a]:53"
    (task,) = [one for one in the_plan.tasks if one.key.startswith("cluster_dns")]
    assert task.target.scheme == "dns"
    assert task.params == {
        "inside": "kubernetes.default.svc.cluster.local",
        "outside": "a.hcp.westeurope.azmk8s.io",
        "replicas": "10.251.1.4:5353,[fd00::5]:53",
    }


def test_pods_decide_nodes_inform_and_the_workstation_has_no_part(env):
    deciding = {(one.vantage, one.decides) for one in built(env, WHOLE).checks if one.requirement.startswith(INSIDE)}
    assert deciding == {("pod/a", True), ("node/a", False)}


def test_one_connection_serves_reaching_and_the_router_s_queries_and_only_they_may_use_the_token(env):
    the_plan = built(env, WHOLE)
    keys = {one.requirement: one.task for one in the_plan.checks if one.vantage == "pod/a"}
    assert keys["in-cluster.api-server"] == keys["in-cluster.api-queries"]
    users = [one.key for one in the_plan.tasks if "service_account_token" in one.secrets]
    assert users == [keys["in-cluster.api-server"]]


@pytest.mark.parametrize(
    ("cluster", "requirement", "words"),
    [
        (ClusterFacts(dns_service=DNS), "in-cluster.api-name", "the Service default/kubernetes of the cluster"),
        (ClusterFacts(dns_service=DNS), "in-cluster.api-server", "the Service default/kubernetes of the cluster"),
        (ClusterFacts(api_service=API), "cluster-dns.answers", "the Service kube-system/kube-dns of the cluster"),
        (WHOLE, "in-cluster.router-rights", "only where the router runs"),
    ],
)
def test_what_the_cluster_did_not_say_is_left_out_with_its_reason(env, cluster, requirement, words):
    assert reasons(built(env, cluster))[requirement].startswith(words)


def test_replicas_that_are_not_known_leave_the_service_to_be_asked(env):
    the_plan = built(env, ClusterFacts(dns_service=DNS))
    (task,) = [one for one in the_plan.tasks if one.key.startswith("cluster_dns")]
    assert "replicas" not in task.params


@pytest.mark.parametrize(("rights", "options"), [("pods=no", {"rights": "pods=no"}), ("", {})])
def test_the_router_s_rights_are_carried_in_the_plan(env, rights: str, options: dict[str, str]):
    router = RouterFacts(namespace="default", deployment="azureml-fe", account="azureml-fe", rights=rights)
    the_plan = built(env, msgspec.structs.replace(WHOLE, router=router))
    (check,) = [one for one in the_plan.checks if one.requirement == "in-cluster.router-rights"]
    assert check.expect.options == options
    assert check.decides


def test_what_pods_trust_judges_inside_and_the_file_s_authority_where_that_is_not_known(env):
    preconditions = {one.requirement: one.precondition for one in built(env, WHOLE).checks}
    assert preconditions["in-cluster.api-server"] == "kube.ca-not-given"
    with_pods = {one.requirement: one.precondition for one in built(env, WHOLE, pods_ca_pem=PEM).checks}
    assert with_pods["in-cluster.api-server"] is None
    assert with_pods["api-server.reach"] == "kube.ca-not-given"
    with_file = {one.requirement: one.precondition for one in built(env, WHOLE, api_server_ca_pem=PEM).checks}
    assert with_file["in-cluster.api-server"] is None


def test_the_authority_is_handed_to_the_vantage(env):
    env = msgspec.structs.replace(env, pods_ca_pem=PEM)
    the_plan = built(env, WHOLE)
    assert plan.vantage_plan(the_plan, env, "pod/a", run_id="r").pods_ca_pem == PEM
