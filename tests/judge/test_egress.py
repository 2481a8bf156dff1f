"""Which destinations the rules of policies obviously allow: tables of rules and destinations."""

import pytest

from preflight.judge.egress import Destination, allowed
from preflight.kube import policies
from preflight.model.policies import PolicyFacts, Stand

DNS = Stand(namespace="kube-system", labels={"k8s-app": "kube-dns"})
FACTS = PolicyFacts(namespaces={"kube-system": {"kubernetes.io/metadata.name": "kube-system"}})
MCR = Destination(host="mcr.microsoft.com", address="204.79.197.219", port=443)
PRIVATE = Destination(host="acrprod.azurecr.io", address="10.1.1.5", port=443)
NAMES = Destination(address="10.0.0.10", port=53, protocol="UDP", pods=DNS)
SERVER = Destination(host="aks.hcp.westeurope.azmk8s.io", address="20.1.2.3", port=443, api_server=True)


def plain(*rules, **more):
    spec = {"policyTypes": ["Egress"], "egress": list(rules), **more}
    return policies.kubernetes({"metadata": {"name": "p", "namespace": "default"}, "spec": spec})


def cilium(*rules, deny=(), **more):
    spec = {"endpointSelector": {}, "egress": list(rules), **({"egressDeny": list(deny)} if deny else {}), **more}
    return policies.cilium({"metadata": {"name": "p", "namespace": "default"}, "spec": spec}, policies.CILIUM)[0]


def block(cidr, *but):
    return {"to": [{"ipBlock": {"cidr": cidr, **({"except": list(but)} if but else {})}}]}


BY_NAME = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
PLAIN = [
    pytest.param([], MCR, False, id="no rule"),
    pytest.param([{}], MCR, True, id="a rule for everything"),
    pytest.param([block("0.0.0.0/0")], MCR, True, id="any address"),
    pytest.param([block("0.0.0.0/0", "10.0.0.0/8")], MCR, True, id="any address but private ones"),
    pytest.param([block("0.0.0.0/0", "10.0.0.0/8")], PRIVATE, False, id="any address but this"),
    pytest.param([block("10.1.0.0/16")], PRIVATE, True, id="its network"),
    pytest.param([block("10.2.0.0/16")], PRIVATE, False, id="another network"),
    pytest.param([block("fd00::/8")], PRIVATE, False, id="another family"),
    pytest.param([block("not a network")], PRIVATE, False, id="no network at all"),
    pytest.param([{**block("10.1.0.0/16"), "ports": [{"port": 443}]}], PRIVATE, True, id="its port"),
    pytest.param([{**block("10.1.0.0/16"), "ports": [{"port": 80}]}], PRIVATE, False, id="another port"),
    pytest.param(
        [{**block("10.1.0.0/16"), "ports": [{"port": 400, "endPort": 500}]}], PRIVATE, True, id="a range of ports"
    ),
    pytest.param([{**block("10.1.0.0/16"), "ports": [{"port": "https"}]}], PRIVATE, False, id="a named port"),
    pytest.param([{**block("10.1.0.0/16"), "ports": [{"protocol": "UDP", "port": 443}]}], PRIVATE, False, id="UDP"),
    pytest.param([{"to": [{"podSelector": {}}]}], MCR, False, id="pods of the namespace"),
    pytest.param([{"to": [{"namespaceSelector": {}}]}], MCR, False, id="all pods are not the world"),
    pytest.param([{"to": [{"namespaceSelector": {}}]}], NAMES, True, id="all pods hold cluster DNS"),
    pytest.param([{"to": [{"podSelector": {}}]}], NAMES, False, id="pods of its own namespace do not"),
    pytest.param([{"to": [BY_NAME]}], NAMES, True, id="the namespace by its name"),
    pytest.param(
        [{"to": [{**BY_NAME, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]}],
        NAMES,
        True,
        id="DNS by its label",
    ),
    pytest.param(
        [{"to": [{**BY_NAME, "podSelector": {"matchLabels": {"app": "other"}}}]}], NAMES, False, id="other pods there"
    ),
    pytest.param(
        [{"to": [BY_NAME], "ports": [{"protocol": "TCP", "port": 53}]}], NAMES, False, id="DNS over TCP alone"
    ),
    pytest.param([block("10.9.0.0/16"), block("10.1.0.0/16")], PRIVATE, True, id="one of two rules is enough"),
]


@pytest.mark.parametrize(("rules", "to", "expected"), PLAIN)
def test_network_policies_allow_what_a_rule_names(rules: list, to: Destination, expected: bool):
    assert allowed((plain(*rules),), to, FACTS) is expected


def named(pattern):
    return {"toFQDNs": [{"matchPattern": pattern}]}


CILIUM = [
    pytest.param([{"toFQDNs": [{"matchName": "mcr.microsoft.com"}]}], MCR, True, id="the name"),
    pytest.param([named("*.microsoft.com")], MCR, True, id="a pattern"),
    pytest.param([named("*.com")], MCR, False, id="a star is one label"),
    pytest.param([named("*")], MCR, True, id="every name"),
    pytest.param([named("**.com")], MCR, True, id="two stars are several labels"),
    pytest.param([named("mcr*.microsoft.com")], MCR, True, id="a star within a label"),
    pytest.param([named("*.azurecr.io")], MCR, False, id="another name"),
    pytest.param([{"toEntities": ["world"]}], MCR, True, id="the world"),
    pytest.param([{"toEntities": ["world"]}], NAMES, False, id="the cluster is not the world"),
    pytest.param([{"toEntities": ["world"]}], SERVER, False, id="nor is the API server"),
    pytest.param([{"toEntities": ["kube-apiserver"]}], SERVER, True, id="the API server"),
    pytest.param([{"toEntities": ["cluster"]}], NAMES, True, id="the cluster"),
    pytest.param([{"toEntities": ["all"]}], SERVER, True, id="all"),
    pytest.param([{"toEntities": ["host"]}], MCR, False, id="the host"),
    pytest.param([{"toCIDR": ["204.79.0.0/16"]}], MCR, True, id="its address"),
    pytest.param(
        [{"toCIDRSet": [{"cidr": "204.0.0.0/8", "except": ["204.79.0.0/16"]}]}], MCR, False, id="but its address"
    ),
    pytest.param([{"toServices": [{}]}], MCR, False, id="a service"),
    pytest.param([{"toEndpoints": [{}]}], NAMES, False, id="endpoints of its own namespace"),
    pytest.param(
        [
            {
                "toEndpoints": [
                    {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "kube-dns"}}
                ]
            }
        ],
        NAMES,
        True,
        id="DNS by namespace and label",
    ),
    pytest.param([{"toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}]}], MCR, True, id="a port to everybody"),
    pytest.param(
        [{"toPorts": [{"ports": [{"port": "443"}], "rules": {"http": [{}]}}]}], MCR, False, id="with HTTP rules"
    ),
]


@pytest.mark.parametrize(("rules", "to", "expected"), CILIUM)
def test_policies_of_cilium_allow_what_a_rule_names(rules: list, to: Destination, expected: bool):
    assert allowed((cilium(*rules),), to, FACTS) is expected


def test_policies_add_up_and_deny_comes_first():
    mcr, acr = block("204.79.0.0/16"), block("10.1.0.0/16")
    assert allowed((plain(mcr), plain(acr)), PRIVATE, FACTS)
    denied = cilium({"toEntities": ["all"]}, deny=[{"toCIDR": ["10.0.0.0/8"]}])
    assert not allowed((denied, plain(acr)), PRIVATE, FACTS)
    assert allowed((denied, plain(acr)), MCR, FACTS)
    # A policy that only denies leaves the rest as it is.
    only = cilium(deny=[{"toCIDR": ["10.0.0.0/8"]}], enableDefaultDeny={"egress": False})
    assert not allowed((only,), PRIVATE, FACTS)
    assert allowed((only,), MCR, FACTS)


def test_without_a_policy_everything_is_allowed():
    assert allowed((), MCR, FACTS)


def test_an_address_means_no_pod_where_cilium_runs():
    everywhere = plain(block("0.0.0.0/0"))
    assert allowed((everywhere,), NAMES, FACTS)
    assert not allowed((everywhere,), NAMES, PolicyFacts(cilium=True))


def test_what_was_cut_is_not_obvious():
    assert not allowed((plain({}, *([block("10.0.0.0/8")] * 60)),), MCR, FACTS)
