"""Where the lab stands when it serves the real names on port 443: in a network namespace, never the machine's own."""

import asyncio
import ipaddress
import shutil

import msgspec

from preflight.failures import UsageFailure
from preflight.lab.effects import Layer, layer
from preflight.lab.faults import Fault

# On loopback the lab gives a vantage resolvers and addresses of its own; a network has one of each for all.
_ONE_RESOLVER = ("dns.inconsistent", "dns.server-dead", "dns.rebind-filtered")
_NOT_ON_NETWORK = {
    **dict.fromkeys(_ONE_RESOLVER, "the lab has one resolver on real addresses; run a second one yourself"),
    "route.unreachable": "routes are the namespace's own on real addresses; use `ip route`",
}


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """Address ranges that the namespace answers for, and where its DNS listens.

    `views` says which network is which vantage's (`10.71.0.0/24` -> `node/demo`); others see what `default` sees.
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

    async def prepare(self) -> None:
        """Make the ranges local to this namespace, when asked to."""
        if not self.assign:
            return
        command = shutil.which("ip")
        if command is None:
            raise UsageFailure("the embedded Azure on real addresses needs the command `ip` (package iproute2)")
        for cidr in self.cidrs:
            await _run(command, "route", "replace", "local", cidr, "dev", "lo")


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    if process.returncode:
        said = errors.decode("utf-8", "replace").strip()[:200]
        raise UsageFailure(f"`{' '.join(command)}` failed: {said}\n  run inside a network namespace, as its root")


def unproducible(fault: Fault, *, running: bool) -> str | None:
    """Why a lab on real addresses cannot produce a fault; `running`: its environment file is written already."""
    if running and layer(fault.cause) in (Layer.PROXY, Layer.ENVIRONMENT):
        return "needs another preflight.toml; give it to `preflight lab serve --fault` instead"
    return _NOT_ON_NETWORK.get(fault.cause)
