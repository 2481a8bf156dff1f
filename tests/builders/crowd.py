"""One run seen from many places: each has what one node or pod of a given run saw. Deterministic, no clock."""

from collections.abc import Mapping

import msgspec

from builders import runs, wire
from builders.wire import hop
from preflight.judge import evidence_of, exitcode, findings
from preflight.model.observation import Hop, Observation, VantageFacts
from preflight.model.plan import Check, Expect, Task
from preflight.model.run import Run, Verdict
from preflight.model.vocabulary import ProbeName

_KINDS = ("node", "pod")
CHECKS = 40  # at each place, filled up with dependencies
_MORE = tuple(runs.task(ProbeName.HTTP, f"service{number}.contoso.example") for number in range(1, CHECKS))


def pools(number: int) -> tuple[str, ...]:
    """The workstation, and the nodes and pods of that many pools."""
    names = ("system", *(f"user{at}" for at in range(1, number)))
    return ("workstation", *(f"{kind}/{name}" for kind in _KINDS for name in names))


def nodes(number: int) -> tuple[str, ...]:
    """The workstation, and that many places on single nodes of five pools, as `--all-nodes` names them."""
    each = [f"user{at % 5}/aks-user{at % 5}-31337-vmss{at:06}" for at in range(number // 2)]
    return ("workstation", *(f"{kind}/{name}" for kind in _KINDS for name in each))


def run(base: Run, vantages: tuple[str, ...], others: Mapping[str, Run] = {}) -> Run:
    """`base` at every vantage, but for the places that saw what another run of the same plan did."""
    crowd = {name: _Place(name, number, others.get(name, base)) for number, name in enumerate(vantages)}
    places = crowd.values()
    order = {
        name: at for at, name in enumerate(dict.fromkeys(one.requirement for one in (*base.plan.checks, *_added())))
    }
    checks = sorted((one for place in places for one in place.checks), key=lambda one: order[one.requirement])
    verdicts = sorted((one for place in places for one in place.verdicts), key=lambda one: order[one.requirement])
    tasks = {one.key: one for one in (*base.plan.tasks, *_MORE)}
    made = msgspec.structs.replace(
        base,
        plan=msgspec.structs.replace(
            base.plan,
            vantages=vantages,
            tasks=tuple(tasks.values()),
            runs={place.name: tuple(dict.fromkeys(one.task for one in place.checks)) for place in places},
            checks=tuple(checks),
        ),
        vantages=tuple(place.facts for place in places),
        observations=tuple(one for place in places for one in place.observations),
        verdicts=(*verdicts, *(one for one in base.verdicts if not one.vantage)),
        counts=exitcode.counts(verdicts),
        exit_code=exitcode.exit_code(verdicts),
        headline=next((other.headline for other in others.values()), base.headline),
    )
    return msgspec.structs.replace(made, findings=findings.find(evidence_of(made), made.verdicts))


def _added() -> tuple[Check, ...]:
    return tuple(_dependency(task, "node/x") for task in _MORE)


def _dependency(task: Task, vantage: str) -> Check:
    service = task.target.host.partition(".")[0]
    expect = Expect(catalogue_name=False)
    return runs.check(f"dependency.{service}", vantage, task, title=f"{service} answers", expect=expect)


class _Place:
    """What one vantage is made of."""

    def __init__(self, name: str, number: int, source: Run) -> None:
        self.name, self._number = name, number
        like = next(one for one in source.plan.vantages if wire.kind(one) == wire.kind(name))
        own = [one for one in source.plan.checks if one.vantage == like]
        more = tuple(_dependency(task, name) for task in _MORE[: max(CHECKS - len(own), 0)])
        self.checks = (*(self._renamed(one) for one in own), *more)
        self.verdicts: tuple[Verdict, ...] = (
            *(self._said(one, like) for one in source.verdicts if one.vantage == like),
            *(runs.verdict(one, duration_ms=12.5) for one in more),
        )
        fillers = {one.task for one in more}
        self.observations: tuple[Observation, ...] = (
            *(self._seen(one) for one in source.observations if one.vantage == like),
            *(
                self._seen(wire.observation(one, name, (hop(name, one.target.url),)))
                for one in _MORE
                if one.key in fillers
            ),
        )
        self.facts: VantageFacts = msgspec.structs.replace(
            next(one for one in source.vantages if one.vantage == like), vantage=name, host=f"{name.rpartition('/')[2]}"
        )

    def _renamed(self, one: Check) -> Check:
        return msgspec.structs.replace(one, id=self._id(one.id), vantage=self.name)

    def _said(self, one: Verdict, like: str) -> Verdict:
        by = self._id(one.blocked_by) if one.blocked_by else None
        reason = one.reason.replace(like, self.name)
        return msgspec.structs.replace(one, check=self._id(one.check), vantage=self.name, blocked_by=by, reason=reason)

    def _id(self, check: str) -> str:
        requirement, _, rest = check.partition("@")
        _, bracket, target = rest.partition("[")
        return f"{requirement}@{self.name}{bracket}{target}"

    def _seen(self, one: Observation) -> Observation:
        """Each place has an address of its own."""
        return msgspec.structs.replace(one, vantage=self.name, hops=tuple(map(self._sent, one.hops)))

    def _sent(self, one: Hop) -> Hop:
        source = f"10.240.{self._number // 256 % 256}.{self._number % 256}"
        moved = [
            msgspec.structs.replace(each.tcp, source=f"{source}:{each.tcp.source.rpartition(':')[2]}")
            if each.tcp.source
            else each.tcp
            for each in one.connections
        ]
        return msgspec.structs.replace(
            one,
            connections=tuple(
                msgspec.structs.replace(each, tcp=tcp) for each, tcp in zip(one.connections, moved, strict=True)
            ),
        )
