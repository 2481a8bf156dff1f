"""Evidence in, finished run out: the one door to all judgement. Same evidence, same run, today or next year."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from preflight import __version__
from preflight.judge import (
    clock,
    compared,
    everywhere,
    exitcode,
    findings,
    headline,
    intercepted,
    kubelets,
    load,
    lossy,
    nodes,
    order,
    policies,
)
from preflight.judge.scene import Scene, moment
from preflight.judge.standing import standing
from preflight.judge.verdicts import judge_task, untold
from preflight.judge.walk import REAL, Tables
from preflight.model.causes import CAUSES
from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import Check
from preflight.model.run import Evidence, Run, Tool, Verdict

Places = Mapping[str, Sequence[Observation]]  # of every vantage, what it observed

_CLOCKS = 6  # wrong ones that are told one by one


def judge(evidence: Evidence, *, tables: Tables = REAL) -> Run:
    """Judge everything: one verdict a check, findings over them, exit code and headline."""
    places = _by_vantage(evidence)
    skews = _skews(places)
    found = kubelets.reconciled(evidence, _verdicts(evidence, places, skews, tables))
    verdicts = order.arrange(evidence.plan, found)
    code = exitcode.exit_code(verdicts, strict=evidence.strict, interrupted=evidence.interrupted)
    return Run(
        tool=Tool(version=__version__),
        run_id=evidence.run_id,
        started=evidence.started,
        finished=evidence.finished,
        duration_ms=evidence.duration_ms,
        exit_code=code,
        strict=evidence.strict,
        interrupted=evidence.interrupted,
        banner=headline.banner(evidence.banner, evidence.plan),
        headline=headline.headline(code, verdicts, evidence.plan),
        counts=exitcode.counts(verdicts),
        environment=evidence.environment,
        vantages=evidence.vantages,
        plan=evidence.plan,
        observations=evidence.observations,
        verdicts=verdicts,
        findings=findings.find(evidence, verdicts),
        notices=_notices(evidence, skews),
    )


def evidence_of(run: Run, *, strict: bool | None = None) -> Evidence:
    """What a saved run was judged from, so that it can be judged again; `strict` overrides the run's."""
    return Evidence(
        run_id=run.run_id,
        started=run.started,
        finished=run.finished,
        duration_ms=run.duration_ms,
        strict=run.strict if strict is None else strict,
        interrupted=run.interrupted,
        banner=run.banner,
        environment=run.environment,
        vantages=run.vantages,
        plan=run.plan,
        observations=run.observations,
        notices=run.notices,
    )


def _verdicts(
    evidence: Evidence, places: Places, skews: Mapping[str, clock.Skew], tables: Tables
) -> dict[str, Verdict]:
    facts = {fact.vantage: fact for fact in evidence.vantages}
    seen = {(observation.vantage, observation.task): observation for observation in evidence.observations}
    now = moment(evidence.started)
    portals = {vantage: everywhere.catch_all(own) for vantage, own in places.items()}
    losses = {vantage: lossy.loss(own) for vantage, own in places.items()}
    inspectors = _inspectors(evidence, seen)
    verdicts: dict[str, Verdict] = {}
    relieved: list[load.Relieved] = []
    for (vantage, task), checks in order.task_groups(evidence.plan).items():
        observation = seen.get((vantage, task))
        if observation is None:
            verdicts |= {check.id: _unseen(check, facts.get(vantage), evidence) for check in checks}
        else:
            scene = Scene(
                observation=observation,
                facts=facts.get(vantage),
                now=now,
                skew=skews.get(vantage),
                loss=losses.get(vantage),
                catch_all=portals.get(vantage, frozenset()),
                inspectors=inspectors.get(vantage, frozenset()),
            )
            first = judge_task(checks, scene, interrupted=evidence.interrupted, tables=tables)
            if (again := load.alone(observation)) is not None:
                alone = judge_task(checks, replace(scene, observation=again), interrupted=False, tables=tables)
                told = load.settled(first, alone)
                relieved += load.relieved(first, told, observation)
                first = told
            verdicts |= first
    return policies.reserved(evidence, verdicts | load.suspected(verdicts, relieved))


def _inspectors(evidence: Evidence, seen: Mapping[tuple[str, str], Observation]) -> dict[str, frozenset[str]]:
    """By vantage: the authorities that re-sign what several services send."""
    pairs: defaultdict[str, list[tuple[Check, Observation]]] = defaultdict(list)
    for check in evidence.plan.checks:
        observation = seen.get((check.vantage, check.task))
        if observation is not None and check.expect.issuers:
            pairs[check.vantage].append((check, observation))
    return {vantage: intercepted.inspectors(each) for vantage, each in pairs.items()}


def _skews(places: Places) -> dict[str, clock.Skew]:
    """The vantages whose clock is proven wrong."""
    found = {vantage: clock.skew(own) for vantage, own in places.items()}
    return {vantage: skew for vantage, skew in found.items() if skew is not None}


def _by_vantage(evidence: Evidence) -> Places:
    """Of every vantage that told of itself, what it observed."""
    found: dict[str, list[Observation]] = {facts.vantage: [] for facts in evidence.vantages}
    for one in evidence.observations:
        if one.vantage in found:
            found[one.vantage].append(one)
    return found


def _notices(evidence: Evidence, skews: Mapping[str, clock.Skew]) -> tuple[str, ...]:
    """Those of the run, each once, and a wrong clock: it breaks tokens and signatures even where certificates hold."""
    clocks = [
        f"{vantage}: the clock is {skew.words} of what {len(skew.hosts)} services say (Date headers)"
        for vantage, skew in skews.items()
    ]
    if len(clocks) > _CLOCKS:
        clocks[_CLOCKS:] = [f"and {len(clocks) - _CLOCKS} more clocks are wrong"]
    names = compared.split_names(evidence.observations)
    return tuple(
        dict.fromkeys(
            (*evidence.notices, *clocks, *standing(evidence).notices, *names, *nodes.differences(evidence.plan))
        )
    )


def _unseen(check: Check, facts: VantageFacts | None, evidence: Evidence) -> Verdict:
    """A planned check without an observation is unknown, never skipped and never passed."""
    if facts is not None and facts.error_cause in CAUSES:
        return untold(check, facts.error_cause, facts.error or f"{check.vantage} could not run")
    if evidence.interrupted:
        return untold(check, "check.interrupted", "the run was interrupted before this was observed")
    if facts is None:
        return untold(check, "vantage.not-run", f"nothing was heard from {check.vantage}")
    why = facts.error or ("it says that it is done" if facts.complete else "it stopped early")
    return untold(check, "vantage.incomplete", f"{check.vantage} sent no observation for this: {why}")
