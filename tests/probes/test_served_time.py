"""The time of a service whose certificate failed by its dates alone: verified in everything else, and bounded."""

import pytest
from probes_shared import NAME
from servers import raw
from servers.certs import DAY
from servers.web import Web, flooding, response

from preflight.probes.request import Request
from preflight.probes.served_time import date_in

GOOD = b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (GOOD, "2026-11-22T10:00:00+00:00"),
        (b"HTTP/1.1 403 no\r\nServer: x\r\ndate:Sun, 22 Nov 2026 11:00:00 +0100", "2026-11-22T10:00:00+00:00"),
        (b"HTTP/1.1 200 OK\r\nServer: x", None),
        (b"HTTP/1.1 200 OK\r\nDate: tomorrow", None),
        (b"HTTP/1.1 200 OK\r\nDate: \xff\xfe", None),
        (b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 99999 10:00:00 GMT", None),
        (b"Date: Sun, 22 Nov 2026 10:00:00 GMT", None),
        (b"", None),
    ],
)
def test_the_date_of_a_head(head, expected):
    assert date_in(head) == expected


DATED = response(200, headers=(("Date", "Sun, 22 Nov 2026 10:00:00 GMT"),))
EXPIRED = {"not_before": -3 * DAY, "not_after": -1 * DAY}


async def shake(to, trail, web, context):
    async with raw.serve(web, context=context) as server:
        reply = await to(server.port).fetch(
            trail, "origin", Request(url=f"https://{NAME}/secret", headers=(("authorization", "Bearer x"),))
        )
    return reply.hop.connections[0].tls


async def test_a_service_whose_certificate_failed_by_its_dates_is_asked_for_the_time(to, trail, authority):
    web = Web(default=DATED)
    seen = await shake(to, trail, web, authority.issue(NAME, **EXPIRED).context())
    assert (seen.result, seen.verify_code, seen.served_date) == ("unverified", 10, "2026-11-22T10:00:00+00:00")
    ((method, target, headers, body),) = web.seen
    assert (method, target, sorted(headers), body) == ("HEAD", "/", ["connection", "host"], b"")


@pytest.mark.parametrize(
    "leaf", [{"self_signed": True}, {}, {**EXPIRED, "self_signed": True}], ids=["untrusted", "good", "both"]
)
async def test_nobody_else_is_asked(to, trail, authority, leaf):
    seen = await shake(to, trail, Web(default=DATED), authority.issue(NAME, **leaf).context())
    assert seen.served_date is None


async def test_an_expired_certificate_for_another_name_is_not_believed(to, trail, authority):
    seen = await shake(to, trail, Web(default=DATED), authority.issue("elsewhere.example", **EXPIRED).context())
    assert (seen.result, seen.served_date) == ("unverified", None)


async def test_an_endless_head_ends_at_its_limit(to, trail, authority):
    web = flooding(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n" * 100, 10_000)
    seen = await shake(to, trail, web, authority.issue(NAME, **EXPIRED).context())
    assert seen.served_date is None
