"""The cluster's own DNS: its service address, each replica straight, and what the search list adds to one lookup.

Roles: `inside` (a name of the cluster, over UDP and TCP), `outside` (a name that the replicas have to ask others for,
several times over UDP, each from a port of its own so that any replica may be met, and once over TCP), `replica.N` and
`replica.N.outside` (one replica each), `local` (the resolver of this place where it is another), `search` (the names
that a stub resolver tries). Facts of the last `search`: `ndots`, `queries`, `ms`, `plain_ms` (the name alone), `found`.
Queries to one replica explain; they are asked behind everything that a verdict reads.
"""

import asyncio

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.probes.dialer import Dialer
from preflight.probes.dns import Question
from preflight.probes.trail import Trail

LEAST_SAMPLES = 4
PER_REPLICA = 6
MOST_SAMPLES = 24
_TYPES = ("A", "AAAA")
MOST_SEARCHED = 6  # domains: glibc before 2.26 took no more, and the kubelet writes three


async def probe(task: Task, dialer: Dialer, trail: Trail, _secrets: Secrets) -> None:
    """Everything at once, in the order of the roles; then the search list, where the service answers at all."""
    service, inside, outside = task.target.hostport, task.params["inside"], task.params["outside"]
    replicas = [one for one in task.params.get("replicas", "").split(",") if one]
    local = next(iter(dialer.resolver.nameservers), service)
    first, *_ = await asyncio.gather(
        dialer.ask(trail, "inside", inside, _both(inside, service)),
        dialer.ask(trail, "outside", outside, _samples(outside, service, len(replicas)), again=False),
        *(
            dialer.ask(trail, f"replica.{number}{role}", name, _both(name, replica))
            for number, replica in enumerate(replicas, start=1)
            for role, name in (("", inside), (".outside", outside))
        ),
        *([dialer.ask(trail, "local", outside, [_one(outside, local)])] if local != service else []),
    )
    if first.dns and any(answer.result == "answer" for answer in first.dns.answers):
        await _searched(dialer, trail, outside)


def _one(name: str, server: str, rtype: str = "A") -> Question:
    return Question(name=name, rtype=rtype, server=server)


def _both(name: str, server: str) -> list[Question]:
    return [Question(name=name, rtype="A", server=server, transport=transport) for transport in ("udp", "tcp")]


def _samples(name: str, server: str, replicas: int) -> list[Question]:
    many = min(max(LEAST_SAMPLES, PER_REPLICA * replicas), MOST_SAMPLES)
    udp = [Question(name=name, rtype="A", server=server, attempt=number) for number in range(1, many + 1)]
    return [*udp, Question(name=name, rtype="A", server=server, transport="tcp")]


async def _searched(dialer: Dialer, trail: Trail, name: str) -> None:
    """What a stub resolver sends for one name: A and AAAA for each domain until one has it, then the name itself."""
    resolver = dialer.resolver
    if not resolver.nameservers or name.count(".") >= resolver.ndots:
        return
    server, spent, found = resolver.nameservers[0], 0.0, ""
    names = [f"{name}.{domain}".removesuffix(".") for domain in resolver.search[:MOST_SEARCHED]]
    asked = 0
    for one in (*names, name):
        hop = await dialer.ask(trail, "search", one, [_one(one, server, rtype) for rtype in _TYPES])
        answers = () if not hop.dns else hop.dns.answers
        asked += len(answers)
        spent += hop.duration_ms
        if any(answer.addresses for answer in answers):
            found = one
            break
    plain = f"{hop.duration_ms:.1f}" if one == name else ""
    facts = {
        "queries": str(asked),
        "ms": f"{spent:.1f}",
        "plain_ms": plain,
        "found": found,
        "ndots": str(resolver.ndots),
    }
    trail.annotate("search", {key: value for key, value in facts.items() if value})
