"""Which servers are asked, how often, and which addresses the connection then uses."""

import asyncio
import threading
import time

import pytest
from probes_shared import NAME, QUICK, facts, mapping, plan
from servers.dns import DnsServer, always, with_rcode

from preflight.probes import system_lookup
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock
from preflight.probes.resolvers import Resolvers
from preflight.probes.system_lookup import from_hosts_file, look_up

A = {(NAME, "A"): ["203.0.113.10"], (NAME, "AAAA"): ["2001:db8::10"]}


def nothing(name):
    raise OSError("nothing to see here")


@pytest.fixture
async def resolve(tmp_path):
    made = []

    async def resolve(name=NAME, *, given=None, vantage=None, hosts="", lookup=nothing):
        file = tmp_path / "hosts"
        file.write_text(hosts)
        resolvers = Resolvers(given or plan(), vantage or facts(), hosts_file=file, lookup=lookup)
        made.append(resolvers)
        return await resolvers.resolve(name, Clock())

    yield resolve
    for one in made:
        await one.aclose()


async def test_every_configured_and_compared_server_is_asked_for_both_types(resolve):
    async with DnsServer(A) as one, DnsServer(A) as two, DnsServer(A) as three:
        seen = await resolve(vantage=facts((one.address, two.address)), given=plan(compare_resolvers=(three.address,)))
    assert [(answer.server, answer.role, answer.rtype) for answer in seen.answers] == [
        (server.address, role, rtype)
        for server, role in ((one, "configured"), (two, "configured"), (three, "compared"))
        for rtype in ("A", "AAAA")
    ]


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        (("ipv4",), ("203.0.113.10",)),
        (("ipv6",), ("2001:db8::10",)),
        (("ipv4", "ipv6"), ("203.0.113.10", "2001:db8::10")),
        ((), ("203.0.113.10", "2001:db8::10")),
    ],
)
async def test_only_families_that_are_usable_here_are_connected_to(resolve, families, expected):
    async with DnsServer(A) as server:
        seen = await resolve(vantage=facts((server.address,), families=families))
    assert seen.addresses == expected


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP"])
async def test_the_next_server_is_used_where_a_stub_resolver_would_go_on(resolve, rcode):
    async with DnsServer() as broken, DnsServer(A) as good:
        broken.script = always(lambda query: with_rcode(query, rcode))
        seen = await resolve(vantage=facts((broken.address, good.address)))
    assert seen.addresses == ("203.0.113.10",)


async def test_nxdomain_of_the_first_server_ends_the_search(resolve):
    async with DnsServer() as empty, DnsServer(A) as good:
        seen = await resolve(vantage=facts((empty.address, good.address)))
    assert seen.addresses == ()


async def test_a_compared_server_gives_no_addresses_to_connect_to(resolve):
    async with DnsServer(A) as compared:
        seen = await resolve(given=plan(compare_resolvers=(compared.address,)))
    assert seen.answers[0].addresses == ("203.0.113.10",)
    assert seen.addresses == ()


async def test_silence_gets_a_second_attempt_without_edns_and_both_are_evidence(resolve):
    async with DnsServer(A) as server:

        async def script(query, transport):
            return [] if query.edns >= 0 else [server.answer(query)]

        server.script = script
        seen = await resolve(vantage=facts((server.address,)))
    told = [(answer.rtype, answer.attempt, answer.result) for answer in seen.answers]
    assert told == [("A", 1, "timeout"), ("A", 2, "answer"), ("AAAA", 1, "timeout"), ("AAAA", 2, "answer")]


async def test_servfail_is_asked_again_and_a_definite_answer_never(resolve):
    async with DnsServer() as server:
        server.script = always(lambda query: with_rcode(query, "SERVFAIL"))
        seen = await resolve(vantage=facts((server.address,)))
    assert [answer.attempt for answer in seen.answers if answer.rtype == "A"] == [1, 2]
    async with DnsServer() as server:
        seen = await resolve(vantage=facts((server.address,)))
        assert len(server.queries) == 2
    assert [answer.rcode for answer in seen.answers] == ["NXDOMAIN", "NXDOMAIN"]


async def test_a_server_that_refuses_what_is_too_much_at_once_is_asked_again_a_moment_later(resolve):
    async with DnsServer(A) as server:
        seen = []

        async def script(query, transport):
            seen.append(query)
            return [with_rcode(query, "REFUSED") if len(seen) <= 2 else server.answer(query)]

        server.script = script
        told = await resolve(vantage=facts((server.address,)))
    assert [(answer.rtype, answer.attempt, answer.rcode) for answer in told.answers] == [
        ("A", 1, "REFUSED"), ("A", 2, "NOERROR"), ("AAAA", 1, "REFUSED"), ("AAAA", 2, "NOERROR"),
    ]  # fmt: skip
    assert told.addresses == ("203.0.113.10",)


async def test_a_late_answer_to_the_first_attempt_counts_and_the_second_proves_nothing(resolve):
    async with DnsServer(A) as server:

        async def script(query, transport):
            if query.edns < 0:
                return []
            await asyncio.sleep(QUICK.second_attempt_s * 2)
            return [server.answer(query)]

        server.script = script
        seen = await resolve(vantage=facts((server.address,)))
    assert [(answer.attempt, answer.result) for answer in seen.answers] == [(1, "answer"), (1, "answer")]


async def test_a_name_is_asked_once_and_shared(tmp_path):
    async with DnsServer(A) as server:
        resolvers = Resolvers(plan(mapping=mapping(server.address)), facts(), hosts_file=tmp_path / "none")
        first, second = await asyncio.gather(
            resolvers.resolve(NAME, Clock()), resolvers.resolve(NAME.upper() + ".", Clock())
        )
        assert len(server.queries) == 2
        await resolvers.aclose()
    assert first.addresses == second.addresses == ("203.0.113.10",)
    assert all(answer.at_ms >= 0 for answer in (*first.answers, *second.answers))


async def test_a_cancelled_check_does_not_take_the_shared_lookup_with_it(tmp_path):
    async with DnsServer(A) as server:
        gate = asyncio.Event()

        async def script(query, transport):
            await gate.wait()
            return [server.answer(query)]

        server.script = script
        resolvers = Resolvers(plan(mapping=mapping(server.address)), facts(), hosts_file=tmp_path / "none")
        first = asyncio.ensure_future(resolvers.resolve(NAME, Clock()))
        second = asyncio.ensure_future(resolvers.resolve(NAME, Clock()))
        await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.sleep(0)
        gate.set()
        assert (await second).addresses == ("203.0.113.10",)
        await resolvers.aclose()
    assert first.cancelled()


async def test_the_hosts_file_comes_before_dns_as_glibc_has_it(resolve):
    async with DnsServer(A) as server:
        seen = await resolve(vantage=facts((server.address,)), hosts=f"10.9.9.9 other {NAME} # here\n")
    assert seen.system.hosts_file == ("10.9.9.9",)
    assert seen.addresses == ("10.9.9.9",)
    assert seen.answers[0].addresses == ("203.0.113.10",)


async def test_where_dns_has_nothing_the_systems_answer_is_used(resolve):
    async with DnsServer() as server:
        seen = await resolve(vantage=facts((server.address,)), lookup=lambda name: ["10.8.8.8"])
    assert seen.system.result == "answer"
    assert seen.addresses == ("10.8.8.8",)


async def test_with_a_mapped_resolver_the_system_is_not_asked(resolve):
    async with DnsServer(A) as server:
        seen = await resolve(given=plan(mapping=mapping(server.address)), hosts=f"10.9.9.9 {NAME}\n")
    assert seen.system.result == "replaced"
    assert seen.addresses == ("203.0.113.10",)


async def test_no_nameserver_means_no_answers(resolve):
    seen = await resolve()
    assert (seen.answers, seen.addresses, seen.system.result) == ((), (), "failed")


@pytest.mark.parametrize("host", ["203.0.113.7", "2001:db8::7"])
async def test_an_address_is_not_looked_up(resolve, host):
    async with DnsServer(A) as server:
        seen = await resolve(host, vantage=facts((server.address,)))
        assert server.queries == []
    assert (seen.system.result, seen.addresses, seen.answers) == ("literal", (host,), ())


@pytest.mark.parametrize(
    "host", ["a..example", "x" * 64 + ".example", ".".join(["label"] * 60), "b\u00fccher..example", ""]
)
async def test_an_illegal_name_is_an_error_and_nothing_is_sent(resolve, host):
    async with DnsServer(A) as server:
        seen = await resolve(host, vantage=facts((server.address,)))
        assert server.queries == []
    assert {answer.result for answer in seen.answers} == {"error"}
    assert seen.addresses == ()


async def test_an_international_name_is_asked_in_ascii(resolve):
    async with DnsServer({("xn--bcher-kva.example", "A"): ["203.0.113.3"]}) as server:
        seen = await resolve("B\u00fccher.example", vantage=facts((server.address,)))
    assert (seen.name, seen.addresses) == ("xn--bcher-kva.example", ("203.0.113.3",))


async def test_a_lookup_that_hangs_is_a_timeout_and_holds_nothing_up(tmp_path):
    def hang(name):
        time.sleep(0.5)
        return ["10.0.0.1"]

    seen = await look_up(NAME, Cap.after(0.05), hosts_file=tmp_path / "none", lookup=hang)
    assert (seen.result, seen.addresses) == ("timeout", ())


async def test_more_lookups_than_threads_are_all_answered(tmp_path):
    def slow(name):
        time.sleep(0.005)
        return [name]

    seen = await asyncio.gather(
        *(look_up(f"n{n}", Cap.after(20), hosts_file=tmp_path / "none", lookup=slow) for n in range(200))
    )
    assert [one.addresses for one in seen] == [(f"n{n}",) for n in range(200)]


async def test_the_system_lookup_names_its_error(tmp_path):
    import socket

    def fail(name):
        raise socket.gaierror(socket.EAI_NONAME, "no")

    seen = await look_up(NAME, Cap.after(5), hosts_file=tmp_path / "none", lookup=fail)
    assert (seen.result, seen.error) == ("failed", "EAI_NONAME")


async def test_localhost_is_known_to_the_real_lookup():
    seen = await look_up("localhost", Cap.after(5))
    assert seen.result == "answer"
    assert set(seen.addresses) & {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"10.1.1.1 {NAME}", ("10.1.1.1",)),
        (f"10.1.1.1 {NAME.upper()}.", ("10.1.1.1",)),
        (f"10.1.1.1 x.{NAME}", ()),
        (f"# 10.1.1.1 {NAME}", ()),
        (f"nonsense {NAME}", ()),
        (f"10.1.1.1 {NAME}\n::1 {NAME}", ("10.1.1.1", "::1")),
    ],
)
def test_the_hosts_file_is_read_as_hosts_5_says(tmp_path, line, found):
    (tmp_path / "hosts").write_text(f"127.0.0.1 localhost\n\n{line}\n")
    assert from_hosts_file(NAME, tmp_path / "hosts") == found


def test_a_hosts_file_that_changes_is_read_again(tmp_path):
    file = tmp_path / "hosts"
    file.write_text(f"10.9.9.9 {NAME}\n")
    assert from_hosts_file(NAME, file) == ("10.9.9.9",)
    file.write_text(f"10.9.9.10 {NAME.upper()}.\n")
    assert from_hosts_file(NAME, file) == ("10.9.9.10",)


def test_a_thread_serves_one_lookup_after_the_other():
    threads = system_lookup._Threads()  # of its own: those of other tests may still be idle, and serve in turn
    serving: list[int] = []
    for _ in range(20):
        done = threading.Event()
        threads.submit(lambda done=done: (serving.append(threading.get_ident()), done.set()))
        assert done.wait(10)
        while not threads._idle:
            time.sleep(0.001)
    assert len(set(serving)) < len(serving) == 20
