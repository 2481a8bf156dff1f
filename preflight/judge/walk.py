"""One observation as a row of slices (step and stage), and what each means to a check. Order is the wire's."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from preflight.judge import cluster_dns, dns, http, proxy, services, tcp, tls
from preflight.judge.outcome import PASS, Outcome, good
from preflight.judge.scene import Scene, host_of, scheme_of
from preflight.model.observation import Connection, Hop, Observation
from preflight.model.plan import Check
from preflight.model.vocabulary import Link, ProbeName, Stage

Answer = Mapping[ProbeName, Callable[[Check, Hop, Observation], Outcome]]
Missing = Mapping[ProbeName, Callable[[Check, str, Observation], Outcome]]


class Tables(NamedTuple):
    """What services mean, by probe; a parameter so that the walk is tested without them."""

    answer: Answer
    missing: Missing


PULL = "pull"  # the one step that has no stages here: the kubelet's words are all that is seen of it
REAL = Tables(answer=services.ANSWER, missing=services.MISSING)

_STAGES: dict[Stage, Callable[[Check, Hop, Scene], Outcome | None]] = {
    Stage.DNS: dns.judge,
    Stage.PROXY: proxy.judge,
    Stage.TCP: tcp.judge,
    Stage.TLS: tls.judge,
    Stage.HTTP: http.judge,
}


class Slice(NamedTuple):
    """One stage of one hop; without a hop it stands for a step that was never begun."""

    role: str
    stage: Stage
    hop: Hop | None

    @property
    def name(self) -> str:
        """`layer.tls`."""
        known = self.hop is not None and self.hop.role != PULL
        return f"{self.role}.{self.stage.value}" if known else self.role


def slices(observation: Observation, checks: list[Check]) -> tuple[Slice, ...]:
    """All stages that apply, in order; a step that was asked for and never begun stands where it would be."""
    row = [Slice(hop.role, stage, hop) for hop in observation.hops for stage in applicable(hop, observation)]
    asked = list(dict.fromkeys(role for check in checks for role, _stage in map(split, check.judges)))
    for role in reversed(asked):
        if not any(_belongs(hop.role, role) for hop in observation.hops):
            later = asked[asked.index(role) + 1 :]
            at = (i for i, part in enumerate(row) if any(_belongs(part.role, other) for other in later))
            row.insert(next(at, len(row)), Slice(role, Stage.HTTP, None))
    return tuple(row)


def applicable(hop: Hop, observation: Observation) -> tuple[Stage, ...]:
    """The stages that a hop has to have, whether or not it reached them."""
    if observation.probe is ProbeName.PEERS:
        return (Stage.TCP,)
    if observation.probe is ProbeName.PULL:
        return (Stage.HTTP,)
    scheme = scheme_of(hop)
    with_http = scheme in ("http", "https") and observation.probe is not ProbeName.TCP
    if hop.reused:
        return (Stage.HTTP,)
    if scheme == "dns":
        return (Stage.DNS,)
    through = Stage.TCP if hop.proxy is UNSET else Stage.PROXY
    tls_stage = (Stage.TLS,) if scheme == "https" and with_http else ()
    return (Stage.DNS, through, *tls_stage, *((Stage.HTTP,) if with_http else ()))


@lru_cache(maxsize=1024)
def split(judges: str) -> tuple[str, Stage | None]:
    """`origin.dns` to (`origin`, dns); `layer` to (`layer`, None)."""
    role, dot, last = judges.rpartition(".")
    return (role, Stage(last)) if dot and last in _STAGES else (judges, None)


def owns(check: Check, part: Slice) -> bool:
    """Whether the check answers for a slice. Redirects belong to whoever owns the answer that redirected."""
    return any(_covers(role, stage, part) for role, stage in map(split, check.judges))


def _covers(role: str, stage: Stage | None, part: Slice) -> bool:
    if part.hop is None or part.role == role:
        return part.role == role and (stage in (None, part.stage) or part.hop is None)
    return _belongs(part.role, role) and stage in (None, Stage.HTTP)


def outcome(check: Check, part: Slice, scene: Scene, tables: Tables) -> Outcome | None:
    """What a slice means to a check; None when the facts are missing and nothing later says that all was well."""
    observation = scene.observation
    if part.hop is not None and scheme_of(part.hop) == "dns":
        return cluster_dns.judge(check, part.hop, scene)
    if part.hop is None:
        return tables.missing[observation.probe](check, part.role, observation) if observation.hops else None
    if observation.probe is ProbeName.PEERS:
        return services.peers.judge(part.hop, scene)
    if observation.probe is ProbeName.PULL:
        return tables.answer[observation.probe](check, part.hop, observation)
    judged = _STAGES[part.stage](_as_meant(check, part.hop), part.hop, scene)
    if judged is not None:
        return judged
    if part.stage is not Stage.HTTP:
        return PASS if _went_on(part.hop, part.stage) else None
    if part.hop.http is UNSET:
        return None
    if http.was_followed(part.hop, scene):
        return good()
    return tables.answer[observation.probe](check, part.hop, observation)


def _as_meant(check: Check, hop: Hop) -> Check:
    """What is expected of a name's addresses is expected of the target, not of the hosts it sends clients on to."""
    if hop.role == "origin" or host_of(hop) == check.target.rpartition(":")[0].strip("[]").lower():
        return check
    options = {name: value for name, value in check.expect.options.items() if name != "nxdomain"}
    expect = replace(
        check.expect, link=Link.ANY, public_access_denied=False, addresses=(), private_zone=None, options=options
    )
    return replace(check, expect=expect)


def has_facts(part: Slice) -> bool:
    """Whether anything was observed there."""
    hop = part.hop
    if hop is None:
        return False
    match part.stage:
        case Stage.DNS:
            return hop.dns is not UNSET or hop.proxy is not UNSET
        case Stage.PROXY:
            return hop.proxy is not UNSET
        case Stage.TCP:
            return bool(hop.connections)
        case Stage.TLS:
            return hop.tls is not UNSET or any(connection.tls is not UNSET for connection in hop.connections)
        case Stage.HTTP:
            return hop.http is not UNSET


def duration(part: Slice) -> float:
    """Milliseconds that the stage took; 0 where it was not reached."""
    hop = part.hop
    if hop is None:
        return 0.0
    match part.stage:
        case Stage.DNS if hop.dns is not UNSET:
            ends = [answer.at_ms + answer.duration_ms for answer in hop.dns.answers]
            return max(ends) - min(answer.at_ms for answer in hop.dns.answers) if ends else hop.dns.system.duration_ms
        case Stage.PROXY if hop.proxy is not UNSET and hop.proxy.connect is not UNSET:
            return hop.proxy.connect.duration_ms
        case Stage.TCP if hop.connections:
            return _best(hop.connections).tcp.duration_ms
        case Stage.TLS:
            facts = hop.tls if hop.tls is not UNSET else _best(hop.connections).tls if hop.connections else UNSET
            return 0.0 if facts is UNSET else facts.duration_ms
        case Stage.HTTP if hop.http is not UNSET:
            return hop.http.duration_ms
        case _:
            return 0.0


def _best(connections: tuple[Connection, ...]) -> Connection:
    """The connection that went furthest."""
    connected = [connection for connection in connections if connection.tcp.result == "connected"]
    secure = [connection for connection in connected if connection.tls is not UNSET and connection.tls.result == "ok"]
    return (secure or connected or list(connections))[0]


def _belongs(role: str, base: str) -> bool:
    return role == base or role.startswith(f"{base}.")


def _went_on(hop: Hop, stage: Stage) -> bool:
    """Whether a later stage has facts, so that the earlier one cannot have been in the way."""
    later = {
        Stage.DNS: bool(hop.connections) or hop.tls is not UNSET or hop.http is not UNSET,
        Stage.PROXY: hop.tls is not UNSET or hop.http is not UNSET,
        Stage.TCP: hop.tls is not UNSET or hop.http is not UNSET,
        Stage.TLS: hop.http is not UNSET,
    }
    return later.get(stage, False)
