"""The stand-in cluster as a whole: starts it on a port of loopback, and says how to reach it. Judges nothing.

async with cluster(pki, folder, [node("aks-user1-0", "user1")]) as played:
    played.kubeconfig                        # for --kubeconfig, or Access(kubeconfig=str(...))
    played.store.add("services", "kube-system", scenery.service(...))
    played.api.allow = lambda verb, resource: (verb, resource) != ("create", "jobs")     # RBAC
    played.store.admission = refuse          # quota, Pod Security, webhooks: raises errors.forbidden(...)
    played.kubelet.pull = fails              # image -> the kubelet's error, or None
    played.kubelet.play = scripted           # what a container does, instead of a process: a thousand of them
    await played.lose(); await played.bring_back()    # the API server, at the same address, with the same objects
"""

import asyncio
import base64
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec

from preflight.lab.cluster.api import ApiServer
from preflight.lab.cluster.container import plain_environment
from preflight.lab.cluster.controllers import Controllers
from preflight.lab.cluster.kubelet import Kubelet
from preflight.lab.cluster.scenery import node
from preflight.lab.cluster.store import Json, Store
from preflight.lab.listener import Listener, State
from preflight.lab.pki import Leaf, Pki
from preflight.lab.stream import Tls

__all__ = ["IMAGE", "USER", "Cluster", "cluster", "node"]

IMAGE = "localhost/preflight:installed"  # what its pods run is the installation that plays the cluster
USER = "demo"
_LOOPBACK = "127.0.0.1"


class Cluster:
    """A running stand-in."""

    def __init__(self, store: Store, kubelet: Kubelet, api: ApiServer, listener: Listener, kubeconfig: Path) -> None:
        self.store, self.kubelet, self.api, self.kubeconfig = store, kubelet, api, kubeconfig
        self._listener = listener

    async def lose(self) -> None:
        """The API server goes: connections break, new ones are refused. Pods run on."""
        await self._listener.enter(State.REFUSING)
        await self._listener.drop()

    async def bring_back(self) -> None:
        """It answers again, and knows what it knew."""
        await self._listener.enter(State.SERVING)

    async def drop(self) -> None:
        """Every connection breaks once: watches, logs, requests under way."""
        await self._listener.drop()


@contextlib.asynccontextmanager
async def cluster(
    pki: Pki, folder: Path, nodes: Sequence[Json], environ: Mapping[str, str] | None = None
) -> AsyncIterator[Cluster]:
    """Serve until the block is left; `folder` holds the kubeconfig, for its owner alone, and what is mounted."""
    store, token = _born(nodes), secrets.token_urlsafe(24)
    kubelet = Kubelet(store, folder, plain_environment() if environ is None else environ)
    api = ApiServer(store, {token: USER}, kubelet.lines)
    context = pki.context(_LOOPBACK, Leaf.GOOD, cluster=True, alpn=("http/1.1",))
    listener = Listener(_LOOPBACK, 0, lambda opened: api.serve(lambda raw: Tls(raw, context), opened))
    await listener.enter(State.SERVING)
    working = [asyncio.create_task(one) for one in (Controllers(store).run(), kubelet.run())]
    try:
        written = _kubeconfig(folder, listener.port, pki, token)
        yield Cluster(store, kubelet, api, listener, written)
    finally:
        for task in working:
            task.cancel()
        ended = await asyncio.gather(*working, return_exceptions=True)
        await listener.close()
        for error in ended:
            if isinstance(error, Exception):
                raise error


def _born(nodes: Sequence[Json]) -> Store:
    store = Store()
    for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
        store.add("namespaces", "", {"metadata": {"name": name}, "status": {"phase": "Active"}})
    for each in nodes:
        store.add("nodes", "", each)
    return store


def _kubeconfig(folder: Path, port: int, pki: Pki, token: str) -> Path:
    path = folder / "kubeconfig.json"
    path.touch(mode=0o600)
    authority = base64.b64encode(pki.cluster.pem.encode()).decode()
    server = {"server": f"https://{_LOOPBACK}:{port}", "certificate-authority-data": authority}
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": USER,
        "clusters": [{"name": USER, "cluster": server}],
        "users": [{"name": USER, "user": {"token": token}}],
        "contexts": [{"name": USER, "context": {"cluster": USER, "user": USER}}],
    }  # fmt: skip
    path.write_bytes(msgspec.json.encode(content))  # JSON is YAML
    return path
