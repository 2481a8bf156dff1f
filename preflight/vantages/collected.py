"""A probe that somebody else started: its pod's log, or its termination message, read once. Starts nothing."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure
from preflight.kube import objects, pods
from preflight.kube.client import Client
from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secrets
from preflight.vantages import skew, summary
from preflight.vantages.base import Emit
from preflight.vantages.listener import Listener

Json = dict[str, Any]
CHANNEL: Final = "kube.log-channel-broken"


def newest(found: Sequence[Json]) -> dict[str, Json]:
    """The newest pod of each vantage, as their annotations name them; one under way only where there is no other.

    A schedule starts the next one at any moment: what the last one saw is then still the result.
    """
    pods_of: dict[str, Json] = {}
    for pod in sorted(found, key=_age):
        vantage = (pod["metadata"].get("annotations") or {}).get(objects.VANTAGE)
        if isinstance(vantage, str):
            pods_of[vantage] = pod
    return dict(sorted(pods_of.items()))


def _age(pod: Json) -> tuple[bool, str]:
    under_way = isinstance(pods.read(pod), pods.Running | pods.Waiting)
    return not under_way, str(pod["metadata"].get("creationTimestamp") or "")


class Collected:
    """One vantage whose pod is there already."""

    def __init__(self, client: Client, pod: Json) -> None:
        self._client, self._pod = client, pod

    async def __call__(self, plan: VantagePlan, secrets: Secrets, emit: Emit) -> VantageFacts:  # noqa: ARG002
        """Emit what it has written so far."""
        listener = Listener(plan, emit)
        meta, state = self._pod["metadata"], pods.read(self._pod)
        path = f"{objects.path('Pod', meta['namespace'], meta['name'])}/log"
        error = ""
        try:
            async for line in self._client.lines(path, {"container": objects.CONTAINER}):
                listener.feed(line)
        except ClusterFailure as failure:
            error = failure.text
        return msgspec.structs.replace(self._facts(listener, state, error), place=self._where())

    def _facts(self, listener: Listener, state: pods.State, error: str) -> VantageFacts:
        if listener.complete:
            return listener.facts("")
        if isinstance(state, pods.Trouble):
            return listener.facts(state.text, state.cause)
        if not isinstance(state, pods.Ended):
            return listener.facts(f"the probe has not ended: {state}")
        second = summary.unpack(listener.plan, state.message)
        if second is None:
            cause = skew.CAUSE if skew.refused_ours(state.message) else "pod.agent-failed"
            return listener.facts(f"exit code {state.exit_code}; {error or state.message[-300:]}", cause)
        listener.add(second)
        text = f"the log could not be read: {error or 'it has no closing line'}; the termination message arrived"
        return msgspec.structs.replace(listener.facts(text, CHANNEL), error=text, error_cause=CHANNEL)

    def _where(self) -> str:
        spec = self._pod.get("spec") or {}
        image = next((one.get("image") for one in spec.get("containers") or []), "")
        started = self._pod["metadata"].get("creationTimestamp") or "?"
        return f"node {spec.get('nodeName') or '?'}, image {image}, started {started}"
