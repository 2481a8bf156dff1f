"""curl's runs as the facts of a hop: connections, handshake, answer, and the proxy in front. Pure."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from preflight.model.observation import (
    Certificate,
    Connection,
    DnsFacts,
    HttpFacts,
    ProxyFacts,
    SystemLookup,
    TcpFacts,
    TlsFacts,
)
from preflight.probes import names
from preflight.probes.redact import MAX_TEXT, Redactor
from preflight.vantages.shell import openssl, words
from preflight.vantages.shell.trace import BY_ITSELF, ENOUGH, TIMEOUT, UNRESOLVED, UNVERIFIED, Answer, Run

_REDACTOR: Final = Redactor({})
_CODES: Final = (
    ("self-signed certificate in certificate chain", 19),
    ("self signed certificate in certificate chain", 19),
    ("self-signed certificate", 18),
    ("self signed certificate", 18),
    ("unable to get local issuer", 20),
    ("unable to get issuer", 2),
    ("has expired", 10),
    ("not yet valid", 9),
    ("subject name matches", 62),
    ("does not match", 62),
)
_TRANSPORT_ERRORS: Final = {
    52: "closed",
    55: "reset",
    56: "reset",
    92: "reset",
    18: "closed",
    8: "malformed",
    16: "malformed",
}


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, as far as reading the answer needs it."""

    scheme: str
    host: str
    port: int
    trust: str  # "system", "system+ca_file", "cluster-ca": what the last run was judged by
    connect_cap_ms: float
    answer_cap_ms: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The stages that one request reached, and why the next one is missing, where that is not the network's doing."""

    connections: tuple[Connection, ...] = ()
    proxy: ProxyFacts | UnsetType = UNSET
    tls: TlsFacts | UnsetType = UNSET  # behind a proxy
    http: HttpFacts | UnsetType = UNSET
    headers: tuple[tuple[str, str], ...] = ()  # as received, for the service's probe
    duration_ms: float = 0.0
    untested: str = ""
    tried: tuple[str, ...] = ()  # addresses that the tool's own lookup gave
    unresolved: bool = False  # the tool's own lookup failed


def seen(run: Run, terms: Terms, body: Sequence[str], beside: TlsFacts | None) -> Seen:
    """`beside` is openssl's view of the same service, with the chain that curl does not show."""
    if run.exit_code in BY_ITSELF and not run.connected:
        return Seen(untested=f"curl of this container cannot do it: {run.message or f'exit code {run.exit_code}'}")
    proxied = run.proxy is not None
    answers = [one for one in run.answers if one.method != "CONNECT"]
    http = _http(run, answers[-1], terms, body) if answers else UNSET
    tls = _tls(run, terms, beside, answered=bool(answers))
    facts = Seen(
        http=http,
        headers=tuple(answers[-1].headers) if answers else (),
        duration_ms=run.end_ms,
        untested="" if answers or tls is not None or run.exit_code not in BY_ITSELF else f"curl: {run.message}",
        tried=() if proxied else tuple(dict.fromkeys(one.address for one in run.tries)),
        unresolved=run.exit_code == 6 and not proxied,
    )
    if proxied:
        return msgspec.structs.replace(facts, proxy=_proxy(run, terms), tls=UNSET if tls is None else tls)
    return msgspec.structs.replace(facts, connections=_connections(run, terms, tls))


def _connections(run: Run, terms: Terms, tls: TlsFacts | None) -> tuple[Connection, ...]:
    """One for each address that was tried; what was left when another one connected first is no observation."""
    used = run.connected
    found = []
    for one in run.tries:
        pending = one.done_ms is None
        if pending and used is not None:
            continue
        done = run.end_ms if one.done_ms is None else one.done_ms
        code = one.errno or (None if one.connected or pending else words.errno(run.message) or "ECONNREFUSED")
        tcp = TcpFacts(
            address=one.address,
            port=one.port,
            result="connected" if one.connected else "timeout" if pending else "error",
            errno=code,
            cap_ms=terms.connect_cap_ms,
            at_ms=one.at_ms,
            duration_ms=round(done - one.at_ms, 3),
        )
        with_tls = tls is not None and one is used
        found.append(Connection(address=one.address, tcp=tcp, tls=tls if with_tls and tls is not None else UNSET))
    return tuple(found)


def _tls(run: Run, terms: Terms, beside: TlsFacts | None, *, answered: bool) -> TlsFacts | None:
    used = run.connected
    tunnel = next((one for one in run.answers if one.method == "CONNECT"), None)
    refused = tunnel is not None and not (tunnel.status is not None and 200 <= tunnel.status < 300)
    if terms.scheme != "https" or used is None or refused or (run.proxy is not None and tunnel is None):
        return None
    begin = run.hello_ms if run.hello_ms is not None else used.done_ms or 0.0
    end = run.shaken_ms if run.shaken_ms is not None else run.end_ms
    result = "ok" if answered or (run.shaken_ms is not None and run.exit_code not in UNVERIFIED) else _failed(run)
    if result is None:
        return None
    chain = beside.chain if beside is not None and beside.chain else _leaf(run)
    return TlsFacts(
        server_name=terms.host,
        result=result,
        trust=terms.trust,
        version=run.version,
        cipher=run.cipher,
        alpn_offered=("h2", "http/1.1"),
        alpn=run.alpn,
        verify_code=_verify_code(run, beside) if result == "unverified" else None,
        verify_message=run.message if result == "unverified" else None,
        alert=words.alert(run.message) if result == "alert" else None,
        errno=words.errno(run.message) if result == "reset" else None,
        bytes_received=1 if run.server_spoke and result != "ok" else 0,
        chain=chain,
        chain_source=("second-handshake" if beside is not None and beside.chain else "handshake") if chain else None,
        detail=run.message if result not in ("ok", "unverified") else "",
        at_ms=begin,
        duration_ms=round(max(end - begin, 0.0), 3),
    )


def _failed(run: Run) -> str | None:
    """How a handshake ended; None when that is curl's own affair."""
    said = run.message.lower()
    if run.exit_code in UNVERIFIED:
        return "unverified"
    if run.exit_code == TIMEOUT or run.exit_code is None:
        return "timeout"
    if run.exit_code in BY_ITSELF:
        return None
    if "wrong version" in said or "http request" in said or "packet length" in said or "record layer" in said:
        return "not-tls"
    if words.alert(said) is not None:
        return "alert"
    return "reset" if words.errno(said) == "ECONNRESET" else "closed"


def _verify_code(run: Run, beside: TlsFacts | None) -> int:
    said = run.message.lower()
    known = next((code for text, code in _CODES if text in said), None)
    return known or (beside.verify_code if beside is not None and beside.verify_code else 20)


def _leaf(run: Run) -> tuple[Certificate, ...]:
    """After a success curl shows the leaf's names and dates."""
    told = run.certificate
    if "issuer" not in told:
        return ()
    return (
        Certificate(
            subject=openssl.name(told.get("subject", "")),
            issuer=openssl.name(told["issuer"]),
            not_before=openssl.date(told.get("start date", "")) or "1970-01-01T00:00:00Z",
            not_after=openssl.date(told.get("expire date", "")) or "9999-12-31T23:59:59Z",
        ),
    )


def _http(run: Run, answer: Answer, terms: Terms, body: Sequence[str]) -> HttpFacts:
    text = "\n".join(body)
    done = run.exit_code in (0, ENOUGH) and answer.status is not None
    return HttpFacts(
        method=answer.method,
        result="ok" if done else _unfinished(run),
        status=answer.status,
        reason=answer.reason,
        version=answer.version.replace("HTTP/2.0", "HTTP/2") or None,
        headers=_REDACTOR.headers(answer.headers),
        body=_REDACTOR.text(text, MAX_TEXT),
        body_bytes=len(text.encode()),
        body_complete=run.exit_code == 0,
        detail="" if done else run.message,
        errno=words.errno(run.message),
        at_ms=answer.at_ms,
        duration_ms=round(max(run.end_ms - answer.at_ms, terms.answer_cap_ms if run.exit_code == TIMEOUT else 0.0), 3),
    )


def _unfinished(run: Run) -> str:
    if run.exit_code == TIMEOUT or run.exit_code is None:
        return "timeout"
    return _TRANSPORT_ERRORS.get(run.exit_code, "malformed")


def _proxy(run: Run, terms: Terms) -> ProxyFacts:
    """The hop in front: its own name, connection, and what it said to CONNECT."""
    variable, url = run.proxy or ("", "")
    host = (urlsplit(url if "://" in url else f"http://{url}").hostname or "").lower()
    tunnel = next((one for one in run.answers if one.method == "CONNECT"), None)
    unresolved = run.exit_code in UNRESOLVED and not run.tries
    lookup = SystemLookup(result="failed", error="EAI_NONAME") if unresolved else SystemLookup(result="answer")
    addresses = tuple(dict.fromkeys(one.address for one in run.tries))
    return ProxyFacts(
        url=_REDACTOR.url(url),
        source=f"environment {variable}",
        dns=UNSET if names.literal(host) else DnsFacts(name=host, system=lookup, addresses=addresses),
        connections=_connections(run, terms, None),
        connect=UNSET if tunnel is None else _tunnel(run, tunnel),
    )


def _tunnel(run: Run, tunnel: Answer) -> HttpFacts:
    return HttpFacts(
        method="CONNECT",
        result="ok" if tunnel.status is not None else _unfinished(run),
        status=tunnel.status,
        reason=tunnel.reason,
        version=tunnel.version or None,
        headers=_REDACTOR.headers(tunnel.headers),
        at_ms=tunnel.at_ms,
        duration_ms=round(max(tunnel.done_ms - tunnel.at_ms, 0.0), 3),
    )
