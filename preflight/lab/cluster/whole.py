"""The stand-in cluster as a whole: starts it on a port of loopback, and says how to reach it. Judges nothing.

async with cluster(pki, folder, [node("aks-user1-0", "user1")]) as played:
    played.kubeconfig                        # for --kubeconfig, or Access(kubeconfig=str(...))
    scenery.furnish(played.store, pki.cluster.pem)      # Services kubernetes and kube-dns, CoreDNS, kube-root-ca.crt
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
from preflight.lab.cluster.container import Mint, plain_environment
from preflight.lab.cluster.controllers import Controllers
from preflight.lab.cluster.exec import exec_into
from preflight.lab.cluster.kubelet import Kubelet
from preflight.lab.cluster.scenery import API_ADDRESS, API_NAMES, node
from preflight.lab.cluster.store import Json, Store
from preflight.lab.listener import Listener, State
from preflight.lab.pki import Pki
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

    @property
    def address(self) -> str:
        """Where the API server answers: "127.0.0.1:41234"."""
        return f"{_LOOPBACK}:{self._listener.port}"

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
    users = {token: USER}
    variables = plain_environment() if environ is None else environ
    kubelet = Kubelet(store, folder, variables, _minting(users))
    api = ApiServer(store, users, kubelet.lines)
    api.upgrades["pods/exec"] = exec_into(store, variables)
    context = pki.api_server(_LOOPBACK, API_ADDRESS, *API_NAMES)
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


def _minting(users: dict[str, str]) -> Mint:
    """Tokens of service accounts; users as in kubernetes.io/docs/reference/access-authn-authz/authentication."""

    def mint(namespace: str, account: str) -> str:
        token = secrets.token_urlsafe(24)
        users[token] = f"system:serviceaccount:{namespace}:{account}"
        return token

    return mint


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
