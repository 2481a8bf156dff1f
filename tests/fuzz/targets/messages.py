"""Our own formats, as somebody else may write them: the agent's lines, the plan that it is handed, saved runs."""

import base64
import json
import zlib

import msgspec

from fuzz import memory, onward
from fuzz.files import in_memory
from fuzz.target import Depth, Target
from preflight import journal
from preflight.cli import saved
from preflight.failures import UsageFailure
from preflight.judge import evidence_of, pulls
from preflight.kube import pods
from preflight.model.causes import CAUSES
from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secrets
from preflight.model.vocabulary import ProbeName
from preflight.probes.proxy import Proxies
from preflight.session import Session
from preflight.vantages import agent, protocol, summary
from preflight.vantages.base import Emit
from preflight.vantages.listener import Listener

RUN_ID = "fuzz"


def task_plan():
    """The plan whose agent speaks: one task of blob storage."""
    return onward.part(onward.task(ProbeName.BLOB).key)


def _lines(data: bytes, depth: Depth) -> None:
    """What an agent prints: heard by the listener, merged by the session, judged."""
    session = Session(task_plan(), {onward.VANTAGE: onward.plain_plan()}, run_id=RUN_ID)

    async def vantage(plan: VantagePlan, _secrets: Secrets, emit: Emit) -> VantageFacts:
        listener = Listener(plan, emit)
        for line in data.split(b"\n"):
            listener.feed(line)
        assert listener.reader.missing >= 0
        return listener.facts("the agent ended")

    memory.run(session.conduct({onward.VANTAGE: vantage}, {}, lambda _name, _item: None))
    onward.onward(session.evidence(session.begin({}), session.end()), depth=depth)


def _summary(data: bytes, depth: Depth) -> None:
    """A termination message: as it is when it has the mark, otherwise the JSON that an agent would have packed."""
    plan = onward.plain_plan()
    told = data.decode("utf-8", "replace") if data.startswith(summary.MARK.encode()) else packed(plan, data)
    found = summary.unpack(plan, told)
    if found is None:
        return
    listener = Listener(plan, lambda _item: None)
    listener.add(found)
    facts = listener.facts("the log could not be read")
    evidence = onward.unseen(onward.everything(), {})
    seen = tuple({one.task: one for one in found.observations}.values())
    onward.onward(msgspec.structs.replace(evidence, vantages=(facts,), observations=seen), depth=depth)


def packed(plan: VantagePlan, content: bytes) -> str:
    """What `summary.pack` would make of this JSON."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, summary._dictionary(plan))
    return summary.MARK + base64.b85encode(deflate.compress(content) + deflate.flush()).decode()


def _pod(data: bytes, depth: Depth) -> None:
    """A pod and the events about it as the API server tells them: the state, and why a pull fails."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    state = pods.read(document)
    events = [one for one in document.get("events") or [] if isinstance(one, dict)] if _listed(document) else []
    if isinstance(state, pods.PullFails):
        told = pods.pull_error(events, state)
        assert pulls.classify(told).cause in pulls.CAUSES
        spoken = pulls.contact(told)
        assert len(spoken.host) <= 255
        assert 0 <= spoken.port < 100_000
    pods.pulled(document)
    pods.scheduled_on(document)
    took = pods.pull_took(events)
    assert took is None or took >= 0
    pods.secrets_missing(events)
    pods.failures(events)
    pods.delay(events)
    refused = pods.refused(events)
    for trouble in (state, refused):
        assert not isinstance(trouble, pods.Trouble) or trouble.cause in CAUSES


def _listed(document: dict[str, object]) -> bool:
    return isinstance(document.get("events"), list)


def _told(failure: UsageFailure) -> None:
    assert str(failure)


def _plan(data: bytes, depth: Depth) -> None:
    """A plan as JSON; the proxies of its tasks are then found out."""
    try:
        plan = agent.read_plan(data, "plan.json")
    except UsageFailure as failure:
        _told(failure)
        return
    assert agent.read_plan(msgspec.json.encode(plan), "plan.json") == plan
    if plan.no_proxy_as in ("go", "curl", "python", "dotnet"):
        proxies = Proxies(plan, onward.facts(), {}, {})
        for task in plan.tasks[:20]:
            proxies.route(task.target.scheme, task.target.host, task.target.port)


def _run(data: bytes, depth: Depth) -> None:
    """A saved run, or the journal of one that was killed: shown as it is, and judged again."""
    try:
        run = saved.run(in_memory(data, "run.json"))
    except UsageFailure as failure:
        _told(failure)
        return
    if depth is Depth.SHOWN:
        onward.rendered(run)
    onward.onward(evidence_of(run), depth=depth)


def _journal(data: bytes, depth: Depth) -> None:
    """A journal, as a kill at any byte leaves it: what can be read of it is judged."""
    if not journal.is_journal(data):
        return
    try:
        found = journal.read(data, "run.journal")
    except UsageFailure as failure:
        _told(failure)
        return
    assert found.summary
    onward.onward(found.evidence, depth=depth)


_SENTINEL = protocol.SENTINEL.decode()

TARGETS = (
    Target(
        name="agent-lines",
        parses="lines of agents",
        enters="vantages.listener.Listener.feed, session.Session",
        run=_lines,
        longest=16_384,
        mutator="lines",
        words=(_SENTINEL, '"seq":', '"run_id":"fuzz"', '"type":"end"'),
    ),
    Target(
        name="agent-plan",
        parses="plans given to agents",
        enters="vantages.agent.read_plan",
        run=_plan,
        longest=8_192,
        mutator="json",
        words=('"schema_version":', '"tasks":', '"probe":', '"limits":'),
    ),
    Target(
        name="run-file",
        parses="saved runs",
        enters="cli.saved.run, judge.judge, render.RENDERERS",
        run=_run,
        longest=32_768,
        mutator="json",
        words=('"schema_version":1', '"verdicts":', '"observations":'),
    ),
    Target(
        name="agent-summary",
        parses="termination messages of agents",
        enters="vantages.summary.unpack, vantages.listener.Listener.add",
        run=_summary,
        longest=8_192,
        mutator="json",
    ),
    Target(
        name="pod-status",
        parses="pods and events of the API server",
        enters="kube.pods.read, pulled, pull_took, pull_error, refused, judge.pulls.classify, contact",
        run=_pod,
        mutator="json",
        words=("ErrImagePull", "i/o timeout", "x509: ", "lookup ", "OOMKilled", "FailedCreate", "exceeded quota:"),
    ),
    Target(
        name="journal",
        parses="journals of killed runs",
        enters="journal.read, judge.judge, render.RENDERERS",
        run=_journal,
        longest=32_768,
        mutator="lines",
        words=('{"line":"begin"', '"journal_version":1', '"line":"end"'),
    ),
)
