"""What is true of a place before anything is sent."""

import ipaddress

import pytest
from probes_shared import mapping, plan

from preflight.model.plan import Proxy
from preflight.probes import local, resolv_conf, trust
from preflight.probes.dialer import Dialer


def parse(text, **given):
    return resolv_conf.parse(text, source="test", **given)


def test_resolv_conf_is_read_as_its_reader_does():
    seen = parse(
        "# comment\nnameserver 10.0.0.4 # first\nnameserver fd00::4\nnameserver banana\nnameserver 10.0.0.4\n"
        "domain old.example\nsearch a.example b.example ; c\noptions ndots:3 timeout:1\noptions edns0\n"
    )
    assert seen.nameservers == ("10.0.0.4:53", "[fd00::4]:53")
    assert seen.search == ("a.example", "b.example")
    assert (seen.ndots, seen.options) == (3, ("ndots:3", "timeout:1", "edns0"))


@pytest.mark.parametrize(
    ("text", "consumer"),
    [
        ("nameserver 127.0.0.53\noptions edns0 trust-ad", "systemd-resolved"),
        ("nameserver 127.0.0.1", "dnsmasq"),
        ("nameserver 10.0.0.10\nsearch ml.svc.cluster.local svc.cluster.local\noptions ndots:5", "coredns"),
        ("nameserver 10.0.0.10\nsearch corp.example\noptions ndots:5", "glibc"),
        ("nameserver 168.63.129.16", "glibc"),
    ],
)
def test_who_looks_names_up_shows_in_the_file(text, consumer):
    found = parse(text).consumer
    assert found in ({consumer, "other"} if consumer == "glibc" else {consumer})


def test_a_known_consumer_is_not_guessed():
    assert parse("nameserver 127.0.0.53", consumer="coredns").consumer == "coredns"


@pytest.mark.parametrize("content", ["", "\n# nothing\n", "nameserver\n", "\x00\xff"])
def test_an_empty_resolv_conf_has_no_nameservers_and_says_so(tmp_path, content):
    file = tmp_path / "resolv.conf"
    file.write_text(content)
    seen = local.look(plan(), environ={}, resolv_conf_file=file)
    assert seen.resolver.nameservers == ()
    assert any("names no DNS server" in notice for notice in seen.notices)


def test_a_missing_resolv_conf_is_an_empty_one(tmp_path):
    assert resolv_conf.read(tmp_path / "none").nameservers == ()


def test_glibc_uses_three_servers(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_text("".join(f"nameserver 10.0.0.{n}\n" for n in range(1, 6)))
    seen = local.look(plan(resolver_consumer="glibc"), environ={}, resolv_conf_file=file)
    assert len(seen.resolver.nameservers) == 3


def test_a_mapping_replaces_resolver_and_families(tmp_path):
    seen = local.look(plan(mapping=mapping("127.0.0.1:5353")), environ={}, resolv_conf_file=tmp_path / "none")
    assert (seen.resolver.consumer, seen.resolver.nameservers) == ("mapped", ("127.0.0.1:5353",))
    assert seen.families == ("ipv4",)


def test_credentials_of_proxies_are_not_in_the_facts(tmp_path):
    environ = {"HTTPS_PROXY": "http://user:s3cret@corp:8080/", "no_proxy": "a.example"}
    seen = local.look(plan(), environ=environ, resolv_conf_file=tmp_path / "none")
    assert seen.proxies == {"https_proxy": "http://corp:8080/", "no_proxy": "a.example"}
    assert "s3cret" not in str(seen)


@pytest.mark.parametrize(("reader", "expected"), [("go", "http://upper:1"), ("curl", "http://lower:1")])
def test_which_spelling_counts_depends_on_the_reader(tmp_path, reader, expected):
    environ = {"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}
    seen = local.look(plan(no_proxy_as=reader), environ=environ, resolv_conf_file=tmp_path / "none")
    assert seen.proxies["https_proxy"] == expected
    assert any("differ" in notice for notice in seen.notices)


@pytest.mark.parametrize(("reader", "known"), [("go", False), ("python", True)])
def test_go_has_no_all_proxy(tmp_path, reader, known):
    environ = {"ALL_PROXY": "socks5://corp:1080"}
    seen = local.look(plan(no_proxy_as=reader), environ=environ, resolv_conf_file=tmp_path / "none")
    assert ("all_proxy" in seen.proxies) == known
    assert any("no HTTP proxy" in notice for notice in seen.notices) == known


def test_the_environment_that_is_left_out_gives_no_notice(tmp_path):
    environ = {"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}
    seen = local.look(plan(proxy=Proxy(from_environment=False)), environ=environ, resolv_conf_file=tmp_path / "none")
    assert not any("differ" in notice for notice in seen.notices)


def test_a_node_s_proxy_variables_are_a_webhook_s_and_said_to_be_unused(tmp_path):
    environ, closed = {"HTTPS_PROXY": "http://corp:8080"}, Proxy(from_environment=False)
    at_node = plan(vantage="node/user1", proxy=closed)
    seen = local.look(at_node, environ=environ, resolv_conf_file=tmp_path / "none")
    assert any("not containerd's" in notice for notice in seen.notices)
    for silent in (
        plan(vantage="pod/user1", proxy=closed),
        plan(vantage="node/user1", proxy=Proxy(https="http://p:1")),
    ):
        said = local.look(silent, environ=environ, resolv_conf_file=tmp_path / "none").notices
        assert not any("containerd" in notice for notice in said)


def test_bundles_that_override_the_system_store_are_noticed(tmp_path):
    seen = local.look(plan(), environ={"REQUESTS_CA_BUNDLE": "/x.pem"}, resolv_conf_file=tmp_path / "none")
    assert any("REQUESTS_CA_BUNDLE" in notice for notice in seen.notices)


def test_the_trust_store_is_described():
    assert trust.describe({}).partition(":")[0] in {"system", "certifi"}


def test_the_real_place_can_be_looked_at():
    seen = local.look(plan())
    assert set(seen.families) <= {"ipv4", "ipv6"}
    assert seen.platform
    Dialer(plan(), seen, {})


@pytest.mark.parametrize(
    ("six", "families"),
    [
        ("fd00:70::10", ("ipv4",)),  # RFC 6724 prefers IPv4 to a unique local source
        ("2603:1030::10", ("ipv4", "ipv6")),
        ("2001:db8:70::10", ("ipv4", "ipv6")),  # `is_private` for Python, global for every resolver library
    ],
)
def test_only_a_unique_local_address_is_no_way_to_the_internet(six, families):
    sources = {"ipv4": ipaddress.ip_address("10.0.0.7"), "ipv6": ipaddress.ip_address(six)}
    assert local.tried(sources)[0] == families


def test_a_unique_local_address_is_used_where_there_is_no_other():
    assert local.tried({"ipv6": ipaddress.ip_address("fd00:70::10")}) == (("ipv6",), ())
