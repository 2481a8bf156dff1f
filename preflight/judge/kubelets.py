"""What a node's own pull says beside what the probe saw there: the pull decides, and one root cause has one verdict.

The probe speaks with the trust and the proxies that it was given; containerd has its own. Pure: verdicts in and out.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from preflight.judge import intercepted
from preflight.judge.services.reading import fact, find
from preflight.model.causes import CAUSES
from preflight.model.observation import Hop, Observation, VantageFacts
from preflight.model.plan import Check
from preflight.model.run import Evidence, Verdict
from preflight.model.vocabulary import ProbeName, Severity, Status

# Words of the wire: whether they are the network's or containerd's own settings' shows beside the probe.
_WIRE: Final = frozenset(
    f"pull.{name}"
    for name in (
        "name-unknown", "dns-failing", "wrong-name", "not-tls", "tls-refused", "tls-timeout", "refused", "unreachable",
        "timeout", "reset", "layer-broken", "no-answer",
    )
)  # fmt: skip
_TRUST: Final = frozenset(("pull.untrusted", "pull.certificate-expired"))
# What the registry says to both.
_SAME: Final = {
    "pull.denied": ("registry.denied-by-network", "storage.denied-by-network"),
    "pull.not-found": ("registry.not-found",),
    "pull.throttled": ("registry.throttled",),
    "pull.server-error": ("registry.unavailable",),
    "pull.unauthorized": ("registry.unauthorized",),
}
_INSPECTED: Final = ("tls.intercepted", "tls.untrusted")
DIFFERS: Final = "pull.runtime-differs"


class _Pull:
    """One pull at one place, with the checks of the probe at the same registry."""

    def __init__(self, check: Check, hop: Hop, probes: list[Check], content: Check | None) -> None:
        self.check, self.hop, self.probes, self.content = check, hop, probes, content
        self.host = check.target.rpartition(":")[0]
        self.node = fact(hop, "node")


def reconciled(evidence: Evidence, verdicts: dict[str, Verdict]) -> dict[str, Verdict]:
    """All verdicts; those of pulls, and of probes at the same registries, as both together say."""
    found = dict(verdicts)
    seen = {(one.vantage, one.task): one for one in evidence.observations}
    facts = {one.vantage: one for one in evidence.vantages}
    pulls = list(_pulls(evidence, seen))
    trusted: dict[str, set[str]] = {}
    for pull in pulls:
        verdict = found[pull.check.id]
        if verdict.status is Status.PASS:
            trusted.setdefault(pull.check.vantage, set()).update(_vouched(pull, found, seen))
            _vouch(pull, found)
        elif verdict.cause is not None:
            if verdict.cause in _TRUST:
                _condemn(pull, found, seen, evidence.plan.checks)
            found[verdict.check] = _failing(pull, verdict, found, facts.get(pull.check.vantage))
            _follow(pull, found)
    for check in evidence.plan.checks:
        verdict, observation = found[check.id], seen.get((check.vantage, check.task))
        known = trusted.get(check.vantage, set())
        if verdict.status is Status.FAIL and verdict.cause in _INSPECTED and observation is not None:
            same = known & issuers(observation)
            if same:
                told = f"{verdict.reason}; the kubelet here pulls from a registry that shows the same authority"
                found[check.id] = replace(verdict, status=Status.WARN, reason=told)
                _release(check.id, found, evidence.plan.checks, proven=())
    return {key: _with_trust(verdict, seen, facts) for key, verdict in found.items()}


def _with_trust(verdict: Verdict, seen: dict[tuple[str, str], Observation], facts: dict[str, VantageFacts]) -> Verdict:
    """Where a foreign authority is trusted, as far as `--node-trust` told: by name, and never more than a remark."""
    kind, _, pool = verdict.vantage.partition("/")
    node = facts.get(f"node/{pool}")
    observation = seen.get((verdict.vantage, verdict.task or ""))
    known = kind != "workstation" and node is not None and bool(node.node_trust)
    if not known or node is None or observation is None or verdict.cause not in _INSPECTED:
        return verdict
    shaken = [tls for tls in intercepted.handshakes(observation) if tls.result == "unverified"]
    names = {one.issuer for tls in shaken for one in tls.chain}
    if not names:
        return verdict
    there = "yes" if names & set(node.node_roots) else "no"
    return replace(verdict, reason=f"{verdict.reason}; trusted by the node's store: {there}, by the probe image's: no")


def _pulls(evidence: Evidence, seen: dict[tuple[str, str], Observation]) -> Iterable[_Pull]:
    probes = {task.key: task for task in evidence.plan.tasks}
    for check in evidence.plan.checks:
        task, observation = probes.get(check.task), seen.get((check.vantage, check.task))
        if task is None or task.probe is not ProbeName.PULL or "pull" not in check.judges or observation is None:
            continue
        hop = find(observation, "pull")
        if hop is None:
            continue
        here = [one for one in evidence.plan.checks if one.vantage == check.vantage and one.decides]
        yield _Pull(
            check,
            hop,
            [one for one in here if _probes(one, check, probes.get(one.task, task).probe)],
            next((one for one in here if one.task == check.task and "content" in one.judges), None),
        )


def _probes(one: Check, pull: Check, probe: ProbeName) -> bool:
    return probe is ProbeName.REGISTRY and one.target == pull.target


def _vouch(pull: _Pull, found: dict[str, Verdict]) -> None:
    """The kubelet pulled: what the probe could not do there is a reservation, since containerd is who has to."""
    layers = pull.content is not None and found[pull.content.id].status is Status.PASS
    proven = tuple(one.id for one in pull.probes if layers or "layer" not in one.judges)
    for check in pull.probes:
        verdict = found[check.id]
        hidden = verdict.status is Status.UNKNOWN and verdict.cause in _INSPECTED
        if (verdict.status is Status.FAIL or hidden) and check.id in proven:
            told = f"{verdict.reason}; yet the kubelet of {pull.node} pulls from {pull.host}"
            found[check.id] = replace(verdict, status=Status.WARN, reason=told)
            _release(check.id, found, pull.probes, proven=proven)


def _condemn(
    pull: _Pull,
    found: dict[str, Verdict],
    seen: dict[tuple[str, str], Observation],
    checks: tuple[Check, ...],
) -> None:
    """The kubelet does not trust an authority that the probe saw: at this node that is a failure, wherever it shows."""
    foreign = {
        issuer
        for check in pull.probes
        if found[check.id].cause in _INSPECTED
        for issuer in issuers(seen[check.vantage, check.task])
    }
    first: dict[str, str] = {}
    for check in checks:
        verdict, observation = found[check.id], seen.get((check.vantage, check.task))
        if check.vantage != pull.check.vantage or verdict.cause not in _INSPECTED or observation is None:
            continue
        if not foreign & issuers(observation):
            continue
        if check.task in first:
            told = f"{found[first[check.task]].requirement} comes first ({verdict.cause})"
            found[check.id] = replace(
                verdict, status=Status.BLOCKED, cause=None, owner=None, reason=told, blocked_by=first[check.task]
            )
        else:
            status = Status.FAIL if check.severity is Severity.REQUIRED else Status.WARN
            told = f"{verdict.reason.partition('; the probe')[0]}; the kubelet of {pull.node} does not trust it either"
            found[check.id] = replace(verdict, status=status, reason=told)
            first[check.task] = check.id


def _release(blocker: str, found: dict[str, Verdict], checks: Iterable[Check], *, proven: tuple[str, ...]) -> None:
    """What a failure blocked that is none any more: proven by the pull, or not known."""
    first = found[blocker]
    for check in checks:
        verdict = found[check.id]
        if verdict.status is not Status.BLOCKED or verdict.blocked_by != blocker:
            continue
        status = Status.WARN if check.id in proven else Status.UNKNOWN
        told = "the kubelet's pull shows it" if check.id in proven else "the kubelet's pull does not show it"
        found[check.id] = replace(
            verdict,
            status=status,
            cause=first.cause,
            owner=first.owner,
            reason=f"the probe did not come so far ({first.cause}); {told}",
            blocked_by=None,
            at=first.at,
        )


def _vouched(pull: _Pull, found: dict[str, Verdict], seen: dict[tuple[str, str], Observation]) -> set[str]:
    """Authorities that the probe did not trust at this registry, and the node does."""
    return {
        issuer
        for check in pull.probes
        if found[check.id].status is Status.FAIL and found[check.id].cause in _INSPECTED
        for issuer in issuers(seen[check.vantage, check.task])
    }


def issuers(observation: Observation) -> set[str]:
    """Who signed what was presented and not trusted."""
    seen = intercepted.handshakes(observation)
    return {intercepted.issuer_of(tls) for tls in seen if tls.result == "unverified" and tls.chain}


def _failing(pull: _Pull, verdict: Verdict, found: dict[str, Verdict], facts: VantageFacts | None) -> Verdict:
    """The pull failed: for the same reason as the probe, or for one of containerd's own."""
    failed = [found[one.id] for one in pull.probes if found[one.id].status is Status.FAIL]
    common = next((one for one in failed if _is_same(verdict, one, pull.hop)), None)
    if common is not None:
        told = f"{common.requirement} comes first ({common.cause}); the kubelet says: {fact(pull.hop, 'message')}"
        return replace(verdict, status=Status.BLOCKED, cause=None, owner=None, reason=told, blocked_by=common.check)
    if verdict.status is not Status.FAIL or not _reads_all(pull, found):
        return verdict
    where = "from the same node" if _node(facts) == pull.node else f"from {_node(facts) or 'another node'}"
    told = f"{verdict.reason}; yet the probe reads manifest and layer of {pull.host} {where}"
    if verdict.cause in _WIRE and _node(facts) == pull.node:
        was = f"{told} ({verdict.cause})"
        return replace(verdict, cause=DIFFERS, owner=CAUSES[DIFFERS].owner, reason=was)
    return replace(verdict, reason=told)


def _follow(pull: _Pull, found: dict[str, Verdict]) -> None:
    """The content waits for the pull, or for what that waits for."""
    verdict = found[pull.check.id]
    content = found[pull.content.id] if pull.content is not None else None
    if content is None or content.status is not Status.BLOCKED or content.blocked_by != verdict.check:
        return
    first = found[verdict.blocked_by] if verdict.blocked_by is not None else verdict
    told = f"{first.requirement} comes first ({first.cause})"
    found[content.check] = replace(content, blocked_by=first.check, reason=told)


def _is_same(pull: Verdict, probe: Verdict, hop: Hop) -> bool:
    """Whether the probe's failure explains the pull's."""
    cause, other = pull.cause or "", probe.cause or ""
    if cause == "pull.unauthorized" and not fact(hop, "made_of"):
        return False  # other credentials than the probe's
    if cause in _SAME:
        return other in _SAME[cause]
    return (cause in _WIRE or cause in _TRUST) and not other.startswith("registry.")


def _reads_all(pull: _Pull, found: dict[str, Verdict]) -> bool:
    held = (Status.PASS, Status.WARN)
    read = {role for one in pull.probes if found[one.id].status in held for role in one.judges}
    return {"manifest", "layer"} <= read


def _node(facts: VantageFacts | None) -> str:
    """The node of the probe, as the facts of its place begin."""
    place = facts.place if facts is not None else ""
    return place.removeprefix("node ").partition(",")[0] if place.startswith("node ") else ""
