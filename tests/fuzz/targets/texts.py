"""Small texts out of answers: challenges, manifests, storage errors, redirects, pages of filters, secrets in them."""

import httpx

from fuzz import onward
from fuzz.target import Depth, Feed, Target
from preflight.judge import blockpages
from preflight.judge.scene import moment
from preflight.model.observation import HttpFacts
from preflight.model.secret import Secret
from preflight.model.vocabulary import ProbeName
from preflight.probes import redirects, served_time
from preflight.probes.redact import MAX_TEXT, MAX_URL, Redactor
from preflight.probes.request import Reply, Request
from preflight.probes.services import answers, blob, challenge, manifests, registry, table

SECRETS = {
    "registry_password": Secret("pa:ss/word+42"),
    "storage_sas": Secret("sv=2024-11-04&sp=r&sig=bGFiLXNhcy1zaWduYXR1cmU%3D"),
    "workspace_token": Secret("eyJhbGciOiJub25lIn0.e30.c2lnbmF0dXJl"),
}
_GONE = ("pa:ss/word+42", "bGFiLXNhcy1zaWduYXR1cmU", "eyJhbGciOiJub25lIn0.e30")
_REDACTOR = Redactor(SECRETS)
_URL = "https://acrprod.azurecr.io/v2/"


def _http(status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> HttpFacts:
    return HttpFacts(
        method="GET",
        result="ok",
        status=status,
        headers=_REDACTOR.headers(headers),
        body=_REDACTOR.text(body.decode("utf-8", "replace")),
        body_bytes=len(body),
        body_complete=True,
        at_ms=0.0,
        duration_ms=1.0,
    )


def _reply(status: int, body: bytes, headers: tuple[tuple[str, str], ...] = (), **service: str) -> Reply:
    stage = onward.hop(_URL, http=_http(status, body, headers), service=service)
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]  # as httpcore gives them
    return Reply(hop=stage, status=status, headers=httpx.Headers(raw), body=body)


def _short(facts: dict[str, str], most: int = 300) -> None:
    for name, value in facts.items():
        assert len(value) <= most, f"{name} has {len(value)} characters"
        assert value.isprintable(), f"{name} holds what a terminal obeys"


def _challenge(data: bytes, depth: Depth) -> None:
    """Values of WWW-Authenticate, one a line: what is asked for, whether the realm is our own, the token request."""
    values = data.decode("latin-1").split("\n")
    found = challenge.parse(values)
    assert len(found) <= 16
    assert all(len(one.parameters) <= 32 for one in found)
    task = onward.task(ProbeName.REGISTRY, "acrprod")
    headers = tuple(("www-authenticate", value) for value in values[:200])
    reply = _reply(401, b"", headers)
    facts = registry.origin_facts(task, reply, found)
    _short(facts)
    asked = challenge.of_scheme(found, "bearer")
    if asked is not None and facts["realm"] == "own":
        request = registry._token_request(task, asked, (), "pull")
        host = httpx.URL(request.url).host
        assert host in {"acrprod.azurecr.io", task.params.get("token_host")}, "credentials would go to a stranger"
    onward.seen(task, onward.hop(_URL, http=reply.hop.http, service=facts), depth=depth)


def _manifest(data: bytes, depth: Depth) -> None:
    """The body of a manifest or an index."""
    found = manifests.read(data)
    if isinstance(found, manifests.Index):
        assert manifests.is_digest(found.child.digest)
        assert found.platform.isprintable()
        assert len(found.platform) <= 81
    if isinstance(found, manifests.Image) and found.smallest is not None:
        assert manifests.is_digest(found.smallest.digest)
        assert found.smallest.size >= 0
    reply = _reply(200, data)
    facts = registry._manifest_facts(reply, "latest", found)
    _short(facts)
    task = onward.task(ProbeName.REGISTRY, "acrprod")
    origin = onward.hop(_URL, http=_http(200, b"{}"), service={"challenge": "none", "document": "empty-object"})
    manifest = onward.reused("manifest", f"{_URL}ml/model/manifests/v3", http=reply.hop.http, service=facts)
    onward.seen(task, origin, manifest, depth=depth)


_STATUSES = (400, 401, 403, 404, 409, 429, 500, 503)


def _storage(data: bytes, depth: Depth) -> None:
    """First byte: service and status; then, up to the first line feed, x-ms-error-code; then the body."""
    feed = Feed(data)
    choice = feed.byte()
    code, _, body = feed.rest().partition(b"\n")
    headers = (("x-ms-request-id", "1"), ("x-ms-error-code", code.decode("latin-1")))
    reply = _reply(_STATUSES[choice % 8], body, headers if code else headers[:1])
    facts = blob.error_facts(reply) if choice & 8 else table.error_facts(reply)
    _short(facts)
    refusal = registry.refusal(reply)
    _short(refusal)
    task = onward.task(ProbeName.BLOB if choice & 8 else ProbeName.TABLE)
    stage = onward.hop(task.target.url, http=reply.hop.http, service={"auth": "sas", **facts})
    onward.seen(task, stage, onward.reused("read", task.target.url, http=reply.hop.http, service=facts), depth=depth)


def _redirect(data: bytes, depth: Depth) -> None:
    """First byte: status and origin; then Location. A secret must never leave for another origin."""
    feed = Feed(data)
    choice = feed.byte()
    status = (301, 302, 303, 307, 308)[choice % 5]
    url = "http://a.example:8080/x?y=1" if choice & 64 else _URL
    location = feed.rest().decode("latin-1")
    request = Request(
        method="POST" if choice & 128 else "GET",
        url=url,
        body=b"secret" if choice & 128 else b"",
        follow=5,
        headers=(("cookie", "c"), ("accept", "*/*")),
        secret_headers=(("authorization", SECRETS["workspace_token"]),),
    )
    found = redirects.following(request, _reply(status, b"", (("location", location),)), frozenset({url}), 5)
    if found is None or found.request is None:
        return
    here, there = httpx.URL(url), redirects.parse(found.request.url)
    assert there is not None
    assert there.userinfo == b""
    assert there.raw_host.isascii()
    assert (here.scheme, there.scheme) != ("https", "http")
    if redirects.origin(here) != redirects.origin(there):
        assert not found.request.secret_headers
        assert not found.request.body
        assert all(name != "cookie" for name, _ in found.request.headers)
    httpx.Request(found.request.method, found.request.url)


def _page(data: bytes, depth: Depth) -> None:
    """First byte: status and probe; then, up to an empty line, headers as "name: value"; then the body."""
    feed = Feed(data)
    choice = feed.byte()
    head, _, body = feed.rest().partition(b"\n\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\n")]
    status = (200, 302, 401, 403, 404, 407, 451, 470, 503, 511)[choice % 10]
    facts = _http(status, body, tuple((name, value) for name, _, value in lines if name))
    probe = (ProbeName.BLOB, ProbeName.REGISTRY, ProbeName.HTTP, ProbeName.ENTRA)[choice // 64]
    task = onward.task(probe)
    blockpages.device_in(facts)
    assert len(blockpages.in_plain_bytes(data[:64].hex())) <= 100
    onward.seen(task, onward.hop(task.target.url, http=facts), depth=depth)


def _redact(data: bytes, depth: Depth) -> None:
    """Text in which the bytes 0 to 2 stand for our secrets: none of them may survive."""
    text = data.decode("utf-8", "replace")
    for number, secret in enumerate(SECRETS.values()):
        text = text.replace(chr(number), secret.reveal())
    told = (_REDACTOR.text(text), _REDACTOR.url(text), *(value for _, value in _REDACTOR.headers([("location", text)])))
    assert len(told[0]) <= MAX_TEXT
    assert len(told[1]) <= MAX_URL + 1_024
    for value in told:
        assert not any(gone in value for gone in _GONE), "a secret is still there"
    answers.address_in(text)


def _date(data: bytes, depth: Depth) -> None:
    """The head of an answer that serves as a clock; the time is then compared as the judge does."""
    found = served_time.date_in(data)
    if found is not None:
        assert len(found) <= 40
        moment(found)


_JSON_WORDS = (
    '"manifests"',
    '"layers"',
    '"digest"',
    '"sha256:',
    '"size"',
    '"platform"',
    '"urls"',
    '"mediaType"',
    "null",
)
_XML_WORDS = (
    "<Code>",
    "</Code>",
    "<Message>",
    "</Message>",
    "<m:code>",
    "RequestId:",
    "<!DOCTYPE",
    '"odata.error"',
    "AuthorizationFailure",
    "AuthorizationSourceIPMismatch",
    '{"errors":[{"code":"',
    "10.0.0.1",
    "::1",
)

TARGETS = (
    Target(
        name="challenge",
        parses="WWW-Authenticate of registries",
        enters="probes.services.challenge.parse, registry.origin_facts, _token_request",
        run=_challenge,
        words=("Bearer ", "Basic ", "realm=", "service=", "scope=", '"https://acrprod.azurecr.io/oauth2/token"', '\\"'),
    ),
    Target(
        name="manifest",
        parses="registry manifests and indexes",
        enters="probes.services.manifests.read, registry._manifest_facts",
        run=_manifest,
        mutator="json",
        words=_JSON_WORDS,
    ),
    Target(
        name="storage-error",
        parses="error bodies of storage and registries, XML and JSON",
        enters="probes.services.answers.storage_error, judge.services.storage",
        run=_storage,
        words=_XML_WORDS,
    ),
    Target(
        name="redirect",
        parses="Location",
        enters="probes.redirects.following",
        run=_redirect,
        longest=1_024,
        words=("https://", "http://", "//", "acrprod.azurecr.io", "@", ":443", "xn--", "%2f", "[::1]", "#"),
    ),
    Target(
        name="block-page",
        parses="pages of filters and portals",
        enters="judge.blockpages.find, device_in, in_plain_bytes",
        run=_page,
        words=(
            "<title>",
            "Action: Deny. Rule",
            "denied",
            "policy",
            "blocked",
            "content-type: text/html",
            "server: ",
            "<html>",
            "log in",
            "SSH-",
            "HTTP/1.1",
            "x-squid-error: ERR_ACCESS_DENIED",
        ),
    ),
    Target(
        name="http-date",
        parses="Date headers of services whose certificates fail by their dates",
        enters="probes.served_time.date_in",
        run=_date,
        longest=1_024,
        words=("Date: ", "Mon, ", "22 Nov 2026", "10:00:00", "GMT", "+9999", "\r\n"),
    ),
    Target(
        name="redaction",
        parses="text with our secrets in it",
        enters="probes.redact.Redactor.text, url, headers",
        run=_redact,
        words=("sig=", "Bearer ", '"access_token":"', "https://user:", "@", "eyJ", "%3D", "://"),
    ),
)
