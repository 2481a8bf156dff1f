"""The lab's resolvers: a view per vantage, and every way of answering wrongly."""

import asyncio
import contextlib

import dns.exception
import dns.flags
import dns.rcode
import dns.rdatatype
import pytest

from preflight.lab import deployment as at
from preflight.lab.embedded import VANTAGES, Lab
from preflight.lab.faults import parse


def chain(answer):
    return [str(item).rstrip(".") for rrset in answer.answer if rrset.rdtype == dns.rdatatype.CNAME for item in rrset]


def found(answer):
    return [str(item) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]


@pytest.mark.parametrize("vantage", VANTAGES)
@pytest.mark.parametrize("host", [at.ACR, at.ACR_DATA, at.BLOB, at.TABLE])
async def test_a_private_link_name_leads_to_the_private_endpoint(azure, client_at, vantage, host):
    answer = await client_at(azure, vantage).ask(host.name)
    assert (chain(answer), found(answer)) == ([host.link], [host.private])


@pytest.mark.parametrize("tcp", [False, True])
async def test_udp_and_tcp_give_the_same_answer(node, tcp):
    answer = await node.ask(at.ENTRA.name, tcp=tcp)
    assert chain(answer) == list(at.ENTRA.chain)
    assert found(answer) == [at.ENTRA.public]


async def test_an_absent_name_is_nxdomain_and_an_absent_family_is_nodata_with_the_zone_s_soa(node):
    absent, family = await node.ask("nothing.core.windows.net"), await node.ask(at.MCR.name, "AAAA")
    assert (absent.rcode(), family.rcode()) == (dns.rcode.NXDOMAIN, dns.rcode.NOERROR)
    assert [rrset.rdtype for rrset in absent.authority + family.authority] == [dns.rdatatype.SOA] * 2


@pytest.mark.parametrize(
    ("cause", "rcode"),
    [
        ("dns.nxdomain", dns.rcode.NXDOMAIN),
        ("dns.nodata", dns.rcode.NOERROR),
        ("dns.servfail", dns.rcode.SERVFAIL),
        ("dns.refused", dns.rcode.REFUSED),
        ("dns.rebind-filtered", dns.rcode.NOERROR),
    ],
)
async def test_an_answer_without_addresses(client_at, cause, rcode):
    async with Lab([parse(f"storage.blob.resolve={cause}")]) as lab:
        answer = await client_at(lab, "node/demo").ask(at.BLOB.name)
        assert (answer.rcode(), found(answer)) == (rcode, [])


@pytest.mark.parametrize(
    ("cause", "links", "addresses"),
    [
        ("dns.privatelink-public-answer", [at.BLOB.link, *at.BLOB.chain], [at.BLOB.public]),
        ("dns.privatelink-record-missing", [at.BLOB.link], []),
        ("dns.public-when-private-expected", [*at.BLOB.chain], [at.BLOB.public]),
        ("dns.sinkhole", [], [at.SINKHOLE]),
    ],
)
async def test_private_link_gone_wrong(client_at, cause, links, addresses):
    async with Lab([parse(f"storage.blob.resolve={cause}")]) as lab:
        answer = await client_at(lab, "node/demo").ask(at.BLOB.name)
        assert (chain(answer), found(answer)) == (links, addresses)


async def test_a_silent_resolver_says_nothing_over_udp_nor_tcp(client_at):
    async with Lab([parse("mcr.resolve=dns.timeout")]) as lab:
        client = client_at(lab, "node/demo")
        with pytest.raises(dns.exception.Timeout):
            await client.ask(at.MCR.name, wait=0.2)
        with pytest.raises(dns.exception.Timeout):
            await client.ask(at.MCR.name, tcp=True, wait=0.2)
        assert found(await client.ask(at.BLOB.name)) == [at.BLOB.private]


async def test_a_resolver_whose_tcp_is_blocked_truncates_and_then_resets(client_at):
    async with Lab([parse("mcr.resolve=dns.tcp-blocked")]) as lab:
        client = client_at(lab, "node/demo")
        answer = await client.ask(at.MCR.name)
        assert answer.flags & dns.flags.TC
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.ask(at.MCR.name, tcp=True)


async def test_garbage_carries_the_query_s_id_and_is_no_dns_message(client_at):
    async with Lab([parse("mcr.resolve=dns.malformed")]) as lab:
        with pytest.raises(dns.exception.DNSException):
            await client_at(lab, "node/demo").ask(at.MCR.name)


async def test_servers_that_disagree_and_a_dead_second_server(client_at):
    async with Lab([parse("acr.resolve=dns.inconsistent@node"), parse("acr.resolve=dns.server-dead@pod")]) as lab:
        assert [len(lab.mappings[name].nameservers) for name in VANTAGES] == [1, 2, 2]
        node, pod = client_at(lab, "node/demo"), client_at(lab, "pod/demo")
        assert (await node.ask(at.ACR.name, server=1)).rcode() == dns.rcode.NXDOMAIN
        assert found(await node.ask(at.ACR.name)) == found(await pod.ask(at.ACR.name)) == [at.ACR.private]
        with pytest.raises(dns.exception.Timeout):
            await pod.ask(at.MCR.name, server=1, wait=0.2)


async def test_a_fault_at_one_vantage_leaves_the_others_alone(client_at):
    async with Lab([parse("mcr.resolve=dns.nxdomain@pod/demo")]) as lab:
        codes = [(await client_at(lab, name).ask(at.MCR.name)).rcode() for name in VANTAGES]
        assert codes == [dns.rcode.NOERROR, dns.rcode.NOERROR, dns.rcode.NXDOMAIN]


async def test_nonsense_does_not_stop_the_server(node):
    address, _, port = node.lab.mappings[node.vantage].nameservers[0].rpartition(":")
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(address, int(port))
    )
    with contextlib.closing(transport):
        for packet in (b"", b"\0", b"\xff" * 512):
            transport.sendto(packet)
    reader, writer = await asyncio.open_connection(address, int(port))
    writer.write(b"\0\x04junk")
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()
    assert found(await node.ask(at.MCR.name)) == [at.MCR.public]


@pytest.mark.parametrize("host", [at.BLOB, at.ENTRA, at.ACR_DATA])
async def test_a_forwarder_that_asks_for_each_name_of_a_chain_gets_to_the_same_address(node, host):
    names = chain(await node.ask(host.name))
    for at_name, name in enumerate(names, 1):
        answer = await node.ask(name)
        assert (chain(answer), found(answer)) == (names[at_name:], [host.private or host.public])


async def test_a_name_in_a_chain_is_broken_with_the_name_that_leads_there(client_at):
    async with Lab([parse("storage.blob.resolve=dns.privatelink-record-missing")]) as lab:
        answer = await client_at(lab, "node/demo").ask(at.BLOB.link)
        assert (answer.rcode(), found(answer)) == (dns.rcode.NXDOMAIN, [])
        assert [str(rrset.name) for rrset in answer.authority] == ["privatelink.blob.core.windows.net."]


async def test_the_public_names_behind_a_private_endpoint_lead_to_the_public_address(node):
    answer = await node.ask(at.BLOB.chain[-1])
    assert (chain(answer), found(answer)) == ([], [at.BLOB.public])
