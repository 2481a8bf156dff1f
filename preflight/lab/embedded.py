"""The embedded Azure as a whole: starts the servers of every vantage, maps their addresses, and closes everything."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from msgspec.structs import replace

from preflight.failures import UsageFailure
from preflight.lab import deployment as at
from preflight.lab import environment
from preflight.lab.dns import DnsServer, Part, View
from preflight.lab.effects import Effects, Layer
from preflight.lab.faults import VANTAGES, Fault
from preflight.lab.front import Front
from preflight.lab.http import Handler
from preflight.lab.listener import Listener, Serve, State
from preflight.lab.naming import Naming
from preflight.lab.network import Network, unproducible
from preflight.lab.pages import Costume, Page, Presented
from preflight.lab.pki import Pki
from preflight.lab.proxy import Proxy
from preflight.lab.script import Answer, Script
from preflight.lab.services.arm import ManagedCluster
from preflight.model.plan import Mapping as Detour

__all__ = ["VANTAGES", "Lab", "Network"]

_LOOPBACK = "127.0.0.1"
_UNREACHABLE = "224.0.0.1:443"  # multicast: the kernel refuses to connect (ENETUNREACH) and sends no packet
_TWO_SERVERS = ("dns.inconsistent", "dns.server-dead")
_STATES = {"tcp.refused": State.REFUSING, "tcp.timeout": State.SILENT}


Whose = Callable[[str], str]  # a client's address -> the vantage whose view it has


def _always(vantage: str) -> Whose:
    return lambda _client: vantage


def _no_six(_address: str | None) -> None:
    return None


def _pools(vantages: Sequence[str]) -> tuple[str, ...]:
    """`demo` of node/demo and pod/demo."""
    return tuple(dict.fromkeys(pool for name in vantages if (pool := name.partition("/")[2])))


class Lab:
    """`async with Lab() as lab`: on loopback ports, or on the real addresses of a `Network` inside a namespace."""

    def __init__(
        self,
        faults: Sequence[Fault] = (),
        vantages: Sequence[str] = VANTAGES,
        network: Network | None = None,
        *,
        own: Mapping[at.Role, Handler] = {},
    ) -> None:
        self._own: dict[at.Role, Handler] = {at.Role.ARM: ManagedCluster(), **own}
        self._effects, self._script, self._costume = Effects(faults), Script(), Costume()
        self._vantages, self._network = (network.vantages if network else tuple(vantages)), network
        self._hosts_here = {name: network.moved(host) if network else host for name, host in at.BY_NAME.items()}
        self._names = self._hosts_here
        self._listeners: dict[tuple[str, str, int], Listener] = {}  # (vantage, address, port) as clients know them
        self._hosts: dict[tuple[str, str, int], at.Host] = {}
        self._resolvers: dict[str, list[DnsServer]] = {vantage: [] for vantage in self._vantages}
        self._compared: list[DnsServer] = []
        self._closing = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="preflight-lab-"))
            self._pki = Pki(Path(folder))
            if self._network is not None:
                await self._network.prepare()
            for vantage in self._served():
                await self._start(vantage, stack)
            await self._settle()
            self._closing = stack.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._closing.aclose()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is broken at the moment."""
        return self._effects.faults

    async def replace(self, faults: Sequence[Fault]) -> None:
        """Break these and nothing else from now on. What is in the environment (proxy, resolvers) stays as written."""
        self._effects.replace(faults)
        await self._settle()

    def replace_answers(self, answers: Sequence[Answer]) -> None:
        """DNS answers of the caller's own from now on, before all others."""
        self._script.replace(answers)

    def wear(self, pages: Sequence[Page] = (), presented: Sequence[Presented] = ()) -> None:
        """Pages and certificates of the caller's own from now on, before all others."""
        self._costume.wear(pages, presented)

    def announce_six(self, names: Iterable[str]) -> None:
        """These names have an AAAA record besides, at the `Network`'s prefix, from now on."""
        self._effects.six = frozenset(names)

    def rename(self, pairs: Iterable[tuple[str, str]]) -> None:
        """The same deployment under other names. Its preflight.toml keeps the usual ones, and so do faults."""
        self._effects.naming = Naming(pairs=tuple(pairs))
        self._names = self._effects.naming.hosts(self._hosts_here)

    @property
    def vantages(self) -> tuple[str, ...]:
        """The places that faults can strike one by one."""
        return self._vantages

    def check(self, faults: Sequence[Fault], *, running: bool) -> None:
        """Raise UsageFailure for what cannot be produced here, or not any more once it runs."""
        for fault in faults:
            why = unproducible(fault, self._network, running=running)
            if why is not None:
                raise UsageFailure(f"{fault}: {why}")

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that is played."""
        return tuple(self._names)

    @property
    def pki(self) -> Pki:
        """All authorities, for programs that serve or inspect beside the lab."""
        return self._pki

    @property
    def ca_pem(self) -> str:
        """The authority behind every name that is Microsoft's or the example's."""
        return self._pki.public.pem

    @property
    def cluster_ca_pem(self) -> str:
        """The cluster's own authority, which stands in no public store."""
        return self._pki.cluster.pem

    @property
    def secrets(self) -> dict[str, str]:
        """Environment variables that the lab's preflight.toml names, with their values."""
        return {environment.variable(name): value for name, value in at.SECRETS.items()}

    @property
    def mappings(self) -> dict[str, Detour]:
        """Vantage -> its resolvers and where the addresses are; empty with a network."""
        return {} if self._network else {vantage: self._mapping(vantage) for vantage in self._vantages}

    def write_environment(self, folder: Path, beside: Mapping[str, str] = {}) -> Path:
        """preflight.toml, ca.pem and cluster-ca.pem in `folder`; gives the path of the first.

        `beside`: where other addresses are that are played beside the lab.
        """
        mapping = self.mappings.get("workstation", Detour())
        mapping = replace(mapping, connect_to={**mapping.connect_to, **beside})
        circumstances = environment.Circumstances(
            resolvers=[server.nameserver for server in self._compared],
            proxied=[name.partition("/")[0] for name in self._vantages if self._effects.proxied(name)],
            not_given=self._effects.not_given,
            mapping=mapping,
            endpoint=self._hosts_here[at.ENDPOINT.name].public or "",
            private=self._network is not None and self._network.private,
            pools=_pools(self._vantages),
        )
        return environment.write(folder, circumstances, ca_pem=self.ca_pem, cluster_ca_pem=self.cluster_ca_pem)

    def _served(self) -> tuple[str, ...]:
        """A set of servers for each vantage, or one for all where the real addresses are used."""
        return self._vantages if self._network is None else (self._network.default,)

    async def _start(self, vantage: str, stack: contextlib.AsyncExitStack) -> None:
        for host in self._hosts_here.values():
            for address in self._addresses(host):
                self._listen(vantage, host, address, stack)
        await self._resolve(vantage, stack)

    def _addresses(self, host: at.Host) -> tuple[str, ...]:
        six = self._network.six(host.public) if self._network else None
        return (*host.addresses, six) if six else host.addresses

    def _listen(self, vantage: str, host: at.Host, address: str, stack: contextlib.AsyncExitStack) -> None:
        place = (address, host.port) if self._network else (_LOOPBACK, 0)
        listener = Listener(*place, self._server(vantage, host, address))
        stack.push_async_callback(listener.close)
        self._listeners[vantage, address, host.port] = listener
        self._hosts[vantage, address, host.port] = host

    def _server(self, vantage: str, host: at.Host, address: str) -> Serve:
        whose = self._network.vantage if self._network else _always(vantage)
        if host.role is at.Role.PROXY:
            return Proxy(whose, self._effects, lambda name, port: self._place(vantage, name, port)).serve
        real = self._network is not None and bool(self._network.moves)
        return Front(
            host, address, whose, self._pki, self._effects, costume=self._costume, real_sources=real, own=self._own
        ).serve

    def _place(self, vantage: str, name: str, port: int) -> tuple[str, int] | None:
        """Where the proxy connects to for a name: it stands inside the network and resolves as that does."""
        host = self._names.get(name)
        address = (host.private or host.public) if host else None
        listener = self._listeners.get((vantage, address or "", port))
        if listener is None or address is None:
            return None
        return (address, port) if self._network else (_LOOPBACK, listener.port)

    async def _resolve(self, vantage: str, stack: contextlib.AsyncExitStack) -> None:
        if self._network is not None:
            await self._answer(self._network.dns, 53, self._network.vantage, Part.FIRST, stack)
            for address, view in self._network.resolvers.items():
                await self._answer(address, 53, _always(view), Part.FIRST, stack)
            return
        parts = [Part.FIRST, *([Part.SECOND] if self._effects.any(vantage, *_TWO_SERVERS) else [])]
        for part in parts:
            self._resolvers[vantage].append(await self._answer(_LOOPBACK, 0, _always(vantage), part, stack))
        if not self._compared and self._effects.any(vantage, "dns.rebind-filtered"):
            self._compared.append(await self._answer(_LOOPBACK, 0, _always(vantage), Part.COMPARED, stack))

    async def _answer(
        self, address: str, port: int, whose: Whose, part: Part, stack: contextlib.AsyncExitStack
    ) -> DnsServer:
        six = self._network.six if self._network else _no_six
        moves = self._network.moves if self._network else {}

        def view(client: str) -> View:
            return View(whose(client), self._effects, self._names, part=part, six=six, moves=moves)

        server = DnsServer(address, port, view, self._script)
        stack.push_async_callback(server.close)
        await server.open()
        return server

    async def _settle(self) -> None:
        """Bring every listener into the state that the active faults ask for."""
        for (vantage, _address, _port), listener, host in self._all():
            cause = self._effects.at(vantage, host.name, Layer.TCP) or ""
            refusing = host.role is at.Role.PROXY and self._effects.any(vantage, "proxy.unreachable")
            await listener.enter(State.REFUSING if refusing else _STATES.get(cause, State.SERVING))

    def _all(self) -> Iterator[tuple[tuple[str, str, int], Listener, at.Host]]:
        for key, listener in self._listeners.items():
            yield key, listener, self._hosts[key]

    def _mapping(self, vantage: str) -> Detour:
        places: dict[str, str] = {}
        for (name, address, port), listener, host in self._all():
            if name == vantage:
                lost = self._effects.at(vantage, host.name, Layer.TCP) == "route.unreachable"
                places[f"{address}:{port}"] = _UNREACHABLE if lost else f"{_LOOPBACK}:{listener.port}"
        anything = self._listeners[vantage, at.ENDPOINT.addresses[0], at.ENDPOINT.port].port
        ports = {host.port for host in at.HOSTS}
        places |= {f"{address}:{port}": f"{_LOOPBACK}:{anything}" for address in at.SPARE for port in ports}
        return Detour(nameservers=tuple(server.nameserver for server in self._resolvers[vantage]), connect_to=places)
