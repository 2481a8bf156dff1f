"""The verdicts of the checks that share one task at one vantage: who fails, who is blocked, what could not be told."""

import msgspec
from msgspec import UNSET

from preflight.judge.outcome import Outcome, unknown
from preflight.judge.scene import Scene
from preflight.judge.walk import REAL, Slice, Tables, duration, has_facts, outcome, owns, slices
from preflight.model.causes import CAUSES
from preflight.model.plan import Check
from preflight.model.run import Verdict
from preflight.model.vocabulary import ProbeName, Severity, Stage, Status

_TRANSPORT = (Stage.DNS, Stage.PROXY, Stage.TCP)


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one check, before severity is applied."""

    outcome: Outcome
    at: Slice | None = None
    blocked_by: Check | None = None
    parts: tuple[Slice, ...] = ()  # owned, as far as it came


def judge_task(
    checks: list[Check], scene: Scene, *, interrupted: bool = False, tables: Tables = REAL
) -> dict[str, Verdict]:
    """One verdict for each check of one task at one vantage, by check id."""
    court = _Court(checks, scene, tables, interrupted=interrupted)
    return {check.id: court.verdict(check) for check in checks}


def untold(check: Check, cause: str, reason: str) -> Verdict:
    """A check of which nothing was observed."""
    return verdict(check, Ruling(outcome=unknown(cause, reason)))


def verdict(check: Check, ruling: Ruling) -> Verdict:
    """Severity turns a failure into a warning; cause and owner stay."""
    status, cause, reason = ruling.outcome.status, ruling.outcome.cause, ruling.outcome.reason
    if status is Status.FAIL and check.severity is Severity.RECOMMENDED:
        status = Status.WARN
    seen = [part for part in ruling.parts if has_facts(part)]
    return Verdict(
        check=check.id,
        requirement=check.requirement,
        title=check.title,
        phase=check.phase,
        severity=check.severity,
        vantage=check.vantage,
        target=check.target,
        status=status,
        decides=check.decides,
        cause=cause,
        owner=CAUSES[cause].owner if cause is not None else None,
        reason=reason,
        blocked_by=ruling.blocked_by.id if ruling.blocked_by is not None else None,
        task=check.task,
        at=ruling.at.name if ruling.at is not None and status not in (Status.PASS, Status.BLOCKED) else None,
        duration_ms=round(sum(map(duration, seen)), 3) if seen else None,
    )


class _Court:
    """Memory for one task: outcomes are asked for several times, and a failure nobody owns is given to one check."""

    def __init__(self, checks: list[Check], scene: Scene, tables: Tables, *, interrupted: bool) -> None:
        self.checks, self.scene, self.tables, self.interrupted = checks, scene, tables, interrupted
        self.parts = slices(scene.observation, checks)
        self._owners = [next((check for check in checks if owns(check, part)), None) for part in self.parts]
        self._heirs: dict[int, Check] = {}
        self._said: dict[tuple[str, int], Outcome | None] = {}

    def verdict(self, check: Check) -> Verdict:
        return verdict(check, self._with_precondition(check, self._rule(check)))

    def _outcome(self, check: Check, index: int) -> Outcome | None:
        key = (check.id, index)
        if key not in self._said:
            self._said[key] = self._judge(check, self.parts[index])
        return self._said[key]

    def _judge(self, check: Check, part: Slice) -> Outcome | None:
        if part.hop is None and self._unfinished() is not None:
            return None
        judged = outcome(check, part, self.scene, self.tables)
        if judged is None or judged.status is not Status.FAIL:
            return judged
        if self.interrupted and self.scene.observation.probe is ProbeName.PEERS:
            return unknown("check.interrupted", "the run was interrupted, and the pod that was asked goes with it")
        return None if self._unread(part) else judged

    def _unread(self, part: Slice) -> bool:
        """An answer that came whole, and that the probe had no time to read: what it seems to lack says nothing."""
        observation, hop = self.scene.observation, part.hop
        cut = self.interrupted and not observation.finished and observation.probe is not ProbeName.HTTP
        if not cut or hop is None or part.stage is not Stage.HTTP or hop.http is UNSET:
            return False
        return hop.http.result == "ok" and not hop.service

    def _unfinished(self) -> Outcome | None:
        """Why facts may be missing that the probe would have brought."""
        observation = self.scene.observation
        if observation.tool_error is not None:
            return unknown("preflight.internal", observation.tool_error)
        if observation.deadline_hit:
            return unknown("check.deadline", f"the deadline of {observation.deadline_ms / 1000:.0f} s passed first")
        if self.interrupted and not observation.finished:
            return unknown("check.interrupted", "the run was interrupted first")
        if observation.untested is not UNSET:
            return unknown("vantage.limited", observation.untested)
        return None

    def _rule(self, check: Check) -> Ruling:
        """Walk the slices in order until something stops this check, then weigh what it owns."""
        mine = [index for index, part in enumerate(self.parts) if owns(check, part)]
        own: list[tuple[int, Outcome]] = []
        doubt: tuple[Check, Outcome] | None = None
        for index in range(max(mine, default=-1) + 1):
            owner = self._owners[index]
            judged = self._outcome(check if index in mine or owner is None else owner, index)
            if judged is None:
                return self._missing(check, index, own, doubt)
            if judged.status is Status.FAIL:
                return self._failed(check, index, judged, mine=index in mine, own=own)
            if index in mine:
                own.append((index, judged))
            elif owner is not None and judged.status is Status.UNKNOWN and self.parts[index].stage in _TRANSPORT:
                doubt = doubt or (owner, judged)
        return self._weigh(own)

    def _failed(
        self, check: Check, index: int, judged: Outcome, *, mine: bool, own: list[tuple[int, Outcome]]
    ) -> Ruling:
        """The earliest that owns the stage fails; later ones are blocked, unless that would hide a failure."""
        owner = self._owners[index] or self._heirs.setdefault(index, check)
        first = self._outcome(owner, index)
        parts = tuple(self.parts[i] for i, _ in own)
        if owner is not check and first is not None and first.status is Status.FAIL and _carries(owner, check):
            return _blocked(owner, first, parts)
        failing = self.parts[index]
        return Ruling(outcome=judged, at=failing, parts=(*parts, failing) if mine else parts)

    def _missing(
        self, check: Check, index: int, own: list[tuple[int, Outcome]], doubt: tuple[Check, Outcome] | None
    ) -> Ruling:
        """The facts end here without a failure before."""
        held = self._weigh(own)
        if held.outcome.status is Status.UNKNOWN and own:
            return held
        if doubt is not None and _carries(doubt[0], check):
            return _blocked(*doubt, held.parts)
        why = doubt[1] if doubt is not None else self._unfinished() or self._distrusted(check, index)
        why = why or unknown("vantage.incomplete", "the observation ends before this was reached")
        return Ruling(outcome=why, at=self.parts[index], parts=held.parts)

    def _distrusted(self, check: Check, index: int) -> Outcome | None:
        """Nothing is asked over a connection that is not trusted here, also where that is no failure by itself."""
        before = index - 1
        judged = self._outcome(self._owners[before] or check, before) if before >= 0 else None
        if judged is None or judged.cause != "tls.intercepted" or self.parts[before].stage is not Stage.TLS:
            return None
        return unknown(judged.cause, f"not asked: {judged.reason}")

    def _weigh(self, own: list[tuple[int, Outcome]]) -> Ruling:
        """Unknown outweighs a warning, a warning outweighs a pass; nothing observed at all is unknown."""
        parts = tuple(self.parts[index] for index, _ in own)
        for status in (Status.UNKNOWN, Status.WARN):
            for index, judged in own:
                if judged.status is status:
                    return Ruling(outcome=judged, at=self.parts[index], parts=parts)
        if not own:
            why = self._unfinished() or unknown("vantage.incomplete", "nothing was observed that speaks to this")
            return Ruling(outcome=why)
        reason = "; ".join(dict.fromkeys(judged.reason for _, judged in own if judged.reason))
        return Ruling(outcome=Outcome(status=Status.PASS, reason=reason), parts=parts)

    def _with_precondition(self, check: Check, ruling: Ruling) -> Ruling:
        """Without what is missing nothing can be said, but for what fails before it would have mattered."""
        if check.precondition is None:
            return ruling
        before = ruling.at is not None and ruling.at.stage in _TRANSPORT and ruling.outcome.status is Status.FAIL
        if before or (ruling.outcome.status is Status.BLOCKED and not self._waits(ruling)):
            return ruling
        seen = f"; seen: {ruling.outcome.reason}" if ruling.outcome.cause is not None and ruling.outcome.reason else ""
        known = CAUSES.get(check.precondition)  # a plan may be another version's
        cause, meaning = (check.precondition, known.meaning) if known else ("vantage.incomplete", check.precondition)
        reason = f"{meaning.rstrip('.')}{seen}"
        return Ruling(outcome=unknown(cause, reason), at=ruling.at, parts=ruling.parts)

    @staticmethod
    def _waits(ruling: Ruling) -> bool:
        """Whether the check that blocks lacks something itself."""
        return ruling.blocked_by is not None and ruling.blocked_by.precondition is not None


def _carries(owner: Check, check: Check) -> bool:
    """Whether the owner's verdict weighs as much as this one would: a blocked check counts as its blocker."""
    weighs = owner.severity is Severity.REQUIRED or check.severity is Severity.RECOMMENDED
    return weighs and (owner.decides or not check.decides)


def _blocked(owner: Check, first: Outcome, parts: tuple[Slice, ...]) -> Ruling:
    cause = f" ({first.cause})" if first.cause is not None else ""
    reason = f"{owner.requirement} comes first{cause}"
    return Ruling(outcome=Outcome(status=Status.BLOCKED, reason=reason), blocked_by=owner, parts=parts)
