"""The running router beside a pod that starts now: other proxy settings mean that it was started before they changed.

Pure. AKS writes proxy variables into pods when they are made (learn.microsoft.com/azure/aks/http-proxy), and a pod
keeps those that it was made with.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from preflight.judge.cases import Case, of_no_requirement
from preflight.judge.pattern import pool_of
from preflight.judge.scene import listed, moment
from preflight.model.cluster import ClusterFacts, RouterPod
from preflight.model.observation import VantageFacts
from preflight.model.run import Evidence
from preflight.model.vocabulary import Phase, VantageKind, vantage_kind

CAUSE: Final = "router.restart-needed"
_MOST_ENTRIES = 5
_WORDS = {"https_proxy": "HTTPS_PROXY", "http_proxy": "HTTP_PROXY", "all_proxy": "ALL_PROXY", "no_proxy": "NO_PROXY"}


def stale(evidence: Evidence) -> list[Case]:
    """One case for each router pod whose proxy settings are not those of a probe that has just started."""
    cluster = evidence.plan.cluster
    if cluster is None or not cluster.router_pods:
        return []
    probes = [fact for fact in evidence.vantages if vantage_kind(fact.vantage) is VantageKind.POD and fact.complete]
    found = []
    for pod in cluster.router_pods:
        probe = _beside(pod, probes, cluster)
        differing = differences(pod, probe.proxies) if probe is not None else ()
        if probe is not None and differing:
            found.append(_case(pod, probe, differing, moment(evidence.started)))
    return found


def differences(pod: RouterPod, now: Mapping[str, str]) -> tuple[str, ...]:
    """What the router has and what a pod gets now; () where the router is exempt from what AKS writes."""
    if pod.exempt:
        return ()
    told = []
    for name, word in _WORDS.items():
        then, today = pod.proxies.get(name, ""), now.get(name, "")
        if name == "no_proxy":
            told += _entries(then, today)
        elif then.rstrip("/") != today.rstrip("/"):
            told.append(f"{word} {then or 'not set'}, now {today or 'not set'}")
    return tuple(told)


def _entries(then: str, today: str) -> list[str]:
    """Order and blanks of NO_PROXY mean nothing."""
    old, new = ({part.strip().lower() for part in text.split(",") if part.strip()} for text in (then, today))
    lacks, extra = sorted(new - old), sorted(old - new)
    told = [f"lacks {listed(lacks, _MOST_ENTRIES)}"] if lacks else []
    told += [f"still has {listed(extra, _MOST_ENTRIES)}"] if extra else []
    return [f"NO_PROXY {' and '.join(told)}"] if told else []


def _beside(pod: RouterPod, probes: list[VantageFacts], cluster: ClusterFacts) -> VantageFacts | None:
    """A probe of the same pool, else any."""
    pool = next((node.pool for node in cluster.nodes if node.name == pod.node), None)
    return next((probe for probe in probes if pool_of(probe.vantage) == pool), probes[0] if probes else None)


def _case(pod: RouterPod, probe: VantageFacts, differing: tuple[str, ...], now: datetime) -> Case:
    days = (now - moment(pod.started)).days if pod.started else None
    age = f", started {pod.started} ({days} days before this run)" if days is not None else ""
    node = f" on {pod.node}" if pod.node else ""
    reason = f"{pod.namespace}/{pod.name}{node}{age} has {'; '.join(differing)}"
    host = f"the router's pods in {pod.namespace}"
    return of_no_requirement(CAUSE, probe.vantage, reason, Phase.ROUTER_RUN, host=host)
