"""What a pod vantage proves about the real pods when network policies select them and not the probe. Pure.

A pass of a probe that no policy holds back is a reservation for pods that one does. Policies are named from the objects
that were read before planning; whether the network enforces them is not known, so nothing fails by them alone.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import UNSET

from preflight.judge import egress
from preflight.judge.egress import Destination
from preflight.judge.scene import host_of, listed
from preflight.judge.selecting import selects
from preflight.model.causes import CAUSES
from preflight.model.observation import Hop, Observation
from preflight.model.policies import Policy, PolicyFacts, Role, Stand
from preflight.model.run import Evidence, Verdict
from preflight.model.vocabulary import Phase, ProbeName, Status, VantageKind, vantage_kind

DIFFERS: Final = "policy.probe-differs"
MAY_DENY: Final = "policy.may-deny"
CAUSES_HERE: Final = (DIFFERS, MAY_DENY)
_ROUTER: Final = (Phase.ROUTER_INSTALL, Phase.ROUTER_START, Phase.ROUTER_RUN)  # the others are the models'
_DNS = Stand(namespace="kube-system", labels={"k8s-app": "kube-dns"}, service_account="coredns")  # CoreDNS of AKS


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Whose traffic is meant: from pods of a role, and to whom when that are pods as well."""

    role: Role
    to: Role | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One policy that holds real pods back, and not the probe."""

    policy: Policy
    stand: Stand
    sends: bool = True  # by what these pods send; else by what they receive


def reserved(evidence: Evidence, verdicts: dict[str, Verdict]) -> dict[str, Verdict]:
    """The verdicts, with passes of pod vantages turned into warnings where the real pods are held by other policies."""
    facts = facts_of(evidence)
    if facts is None:
        return verdicts
    ends = _ends(evidence)
    ways = {one.id: Way(role=role_of(one.phase), to=ends.get(one.task)) for one in evidence.plan.checks}
    held = {way: differing(facts, way) for way in dict.fromkeys(ways.values())}
    if not any(held.values()):
        return verdicts
    seen = {(one.vantage, one.task): one for one in evidence.observations}
    rules = {way: _rules(facts, found) for way, found in held.items()}

    def weighed(name: str, verdict: Verdict) -> Verdict:
        way = ways[name]
        if verdict.status is not Status.PASS or vantage_kind(verdict.vantage) is not VantageKind.POD or not held[way]:
            return verdict
        observation = seen.get((verdict.vantage, verdict.task or ""))
        sent = _to_pods(destinations(observation), facts, way.to) if observation is not None else ()
        doubts = tuple(one for one in sent if any(not egress.allowed(every, one, facts) for every in rules[way]))
        return _reserve(verdict, held[way], doubts)

    return {name: weighed(name, verdict) for name, verdict in verdicts.items()}


def _ends(evidence: Evidence) -> dict[str, Role]:
    """Tasks that ask pods, and for which real pods those stand (the catalogue's parameter `to`)."""
    told = {task.key: task.params.get("to") for task in evidence.plan.tasks}
    return {key: Role(to) for key, to in told.items() if to in tuple(Role)}


def _to_pods(sent: tuple[Destination, ...], facts: PolicyFacts, to: Role | None) -> tuple[Destination, ...]:
    """What was sent to a pod of ours stands for what is sent to the real pods."""
    stands = [one for one in facts.real if one.role is to] if to is not None else []
    if not stands:
        return sent
    return tuple(
        msgspec.structs.replace(one, pods=stand) if one.protocol == "TCP" else one for one in sent for stand in stands
    )


def facts_of(evidence: Evidence) -> PolicyFacts | None:
    """What was read of policies; None when nobody looked."""
    cluster = evidence.plan.cluster
    return cluster.policies if cluster is not None else None


def role_of(phase: Phase) -> Role:
    """Whose traffic a requirement of this phase is about."""
    return Role.ROUTER if phase in _ROUTER else Role.MODEL


def differing(facts: PolicyFacts, way: Way) -> tuple[Held, ...]:
    """The policies that hold back the real pods of a way, at the end that sends or receives, and not the probe."""
    sends = ((stand, policy) for stand in facts.real if stand.role is way.role for policy in holding(facts, stand))
    receives = (
        (stand, policy)
        for stand in facts.real
        if way.to is not None and stand.role is way.to
        for policy in facts.policies
        if policy.isolates_ingress and selects(policy, stand, facts)
    )
    return tuple(
        Held(policy=policy, stand=stand, sends=of_sender)
        for of_sender, pairs in ((True, sends), (False, receives))
        for stand, policy in pairs
        if facts.probe is not None and not selects(policy, facts.probe, facts)
    )


def holding(facts: PolicyFacts, stand: Stand) -> tuple[Policy, ...]:
    """The policies that hold back what these pods send."""
    return tuple(one for one in facts.policies if _holds_back(one) and selects(one, stand, facts))


def _holds_back(policy: Policy) -> bool:
    return policy.isolates_egress or any(rule.denies for rule in policy.egress)


def speaking(facts: PolicyFacts, stand: Stand) -> tuple[Policy, ...]:
    """The policies whose rules count for these pods: those that hold back, and those that only allow."""
    return tuple(one for one in facts.policies if (one.isolates_egress or one.egress) and selects(one, stand, facts))


def titles(evidence: Evidence, verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """The policies that these reservations are about; none for verdicts with any other cause."""
    facts = facts_of(evidence)
    if facts is None:
        return ()
    ends = _ends(evidence)
    ours = [one for one in verdicts if one.cause in CAUSES_HERE]
    ways = dict.fromkeys(Way(role=role_of(one.phase), to=ends.get(one.task or "")) for one in ours)
    return tuple(dict.fromkeys(held.policy.title for way in ways for held in differing(facts, way)))


def option(phases: Iterable[Phase]) -> str:
    """The words of a command line that puts the probes beside those pods."""
    meant = {role_of(phase) for phase in phases}
    return next((f" --pod-as {role.value}" for role in Role if role in meant), "")


def suspects(evidence: Evidence, vantages: tuple[str, ...], tasks: tuple[str, ...]) -> tuple[str, ...] | None:
    """The policies that select the probe and do not obviously allow what failed there.

    Empty where nothing is known of policies or of other places than pods; None where it is known that no policy has a
    say in what the probe sends.
    """
    facts = facts_of(evidence)
    pods = tuple(name for name in vantages if vantage_kind(name) is VantageKind.POD)
    if facts is None or facts.probe is None or not pods:
        return ()
    between = any(key in tasks for key in _ends(evidence))
    mine = tuple(
        one
        for one in facts.policies
        if (_holds_back(one) or (between and one.isolates_ingress)) and selects(one, facts.probe, facts)
    )
    if not mine:
        return None if facts.read else ()
    sent = [
        one
        for observation in evidence.observations
        if observation.vantage in pods and observation.task in tasks
        for one in destinations(observation)
    ]
    doubted = any(one.isolates_ingress for one in mine if between) or any(
        not egress.allowed(speaking(facts, facts.probe), one, facts) for one in sent
    )
    return tuple(policy.title for policy in mine) if doubted else ()


def alone(evidence: Evidence, vantages: tuple[str, ...]) -> tuple[str, ...]:
    """The policies that hold back the probe and none of the real pods: what they block says nothing about those."""
    facts = facts_of(evidence)
    if facts is None or facts.probe is None or not any(vantage_kind(one) is VantageKind.POD for one in vantages):
        return ()
    mine = holding(facts, facts.probe)
    return tuple(one.title for one in mine if not any(selects(one, stand, facts) for stand in facts.real))


def destinations(observation: Observation) -> tuple[Destination, ...]:
    """Everything that a check sent packets to, each once."""
    # How a pod looks from another node is asked for information: no real pod goes there.
    hops = (hop for hop in observation.hops if not (observation.probe is ProbeName.PEERS and hop.role == "seen"))
    found = (one for hop in hops for one in _of_hop(hop))
    of_api = observation.probe is ProbeName.KUBE_API
    unique = {one.title: one for one in found}.values()
    return tuple(msgspec.structs.replace(one, api_server=of_api and one.protocol == "TCP") for one in unique)


def _of_hop(hop: Hop) -> Iterator[Destination]:
    through = hop.proxy if hop.proxy is not UNSET else None
    dns = through.dns if through is not None else hop.dns
    connections = through.connections if through is not None else hop.connections
    host = dns.name if dns is not UNSET else host_of(hop)
    for answer in dns.answers if dns is not UNSET else ():
        if answer.role == "configured":
            address, _, port = answer.server.rpartition(":")
            protocol = "TCP" if answer.transport == "tcp" else "UDP"
            number = int(port) if port.isdecimal() else 53
            yield Destination(address=address.strip("[]"), port=number, protocol=protocol, pods=_DNS)
    for one in connections:
        yield Destination(address=one.address, port=one.tcp.port, host=host)


def _rules(facts: PolicyFacts, found: tuple[Held, ...]) -> tuple[tuple[Policy, ...], ...]:
    """All policies that have a say, for each kind of real pods that the probe differs from."""
    senders = [held.stand for held in found if held.sends]
    return tuple(speaking(facts, stand) for stand in facts.real if stand in senders)


def _reserve(verdict: Verdict, found: tuple[Held, ...], doubts: tuple[Destination, ...]) -> Verdict:
    """`doubts` is what the probe reached, and some real pods' policies do not obviously allow."""
    cause = MAY_DENY if doubts else DIFFERS
    owner, reason = CAUSES[cause].owner, _reason(found, doubts)
    return msgspec.structs.replace(verdict, status=Status.WARN, cause=cause, owner=owner, reason=reason)


def _reason(found: tuple[Held, ...], doubts: tuple[Destination, ...]) -> str:
    names = listed([held.policy.title for held in found], most=6)
    whom = listed([held.stand.title for held in found])
    one = len({held.policy.title for held in found}) == 1
    told = f"it holds for the probe, but {names} {'selects' if one else 'select'} the {whom} and not the probe"
    if not doubts:
        return told
    rules = "its rules do" if one else "their rules do"
    return f"{told}; {rules} not obviously allow {listed([doubt.title for doubt in doubts])}"
