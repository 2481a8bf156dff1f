"""Whole conversations with each service: the real probe and dialer, hostile answers, then judgement and reports."""

from functools import partial

from msgspec import UNSET

from fuzz import memory, onward
from fuzz.memory import NEXT, MemoryDialer
from fuzz.target import Depth, Feed, Target
from preflight.model.observation import Hop
from preflight.model.plan import Task
from preflight.model.secret import Secret, Secrets
from preflight.model.vocabulary import ProbeName
from preflight.probes import redact
from preflight.probes.services import PROBES
from preflight.probes.trail import Trail

_VALUES = {
    "registry_user": "preflight-pull",
    "registry_password": "registry-password-7",
    "storage_sas": "sv=2024-11-04&ss=bt&srt=sco&sp=rl&sig=c3RvcmFnZS1zaWduYXR1cmU%3D",
    "entra_client_secret": "entra-secret-1234",
    "workspace_token": "workspace-token-1",
    "api_server_token": "service-account-token",
}
SECRETS: Secrets = {name: Secret(value) for name, value in _VALUES.items()}
_GONE = (
    "registry-password-7",
    "c3RvcmFnZS1zaWduYXR1cmU",
    "entra-secret-1234",
    "workspace-token-1",
    "service-account-t",
)
_MOST_HOPS = 5 * 7  # five requests, each with up to five redirects and the answer


def _conversation(probe: ProbeName, holding: str, data: bytes, depth: Depth) -> None:
    """First byte: HTTP version, pieces, end. Then one answer a connection, and answers one behind the other in one."""
    feed = Feed(data)
    choice = feed.byte()
    task = onward.task(probe, holding)
    hops = memory.run(_probed(task, feed.rest().split(NEXT), choice & 7, "h2" if choice & 8 else "http/1.1"))
    for hop in hops:
        _bounded(hop)
    onward.seen(task, *hops, depth=depth)


async def _probed(task: Task, answers: list[bytes], manner: int, alpn: str) -> tuple[Hop, ...]:
    given = {name: SECRETS[name] for name in task.secrets if name in SECRETS}
    arguments = (onward.plain_plan(), onward.facts(), SECRETS)
    async with MemoryDialer(*arguments, answers=answers, manner=manner, alpn=alpn) as dialer:
        with Trail() as trail:
            await PROBES[task.probe](task, dialer, trail, given)
            hops = trail.hops
        assert all(peer.closed for peer in dialer.peers), "a socket stays open"
    return hops


def _bounded(hop: Hop) -> None:
    text = str(hop)
    assert not any(gone in text for gone in _GONE), "a secret is in the evidence"
    assert len(hop.url) <= redact.MAX_URL
    assert len(hop.service) <= 16
    assert all(len(value) <= redact.MAX_TEXT and value.isprintable() for value in hop.service.values())
    assert hop.http is not UNSET


_SERVICES = (
    ("registry", ProbeName.REGISTRY, "acrprod"),
    ("blob", ProbeName.BLOB, ""),
    ("table", ProbeName.TABLE, ""),
    ("entra", ProbeName.ENTRA, ""),
    ("workspace", ProbeName.WORKSPACE, ""),
    ("kusto", ProbeName.KUSTO, ""),
    ("kube-api", ProbeName.KUBE_API, ""),
    ("endpoint", ProbeName.ENDPOINT, ""),
    ("web", ProbeName.HTTP, "features"),
)
_WORDS = (
    NEXT.decode(), "HTTP/1.1 200 OK\r\n", "HTTP/1.1 307 Temporary Redirect\r\n", "HTTP/1.1 401 Unauthorized\r\n",
    "HTTP/1.1 403 Forbidden\r\n", "Content-Length: ", "Location: https://", 'WWW-Authenticate: Bearer realm="',
    "Docker-Content-Digest: sha256:", "x-ms-request-id: 1", "x-ms-error-code: ", "\r\n\r\n", "connection: close",
    '{"error":{"code":"', '"access_token":"', '"gitVersion"', '"kind":"Status","apiVersion":"v1"', "AADSTS",
    '{"errors":[{"code":"DENIED","message":"client with IP \'1.2.3.4\'', "<Code>", "No ready replicas for service",
)  # fmt: skip

TARGETS = tuple(
    Target(
        name=f"service-{name}",
        parses=f"a whole conversation: {name}",
        enters=f"probes.services.PROBES[{probe.value}], probes.dialer.Dialer.fetch",
        run=partial(_conversation, probe, holding),
        longest=8_192,
        words=_WORDS,
    )
    for name, probe, holding in _SERVICES
)
