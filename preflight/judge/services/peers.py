"""What it means how another pod of the run answered, on all of its ports together.

Facts are those of `preflight.probes.services.peers`. The step `origin` speaks for the ports of all steps, so that a
verdict names every port that fails; `seen` is judged by nobody here.
"""

from collections.abc import Iterator

from preflight.judge import tcp
from preflight.judge.outcome import Outcome, fail, good, unknown
from preflight.judge.scene import Scene, host_of, port_of
from preflight.judge.services.reading import fact, step
from preflight.model.causes import CAUSES
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check

NO_LISTENER = "peers.no-listener"
OTHER = "peers.other-answer"
_STEPS = ("origin", "port")
_ENDS = {
    "closed": "and closes without a word",
    "silent": "and stays silent",
    "other": "and is not the pod that was asked",
}


def judge(hop: Hop, scene: Scene) -> Outcome | None:
    """The outcome of all ports at the step `origin`; None while a port is missing."""
    if hop.role != "origin":
        return good()
    if trouble := fact(hop, "trouble"):
        cause = fact(hop, "trouble_cause")
        return unknown(cause if cause in CAUSES else NO_LISTENER, f"no pod answers in {place(hop)}: {trouble}")
    outcomes = dict(_ports(scene.observation))
    if not outcomes or not hop.connections:
        return None
    bad = {port: outcome for port, outcome in outcomes.items() if outcome.cause is not None}
    return _together(hop, bad, len(outcomes)) if bad else _well(hop, len(outcomes))


def missing(_check: Check, role: str, observation: Observation) -> Outcome:
    """A pod that is asked on one port only has no other steps."""
    if role in _STEPS and observation.hops:
        return good()
    return unknown("vantage.incomplete", f"the step {role} was not reached")


def failing(observation: Observation) -> tuple[int, ...]:
    """The ports that were not reached."""
    return tuple(port for port, outcome in _ports(observation) if outcome.cause is not None)


def place(hop: Hop) -> str:
    """`pod/user1` of the pod that was asked; "" where no pod was."""
    peer = fact(hop, "peer")
    return f"pod/{peer.removesuffix('.pods')}" if peer else ""


def _ports(observation: Observation) -> Iterator[tuple[int, Outcome]]:
    for hop in observation.hops:
        if step(hop) in _STEPS and hop.connections:
            yield port_of(hop), _one(hop)


def _one(hop: Hop) -> Outcome:
    reached = tcp.judge_address(list(hop.connections))
    answer = fact(hop, "answer")
    if reached.cause is not None or answer == "match":
        return reached
    where = f"{host_of(hop)} port {port_of(hop)}"
    return fail(OTHER, f"{where}: what answers accepts the connection {_ENDS.get(answer, _ENDS['other'])}")


def _together(hop: Hop, bad: dict[int, Outcome], ports: int) -> Outcome:
    """The cause that most ports have, told by its first port."""
    causes = [outcome.cause for outcome in bad.values()]
    first = next(outcome for outcome in bad.values() if causes.count(outcome.cause) == max(map(causes.count, causes)))
    others = [str(port) for port, outcome in bad.items() if outcome is not first]
    also = f"; also ports {', '.join(others)}" if others else ""
    fine = ports - len(bad)
    rest = f"; {fine} other ports answer" if fine else ""
    return Outcome(status=first.status, cause=first.cause, reason=f"{place(hop)}{_at(hop)}: {first.reason}{also}{rest}")


def _well(hop: Hop, ports: int) -> Outcome:
    told = f"{place(hop)}{_at(hop)} answers on {ports} port{'' if ports == 1 else 's'}"
    here, there = fact(hop, "node"), fact(hop, "peer_node")
    if here and here == there:
        return good(f"{told}; it is on the same node, so nothing crossed the network between nodes")
    return good(told)


def _at(hop: Hop) -> str:
    node = fact(hop, "peer_node")
    return f" on {node}" if node else ""
