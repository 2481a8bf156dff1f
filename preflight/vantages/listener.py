"""Keeps count of one agent's messages, whatever brings them: a pipe, a pod's log, or the second channel."""

import msgspec

from preflight import __version__
from preflight.model.observation import Observation, ResolverFacts, VantageFacts
from preflight.model.plan import VantagePlan
from preflight.probes.clock import utc_now
from preflight.vantages import protocol, skew
from preflight.vantages.base import Emit
from preflight.vantages.summary import Summary


class Listener:
    """Emits each observation once; `facts` closes. Nobody speaks for another vantage, or of what it was not asked."""

    def __init__(self, plan: VantagePlan, emit: Emit) -> None:
        self.plan, self._emit = plan, emit
        self.reader = protocol.Reader(plan.run_id)
        self._hello: VantageFacts | None = None
        self._end: protocol.End | None = None
        self._asked = frozenset(task.key for task in plan.tasks)
        self._observed: set[str] = set()

    @property
    def complete(self) -> bool:
        """Whether the closing line came, and everything that it counts."""
        return self._end is not None and self._end.observations == len(self._observed) == len(self._asked)

    @property
    def heard(self) -> bool:
        """Whether the agent has said anything at all."""
        return self._hello is not None

    def feed(self, line: bytes) -> None:
        """One line, whoever wrote it."""
        for message in self.reader.feed(line):
            self._take(message)

    def add(self, summary: Summary) -> None:
        """What the second channel brought and the first did not."""
        if summary.facts.vantage != self.plan.vantage:
            return
        self._hello = self._hello or summary.facts
        for observation in summary.observations:
            if self._awaited(observation):
                self._seen(observation)
        if len(self._observed) == summary.observed:
            self._end = self._end or protocol.End(observations=summary.observed, facts=summary.facts)

    def _take(self, message: protocol.Hello | protocol.Seen | protocol.End) -> None:
        match message:
            case protocol.Hello(facts=facts) if facts.vantage == self.plan.vantage:
                self._hello = facts
                self._emit(facts)
            case protocol.Seen(observation=observation) if self._awaited(observation):
                self._seen(observation)
            case protocol.End() if message.facts.vantage == self.plan.vantage:
                self._end = message
            case _:
                self.reader.foreign += 1

    def _awaited(self, observation: Observation) -> bool:
        mine = observation.vantage == self.plan.vantage and observation.task in self._asked
        return mine and observation.task not in self._observed

    def _seen(self, observation: Observation) -> None:
        self._observed.add(observation.task)
        self._emit(observation)

    def facts(self, otherwise: str, cause: str | None = None) -> VantageFacts:
        """The closing facts, or why there are none; `cause` when it is known better than from what was heard."""
        if self._end is not None and self.complete:
            return self._with_skew(self._end.facts)
        if (stranger := self.reader.stranger) is not None and skew.explains(cause):
            otherwise, cause = f"{skew.sentence(stranger)}; {otherwise}", skew.CAUSE
        facts = self._hello or unheard(self.plan.vantage)
        expected = len(self.plan.tasks)
        lost = f"{len(self._observed)} of {expected} observations arrived, {self.reader.broken} lines were unreadable"
        usual = "vantage.incomplete" if self._hello else "vantage.not-run"
        told = f"{otherwise}; {lost}" if self._hello or cause is None else otherwise
        return msgspec.structs.replace(facts, complete=False, error=told, error_cause=cause or usual)

    def _with_skew(self, facts: VantageFacts) -> VantageFacts:
        if facts.tool_version == __version__:
            return facts
        skew = f"{facts.vantage}: the agent is preflight {facts.tool_version}, this is {__version__}"
        return msgspec.structs.replace(facts, notices=(*facts.notices, skew))


def unheard(vantage: str, started: str | None = None) -> VantageFacts:
    """Facts of a vantage that never said a word; `started` is now unless it is given."""
    resolver = ResolverFacts(consumer="other", source="not known: the vantage did not run")
    return VantageFacts(
        vantage=vantage, tool_version=__version__, resolver=resolver, families=(), started=started or utc_now()
    )
