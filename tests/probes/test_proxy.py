"""Through proxies that agree, refuse, demand, hang and are not there; and which proxy applies at all."""

import asyncio
import base64

import pytest
from msgspec import UNSET
from probes_shared import NAME, facts, plan
from servers import h2 as http2
from servers import raw
from servers.web import ConnectProxy, Web, response

from preflight.model.plan import Proxy
from preflight.model.secret import Secret
from preflight.probes.proxy import Proxies, parse
from preflight.probes.request import Request

HTTPS = f"https://{NAME}/"
PROXY_HOST = "proxy.example"
PROXY_ADDRESS = "203.0.113.99"
LOGIN = "Basic " + base64.b64encode(b"user:pass-word").decode()


@pytest.fixture
def behind(to):
    """`behind(proxy_server)`: a dialer whose https and http go through that server."""

    def make(proxy_port: int, *, scheme="http", target_port=0, **changes):
        url = f"{scheme}://{PROXY_HOST}:3128"
        given = {"proxy": Proxy(https=url, http=url), **changes}
        return to(
            target_port,
            records={(PROXY_HOST, "A"): [PROXY_ADDRESS]},
            ports={f"{PROXY_ADDRESS}:3128": f"127.0.0.1:{proxy_port}"},
            **given,
        )

    return make


async def fetch(behind, trail, proxy, *, url=HTTPS, context=None, **changes):
    async with raw.serve(proxy, context=context) as server:
        reply = await behind(server.port, **changes).fetch(trail, "origin", Request(url=url))
        trail.close()
    return reply


async def test_a_target_is_reached_through_connect_and_its_handshake_judged(behind, trail, authority):
    web = Web()
    async with raw.serve(web, context=authority.issue(NAME).context()) as target:
        proxy = ConnectProxy({f"{NAME}:443": ("127.0.0.1", target.port)})
        reply = await fetch(behind, trail, proxy)
    seen = reply.hop
    assert (reply.status, seen.tls.result, seen.proxy.connect.status) == (200, "ok", 200)
    assert (seen.proxy.url, seen.proxy.source) == ("http://proxy.example:3128", "preflight.toml proxy.https")
    assert seen.proxy.dns.addresses == (PROXY_ADDRESS,)
    assert [one.tcp.result for one in seen.proxy.connections] == ["connected"]
    assert seen.connections == ()
    assert seen.dns.name == NAME  # side evidence
    assert proxy.seen[0][:2] == ("CONNECT", f"{NAME}:443")
    assert "proxy-authorization" not in web.seen[0][2]


async def test_http2_is_spoken_through_a_tunnel(behind, trail, authority):
    context = authority.issue(NAME).context(alpn=("h2",))
    async with raw.serve(http2.answering(200, b"two"), context=context) as target:
        reply = await fetch(behind, trail, ConnectProxy({f"{NAME}:443": ("127.0.0.1", target.port)}))
    assert (reply.status, reply.hop.http.version, reply.hop.tls.alpn) == (200, "HTTP/2", "h2")


async def test_a_tunnel_is_used_again(behind, trail, authority):
    async with raw.serve(Web(), context=authority.issue(NAME).context()) as target:
        proxy = ConnectProxy({f"{NAME}:443": ("127.0.0.1", target.port)})
        async with raw.serve(proxy) as server:
            dialer = behind(server.port)
            await dialer.fetch(trail, "origin", Request(url=HTTPS))
            again = await dialer.fetch(trail, "token", Request(url=f"{HTTPS}token"))
            trail.close()
    assert (again.hop.reused, again.status, len(proxy.seen)) == (True, 200, 1)


@pytest.mark.parametrize("status", [403, 407, 502, 503])
async def test_a_refusal_keeps_status_headers_and_body(behind, trail, status):
    page = response(status, b"<html>Denied by policy</html>", (("Via", "1.1 squid"),), "No")
    reply = await fetch(behind, trail, ConnectProxy({}, refuse=page))
    seen = reply.hop.proxy.connect
    assert (seen.result, seen.status, seen.method) == ("ok", status, "CONNECT")
    assert ("via", "1.1 squid") in seen.headers
    assert seen.body == "<html>Denied by policy</html>"
    assert (reply.status, reply.hop.tls, reply.hop.http) == (None, UNSET, UNSET)


@pytest.mark.parametrize(
    ("handler", "result"),
    [
        (raw.saying(b""), "closed"),
        (raw.saying(b"", then="reset"), "reset"),
        (raw.silent, "timeout"),
        (raw.saying(b"SOCKS?\r\n"), "malformed"),
    ],
    ids=["FIN", "RST", "silent", "no HTTP"],
)
async def test_a_proxy_that_breaks_off_is_told_by_its_connect(behind, trail, handler, result):
    reply = await fetch(behind, trail, handler)
    assert reply.hop.proxy.connect.result == result
    assert reply.hop.tls is UNSET


@pytest.mark.parametrize(("login", "status"), [("user:pass-word", 200), ("user:wrong-word", 407), (None, 407)])
async def test_basic_authentication_to_the_proxy(behind, trail, authority, login, status):
    async with raw.serve(Web(), context=authority.issue(NAME).context()) as target:
        proxy = ConnectProxy({f"{NAME}:443": ("127.0.0.1", target.port)}, login=LOGIN)
        secrets = {"proxy": Secret(login)} if login else {}
        reply = await fetch(behind, trail, proxy, secrets=secrets)
    assert reply.hop.proxy.connect.status == status
    assert "pass-word" not in str(reply.hop)
    assert LOGIN not in str(reply.hop)


async def test_a_proxy_that_quotes_the_credentials_back_does_not_get_them_recorded(behind, trail):
    echo = response(407, f"<p>you sent {LOGIN} for user:pass-word</p>".encode())
    reply = await fetch(behind, trail, ConnectProxy({}, refuse=echo), secrets={"proxy": Secret("user:pass-word")})
    assert "***" in reply.hop.proxy.connect.body
    assert "pass-word" not in str(reply.hop)
    assert LOGIN not in str(reply.hop)


async def test_an_https_proxy_is_judged_itself(behind, trail, authority):
    async with raw.serve(Web(), context=authority.issue(NAME).context()) as target:
        proxy = ConnectProxy({f"{NAME}:443": ("127.0.0.1", target.port)})
        context = authority.issue(PROXY_HOST).context()
        reply = await fetch(behind, trail, proxy, context=context, scheme="https")
    assert reply.status == 200
    assert reply.hop.proxy.connections[0].tls.result == "ok"
    assert reply.hop.proxy.connections[0].tls.server_name == PROXY_HOST


async def test_an_https_proxy_with_a_wrong_certificate_ends_the_hop(behind, trail, authority):
    context = authority.issue("elsewhere.example").context()
    reply = await fetch(behind, trail, ConnectProxy({}), context=context, scheme="https")
    assert reply.hop.proxy.connections[0].tls.verify_code == 62
    assert reply.hop.proxy.connect is UNSET


async def test_an_unresolved_proxy_ends_the_hop_and_the_targets_dns_stays_side_evidence(behind, trail):
    dialer = behind(0, proxy=Proxy(https="http://nowhere.example:3128"))
    reply = await dialer.fetch(trail, "origin", Request(url=HTTPS))
    assert [answer.rcode for answer in reply.hop.proxy.dns.answers] == ["NXDOMAIN", "NXDOMAIN"]
    assert reply.hop.dns.addresses
    assert reply.hop.proxy.connections == ()


async def test_a_proxy_that_refuses_connections_is_told_by_them(behind, trail):
    with raw.refusing() as port:
        reply = await behind(port).fetch(trail, "origin", Request(url=HTTPS))
    assert [one.tcp.errno for one in reply.hop.proxy.connections] == ["ECONNREFUSED"]


async def test_a_plain_http_target_is_fetched_by_the_proxy(behind, trail):
    proxy = ConnectProxy({}, login=LOGIN)
    reply = await fetch(
        behind, trail, proxy, url=f"http://{NAME}:8080/a?b=c", secrets={"proxy": Secret("user:pass-word")}
    )
    assert (reply.status, reply.body) == (200, b"fetched by the proxy")
    assert proxy.seen[0][:2] == ("GET", f"http://{NAME}:8080/a?b=c")
    assert proxy.seen[0][2]["host"] == f"{NAME}:8080"
    assert reply.hop.proxy.connect is UNSET


async def test_no_proxy_means_a_direct_connection(to, trail, authority):
    async with raw.serve(Web(), context=authority.issue(NAME).context()) as server:
        dialer = to(server.port, proxy=Proxy(https="http://nowhere.example:1", no_proxy=".example"))
        reply = await dialer.fetch(trail, "origin", Request(url=HTTPS))
        trail.close()
    assert (reply.status, reply.hop.proxy) == (200, UNSET)


async def test_cancelling_behind_a_proxy_closes_everything(behind, trail):
    async with raw.serve(raw.silent) as server:
        fetching = asyncio.ensure_future(behind(server.port).fetch(trail, "origin", Request(url=HTTPS)))
        await server.reached(1)
        await asyncio.sleep(0.02)
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
    assert trail.hops[0].proxy.connections[0].tcp.result == "connected"


# -- which proxy applies


def route(scheme="https", *, proxies=None, environ=None, secrets=None, **proxy):
    given = Proxies(plan(proxy=Proxy(**proxy)), facts(proxies=proxies or {}), secrets or {}, environ or {})
    return given.route(scheme, "svc.example", 443)


def test_without_any_proxy_there_is_no_route():
    assert route() is None


def test_the_plan_comes_before_the_environment():
    found = route(https="http://planned:1", proxies={"https_proxy": "http://other:2"})
    assert (found.url, found.source) == ("http://planned:1", "preflight.toml proxy.https")


def test_the_environment_gives_credentials_that_the_facts_do_not_have():
    environ = {"HTTPS_PROXY": "http://user:p%40ss@corp:8080"}
    found = route(proxies={"https_proxy": "http://corp:8080"}, environ=environ)
    assert (found.url, found.source, found.login.reveal()) == (
        "http://corp:8080",
        "environment HTTPS_PROXY",
        "user:p@ss",
    )
    assert "p@ss" not in repr(found)


def test_the_environment_can_be_left_out():
    assert route(proxies={"https_proxy": "http://corp:8080"}, from_environment=False) is None


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_all_proxy_serves_both_schemes(scheme):
    assert route(scheme, proxies={"all_proxy": "http://corp:8080"}).url == "http://corp:8080"


def test_no_proxy_of_the_environment_applies_to_a_configured_proxy_too():
    assert route(https="http://planned:1", proxies={"no_proxy": "svc.example"}) is None
    assert route(https="http://planned:1", proxies={"no_proxy": "svc.example"}, no_proxy="other") is not None


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("proxy.corp:3128", "http://proxy.corp:3128"),
        ("http://proxy.corp", "http://proxy.corp:80"),
        ("https://proxy.corp/", "https://proxy.corp:443"),
        ("http://u:p@[fd00::1]:3128", "http://[fd00::1]:3128"),
        ("socks5://proxy.corp:1080", None),
        ("http://proxy.corp:port", None),
        ("", None),
    ],
)
def test_proxy_urls_as_people_write_them(text, url):
    found = parse(text, "")
    assert (found.url if found else None) == url
