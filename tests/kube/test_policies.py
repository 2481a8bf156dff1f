"""Policies of every kind, as the API server has them, in one form; what is cut or odd is marked."""

import pytest

from preflight.judge.selecting import selects
from preflight.kube import policies
from preflight.model.policies import Operator, Peer, PolicyFacts, Port, Rule, Selector, Stand, Term

ROUTER = Stand(
    namespace="default", labels={"azuremlappname": "azureml-fe", "tier": "edge"}, service_account="azureml-fe"
)
PROBE = Stand(namespace="preflight-1", labels={"app.kubernetes.io/managed-by": "preflight"})
FACTS = PolicyFacts(namespaces={"default": {"team": "ml"}})


def a_policy(name="p", namespace="default", **spec):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def of_cilium(kind=policies.CILIUM, **spec):
    return policies.cilium(a_policy(**spec), kind)


@pytest.mark.parametrize(
    ("spec", "egress", "ingress"),
    [
        pytest.param({"policyTypes": ["Egress"]}, True, False, id="egress alone"),
        pytest.param({"policyTypes": ["Ingress", "Egress"]}, True, True, id="both"),
        pytest.param({}, False, True, id="no types: ingress"),
        pytest.param({"ingress": [{}]}, False, True, id="no types, ingress rules: ingress"),
        pytest.param({"egress": [{}]}, True, True, id="no types, egress rules: both"),
        pytest.param({"egress": []}, False, True, id="no types, no egress rule: ingress"),
        pytest.param({"policyTypes": ["Ingress"], "egress": [{}]}, False, True, id="types win over rules"),
    ],
)
def test_directions_of_a_network_policy_follow_its_types_and_their_defaults(spec: dict, egress: bool, ingress: bool):
    read = policies.kubernetes(a_policy(podSelector={}, **spec))
    assert (read.isolates_egress, read.isolates_ingress) == (egress, ingress)


@pytest.mark.parametrize(
    ("spec", "isolates"),
    [
        pytest.param({"egress": [{}]}, True, id="rules"),
        pytest.param({"egress": []}, False, id="an empty list"),
        pytest.param({"ingress": [{}]}, False, id="ingress alone"),
        pytest.param({"egressDeny": [{"toEntities": ["world"]}]}, True, id="deny rules"),
        pytest.param({"egress": [{}], "enableDefaultDeny": {"egress": False}}, False, id="said not to"),
        pytest.param({"enableDefaultDeny": {"egress": True}}, True, id="said to, without rules"),
    ],
)
def test_cilium_isolates_a_direction_that_has_rules_unless_it_is_told_otherwise(spec: dict, isolates: bool):
    (read,) = of_cilium(endpointSelector={}, **spec)
    assert read.isolates_egress is isolates


SELECTORS = [
    pytest.param({}, True, id="everything"),
    pytest.param({"matchLabels": {"azuremlappname": "azureml-fe"}}, True, id="label"),
    pytest.param({"matchLabels": {"azuremlappname": "azureml-fe", "tier": "core"}}, False, id="one label of two"),
    pytest.param({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["edge", "x"]}]}, True, id="in"),
    pytest.param({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["edge"]}]}, False, id="not in"),
    pytest.param({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["x"]}]}, True, id="not in, absent"),
    pytest.param({"matchExpressions": [{"key": "none", "operator": "In", "values": ["x"]}]}, False, id="in, absent"),
    pytest.param({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True, id="exists"),
    pytest.param({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False, id="does not exist"),
    pytest.param(
        {"matchLabels": {"tier": "edge"}, "matchExpressions": [{"key": "azuremlappname", "operator": "DoesNotExist"}]},
        False, id="labels and expressions must both hold",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("selector", "mine"), SELECTORS)
def test_a_network_policy_selects_by_labels_and_expressions_in_its_namespace(selector: dict, mine: bool):
    read = policies.kubernetes(a_policy(podSelector=selector, policyTypes=["Egress"]))
    assert selects(read, ROUTER, FACTS) is mine
    elsewhere = policies.kubernetes(a_policy(namespace="other", podSelector=selector, policyTypes=["Egress"]))
    assert not selects(elsewhere, ROUTER, FACTS)


@pytest.mark.parametrize(
    ("selector", "router", "probe"),
    [
        pytest.param({}, True, False, id="everything in its namespace"),
        pytest.param({"matchLabels": {"k8s:azuremlappname": "azureml-fe"}}, True, False, id="k8s:"),
        pytest.param({"matchLabels": {"any:azuremlappname": "azureml-fe"}}, True, False, id="any:"),
        pytest.param({"matchLabels": {"azuremlappname": "azureml-fe"}}, True, False, id="no source"),
        pytest.param({"matchLabels": {"container:azuremlappname": "azureml-fe"}}, False, False, id="another source"),
        pytest.param({"matchLabels": {"reserved:host": ""}}, False, False, id="the host"),
        pytest.param({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "default"}}, True, False, id="namespace"),
        pytest.param(
            {"matchLabels": {"io.cilium.k8s.policy.serviceaccount": "azureml-fe"}}, True, False, id="service account"
        ),
        pytest.param(
            {"matchLabels": {"k8s:io.cilium.k8s.policy.cluster": "prod", "tier": "edge"}}, True, False, id="cluster"
        ),
    ],
)
def test_cilium_selects_by_labels_with_their_source(selector: dict, router: bool, probe: bool):
    (read,) = of_cilium(endpointSelector=selector, egress=[{}])
    assert (selects(read, ROUTER, FACTS), selects(read, PROBE, FACTS)) == (router, probe)


@pytest.mark.parametrize(
    ("selector", "router", "probe"),
    [
        pytest.param({}, True, True, id="everything"),
        pytest.param({"matchLabels": {"io.kubernetes.pod.namespace": "default"}}, True, False, id="one namespace"),
        pytest.param({"matchLabels": {"k8s:io.cilium.k8s.namespace.labels.team": "ml"}}, True, False, id="its labels"),
        pytest.param(
            {"matchExpressions": [{"key": "k8s:io.kubernetes.pod.namespace", "operator": "NotIn", "values": ["default"]}]},
            False, True, id="all others",
        ),
    ],
)  # fmt: skip
def test_a_clusterwide_policy_selects_by_namespace_and_its_labels(selector: dict, router: bool, probe: bool):
    (read,) = of_cilium(policies.CLUSTERWIDE, endpointSelector=selector, egress=[{}])
    assert (selects(read, ROUTER, FACTS), selects(read, PROBE, FACTS)) == (router, probe)
    assert read.namespace == ""


def test_policies_about_nodes_are_left_out_and_several_specs_are_several_policies():
    assert of_cilium(policies.CLUSTERWIDE, nodeSelector={}, egress=[{}]) == []
    several = {"metadata": {"name": "p", "namespace": "default"}, "specs": [{"endpointSelector": {}}, {"egress": [{}]}]}
    assert [one.isolates_egress for one in policies.cilium(several, policies.CILIUM)] == [False, True]


def test_rules_of_a_network_policy_keep_peers_and_ports():
    rule = {
        "to": [
            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
            {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}},
        ],
        "ports": [{"protocol": "UDP", "port": 53}, {"port": 8000, "endPort": 9000}, {"port": "https"}, {}],
    }
    read = policies.kubernetes(a_policy(podSelector={}, egress=[rule, {}]))
    dns = Selector(terms=(Term(key="k8s-app", operator=Operator.IN, values=("kube-dns",)),))
    assert read.egress == (
        Rule(
            peers=(Peer(cidr="10.0.0.0/8", but=("10.1.0.0/16",)), Peer(pods=dns, namespaces=Selector())),
            ports=(Port(protocol="UDP", first=53), Port(first=8000, last=9000), Port(name="https"), Port()),
        ),
        Rule(),
    )


def test_rules_of_cilium_keep_every_kind_of_peer():
    rule = {
        "toEndpoints": [{"matchLabels": {"k8s:k8s-app": "kube-dns", "k8s:io.kubernetes.pod.namespace": "kube-system"}}],
        "toCIDR": ["20.0.0.0/8"],
        "toCIDRSet": [{"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}, {"cidrGroupRef": "g"}],
        "toFQDNs": [{"matchName": "mcr.microsoft.com"}, {"matchPattern": "*.azurecr.io"}],
        "toEntities": ["kube-apiserver"],
        "toServices": [{"k8sService": {}}],
        "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}, {"port": "53", "protocol": "ANY"}]}],
    }
    (read,) = of_cilium(endpointSelector={}, egress=[rule])
    (one,) = read.egress
    assert [peer.cidr or peer.name or peer.entity or peer.other or "pods" for peer in one.peers or ()] == [
        "pods", "20.0.0.0/8", "10.0.0.0/8", "toCIDRSet", "mcr.microsoft.com", "*.azurecr.io", "kube-apiserver", "toServices",
    ]  # fmt: skip
    assert one.ports == (Port(first=443), Port(protocol="ANY", first=53))
    assert not one.narrowed


@pytest.mark.parametrize(
    ("rules", "narrowed"),
    [
        pytest.param({"dns": [{"matchPattern": "*"}]}, False, id="DNS is only shown to Cilium"),
        pytest.param({"dns": [{"matchPattern": "*.azurecr.io"}]}, True, id="some names only"),
        pytest.param({"http": [{"method": "GET"}]}, True, id="HTTP"),
        pytest.param({}, False, id="none"),
    ],
)
def test_rules_of_layer_7_narrow_a_rule(rules: dict, narrowed: bool):
    ports = [{"ports": [{"port": "53"}], "rules": rules}]
    (read,) = of_cilium(endpointSelector={}, egress=[{"toPorts": ports}])
    assert read.egress[0].narrowed is narrowed


HOSTILE = [
    pytest.param({}, id="nothing"),
    pytest.param({"spec": None, "metadata": []}, id="wrong kinds of values"),
    pytest.param(
        {"spec": {"podSelector": [], "endpointSelector": 3, "egress": {"a": 1}}}, id="lists and tables swapped"
    ),
    pytest.param({"spec": {"egress": [None, 3, {"to": [None, {}], "ports": [{"port": {}}, 7]}]}}, id="odd rules"),
    pytest.param({"spec": {"egress": [{"toPorts": [{"ports": "x", "rules": []}], "toFQDNs": [{}]}]}}, id="odd ports"),
    pytest.param({"spec": {"podSelector": {"matchExpressions": [{"operator": "Near"}]}}}, id="an unknown operator"),
    pytest.param({"spec": {"egress": [{"ports": [{"port": "9" * 30}]}]}}, id="a port of thirty digits"),
]


@pytest.mark.parametrize("item", HOSTILE)
def test_objects_of_any_shape_become_policies(item: dict):
    policies.kubernetes(item)
    for kind in (policies.CILIUM, policies.CLUSTERWIDE):
        policies.cilium(item, kind)


def test_long_policies_are_cut_and_say_so():
    many = [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}] * 60
    read = policies.kubernetes(a_policy(podSelector={}, egress=many))
    assert (len(read.egress), read.clipped) == (50, True)
    wide = policies.kubernetes(a_policy(podSelector={"matchLabels": {f"k{n}": "v" for n in range(60)}}))
    assert (len(wide.selector.terms), wide.clipped) == (50, True)
    odd = {"matchExpressions": [{"key": "a", "operator": "Near"}]}
    assert policies.kubernetes(a_policy(podSelector=odd)).clipped
    assert not policies.kubernetes(a_policy(podSelector={}, egress=many[:3])).clipped


def test_every_label_that_a_policy_speaks_of_is_known_wherever_it_stands():
    by_expression = {"matchExpressions": [{"key": "k8s:tier", "operator": "Exists"}]}
    peers = [{"from": [{"podSelector": {"matchLabels": {"azuremlappname": "azureml-fe"}}}]}]
    item = a_policy(
        podSelector=by_expression,
        ingress=peers,
        egress=[{"to": [{"namespaceSelector": {"matchLabels": {"team": "ml"}}}]}],
    )
    assert policies.mentioned(item) == {"tier", "azuremlappname", "team"}
    several = {"specs": [{"endpointSelector": {"matchLabels": {"any:a": "b"}}}]}
    assert policies.mentioned(several) == {"a"}
    assert policies.mentioned({"spec": {"podSelector": {"matchLabels": [1], "matchExpressions": "x"}}}) == set()
