"""What was parsed goes the whole way: judged with the checks of the real catalogue, then into every report format.

Hostile text must end nowhere but in its place: each format is read back with a parser of its own.
"""

import json
import xml.etree.ElementTree as ET
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec

from fuzz.target import Depth
from preflight import catalogue, environment, plan, resources
from preflight.judge import evidence_of, judge
from preflight.model.catalogue import Catalogue
from preflight.model.causes import CAUSES
from preflight.model.environment import Environment
from preflight.model.observation import (
    Connection,
    DnsFacts,
    Hop,
    HttpFacts,
    Observation,
    ProxyFacts,
    ResolverFacts,
    SystemLookup,
    TcpFacts,
    VantageFacts,
)
from preflight.model.plan import Mapping, Plan, Proxy, Task, VantagePlan
from preflight.model.run import Evidence, Run
from preflight.model.vocabulary import ProbeName, Status
from preflight.render import RENDERERS, Format
from preflight.render.text import clean

VANTAGE = "pod"
STARTED = "2026-11-22T10:00:00.000Z"
_HERE = Path(__file__).resolve().parent
_WHOLE = _HERE.parent / "environment" / "whole.toml"
AUTHORITY = _HERE.parent / "environment" / "ca.pem"
_TIMES = {"started": STARTED, "duration_ms": 40.0}
_MOST = 40  # times as large as what was observed; a report that grows without bound would be a leak of its own
_LEAST = 2_000_000  # characters


@cache
def whole() -> Environment:
    """An environment in which every table is given."""
    own = {"environment.layout": "v1"}  # with it the table service is a requirement too
    return environment.load(_WHOLE, overrides=own, environ={}, clouds=catalogue.load_clouds())


@cache
def catalogue_of_the_project() -> Catalogue:
    """The real one."""
    return catalogue.load()


@cache
def everything() -> Plan:
    """The real catalogue for that environment, at one vantage."""
    return plan.build(catalogue_of_the_project(), whole(), vantages=(VANTAGE,))


@cache
def task(probe: ProbeName, holding: str = "") -> Task:
    """The first task of this probe whose key holds the text."""
    return next(one for one in everything().tasks if one.probe is probe and holding in one.key)


@cache
def part(key: str) -> Plan:
    """The plan of one task, with all the checks that judge it."""
    built = everything()
    return msgspec.structs.replace(
        built,
        tasks=tuple(one for one in built.tasks if one.key == key),
        runs={VANTAGE: (key,)},
        checks=tuple(one for one in built.checks if one.task == key),
        left_out=(),
    )


@cache
def facts() -> VantageFacts:
    """The place from which everything is seen."""
    resolver = ResolverFacts(consumer="coredns", nameservers=("10.0.0.4:53",), source="/etc/resolv.conf")
    return VantageFacts(vantage=VANTAGE, tool_version="0", resolver=resolver, started=STARTED, complete=True)


@cache
def vantage_plan() -> VantagePlan:
    """The plan of that vantage, with an authority that judges alone: loading the system's store would cost most."""
    made = plan.vantage_plan(everything(), whole(), VANTAGE, run_id="fuzz")
    return msgspec.structs.replace(made, cluster_ca_pem=AUTHORITY.read_text())


@cache
def plain_plan() -> VantagePlan:
    """The same without a proxy: everything goes directly to the peers in memory."""
    return msgspec.structs.replace(vantage_plan(), proxy=Proxy(from_environment=False), mapping=Mapping())


def proxied(connect: HttpFacts) -> ProxyFacts:
    """A proxy that was reached and has answered to CONNECT."""
    tcp = TcpFacts(
        address="10.9.9.9", port=3128, result="connected", cap_ms=3000.0, at_ms=0.0, duration_ms=1.0
    )  # fmt: skip
    return ProxyFacts(
        url="http://proxy.contoso.com:3128",
        source="preflight.toml proxy.https",
        dns=DnsFacts(name="proxy.contoso.com", system=SystemLookup(result="answer"), addresses=("10.9.9.9",)),
        connections=(Connection(address="10.9.9.9", tcp=tcp),),
        connect=connect,
    )


def hop(url: str, **stages: object) -> Hop:
    """One hop with these stages."""
    return Hop(role="origin", url=url, at_ms=0.0, **_TIMES, **stages)


def reused(role: str, url: str, **stages: object) -> Hop:
    """A later request over the same connection."""
    return Hop(role=role, url=url, at_ms=30.0, reused=True, **_TIMES, **stages)


def seen(of: Task, *hops: Hop, depth: Depth) -> Run | None:
    """Judges one observation of the task, if it goes that far; when shown every format is rendered."""
    if depth is Depth.PARSED:
        return None
    observation = Observation(
        task=of.key,
        vantage=VANTAGE,
        probe=of.probe,
        target=of.target.hostport,
        deadline_ms=30_000.0,
        hops=hops,
        **_TIMES,
    )
    return onward(
        Evidence(
            run_id="fuzz",
            finished=STARTED,
            environment={},
            vantages=(facts(),),
            plan=part(of.key),
            observations=(observation,),
            **_TIMES,
        ),
        depth=depth,
    )


def unseen(built: Plan, described: dict[str, Any]) -> Evidence:
    """A plan of which nothing was observed."""
    return Evidence(
        run_id="fuzz",
        finished=STARTED,
        environment=described,
        vantages=tuple(msgspec.structs.replace(facts(), vantage=name) for name in built.vantages),
        plan=built,
        observations=(),
        **_TIMES,
    )


def onward(evidence: Evidence, *, depth: Depth) -> Run:
    """Judge, and see that the run is whole; when shown also that judging again and every report hold."""
    run = judge(evidence)
    assert {one.check for one in run.verdicts} >= {one.id for one in run.plan.checks}, "a check has no verdict"
    for verdict in run.verdicts:
        named = verdict.status in (Status.FAIL, Status.WARN, Status.UNKNOWN)
        assert (verdict.cause in CAUSES) if named else verdict.cause is None, f"cause {verdict.cause!r}"
    if depth is Depth.SHOWN:
        saved = msgspec.json.decode(msgspec.json.encode(run), type=Run)
        assert judge(evidence_of(saved)).verdicts == run.verdicts, "judging again gives something else"
        rendered(run)
    return run


def rendered(run: Run) -> None:
    """Every format, read back."""
    size = max(_LEAST, _MOST * len(msgspec.json.encode(run)))
    for name in Format:
        text = RENDERERS[name](run)
        assert len(text) <= size, f"{name}: {len(text)} characters out of a run of {size // _MOST}"
        _READERS[name](text)


def _harmless(text: str) -> None:
    assert clean(text) == text, "a character that a terminal obeys"


def _json(text: str) -> None:
    _harmless(text)
    json.loads(text)


def _junit(text: str) -> None:
    _harmless(text)
    ET.fromstring(text)


class _Page(HTMLParser):
    """Tags, and attributes by name, as a browser would find them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.found |= {(tag, "")} | {(tag, name) for name, _ in attrs}


@cache
def _usual() -> _Page:
    page = _Page()
    for path in sorted((resources.folder("reports") / "examples").glob("*.html")):
        page.feed(path.read_text(encoding="utf-8"))
        page.close()
    assert page.found, "no example reports"
    return page


def _html(text: str) -> None:
    page = _Page()
    page.feed(text)
    page.close()
    tags = {tag for tag, _ in _usual().found}
    foreign = {(tag, name) for tag, name in page.found if tag not in tags or name.startswith("on")}
    assert not foreign, f"markup out of what was observed: {sorted(foreign)[:5]}"
    assert page.scripts <= 1, "a script out of what was observed"


_READERS = {
    Format.CONSOLE: _harmless,
    Format.HTML: _html,
    Format.JSON: _json,
    Format.JUNIT: _junit,
    Format.MARKDOWN: lambda text: _harmless(text.replace("@\u200b", "@")),  # so that nobody is mentioned
}
