"""Where the lab stands when it serves the real names on port 443: in a network namespace, never the machine's own."""

import asyncio
import ipaddress
import shutil
from collections.abc import Sequence

import msgspec

from preflight.failures import UsageFailure
from preflight.lab import deployment as at
from preflight.lab.effects import Layer, layer
from preflight.lab.faults import VANTAGES, Fault
from preflight.model.vocabulary import VantageKind

# On loopback the lab gives a vantage resolvers and addresses of its own; a network has one of each for all.
_ONE_RESOLVER = ("dns.inconsistent", "dns.server-dead", "dns.rebind-filtered")
_PUBLIC_ANSWERS = (
    "dns.privatelink-public-answer", "dns.public-when-private-expected", "dns.private-when-public-expected",
    "path.firewall-resolved-public",
)  # fmt: skip
_SPARE = (at.STALE_ADDRESS, at.SPLIT_ADDRESS)
_NOT_ON_NETWORK = {
    **dict.fromkeys(_ONE_RESOLVER, "the lab has one resolver on real addresses; run a second one yourself"),
    "route.unreachable": "routes are the namespace's own on real addresses; use `ip route`",
}


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """Address ranges that the namespace answers for, and where its DNS listens.

    `views` says which network is which vantage's (`10.71.0.0/24` -> `node/demo`); others see what `default` sees.
    Ranges other than the deployment's own documentation ranges get its hosts one after the other (`moved`).
    A TCP fault closes the address itself, so it strikes every vantage, and there is one resolver only.
    `resolvers`: further DNS servers, address -> whose view everybody gets there; "outside" sees public answers only.
    `prefix6`: a /64 at which every public address answers as well, with the IPv4 address at its end.
    `assign`: make the ranges local here (`ip route add local ... dev lo`); false when the caller has done it.
    """

    cidrs: tuple[str, ...] = ("203.0.113.0/24", "198.51.100.0/24", "10.73.0.0/24")
    dns: str = "203.0.113.53"
    resolvers: dict[str, str] = {}
    prefix6: str | None = None
    views: dict[str, str] = {}
    default: str = "pod/demo"
    assign: bool = False

    def vantage(self, client: str) -> str:
        """The vantage that an address belongs to."""
        address = ipaddress.ip_address(client)
        return next((name for cidr, name in self.views.items() if address in ipaddress.ip_network(cidr)), self.default)

    def six(self, address: str | None) -> str | None:
        """The IPv6 address of a public IPv4 address."""
        if self.prefix6 is None or address is None or address.startswith("10."):
            return None
        return str(
            ipaddress.IPv6Address(int(ipaddress.IPv6Address(self.prefix6)) | int(ipaddress.IPv4Address(address)))
        )

    @property
    def moves(self) -> dict[str, str]:
        """The deployment's addresses -> where they are here; empty in its own ranges. Raises `UsageFailure`."""
        ranges = [ipaddress.ip_network(cidr) for cidr in self.cidrs]
        wanted = list(dict.fromkeys((*(address for host in at.HOSTS for address in host.addresses), *_SPARE)))
        if all(any(ipaddress.ip_address(one) in range_ for range_ in ranges) for one in wanted):
            return {}
        taken = {self.dns, *self.resolvers}
        free = [str(one) for range_ in ranges for one in range_ if str(one) not in taken]
        if len(free) < len(wanted):
            told = ", ".join(self.cidrs)
            raise UsageFailure(
                f"--network {told}: holds {len(free)} addresses, and the embedded Azure needs {len(wanted)}"
            )
        return dict(zip(wanted, free, strict=False))

    @property
    def private(self) -> bool:
        """Whether the hosts were moved to private addresses, so that no answer is a public one."""
        return any(ipaddress.ip_address(address).is_private for address in self.moves.values())

    @property
    def vantages(self) -> tuple[str, ...]:
        """The places that can be told apart, or those of the demo when the networks are not known."""
        return tuple(dict.fromkeys(self.views.values())) or VANTAGES

    def moved(self, host: at.Host) -> at.Host:
        """The host at its address here."""
        moves = self.moves
        public, private = moves.get(host.public or "", host.public), moves.get(host.private or "", host.private)
        return msgspec.structs.replace(host, public=public, private=private)

    async def prepare(self) -> None:
        """Make the ranges local to this namespace, when asked to."""
        if not self.assign:
            return
        command = shutil.which("ip")
        if command is None:
            raise UsageFailure("the embedded Azure on real addresses needs the command `ip` (package iproute2)")
        for cidr in self.cidrs:
            await _run(command, "route", "replace", "local", cidr, "dev", "lo")


def network(cidrs: Sequence[str], dns: str | None, views: Sequence[str], *, assign: bool) -> Network:
    """From the command line's words. Raises `UsageFailure`."""
    usual = Network()
    for cidr in cidrs:
        _range("--network", cidr)
    if dns is not None:
        _range("--dns", dns)
    pairs = dict(_view(text) for text in views)
    default = VantageKind.WORKSTATION.value if pairs else usual.default
    return Network(cidrs=tuple(cidrs) or usual.cidrs, dns=dns or usual.dns, views=pairs, default=default, assign=assign)


def _view(text: str) -> tuple[str, str]:
    cidr, equals, vantage = text.partition("=")
    if not equals or vantage.partition("/")[0] not in tuple(VantageKind):
        raise UsageFailure(f"--view {text}: is not CIDR=VANTAGE\n  for example 10.0.1.0/24=node/user1")
    _range("--view", cidr)
    return cidr, vantage


def _range(flag: str, text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise UsageFailure(f"{flag} {text}: {error}") from error


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    if process.returncode:
        said = errors.decode("utf-8", "replace").strip()[:200]
        raise UsageFailure(f"`{' '.join(command)}` failed: {said}\n  run inside a network namespace, as its root")


def unproducible(fault: Fault, network: Network | None, *, running: bool) -> str | None:
    """Why a lab on real addresses cannot produce a fault; `running`: its environment file is written already."""
    if running and layer(fault.cause) in (Layer.PROXY, Layer.ENVIRONMENT):
        return "needs another preflight.toml; give it to `preflight lab serve --fault` instead"
    if network is not None and network.private and fault.cause in _PUBLIC_ANSWERS:
        return "every address is private on this --network, so that no answer is a public one"
    return _NOT_ON_NETWORK.get(fault.cause)
