"""What the inside of a cluster says: the tools of somebody's pod, and the API server's objects."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from fuzz import memory, onward
from fuzz.target import Depth, Target
from fuzz.targets.messages import RUN_ID, task_plan
from preflight.judge.selecting import selects
from preflight.kube import capacity, facts, policies
from preflight.kube.values import items, labels, table, text
from preflight.model.cluster import ClusterFacts
from preflight.model.environment import NetworkModel
from preflight.model.load import Size
from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.policies import PolicyFacts, Stand
from preflight.model.secret import Secrets
from preflight.session import Session
from preflight.vantages.base import Emit
from preflight.vantages.shell.place import Where
from preflight.vantages.shell.vantage import ShellVantage

Json = dict[str, Any]
WHERE = Where(via="existing-pod shop/model-0", words="pod shop/model-0, container app, node n1")
_LABEL = "agentpool"


def _shell(data: bytes, depth: Depth) -> None:
    """The output of the shell probe: heard, read by the real probes, merged by the session, judged."""
    session = Session(task_plan(), {onward.VANTAGE: onward.plain_plan()}, run_id=RUN_ID)

    async def said(_script: str) -> AsyncGenerator[bytes, None]:
        for line in data.split(b"\n"):
            yield line

    async def vantage(plan: VantagePlan, secrets: Secrets, emit: Emit) -> VantageFacts:
        return await ShellVantage(said, WHERE)(plan, secrets, emit)

    memory.run(session.conduct({onward.VANTAGE: vantage}, {}, lambda _name, _item: None))
    onward.onward(session.evidence(session.begin({}), session.end()), depth=depth)


def _objects(data: bytes, depth: Depth) -> None:
    """Nodes, pods, Services, endpoints and policies, in one document with a list each."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    listed = {key: items(table(document, key)) for key in ("nodes", "pods", "services", "endpoints", "policies")}
    nodes = facts.nodes(listed["nodes"], _LABEL)
    assert len(nodes) <= facts.MOST_NODES
    told = ClusterFacts(
        nodes=nodes,
        pod_cidrs=facts.pod_cidrs(nodes),
        dns_replicas=tuple(one for found in listed["endpoints"] for one in facts.replicas(found, nodes)),
        network=facts.network(NetworkModel.UNKNOWN, listed["nodes"]),
    )
    assert msgspec.json.decode(msgspec.json.encode(told), type=ClusterFacts) == told
    for found in listed["services"]:
        facts.service(found)
    _policies(listed["policies"], listed["pods"])
    for room in capacity.rooms(listed["nodes"], listed["pods"], Size(), label=_LABEL):
        assert 0 <= room.usable <= room.nodes
        assert room.fits >= 0


def _policies(found: list[Json], pods: list[Json]) -> None:
    every = [
        *(policies.kubernetes(one) for one in found),
        *(one for item in found for one in policies.cilium(item, policies.CILIUM)),
    ]
    known = PolicyFacts(namespaces={}, policies=tuple(every))
    assert msgspec.json.decode(msgspec.json.encode(known), type=PolicyFacts) == known
    for pod in pods[:20]:
        meta = table(pod, "metadata")
        stand = Stand(namespace=text(meta.get("namespace")), labels=labels(meta.get("labels")))
        for one in every[:20]:
            selects(one, stand, known)


TARGETS = (
    Target(
        name="shell-lines",
        parses="output of curl, openssl, dig and others in somebody's pod",
        enters="vantages.shell.vantage.ShellVantage",
        run=_shell,
        longest=16_384,
        mutator="lines",
        words=("@pf fuzz 1 c.", "@pf fuzz 1 s.", "@pf fuzz 1 d.", "@pf fuzz 1 z.", "@pf fuzz 0 i.tools", "rc=", "* "),
    ),
    Target(
        name="cluster-objects",
        parses="nodes, pods, Services, endpoints and policies of the API server",
        enters="kube.facts, kube.policies, kube.capacity, judge.selecting",
        run=_objects,
        longest=16_384,
        mutator="json",
        words=(
            "matchLabels",
            "matchExpressions",
            "ipBlock",
            "endpointSelector",
            "requests",
            "127.0.0.1/8",
            "100m",
            "2Gi",
        ),
    ),
)
