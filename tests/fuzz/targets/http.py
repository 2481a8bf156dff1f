"""HTTP bytes through the client path: HTTP/1.1, HTTP/2, and what proxies answer to CONNECT."""

import httpx
from msgspec import UNSET

from fuzz import memory, onward
from fuzz.memory import Peer
from fuzz.target import Depth, Feed, Target
from preflight.model.observation import HttpFacts
from preflight.model.secret import Secret
from preflight.model.vocabulary import ProbeName
from preflight.probes import redact, tls
from preflight.probes.attempts import Cap
from preflight.probes.clock import Clock
from preflight.probes.http import Answer, Channel, Sent
from preflight.probes.redact import Redactor
from preflight.probes.trust import Judges

URL = httpx.URL("https://stmlprod.blob.core.windows.net/models/model.onnx")
PASSWORD = "correct-horse-battery"
LIMIT = 16_384
_REDACTOR = Redactor({"storage_sas": Secret(PASSWORD)})
_RESULTS = {"ok", "timeout", "reset", "closed", "malformed", "too-large", "error"}
_METHODS = ("GET", "HEAD", "POST")


def bounded(facts: HttpFacts, answer: Answer | None = None) -> None:
    """Every limit on what is recorded."""
    assert facts.result in _RESULTS
    assert len(facts.body) <= redact.MAX_TEXT
    assert len(facts.headers) <= redact.MAX_HEADERS
    assert all(len(name) <= 100 and len(value) <= redact.MAX_VALUE for name, value in facts.headers)
    assert len(facts.reason) <= 400
    assert len(facts.detail) <= 400
    assert PASSWORD not in str(facts).lower(), "a secret is still there"
    if answer is not None:
        assert len(answer.body) <= LIMIT
        assert len(answer.content(LIMIT)) <= LIMIT


def _exchange(data: bytes, depth: Depth, alpn: str) -> None:
    """First byte: method, size of the pieces, how it ends. What follows is what the server says."""
    feed = Feed(data)
    choice = feed.byte()
    peer = Peer(feed.rest(), choice)
    facts, answer, idle = memory.run(_asked(peer, _METHODS[choice // 8 % 3], alpn))
    bounded(facts, answer)
    assert peer.closed or (answer.complete and idle is not None), "the socket stays open"
    task = onward.task(ProbeName.BLOB)
    onward.seen(task, onward.hop(str(URL), http=facts), depth=depth)


async def _asked(peer: Peer, method: str, alpn: str) -> tuple[HttpFacts, Answer, bool | None]:
    channel = Channel(peer, URL, alpn)
    body = b"a=b" if method == "POST" else b""
    sent = Sent(
        method=method, url=URL, headers=(("authorization", f"Bearer {PASSWORD}"),), body=body, body_limit=LIMIT,
        cap_s=30.0,
    )  # fmt: skip
    facts, answer = await channel.exchange(sent, Clock(), _REDACTOR)
    return facts, answer, channel.idle


def _http1(data: bytes, depth: Depth) -> None:
    _exchange(data, depth, "http/1.1")


def _http2(data: bytes, depth: Depth) -> None:
    _exchange(data, depth, "h2")


def _connect(data: bytes, depth: Depth) -> None:
    """The answer to CONNECT, and what comes through the tunnel in place of a TLS server's hello."""
    feed = Feed(data)
    peer = Peer(feed.rest(), feed.byte())
    facts, secure = memory.run(_tunnel(peer))
    bounded(facts)
    proxy = onward.proxied(facts)
    onward.seen(onward.task(ProbeName.BLOB), onward.hop(str(URL), proxy=proxy, tls=secure), depth=depth)


async def _tunnel(peer: Peer):
    channel = Channel(peer, httpx.URL("http://proxy.contoso.com:3128"), None)
    login = (("proxy-authorization", f"Basic {PASSWORD}"),)
    sent = Sent(method="CONNECT", url=URL, headers=login, body_limit=LIMIT, cap_s=30.0)
    facts, tunnel = await channel.tunnel(sent, "stmlprod.blob.core.windows.net:443", Clock(), _REDACTOR)
    if tunnel is None:
        assert peer.closed
        return facts, UNSET
    judge = Judges(onward.vantage_plan()).get("cluster-ca", ("h2", "http/1.1"))
    secure, stream = await tls.handshake(tunnel, judge, URL.host, Cap.after(30.0), Clock())
    assert stream is None, "a handshake with a peer that cannot know our random"
    assert peer.closed
    return facts, secure


_WORDS = (
    "HTTP/1.1 ", "HTTP/1.0 ", "\r\n", "\r\n\r\n", "content-length: ", "transfer-encoding: chunked", "0\r\n\r\n",
    "content-encoding: gzip", "content-type: text/html; charset=", "utf-16", "location: ", "www-authenticate: Bearer ",
    "connection: close", "100 Continue", "204", "304", "407 Proxy Authentication Required", "x-ms-error-code: ",
    "upgrade: ", "<html>", PASSWORD,
)  # fmt: skip

TARGETS = (
    Target(name="http1", parses="HTTP/1.1 answers", enters="probes.http.Channel.exchange", run=_http1, words=_WORDS),
    Target(name="http2", parses="HTTP/2 answers", enters="probes.http.Channel.exchange", run=_http2),
    Target(
        name="proxy-connect",
        parses="answers of proxies to CONNECT, and what follows",
        enters="probes.http.Channel.tunnel, probes.tls.handshake",
        run=_connect,
        words=_WORDS,
    ),
)
