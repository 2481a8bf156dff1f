"""What a scenario may break: a closed table from the word in scenarios.toml to its shape and its context manager.

Real software (`bed.parts`) adds its own rows at the end. An action changes the bed while its context is open.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bed.delays import Delay, delay
from bed.namespaces import BedError
from bed.parts.actions import ACTIONS as parts  # noqa: N811 - here it is a part of the table
from bed.sni import Sni, sni
from bed.topology import GLOBAL6
from bed.whole import Bed
from preflight.lab.faults import parse
from preflight.lab.pages import Page, Presented
from preflight.lab.script import Answer

_FAKETIME = "faketime/libfaketimeMT.so.1"  # below the library folder of Debian's architecture


class Kind(NamedTuple):
    """One row of the table."""

    shape: type[msgspec.Struct]
    apply: Callable[[Bed, Any], AbstractContextManager[None]]


class Nft(msgspec.Struct, frozen=True, kw_only=True):
    """Rules on the firewall: chain `deny` (default), `output`, `rewrite` or `leave` of table `inet fw`."""

    rules: tuple[str, ...]
    chain: str = "deny"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Faults of the embedded Azure, as `preflight demo --fault` takes them."""

    faults: tuple[str, ...]


class Mtu(msgspec.Struct, frozen=True, kw_only=True):
    """A link on the way that carries `size` bytes; `icmp` false: nobody is told."""

    size: int
    icmp: bool = False


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of `ip` in a namespace, and those that take them back."""

    where: str = "workstation"
    do: tuple[str, ...]
    undo: tuple[str, ...]


class Hosts(msgspec.Struct, frozen=True, kw_only=True):
    """More lines of /etc/hosts on the workstation."""

    lines: tuple[str, ...]


class Resolvers(msgspec.Struct, frozen=True, kw_only=True):
    """Another resolv.conf on the workstation."""

    servers: tuple[str, ...]
    search: tuple[str, ...] = ()
    options: str = "timeout:1 attempts:2"


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """Environment variables of preflight: proxies and the like."""

    values: dict[str, str]


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The workstation's clock is wrong by so many days; its monotonic clock is right."""

    days: float


class Six(msgspec.Struct, frozen=True, kw_only=True):
    """These names, or all, have AAAA records besides; `address`: and the workstation a global IPv6 address."""

    names: tuple[str, ...] = ()
    address: bool = True


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The deployment under other names: parts of names and what stands in their place, in order."""

    replaced: dict[str, str]


@contextmanager
def _nft(bed: Bed, action: Nft) -> Iterator[None]:
    with bed.topology.rules(*action.rules, chain=action.chain):
        yield


@contextmanager
def _fault(bed: Bed, action: Fault) -> Iterator[None]:
    with bed.azure.faults(*(parse(text) for text in action.faults)):
        yield


@contextmanager
def _answer(bed: Bed, action: Answer) -> Iterator[None]:
    with bed.azure.answers(action):
        yield


@contextmanager
def _wearing(bed: Bed, action: Page | Presented) -> Iterator[None]:
    with bed.azure.wearing(action):
        yield


@contextmanager
def _mtu(bed: Bed, action: Mtu) -> Iterator[None]:
    with bed.topology.mtu(action.size, icmp=action.icmp):
        yield


@contextmanager
def _routes(bed: Bed, action: Routes) -> Iterator[None]:
    with bed.topology.routes(action.where, *action.do, undo=action.undo):
        yield


@contextmanager
def _hosts(bed: Bed, action: Hosts) -> Iterator[None]:
    bed.workstation.add_hosts(action.lines)
    yield


@contextmanager
def _resolvers(bed: Bed, action: Resolvers) -> Iterator[None]:
    lines = [f"nameserver {server}" for server in action.servers]
    lines += [f"search {' '.join(action.search)}"] if action.search else []
    bed.workstation.write_etc("resolv.conf", "\n".join([*lines, f"options {action.options}", ""]))
    yield


@contextmanager
def _variables(bed: Bed, action: Variables) -> Iterator[None]:
    bed.workstation.variables.update(action.values)
    yield


@contextmanager
def _clock(bed: Bed, action: Clock) -> Iterator[None]:
    libraries = sorted(Path("/usr/lib").glob(f"*/{_FAKETIME}"))
    if not libraries:
        raise BedError(f"no {_FAKETIME} below /usr/lib (apt-get install faketime)")
    bed.workstation.variables |= {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": f"{action.days:+g}d",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    yield


@contextmanager
def _six(bed: Bed, action: Six) -> Iterator[None]:
    line = f"{GLOBAL6}/64 dev eth0 nodad"
    do, undo = ((f"addr add {line}",), (f"addr del {line}",)) if action.address else ((), ())
    with bed.topology.routes("workstation", *do, undo=undo), bed.azure.six(*action.names):
        yield


@contextmanager
def _names(bed: Bed, action: Names) -> Iterator[None]:
    with bed.azure.renamed(action.replaced):
        yield


ACTIONS: dict[str, Kind] = {
    "nft": Kind(Nft, _nft),
    "fault": Kind(Fault, _fault),
    "answer": Kind(Answer, _answer),
    "page": Kind(Page, _wearing),
    "certificate": Kind(Presented, _wearing),
    "mtu": Kind(Mtu, _mtu),
    "routes": Kind(Routes, _routes),
    "hosts": Kind(Hosts, _hosts),
    "resolvers": Kind(Resolvers, _resolvers),
    "variables": Kind(Variables, _variables),
    "clock": Kind(Clock, _clock),
    "six": Kind(Six, _six),
    "names": Kind(Names, _names),
    "sni": Kind(Sni, sni),
    "delay": Kind(Delay, delay),
    **{name: Kind(*row) for name, row in parts.items()},
}
