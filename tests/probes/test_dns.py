"""DNS against servers that answer rightly, wrongly, late and never."""

import asyncio
import random
import socket

import dns.message
import pytest
from servers.dns import DnsServer, always, silence, truncated, with_rcode

from preflight.probes import dns as probe
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock

NAME = "service.example"
A = {(NAME, "A"): ["203.0.113.10"]}


async def ask(server, rtype="A", name=NAME, seconds=0.4, lanes=None, **changes):
    question = probe.Question(name=name, rtype=rtype, server=getattr(server, "address", server), **changes)
    return await probe.ask(question, Cap.after(seconds), Clock(), grace_s=0.1, lanes=lanes)


async def test_an_answer_has_chain_addresses_ttl_and_rcode():
    records = {
        (NAME, "CNAME"): ["service.privatelink.example"],
        ("service.privatelink.example", "A"): ["10.0.0.4", "10.0.0.5"],
    }
    async with DnsServer(records, ttl=17) as server:
        answer = await ask(server, name="Service.Example")
    assert (answer.result, answer.rcode, answer.transport, answer.ttl) == ("answer", "NOERROR", "udp", 17)
    assert answer.chain == (NAME, "service.privatelink.example")
    assert set(answer.addresses) == {"10.0.0.4", "10.0.0.5"}


async def test_ipv6_addresses_are_asked_for_with_aaaa():
    async with DnsServer({(NAME, "AAAA"): ["2001:db8::1"]}) as server:
        assert (await ask(server, "AAAA")).addresses == ("2001:db8::1",)
        nodata = await ask(server, "A")
    assert (nodata.rcode, nodata.addresses) == ("NOERROR", ())


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "YXDOMAIN"])
async def test_a_wrong_rcode_is_reported_as_it_is(rcode):
    async with DnsServer() as server:
        server.script = always(lambda query: with_rcode(query, rcode))
        answer = await ask(server)
    assert (answer.result, answer.rcode) == ("answer", rcode)


async def test_silence_is_a_timeout():
    async with DnsServer() as server:
        server.script = silence
        answer = await ask(server, seconds=0.2)
    assert (answer.result, answer.transport, answer.rcode) == ("timeout", "udp", None)


async def test_a_closed_port_is_an_error_with_its_errno():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    answer = await ask(f"127.0.0.1:{port}")
    assert (answer.result, answer.errno) == ("error", "ECONNREFUSED")


async def test_a_truncated_answer_is_asked_for_again_over_tcp():
    async with DnsServer({(NAME, "A"): [f"10.0.{n // 250}.{n % 250}" for n in range(1000)]}) as server:
        answer = await ask(server, seconds=2)
        assert [transport for transport, _, _ in server.queries] == ["udp", "tcp"]
    assert (answer.result, answer.transport, answer.truncated) == ("answer", "tcp", True)
    assert len(answer.addresses) == probe.MAX_ADDRESSES


async def test_truncation_with_tcp_blocked_says_so():
    server = DnsServer()
    server.tcp = False
    async with server:
        server.script = always(truncated)
        answer = await ask(server)
    assert (answer.result, answer.transport, answer.truncated) == ("error", "tcp", True)
    assert answer.errno == "ECONNREFUSED"


async def test_truncation_with_silent_tcp_times_out():
    async with DnsServer() as server:

        async def script(query, transport):
            return [truncated(query)] if transport == "udp" else []

        server.script = script
        answer = await ask(server, seconds=0.3)
    assert (answer.result, answer.transport, answer.truncated) == ("timeout", "tcp", True)


async def test_garbage_is_malformed_without_waiting_to_the_cap():
    async with DnsServer() as server:
        server.script = always(lambda query: query.to_wire()[:2] + b"\xff" * 40)
        loop = asyncio.get_running_loop()
        cap = Cap(loop.time() + 60)
        question = probe.Question(name=NAME, rtype="A", server=server.address)
        answer = await probe.ask(question, cap, Clock(), grace_s=0.05)
    assert answer.result == "malformed"
    assert "not a DNS message" in answer.detail


async def test_an_answer_with_a_wrong_id_is_ignored_and_the_right_one_is_taken():
    async with DnsServer(A) as server:

        async def script(query, transport):
            forged = server.answer(query)
            forged.id = (query.id + 1) & 0xFFFF
            return [forged, server.answer(query)]

        server.script = script
        assert (await ask(server)).addresses == ("203.0.113.10",)


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda query: dns.message.make_response(dns.message.make_query("other.example", "A", id=query.id)), "another"),
        (lambda query: query.to_wire(), "question came back"),
        (
            lambda query: ((query.id + 1) & 0xFFFF).to_bytes(2, "big") + dns.message.make_response(query).to_wire()[2:],
            "wrong id",
        ),
        (lambda query: b"?", "not a DNS message"),
    ],
)
async def test_what_does_not_answer_the_question_is_malformed(forge, words):
    async with DnsServer() as server:
        server.script = always(forge)
        answer = await ask(server)
    assert answer.result == "malformed"
    assert words in answer.detail


async def test_a_cname_loop_ends():
    records = {("a.example", "CNAME"): ["b.example"], ("b.example", "CNAME"): ["a.example"]}
    async with DnsServer(records) as server:
        answer = await ask(server, name="a.example")
    assert (answer.result, answer.addresses) == ("answer", ())
    assert "circle" in answer.detail


async def test_a_long_cname_chain_is_bounded():
    records = {(f"n{n}.example", "CNAME"): [f"n{n + 1}.example"] for n in range(40)}
    async with DnsServer(records) as server:
        answer = await ask(server, name="n0.example")
    assert len(answer.chain) <= probe.MAX_CHAIN + 1


async def test_the_question_is_absolute_and_carries_edns_only_when_asked_to():
    async with DnsServer(A) as server:
        await ask(server)
        await ask(server, edns=False, attempt=2)
    assert [name for _, name, _ in server.queries] == [NAME, NAME]
    assert [message.edns for message in server.messages] == [0, -1]


async def test_a_tcp_server_that_closes_at_once_is_malformed():
    async with DnsServer() as server:

        async def script(query, transport):
            if transport == "udp":
                return [truncated(query)]
            raise EOFError

        server.script = script
        answer = await ask(server)
    assert (answer.result, answer.truncated) == ("malformed", True)
    assert "closed the TCP connection" in answer.detail


async def test_a_server_with_few_tcp_slots_answers_everybody_in_the_end():
    async with DnsServer({(NAME, "A"): ["10.0.0.1"]}) as server:

        async def script(query, transport):
            return [truncated(query)] if transport == "udp" else [server.answer(query)]

        server.script, server.tcp_slots = script, 3  # fewer than we use, so that some are cut
        lanes = asyncio.Semaphore(probe.TCP_AT_ONCE)
        answers = await asyncio.gather(*(ask(server, seconds=5, lanes=lanes) for _ in range(40)))
    assert {(answer.result, answer.addresses) for answer in answers} == {("answer", ("10.0.0.1",))}


async def test_a_connection_that_is_always_cut_is_given_up_and_says_so():
    async with DnsServer() as server:
        server.script, server.tcp_slots = always(truncated), 0
        answer = await ask(server, seconds=5)
    assert (answer.result, answer.errno, answer.truncated) in {
        ("error", "ECONNRESET", True),
        ("malformed", None, True),
    }
    assert answer.duration_ms < 5000


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example", "\\"])
async def test_a_name_that_no_message_can_hold_is_an_error(name):
    answer = await ask("127.0.0.1:9", name=name)
    assert (answer.result, answer.detail[:16]) == ("error", "not a legal name")


async def test_random_bytes_never_break_the_parser():
    dice = random.Random(7)
    query = dns.message.make_query(NAME, "A")
    for _ in range(3000):
        good = bytearray(dns.message.make_response(query).to_wire() + bytes(dice.randrange(256) for _ in range(30)))
        good[6:8] = b"\x00\x02"
        for _ in range(dice.randrange(6)):
            good[dice.randrange(2, len(good))] = dice.randrange(256)
        heard = probe._Heard()
        response = probe._parse(bytes(good), query, heard)
        if response is not None:
            assert len(probe._read(response, "A")["addresses"]) <= probe.MAX_ADDRESSES
        else:
            assert heard.detail


async def test_cancelling_leaves_no_socket_open():
    async with DnsServer() as server:
        server.script = silence
        task = asyncio.ensure_future(ask(server, seconds=60))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
