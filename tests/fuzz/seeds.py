"""Makes the seeds: `python -m fuzz.seeds [TARGET...]` keeps what the stand-ins of the lab, healthy and broken, answer.

What no stand-in says (files of the machine, az output, HTTP/2) is genuine text of the program that writes it.
Certificates and times differ from run to run, so the seeds do too; they are made once and kept.
"""

import asyncio
import base64
import json
import shutil
import ssl
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import h2.config
import h2.connection
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding
from servers.certs import Authority

from fuzz import corpus, onward
from fuzz.memory import NEXT
from fuzz.recording import Tape, record
from fuzz.table import TARGETS
from preflight import journal
from preflight.environment import template
from preflight.judge import evidence_of, judge
from preflight.model import journal as lines_of_journals
from preflight.model.run import Run
from preflight.model.vocabulary import ProbeName
from preflight.vantages import protocol, summary

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent.parent
_NAME = "stmlprod.blob.core.windows.net"

# Several faults of one lab: each at another service, so that one run shows them all.
RUNS: tuple[tuple[str, ...], ...] = (
    (),
    (
        "acr.manifest=registry.unauthorized",
        "storage.blob.read=storage.source-ip-mismatch",
        "entra.token=entra.unauthorized",
        "storage.table.read=storage.permission-mismatch",
        "workspace.query=workspace.unauthorized",
        "endpoint.answer=endpoint.no-replicas",
        "api-server.query=kube.unauthorized",
    ),
    (
        "acr.reach=registry.denied-by-network",
        "storage.blob.read=storage.denied-by-network",
        "entra.reach=entra.tenant-not-found",
        "storage.table.read=storage.key-auth-not-permitted",
        "workspace.reach=workspace.private-link-only",
        "api-server.query=kube.not-ready",
        "telemetry.reach=http.block-page",
        "dependency.features=http.redirect-loop",
    ),
    (
        "acr.layers=registry.digest-mismatch",
        "storage.blob.read=http.block-page",
        "entra.token=entra.conditional-access",
        "api-server.query=kube.sni-missing",
        "endpoint.answer=http.unexpected-status",
        "mcr.reach=http.malformed",
    ),
    (
        "mcr.reach=proxy.denied",
        "storage.blob.resolve=dns.privatelink-public-answer",
        "acr.layers=registry.unexpected-data-host",
    ),
    ("mcr.reach=proxy.auth-required", "storage.blob.resolve=dns.aaaa-failing", "acr.reach=registry.throttled"),
    ("mcr.reach=proxy.failed", "storage.blob.resolve=dns.nxdomain", "acr.reach=http.block-page"),
    (
        "storage.blob.resolve=dns.sinkhole",
        "acr.reach=tls.incomplete-chain",
        "mcr.reach=tls.intercepted",
        "entra.reach=tls.alert",
    ),
    ("storage.blob.resolve=dns.servfail", "acr.reach=tls.not-tls", "mcr.reach=tls.expired"),
)
_SERVICES = {
    ProbeName.REGISTRY: "service-registry",
    ProbeName.BLOB: "service-blob",
    ProbeName.TABLE: "service-table",
    ProbeName.ENTRA: "service-entra",
    ProbeName.WORKSPACE: "service-workspace",
    ProbeName.KUSTO: "service-kusto",
    ProbeName.KUBE_API: "service-kube-api",
    ProbeName.ENDPOINT: "service-endpoint",
    ProbeName.HTTP: "service-web",
}

Seeds = defaultdict[str, dict[bytes, None]]  # target -> inputs, in order and each once


def main(only: list[str]) -> int:
    """Make all seeds anew, or those of the named targets."""
    found: Seeds = defaultdict(dict)
    for faults in RUNS:
        tape = asyncio.run(record(*faults))
        print(f"{len(tape.conversations)} conversations: {', '.join(faults) or 'healthy'}", flush=True)
        for name, data in _spoken(tape):
            found[name][data] = None
        if not faults:
            _own(found, tape)
    for name, data in [*_written(), *_http2(found)]:
        found[name][data] = None
    missing = sorted(set(TARGETS) - set(found))
    assert not missing, f"no seed for {missing}"
    for name in only or found:
        folder = corpus.seeds(name)
        shutil.rmtree(folder, ignore_errors=True)
        fitting = [data[: TARGETS[name].longest] for data in found[name]]
        for number, data in enumerate(dict.fromkeys(fitting)):
            corpus.keep(folder, data, f"{number:02d}")
    return 0


def _spoken(tape: Tape) -> Iterator[tuple[str, bytes]]:
    """What came over the network."""
    for (probe, _), connections in tape.conversations.items():
        if connections:
            yield _SERVICES[probe], b"\x00" + NEXT.join(connections)
            yield from _parts(probe, connections)
    for tunnel in tape.tunnels:
        yield "proxy-connect", b"\x00" + tunnel
    for flight in tape.flights[:3]:
        yield "tls-first-bytes", b"\x00" + flight
    for asked, message in tape.messages:
        name, _, rtype = asked.partition(" ")
        if name == _NAME:
            choice = int(rtype == "AAAA")
            yield "dns-message", bytes([choice]) + message[2:]
            yield "dns-sockets", bytes([choice]) + message[2:]
            yield "dns-sockets", bytes([choice | 2]) + len(message).to_bytes(2, "big") + b"{id}" + message[2:]


def _parts(probe: ProbeName, connections: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Single answers, and what stands in them."""
    for answer in (answer for one in connections for answer in _answers(one)):
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in lines}
        yield "http1", b"\x00" + answer[:2_048]
        if challenge := headers.get(b"www-authenticate"):
            yield "challenge", challenge
        if location := headers.get(b"location"):
            yield "redirect", b"\x00" + location
        if b'"mediaType"' in body:
            yield "manifest", body
        if probe in (ProbeName.BLOB, ProbeName.TABLE, ProbeName.REGISTRY) and head.split(b" ")[1][:1] == b"4":
            choice = 2 | (8 if probe is ProbeName.BLOB else 0)
            yield "storage-error", bytes([choice]) + headers.get(b"x-ms-error-code", b"") + b"\n" + body
        if b"<html" in body.lower() or b"Action: Deny" in body:
            plain = b"\n".join(name.lower() + b": " + value for name, _, value in lines)
            yield "block-page", b"\x03" + plain + b"\n\n" + body


def _answers(received: bytes) -> Iterator[bytes]:
    """One connection's bytes, an answer at a time, by Content-Length."""
    while received.startswith(b"HTTP/1.1"):
        head, found, rest = received.partition(b"\r\n\r\n")
        if not found:
            break
        sizes = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        size = sizes[0] if sizes else 0
        yield head + found + rest[:size]
        received = rest[size:]


def _own(found: Seeds, tape: Tape) -> None:
    """Our own formats, as the healthy run wrote them."""
    assert tape.run is not None
    assert tape.plan is not None
    found["environment"][tape.environment.replace('ca_file = "cluster-ca.pem"', "").encode()] = None
    found["agent-plan"][msgspec.json.encode(msgspec.structs.replace(tape.plan, tasks=tape.plan.tasks[:3]))] = None
    for task in (ProbeName.BLOB, ProbeName.REGISTRY):
        found["run-file"][msgspec.json.encode(_alone(tape.run, task))] = None
    found["agent-lines"][_lines(tape.run)] = None
    found["agent-summary"][_summary(tape.run)] = None
    found["journal"][_journal(_alone(tape.run, ProbeName.BLOB))] = None
    for chain in _chains():
        found["tls-chain"][b"\x08" + b"".join(chain)] = None
        for der in chain:
            found["certificate"][der] = None


def _alone(run: Run, probe: ProbeName) -> Run:
    """The run of one task, with its verdicts and findings."""
    (key, *_) = (task.key for task in run.plan.tasks if task.probe is probe)
    plan = msgspec.structs.replace(
        run.plan,
        tasks=tuple(task for task in run.plan.tasks if task.key == key),
        runs=dict.fromkeys(run.plan.vantages, (key,)),
        checks=tuple(check for check in run.plan.checks if check.task == key),
        left_out=run.plan.left_out[:2],
    )
    seen = tuple(one for one in run.observations if one.task == key)
    return judge(msgspec.structs.replace(evidence_of(run), plan=plan, observations=seen))


def _lines(run: Run) -> bytes:
    """What the agent of the pod would have printed of it."""
    key = onward.task(ProbeName.BLOB).key
    seen = next(one for one in run.observations if one.task == key)
    observation = msgspec.structs.replace(seen, vantage=onward.VANTAGE)
    messages = (
        protocol.Hello(facts=onward.facts()),
        protocol.Seen(observation=observation),
        protocol.End(observations=1, facts=onward.facts()),
    )
    lines = [protocol.encode("fuzz", number, message) for number, message in enumerate(messages)]
    return b"a line of somebody else\n" + b"".join(lines)


def _summary(run: Run) -> bytes:
    """What the agent of the pod would have packed into its termination message, unpacked."""
    key = onward.task(ProbeName.BLOB).key
    plan = onward.plain_plan()
    seen = [one for one in run.observations if one.task == key]
    message = summary.pack(plan, onward.facts(), seen).decode().removeprefix(summary.MARK)
    inflate = zlib.decompressobj(-15, summary._dictionary(plan))
    return inflate.decompress(base64.b85decode(message))


def _journal(run: Run) -> bytes:
    """What a kill would have left of it, the last line torn."""
    begin = lines_of_journals.Begin(
        tool_version=run.tool.version, run_id=run.run_id, started=run.started, environment={}, plan=run.plan
    )
    heard = [lines_of_journals.Heard(at_ms=1.0, vantage=one.vantage, facts=one) for one in run.vantages]
    seen = [lines_of_journals.Seen(at_ms=9.0, vantage=one.vantage, observation=one) for one in run.observations]
    end = lines_of_journals.End(finished=run.finished, duration_ms=run.duration_ms)
    return b"".join(map(journal.encode, (begin, *heard, *seen, end)))[:-9]


def _chains() -> Iterator[list[bytes]]:
    """Chains with every kind of name, made as the lab's and the tests' authorities make them."""
    root = Authority("Fuzz Root")
    middle = Authority("Fuzz Issuing CA", parent=root)
    leaf = middle.issue(_NAME, "*.blob.core.windows.net", "10.0.0.1", "fd00::1")
    yield [one.public_bytes(Encoding.DER) for one in leaf.chain]
    yield [root.certificate.public_bytes(Encoding.DER)]
    yield [ssl.PEM_cert_to_DER_cert(onward.AUTHORITY.read_text())]


def _http2(found: Seeds) -> Iterator[tuple[str, bytes]]:
    """The answers that came over HTTP/1.1, as an HTTP/2 server sends them."""
    for answer in list(found["http1"])[:12]:
        head, _, body = answer[1:].partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
        fitting = [
            (name, value) for name, value in headers if name not in ("connection", "keep-alive", "content-length")
        ]
        status = first.split(" ")[1] if first.count(" ") else ""
        if status.isdigit():
            yield "http2", b"\x00" + _frames(status, fitting, body)
    yield "service-web", b"\x08" + _frames("200", [("content-type", "application/json")], b"{}")
    yield "service-kube-api", b"\x08" + _frames("401", [("content-type", "application/json")], b'{"kind":"Status"}')


def _frames(status: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(
        1, [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")], end_stream=True
    )
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, validate_outbound_headers=False))
    server.initiate_connection()
    said = server.data_to_send()
    server.receive_data(client.data_to_send())
    server.send_headers(1, [(":status", status), *headers])
    server.send_data(1, body[:1_024], end_stream=True)
    return said + server.data_to_send()


def _written() -> Iterator[tuple[str, bytes]]:
    """Files of the machine, of az, and of this project."""
    for name, text in json.loads((_HERE / "written.json").read_text()):
        yield name, text.encode("latin-1" if max(map(ord, text)) < 256 else "utf-8")
    yield "environment", (_HERE.parent / "environment" / "whole.toml").read_bytes()
    yield "environment", template.render({"environment": {"region": "westeurope"}}).encode()
    for path in sorted((_ROOT / "checks").glob("*.toml")):
        head, *rest = path.read_text().split("[[requirement]]")
        if path.name == "clouds.toml":
            yield "clouds", (head + "".join(rest)).encode()
            continue
        for part in rest[:2]:
            yield "catalogue", f"[[requirement]]{part}".encode()
    pem = onward.AUTHORITY.read_bytes()
    yield "ca-file", pem
    yield "ca-file", b"# a bundle\n" + pem + pem


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
