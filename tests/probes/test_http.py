"""HTTP against servers that drip, flood, loop, cut and talk nonsense; through the dialer, over judged connections."""

import asyncio
import gzip
import inspect
import ssl

import h2.exceptions
import httpcore
import pytest
from msgspec import UNSET
from probes_shared import NAME, QUICK
from servers import h2 as http2
from servers import raw
from servers.web import Web, dripping, flooding, response

from preflight.model.plan import Limits
from preflight.model.secret import Secret
from preflight.probes import broken
from preflight.probes.request import Request

HTTP = f"http://{NAME}/"
HTTPS = f"https://{NAME}/"


async def get(to, trail, handler, *, context=None, url=HTTP, limits=QUICK, **request):
    async with raw.serve(handler, context=context) as server:
        reply = await to(server.port, limits=limits).fetch(trail, "origin", Request(url=url, **request))
        trail.close()
    return reply


async def test_a_complete_answer_has_everything(to, trail):
    web = Web(default=response(401, b'{"errors": []}', (("WWW-Authenticate", "Bearer realm=x"),), "Unauthorized"))
    reply = await get(to, trail, web, headers=(("accept", "application/json"), ("accept", "text/plain")))
    seen = reply.hop.http
    assert (seen.result, seen.status, seen.reason, seen.version) == ("ok", 401, "Unauthorized", "HTTP/1.1")
    assert ("www-authenticate", "Bearer realm=x") in seen.headers
    assert (seen.body, seen.body_bytes, seen.body_complete) == ('{"errors": []}', 14, True)
    assert (reply.status, reply.body) == (401, b'{"errors": []}')
    assert seen.sent_bytes > 0
    method, target, headers, _ = web.seen[0]
    assert (method, target, headers["host"], headers["accept-encoding"]) == ("GET", "/", NAME, "identity")


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_body_is_sent_and_not_recorded(to, trail, method):
    web = Web()
    reply = await get(to, trail, web, method=method, body=b"client_secret=hunter2-hunter2")
    assert web.seen[0][3] == b"client_secret=hunter2-hunter2"
    assert "hunter2" not in str(reply.hop)


async def test_head_has_no_body_and_is_complete(to, trail):
    web = Web(default=b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
    reply = await get(to, trail, web, method="HEAD")
    assert (reply.status, reply.hop.http.body_complete) == (200, True)


@pytest.mark.parametrize(
    ("handler", "result"),
    [
        (raw.saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "malformed"),
        (raw.saying(b"SSH-2.0-OpenSSH_9.2\r\n", then="hang"), "malformed"),
        (raw.saying(b"HTTP/1.1 banana\r\n\r\n"), "malformed"),
        (raw.saying(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"), "malformed"),
        (raw.saying(b""), "closed"),
        (raw.saying(b"HTTP/1.1 200 OK\r\nContent-Le"), "closed"),
        (raw.saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "closed"),
        (raw.saying(b"", then="reset"), "reset"),
        (raw.saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", then="reset"), "reset"),
        (raw.saying(b"", then="half"), "closed"),
        (raw.silent, "timeout"),
        (raw.saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", then="hang"), "timeout"),
        (dripping(b"HTTP/1.1 200 OK\r\nX: "), "timeout"),
        (dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), "timeout"),
        (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
        (flooding(b"HTTP/1.1 200 OK\r\n", b"X-Flood: " + b"y" * 5000 + b"\r\n", 1000), "too-large"),
        (flooding(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65536, 1000), "too-large"),
    ],
    ids=[
        "ssh",
        "ssh that waits",
        "bad status line",
        "bad header",
        "FIN",
        "FIN in the headers",
        "FIN in the body",
        "RST",
        "RST in the body",
        "half closed",
        "silent",
        "stall in the body",
        "dripping headers",
        "dripping body",
        "dripping interim answers",
        "endless headers",
        "one endless header",
    ],
)
async def test_a_broken_answer_has_its_result(to, trail, handler, result):
    reply = await get(to, trail, handler)
    assert reply.hop.http.result == result
    assert (reply.hop.http.errno == "ECONNRESET") == (result == "reset")


async def test_what_came_before_a_stall_is_kept(to, trail):
    reply = await get(to, trail, raw.saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", then="hang"))
    seen = reply.hop.http
    assert (seen.status, seen.body, seen.body_bytes, seen.body_complete) == (200, "half", 4, False)


async def test_a_hundred_megabytes_are_cut_at_the_limit_and_good(to, trail):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n"
    reply = await get(to, trail, flooding(head, b"z" * 65536, 1600), body_limit=10_000)
    seen = reply.hop.http
    assert (seen.result, seen.body_complete, len(seen.body), len(reply.body)) == ("ok", False, 4096, 10_000)
    assert 10_000 < seen.body_bytes < 1_000_000


@pytest.mark.parametrize("size", [9_999, 10_000])
async def test_a_body_up_to_the_limit_is_complete(to, trail, size):
    reply = await get(to, trail, Web(default=response(body=b"x" * size)), body_limit=10_000)
    assert (reply.hop.http.body_complete, len(reply.body)) == (True, size)


async def test_many_headers_are_bounded_in_the_facts(to, trail):
    headers = tuple((f"X-{n}", "v" * 500) for n in range(100))
    reply = await get(to, trail, Web(default=response(headers=headers)))
    assert reply.hop.http.result == "ok"
    assert len(reply.hop.http.headers) == 101
    long = await get(to, trail, Web(default=response(headers=(("X", "v" * 50_000),))))
    assert all(len(value) <= 2048 for _, value in long.hop.http.headers)


async def test_a_body_compressed_against_the_request_is_opened_within_the_limit(to, trail):
    bomb = gzip.compress(b"a" * 10_000_000)
    reply = await get(to, trail, Web(default=response(200, bomb, (("Content-Encoding", "gzip"),))), body_limit=20_000)
    assert reply.body == b"a" * 20_000
    assert reply.hop.http.body == "a" * 4096


async def test_binary_bodies_do_not_break_the_facts(to, trail):
    reply = await get(
        to, trail, Web(default=response(200, bytes(range(256)), (("Content-Type", "text/html; charset=idna"),)))
    )
    assert reply.body == bytes(range(256))
    assert len(reply.hop.http.body) == 256


async def test_secrets_are_sent_and_never_recorded(to, trail):
    body = b'{"access_token": "abcdefghijkl", "refresh_token":"mnopqrstuv", "expires_in": 3}'
    web = Web(
        default=response(200, body, (("Set-Cookie", "session=verysecret"), ("X-Echo", "Bearer s3cr3t-t0ken-value")))
    )
    reply = await get(
        to,
        trail,
        web,
        url=f"{HTTP}path?sv=2024&sig=AbC%2Fdef",
        secret_headers=(("authorization", Secret("Bearer s3cr3t-t0ken-value")),),
    )
    assert web.seen[0][1] == "/path?sv=2024&sig=AbC%2Fdef"
    assert web.seen[0][2]["authorization"] == "Bearer s3cr3t-t0ken-value"
    assert b"abcdefghijkl" in reply.body
    for secret in ("s3cr3t", "AbC", "verysecret", "abcdefghijkl", "mnopqrstuv"):
        assert secret not in str(reply.hop)
    assert reply.hop.url == f"{HTTP}path?sv=2024&sig=***"


async def test_an_illegal_header_does_not_quote_itself(to, trail):
    reply = await get(to, trail, Web(), secret_headers=(("authorization", Secret("two\nlines-of-secret")),))
    assert reply.hop.http.result == "error"
    assert "secret" not in str(reply.hop)


async def test_a_refusal_by_tls_after_the_handshake_is_no_errno(to, trail, authority):
    context = authority.issue(NAME).context()
    context.load_verify_locations(cadata=authority.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    reply = await get(to, trail, raw.shaking(context), context=None, url=HTTPS)
    assert reply.hop.connections[0].tls.result == "ok"
    assert (reply.hop.http.result, reply.hop.http.errno) == ("error", None)
    assert "CERTIFICATE_REQUIRED" in reply.hop.http.detail.upper().replace(" ", "_")


# -- keep-alive


async def test_a_connection_is_used_again_for_the_same_origin(to, trail, authority):
    web = Web()
    async with raw.serve(web, context=authority.issue(NAME).context()) as server:
        dialer = to(server.port)
        await dialer.fetch(trail, "origin", Request(url=HTTPS))
        again = await dialer.fetch(trail, "token", Request(url=f"{HTTPS}token"))
        other = await dialer.fetch(trail, "http1", Request(url=HTTPS, alpn=("http/1.1",)))
        trail.close()
    assert (again.hop.reused, again.hop.dns, again.hop.connections, again.status) == (True, UNSET, (), 200)
    assert not other.hop.reused
    assert web.connections == 2


async def test_an_idle_connection_that_the_server_has_closed_is_replaced(to, trail):
    async def one_only(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response())
        await writer.drain()
        writer.close()

    async with raw.serve(one_only) as server:
        dialer = to(server.port)
        first = await dialer.fetch(trail, "origin", Request(url=HTTP))
        await asyncio.sleep(0.05)
        second = await dialer.fetch(trail, "ready", Request(url=HTTP))
        trail.close()
    assert (first.status, second.status, second.hop.reused) == (200, 200, False)
    assert second.hop.connections


async def test_an_answer_that_was_cut_is_not_followed_by_another_on_its_connection(to, trail):
    web = Web(default=response(body=b"x" * 50_000))
    async with raw.serve(web) as server:
        dialer = to(server.port)
        for role in ("origin", "second"):
            reply = await dialer.fetch(trail, role, Request(url=HTTP, body_limit=10))
            assert (reply.body, reply.hop.reused) == (b"x" * 10, False)
    assert web.connections == 2


# -- redirects


async def chase(to, trail, answers, *, follow=3, url=HTTP, **request):
    web = Web({target: response(status, b"", (("Location", there),)) for target, (status, there) in answers.items()})
    reply = await get(to, trail, web, url=url, follow=follow, **request)
    return reply, web


async def test_redirects_are_hops_of_their_own_from_the_name_on(to, trail):
    reply, web = await chase(
        to,
        trail,
        {"/": (302, "/two"), "/two": (307, "http://other.example/three")},
        headers=(("authorization", "Basic Zm9vOmJhcmJheg=="), ("accept", "x/y")),
        secret_headers=(("x-secret", Secret("very-secret")),),
    )
    assert [hop.role for hop in trail.hops] == ["origin", "origin.redirect1", "origin.redirect2"]
    assert trail.hops[1].reused
    assert trail.hops[2].dns.name == "other.example"
    assert reply.hop.role == "origin.redirect2"
    assert web.seen[1][2]["x-secret"] == "very-secret"


async def test_credentials_stay_at_their_origin(to, trail):
    other = Web()
    async with raw.serve(other) as there:
        records = {("other.example", "A"): ["203.0.113.20"]}
        web = Web({"/": response(307, b"", (("Location", "http://user:pw@other.example/x?sig=abcdef"),))})
        async with raw.serve(web) as server:
            dialer = to(server.port, records=records, ports={"203.0.113.20:80": there.address})
            reply = await dialer.fetch(
                trail,
                "layer",
                Request(
                    url=HTTP,
                    follow=1,
                    headers=(("Authorization", "Basic Zm9v"), ("range", "bytes=0-9")),
                    secret_headers=(("authorization", Secret("Bearer t0ken")),),
                ),
            )
            trail.close()
    assert reply.status == 200
    _, target, headers, _ = other.seen[0]
    assert target == "/x?sig=abcdef"
    assert headers["range"] == "bytes=0-9"
    assert "authorization" not in headers
    assert reply.hop.url == "http://other.example/x?sig=***"


@pytest.mark.parametrize(
    ("answers", "follow", "refused"),
    [
        ({"/": (302, "/")}, 5, "loop"),
        ({"/": (302, "/a"), "/a": (302, "/b"), "/b": (302, "/a")}, 5, "loop"),
        ({f"/{n or ''}": (302, f"/{n + 1}") for n in range(9)}, 3, "too-many"),
        ({"/": (302, "ftp://elsewhere.example/")}, 3, "malformed"),
        ({"/": (302, "http://[nonsense/")}, 3, "malformed"),
        ({"/": (302, "http://a.example:99999/")}, 3, "malformed"),
        ({"/": (302, "http://a.example:port/")}, 3, "malformed"),
        ({"/": (302, "http://" + "x" * 70 + ".example/")}, 3, "malformed"),
    ],
)
async def test_a_redirect_that_is_not_followed_says_why(to, trail, answers, follow, refused):
    reply, _ = await chase(to, trail, answers, follow=follow)
    assert reply.hop.service == {"redirect": refused}
    assert trail.hops[-1].service == {"redirect": refused}
    assert reply.status == 302


async def test_a_redirect_down_to_http_is_not_followed(to, trail, authority):
    web = Web({"/": response(302, b"", (("Location", HTTP),))})
    reply = await get(to, trail, web, context=authority.issue(NAME).context(), url=HTTPS, follow=3)
    assert reply.hop.service == {"redirect": "to-http"}
    assert len(trail.hops) == 1


async def test_a_body_does_not_go_to_another_origin(to, trail):
    reply, _ = await chase(to, trail, {"/": (307, "http://other.example/")}, method="POST", body=b"client_secret=x")
    assert reply.hop.service == {"redirect": "with-body"}


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
async def test_methods_change_as_the_rfc_says(to, trail, status, method):
    _, web = await chase(to, trail, {"/": (status, "/there")}, method="POST", body=b"x")
    assert web.seen[1][0] == method


async def test_without_follow_a_redirect_is_an_answer(to, trail):
    reply, _ = await chase(to, trail, {"/": (302, "/x")}, follow=0)
    assert (reply.status, reply.hop.service, len(trail.hops)) == (302, {}, 1)


# -- HTTP/2


async def test_http2_is_spoken_where_it_was_negotiated(to, trail, authority):
    context = authority.issue(NAME).context(alpn=("h2",))
    reply = await get(to, trail, http2.answering(200, b"two", (("x-one", "1"),)), context=context, url=HTTPS)
    assert (reply.status, reply.body, reply.hop.http.version) == (200, b"two", "HTTP/2")
    assert reply.hop.connections[0].tls.alpn == "h2"


async def test_http2_connections_are_used_again_and_bodies_bounded(to, trail, authority):
    context = authority.issue(NAME).context(alpn=("h2",))
    async with raw.serve(http2.answering(200, b"y" * 30_000), context=context) as server:
        dialer = to(server.port)
        await dialer.fetch(trail, "origin", Request(url=HTTPS))
        again = await dialer.fetch(trail, "more", Request(url=HTTPS, body_limit=100))
        after = await dialer.fetch(trail, "after", Request(url=HTTPS))
        trail.close()
    assert (again.hop.reused, again.body, again.hop.http.result) == (True, b"y" * 100, "ok")
    assert (after.hop.reused, after.status) == (False, 200)


async def test_http2_offers_one_stream_since_more_cost_httpcore_a_turn_of_the_loop_each(to, trail, authority):
    offered = []

    def act(connection, stream):
        offered.append((connection.remote_settings.max_concurrent_streams, connection.remote_settings.enable_push))
        connection.send_headers(stream, [(":status", "204")], end_stream=True)

    context = authority.issue(NAME).context(alpn=("h2",))
    reply = await get(to, trail, http2.acting(act), context=context, url=HTTPS)
    assert (reply.status, offered) == (204, [(1, 0)])


def _reset(connection, stream):
    connection.reset_stream(stream)


def _goaway(connection, stream):
    connection.close_connection()


def _bad_status(connection, stream):
    connection.send_headers(stream, [(":status", "banana")], end_stream=True)


def _nothing(connection, stream):
    pass


def _flood(connection, stream):
    connection.send_headers(
        stream, [(":status", "200")] + [(f"x-{n}", "y" * 1000) for n in range(100)], end_stream=True
    )


@pytest.mark.parametrize(
    ("act", "results"),
    [
        (_reset, {"malformed", "closed"}),
        (_goaway, {"malformed", "closed"}),
        (_bad_status, {"malformed"}),
        (_nothing, {"timeout"}),
        (_flood, {"too-large", "malformed"}),
    ],
)
async def test_http2_breaks_in_its_own_ways(to, trail, authority, act, results):
    context = authority.issue(NAME).context(alpn=("h2",))
    reply = await get(to, trail, http2.acting(act), context=context, url=HTTPS)
    assert reply.hop.http.result in results


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100, b"\x00\x00\x00\x01\x00\x00\x00\x00\x01"]
)
async def test_garbage_where_http2_was_agreed_is_malformed(to, trail, authority, data):
    context = authority.issue(NAME).context(alpn=("h2",))
    reply = await get(to, trail, raw.saying(data, then="hang"), context=context, url=HTTPS)
    assert reply.hop.http.result in {"malformed", "too-large"}


# -- stalls


async def test_a_stalled_answer_is_asked_for_again_over_small_segments(to, trail):
    web = Web(default=response(body=b"all of it"))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    reply = await get(to, trail, raw.first_then(raw.saying(head, then="hang"), web))
    assert (reply.hop.http.result, reply.hop.clamped.result, reply.hop.clamped.status) == ("timeout", "ok", 200)
    assert [one.tcp.mss for one in reply.hop.connections] == [None, 1200]


async def test_a_slow_answer_that_comes_needs_no_second_request_in_the_facts(to, trail):
    async def slow(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(QUICK.answer_cap_s * 0.7)
        writer.write(response())
        await writer.drain()
        await reader.read(1)

    reply = await get(to, trail, slow)
    assert (reply.hop.http.result, reply.hop.clamped) == ("ok", UNSET)


async def test_a_post_is_never_repeated(to, trail):
    async with raw.serve(raw.silent) as server:
        reply = await to(server.port).fetch(trail, "origin", Request(url=HTTP, method="POST", body=b"x"))
        assert server.accepted == 1
    assert (reply.hop.http.result, reply.hop.clamped) == ("timeout", UNSET)


async def test_cancelling_an_exchange_closes_everything(to, trail, authority):
    limits = Limits(connect_cap_s=30, second_attempt_s=0.01, answer_cap_s=0.1)
    context = authority.issue(NAME).context()
    async with raw.serve(raw.silent, context=context) as server:
        fetching = asyncio.ensure_future(to(server.port, limits=limits).fetch(trail, "origin", Request(url=HTTPS)))
        await server.reached(2)
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
    assert trail.hops[0].connections[0].tls.result == "ok"


# -- the translator is complete


def test_every_exception_of_httpcore_has_a_result():
    found = {one for one in vars(httpcore).values() if inspect.isclass(one) and issubclass(one, Exception)}
    assert found, "httpcore exports its exceptions"
    assert found <= set(broken.RESULTS)
    assert set(broken.RESULTS.values()) <= {"timeout", "reset", "closed", "malformed", "too-large", "error"}


def test_every_exception_of_h2_is_covered():
    found = [
        one for one in vars(h2.exceptions).values() if inspect.isclass(one) and issubclass(one, h2.exceptions.H2Error)
    ]
    assert len(found) > 5
    assert all(any(kind in broken.RESULTS for kind in one.__mro__) for one in found)
