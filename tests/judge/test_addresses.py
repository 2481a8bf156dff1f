"""Kinds of addresses, pages and issuers: small tables that everything else rests on."""

import pytest
from builders.facts import certificate, check, hop, http, observation, tls

from preflight.judge import blockpages, intercepted
from preflight.judge.addresses import AddressClass, block_device, classify, family, is_internal, is_public
from preflight.model.plan import Expect


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("20.60.1.4", AddressClass.PUBLIC),
        ("168.63.129.16", AddressClass.PUBLIC),
        ("203.0.113.20", AddressClass.PUBLIC),
        ("198.18.0.1", AddressClass.PUBLIC),
        ("2001:db8::1", AddressClass.PUBLIC),
        ("172.31.255.255", AddressClass.PRIVATE),
        ("172.32.0.0", AddressClass.PUBLIC),
        ("192.168.1.1", AddressClass.PRIVATE),
        ("fd12::1", AddressClass.PRIVATE),
        ("100.64.0.1", AddressClass.CGNAT),
        ("100.128.0.1", AddressClass.PUBLIC),
        ("127.0.0.53", AddressClass.LOOPBACK),
        ("::1", AddressClass.LOOPBACK),
        ("169.254.169.254", AddressClass.LINK_LOCAL),
        ("fe80::1%eth0", AddressClass.LINK_LOCAL),
        ("0.0.0.0", AddressClass.UNSPECIFIED),
        ("::", AddressClass.UNSPECIFIED),
        ("239.1.1.1", AddressClass.MULTICAST),
        ("::ffff:10.1.1.5", AddressClass.PRIVATE),
        ("64:ff9b::a01:105", AddressClass.PRIVATE),
        ("not an address", AddressClass.PUBLIC),
    ],
)
def test_an_address_is_what_azure_networks_take_it_for(address, kind):
    assert classify(address) is kind
    assert is_public(address) is (kind is AddressClass.PUBLIC)
    assert is_internal(address) is (kind in (AddressClass.PRIVATE, AddressClass.CGNAT))


def test_block_addresses_name_their_filter():
    assert block_device("146.112.61.106") == "Cisco Umbrella"
    assert block_device("::ffff:146.112.61.106") == "Cisco Umbrella"
    assert block_device("146.112.61.112") is None
    assert block_device("nonsense") is None


def test_the_family_is_how_the_address_is_written():
    assert (family("10.0.0.1"), family("::ffff:10.0.0.1")) == ("ipv4", "ipv6")


@pytest.mark.parametrize(
    ("device", "facts"),
    [
        (blockpages.AZURE_FIREWALL, http(470, "Action: Deny. Reason: SNI TLS extension was missing.")),
        ("Zscaler", http(403, "x", headers=(("Server", "Zscaler/6.2"),))),
        ("FortiGate", http(403, "<title>FortiGuard Intrusion Prevention - Access Blocked</title>")),
        (
            "Palo Alto Networks",
            http(503, "page you were trying to visit has been blocked in accordance with company policy"),
        ),
        ("Blue Coat / Symantec ProxySG", http(403, "", headers=(("Server", "BlueCoat-Security-Appliance"),))),
        ("Squid", http(403, "", headers=(("X-Squid-Error", "ERR_ACCESS_DENIED 0"),))),
        ("McAfee / Skyhigh Web Gateway", http(403, "<!-- McAfee Web Gateway -->")),
        ("Cisco Umbrella", http(403, '<a href="https://block.opendns.com/">')),
        (None, http(403, '{"error": {"code": "Forbidden"}}')),
    ],
)
def test_a_device_is_named_by_its_own_text(device, facts):
    assert blockpages.device_in(facts) == device


def test_a_page_is_quoted_on_one_line_and_bounded():
    body = "<html><title>\n Blocked \n by policy" + "x" * 5000
    sentence = blockpages.find(hop(http=http(511, body)), observation(), catalogue_name=True)
    assert sentence is not None
    assert "\n" not in sentence
    assert len(sentence) < 200


@pytest.mark.parametrize(
    ("issuer", "foreign"),
    [("CN=Microsoft Azure RSA TLS Issuing CA 04", False), ("CN=digicert global g2", False), ("CN=Corp", True)],
)
def test_an_issuer_is_foreign_when_no_expected_text_stands_in_the_chain(issuer, foreign):
    one = check(expect=Expect(issuers=("Microsoft Azure", "DigiCert")))
    assert intercepted.is_foreign(one, tls(chain=(certificate(issuer),))) is foreign


def test_nothing_is_foreign_where_nothing_is_expected_or_known():
    assert not intercepted.is_foreign(check(), tls(chain=(certificate("CN=Corp"),)))
    assert not intercepted.is_foreign(check(expect=Expect(issuers=("DigiCert",))), tls(chain=()))


@pytest.mark.parametrize(
    ("subject", "name"),
    [("CN=a\\, b,O=c", "a, b"), ("O=Corp,C=DE", "Corp"), ("C=DE", "C=DE"), ("CN=" + "x" * 500, "x" * 100)],
)
def test_a_name_is_readable_and_bounded(subject, name):
    assert intercepted.common_name(subject) == name


@pytest.mark.parametrize(
    ("first_bytes", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n".hex(), "a plain HTTP answer: HTTP/1.1 400 Bad Request"),
        (b"SSH-2.0-OpenSSH_9.2\r\n".hex(), "an SSH server: SSH-2.0-OpenSSH_9.2"),
        (b"<html>".hex(), "a page in HTML, without TLS"),
        ("00ff00ff", "the answer begins with 00ff00ff"),
        ("", ""),
        ("zz", ""),
        (b"\n".hex(), "the answer begins with 0a"),
        (b"HTTP/1.1 \x1b[31m".hex(), "a plain HTTP answer: HTTP/1.1  [31m"),
    ],
)
def test_plain_bytes_where_tls_was_expected_are_told_without_their_control_characters(first_bytes, says):
    assert blockpages.in_plain_bytes(first_bytes) == says
