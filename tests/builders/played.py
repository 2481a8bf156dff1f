"""A vantage in the stand-in cluster, with a real agent or with one that a test writes line by line."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec

from preflight.kube import pools
from preflight.kube.client import Access, Client, connect
from preflight.kube.operation import Operation, Stay, operation
from preflight.kube.pools import Wish
from preflight.lab.cluster.container import Container
from preflight.lab.cluster.store import Key, Selector
from preflight.lab.cluster.whole import IMAGE, Cluster, cluster, node
from preflight.lab.pki import Pki
from preflight.model.observation import Observation, ResolverFacts, VantageFacts
from preflight.model.plan import Limits, Mapping, Target, Task, VantagePlan
from preflight.model.vocabulary import ProbeName, VantageKind
from preflight.vantages import agent, protocol, summary
from preflight.vantages.cluster import ClusterVantage, Patience

RUN = "r1"
VANTAGE = "node/demo"
AT = "2026-11-22T00:00:00.000Z"
SHORT = Patience(start=20, unschedulable=0.2, again=0.2, log=0.5, farewell=2.0)
WORDS = ("--plan", "--vantage", "--summary")


def plan_for(port: int, probe: ProbeName = ProbeName.TCP, *, tasks: int = 1, **limits: float) -> VantagePlan:
    """Tasks `one0`, `one1`... of a local port."""
    scheme = "tcp" if probe is ProbeName.TCP else "http"
    target = Target(scheme=scheme, host="127.0.0.1", port=port, path="" if scheme == "tcp" else "/")
    made = [
        Task(key=f"one{number}", probe=probe, target=target, secrets=("registry_password",)) for number in range(tasks)
    ]
    mapping = Mapping(nameservers=("127.0.0.1:9",))
    return VantagePlan(run_id=RUN, vantage=VANTAGE, tasks=tuple(made), limits=Limits(**limits), mapping=mapping)


class Heard:
    """What a vantage emitted."""

    def __init__(self) -> None:
        self.facts: list[VantageFacts] = []
        self.observations: list[Observation] = []
        self._changed = asyncio.Condition()
        self._notes: set[asyncio.Task[None]] = set()

    def __call__(self, item: VantageFacts | Observation) -> None:
        (self.observations if isinstance(item, Observation) else self.facts).append(item)
        note = asyncio.ensure_future(self._note())
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, *, observations: int = 0) -> None:
        """Wait for the first line of the agent, and so many observations."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self.facts and len(self.observations) >= observations)

    @property
    def tasks(self) -> list[str]:
        return [one.task for one in self.observations]


class Scene:
    """A stand-in cluster, an operation in it, and the vantage of its one pool."""

    def __init__(self, played: Cluster, client: Client, running: Operation, vantage: ClusterVantage) -> None:
        self.played, self.client, self.running, self.vantage = played, client, running, vantage

    @property
    def pod(self) -> Key:
        """The only one."""
        (found,) = self.played.store.select(Selector("pods"))
        return Key("pods", found["metadata"]["namespace"], found["metadata"]["name"])

    def objects(self) -> bytes:
        """All that a reader of the cluster could see, but for Secrets."""
        kinds = ("pods", "jobs", "configmaps", "events", "namespaces")
        return msgspec.json.encode([self.played.store.select(Selector(kind)) for kind in kinds])


@contextlib.asynccontextmanager
async def scene(
    folder: Path, *images: str, pool: str = "demo", patience: Patience = SHORT, run_id: str = RUN
) -> AsyncIterator[Scene]:
    """Afterwards nothing may be left."""
    async with cluster(Pki(folder), folder, [node("aks-demo-0", "demo")]) as played:
        async with inside(played, *images, pool=pool, patience=patience, run_id=run_id) as made:
            yield made
        assert left(played) == []


@contextlib.asynccontextmanager
async def inside(
    played: Cluster,
    *images: str,
    pool: str = "demo",
    patience: Patience = SHORT,
    run_id: str = RUN,
    namespace: str | None = None,
) -> AsyncIterator[Scene]:
    """A run's stay in a cluster that is there."""
    (place,) = pools.place([node("x", pool)], Wish(kinds=(VantageKind.NODE,))).places
    stay = Stay(run_id=run_id, start_s=20, run_s=20, namespace=namespace)
    async with connect(Access(kubeconfig=str(played.kubeconfig))) as client:
        async with operation(client, stay) as running:
            yield Scene(played, client, running, ClusterVantage(running, place, images or (IMAGE,), patience))
        assert running.leftovers == ""


def left(played: Cluster) -> list[str]:
    """Objects of any run."""
    found = [
        each
        for kind in ("namespaces", "jobs", "pods", "configmaps", "secrets")
        for each in played.store.select(Selector(kind))
    ]
    born = ("default", "kube-node-lease", "kube-public", "kube-system", "kube-root-ca.crt")
    metas = [each["metadata"] for each in found]
    return [meta["name"] for meta in metas if meta["name"] not in born and meta.get("namespace") != "kube-system"]


class Agent:
    """A scripted agent: what its container was handed, and lines of the protocol."""

    def __init__(self, container: Container, version: str | None = None) -> None:
        self.container = container
        given = dict(zip(container.arguments[1::2], container.arguments[2::2], strict=True))
        plan = agent.read_plan(Path(given["--plan"]).read_bytes(), "plan")
        self.plan = msgspec.structs.replace(plan, vantage=given["--vantage"])
        self._summary = Path(given["--summary"])
        resolver = ResolverFacts(consumer="glibc", source="a test")
        self.facts = VantageFacts(
            vantage=self.plan.vantage, tool_version=version or agent.__version__, resolver=resolver, started=AT
        )
        self.sent: list[Observation] = []
        self._seq = 0

    async def hello(self, number: int = protocol.PROTOCOL_VERSION) -> None:
        await self._say(protocol.Hello(protocol=number, facts=self.facts))

    async def see(self, *which: int) -> None:
        for number in which:
            task = self.plan.tasks[number]
            seen = Observation(
                task=task.key, vantage=self.plan.vantage, probe=task.probe, target=task.target.hostport, started=AT,
                duration_ms=1.0, deadline_ms=1000.0, finished=True,
            )  # fmt: skip
            self.sent.append(seen)
            await self._say(protocol.Seen(observation=seen))

    async def end(self, *, with_summary: bool = True) -> int:
        closing = msgspec.structs.replace(self.facts, finished=AT, complete=True)
        await self._say(protocol.End(observations=len(self.sent), facts=closing))
        if with_summary:
            self._summary.write_bytes(summary.pack(self.plan, closing, self.sent))
        return 0

    async def unless_stopped(self, go: asyncio.Event) -> bool:
        """Wait for it; False when the pod is deleted before."""
        waits = [asyncio.create_task(one.wait()) for one in (go, self.container.stopping)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        return go.is_set()

    async def write(self, text: str) -> None:
        await self.container.log.write(text.encode() + b"\n")

    async def _say(self, message: protocol.Hello | protocol.Seen | protocol.End) -> None:
        await self.container.log.write(protocol.encode(self.plan.run_id, self._seq, message))
        self._seq += 1


def script(speak: Callable[[Agent], Awaitable[int]], version: str | None = None):
    """As a `Play` of the kubelet."""

    async def play(container: Container) -> int:
        return await speak(Agent(container, version))

    return play


def agents(parent: int) -> list[int]:
    """Real agents that a process has started."""
    found = subprocess.run(["pgrep", "-P", str(parent), "-f", "preflight agent"], capture_output=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def alive(pid: int) -> bool:
    """Not ended, and not only waiting for somebody to read its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def own_agents() -> list[int]:
    return agents(os.getpid())
