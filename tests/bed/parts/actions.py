"""What scenarios may do with real software: shape and context manager of each kind. `bed.actions` lists them.

A part is started when the first scenario asks for it; the context only switches what it does.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from bed.parts import mitmproxy, software, squid
from bed.parts.azurite import Azurite, account_sas
from bed.parts.dnsmasq import Dnsmasq
from bed.parts.gateway import Gateway
from bed.parts.mitmproxy import Mitmproxy
from bed.parts.registry import Registries, Trouble
from bed.parts.sni_filter import Deny, SniFilter
from bed.parts.squid import Squid
from bed.parts.unbound import Answer, Unbound
from bed.tables import merged
from bed.topology import AZURE_DNS, PROXY, RESOLVER, SECOND_RESOLVER
from bed.whole import Bed
from preflight.lab import deployment as at
from preflight.lab.environment import variable

_LOGIN = "PREFLIGHT_BED_PROXY_LOGIN"


class UnboundAction(msgspec.Struct, frozen=True, kw_only=True):
    """unbound at 10.70.0.53 is the workstation's resolver; `answers` and `records` say what it answers by itself,
    `forwards` where it asks for zones."""

    answers: dict[str, str] = {}  # name -> a name of `unbound.Answer` in lower case
    records: dict[str, tuple[str, ...]] = {}  # name -> "A 10.1.2.3"
    forwards: dict[str, str] = {}  # zone -> address of a server
    strip_private: bool = False


class DnsmasqAction(msgspec.Struct, frozen=True, kw_only=True):
    """dnsmasq answers at 10.70.0.54; `resolvers` says whether the workstation asks it."""

    records: dict[str, str] = {}  # name -> address
    lacks: tuple[str, ...] = ()
    strips: tuple[str, ...] = ()


class Login(StrEnum):
    """What preflight tells the proxy."""

    NONE = "none"
    RIGHT = "right"
    WRONG = "wrong"


class SquidAction(msgspec.Struct, frozen=True, kw_only=True):
    """squid is the proxy of every vantage: by preflight.toml, or by HTTPS_PROXY when `from_environment`."""

    auth: bool = False
    login: Login = Login.NONE
    denied: tuple[str, ...] = ()
    no_proxy: str = ""
    from_environment: bool = False


class Trust(StrEnum):
    """Who trusts the inspecting authority."""

    NOBODY = "nobody"
    CONFIGURED = "configured"  # environment.ca_file has it
    SYSTEM = "system"  # the workstation's own store has it, environment.ca_file has not


class MitmproxyAction(msgspec.Struct, frozen=True, kw_only=True):
    """mitmproxy inspects TLS to these addresses (none given: to all), or as the `explicit` proxy."""

    to: tuple[str, ...] = ()
    explicit: bool = False
    exempt: tuple[str, ...] = ()
    tamper: tuple[str, ...] = ()
    trust: Trust = Trust.NOBODY


class SniFilterAction(msgspec.Struct, frozen=True, kw_only=True):
    """haproxy on the router looks at every server name and cuts what is listed; a name covers those below."""

    reset: tuple[str, ...] = ()
    finish: tuple[str, ...] = ()
    silence: tuple[str, ...] = ()


class GatewayAction(msgspec.Struct, frozen=True, kw_only=True):
    """haproxy behind this address passes connections on to wherever their server name is."""

    address: str


class RegistryAction(msgspec.Struct, frozen=True, kw_only=True):
    """MCR and ACR are docker-registry behind haproxy, layers in Azurite."""

    trouble: dict[str, Trouble] = {}  # host -> what its front answers
    data_host: str = ""  # where ACR sends clients for layers
    lost_layers: bool = False


class Sas(StrEnum):
    """Which signature preflight is given."""

    RIGHT = "right"
    EXPIRED = "expired"
    WRONG_KEY = "wrong-key"
    WRITE_ONLY = "write-only"


class AzuriteAction(msgspec.Struct, frozen=True, kw_only=True):
    """Blob and table storage are Azurite."""

    sas: Sas = Sas.RIGHT


def _start_unbound(bed: Bed) -> Unbound:
    part = Unbound(bed.topology.firewall, bed.folder, RESOLVER, AZURE_DNS)
    part.start()
    part.wait()
    return part


def _start_squid(bed: Bed) -> Squid:
    part = Squid(bed.topology.firewall, PROXY, AZURE_DNS)
    part.start()
    part.wait()
    return part


def _start_mitmproxy(bed: Bed) -> Mitmproxy:
    part = Mitmproxy(bed.topology.firewall, bed.folder, PROXY, AZURE_DNS, software.MITMDUMP, bed.azure.lab.pki)
    part.start()
    part.wait()
    return part


def _start_sni_filter(bed: Bed) -> SniFilter:
    part = SniFilter(bed.topology.firewall, bed.folder)
    part.start()
    part.wait()
    return part


def _start_gateway(bed: Bed) -> Gateway:
    part = Gateway(bed.topology.firewall, bed.folder, AZURE_DNS)
    part.start()
    part.wait()
    return part


def _start_azurite(bed: Bed) -> Azurite:
    part = Azurite(bed.topology.azure, bed.folder, software.AZURITE_SCRIPT, bed.azure.lab.pki)
    part.start()
    part.wait()
    return part


def _start_registries(bed: Bed) -> Registries:
    part = Registries(bed.topology.azure, bed.folder, bed.azure.lab.pki, bed.part(Azurite, _start_azurite))
    part.start()
    part.wait()
    return part


@contextmanager
def _unbound(bed: Bed, action: UnboundAction) -> Iterator[None]:
    part = bed.part(Unbound, _start_unbound)
    bed.workstation.write_etc("resolv.conf", f"nameserver {part.address}\noptions timeout:1 attempts:2\n")
    part.strip_private(on=action.strip_private)
    for name, answer in action.answers.items():
        part.answer(name, Answer[answer.upper()])
    for name, records in action.records.items():
        part.record(name, *records)
    for zone, server in action.forwards.items():
        part.forward(zone, server)
    yield


@contextmanager
def _dnsmasq(bed: Bed, action: DnsmasqAction) -> Iterator[None]:
    part = Dnsmasq(bed.topology.firewall, SECOND_RESOLVER, AZURE_DNS)
    records = tuple(f"{name}/{address}" for name, address in action.records.items())
    part.start(records=records, lacks=action.lacks, strips=action.strips)
    try:
        part.wait()
        yield
    finally:
        part.stop()


@contextmanager
def _squid(bed: Bed, action: SquidAction) -> Iterator[None]:
    bed.part(Squid, _start_squid).deny(*action.denied)
    if action.login is not Login.NONE:
        password = squid.PASSWORD if action.login is Login.RIGHT else "guess"
        bed.workstation.variables[_LOGIN] = f"{squid.USER}:{password}"
        _lay(bed, {"credentials": {"proxy": {"env": _LOGIN}}})
    port = squid.AUTH_PORT if action.auth else squid.OPEN_PORT
    with _as_proxy(bed, port, action.no_proxy, from_environment=action.from_environment):
        yield


@contextmanager
def _as_proxy(bed: Bed, port: int, no_proxy: str = "", *, from_environment: bool = False) -> Iterator[None]:
    """The deployment's proxy name leads to the program on the router."""
    url = f"http://{at.PROXY.name}:{port}"
    if from_environment:
        bed.workstation.variables |= {"HTTPS_PROXY": url, "NO_PROXY": no_proxy}
    else:
        vantages = ["workstation", "node", "pod"]
        _lay(bed, {"proxy": {"https": url, "no_proxy": no_proxy, "vantages": vantages}})
    with bed.topology.rules(f"ip daddr {at.PROXY.public} tcp dport {port} dnat ip to {PROXY}", chain="rewrite"):
        yield


@contextmanager
def _mitmproxy(bed: Bed, action: MitmproxyAction) -> Iterator[None]:
    part = bed.part(Mitmproxy, _start_mitmproxy)
    part.order(exempt=action.exempt, tamper=action.tamper)
    _trust(bed, action.trust)
    with ExitStack() as stack:
        if action.explicit:
            stack.enter_context(_as_proxy(bed, mitmproxy.EXPLICIT_PORT))
        else:
            stack.enter_context(bed.topology.rules(*part.redirect(*action.to), chain="rewrite"))
        yield


def _trust(bed: Bed, trust: Trust) -> None:
    pki = bed.azure.lab.pki
    match trust:
        case Trust.NOBODY:
            pass
        case Trust.CONFIGURED:
            bed.workstation.authorities.append(pki.inspection.pem)
        case Trust.SYSTEM:
            store = bed.folder / "system-store.pem"
            store.write_text(Path("/etc/ssl/certs/ca-certificates.crt").read_text() + pki.inspection.pem)
            bed.workstation.variables["SSL_CERT_FILE"] = str(store)


@contextmanager
def _sni_filter(bed: Bed, action: SniFilterAction) -> Iterator[None]:
    part = bed.part(SniFilter, _start_sni_filter)
    for deny, names in ((Deny.RESET, action.reset), (Deny.FINISH, action.finish), (Deny.SILENCE, action.silence)):
        part.deny(deny, *names)
    with (
        bed.topology.rules(*part.redirect(), chain="rewrite"),
        bed.topology.rules(part.resetting, chain="output"),
    ):
        yield


@contextmanager
def _gateway(bed: Bed, action: GatewayAction) -> Iterator[None]:
    part = bed.part(Gateway, _start_gateway)
    with bed.topology.rules(part.redirect(action.address), chain="rewrite"):
        yield


@contextmanager
def _registry(bed: Bed, action: RegistryAction) -> Iterator[None]:
    part = bed.part(Registries, _start_registries)
    for host, trouble in action.trouble.items():
        part.trouble(trouble, host)
    if action.data_host:
        part.send_to(action.data_host)
    with ExitStack() as stack:
        if action.lost_layers:
            stack.callback(part.restore_layers)
            part.lose_layers()
        stack.enter_context(_diverted(bed, "registries", part))
        yield


@contextmanager
def _azurite(bed: Bed, action: AzuriteAction) -> Iterator[None]:
    part = bed.part(Azurite, _start_azurite)
    match action.sas:
        case Sas.RIGHT:
            sas = account_sas()
        case Sas.EXPIRED:
            sas = account_sas(lives=timedelta(days=-1))
        case Sas.WRONG_KEY:
            sas = account_sas(key=b64encode(b"another account's key"))
        case Sas.WRITE_ONLY:
            sas = account_sas(permissions="w")
    bed.workstation.variables[variable("storage_sas")] = sas
    with _diverted(bed, "storage", part):
        yield


@contextmanager
def _diverted(bed: Bed, table: str, part: "Registries | Azurite") -> Iterator[None]:
    """Port 443 of the part's hosts leads to it; the stand-ins on the same addresses get nothing."""
    rules = "".join(
        f"    ip daddr {{ {', '.join(addresses)} }} tcp dport 443 redirect to :{port}\n"
        for addresses, port in part.diversions
    )
    text = f"table ip {table} {{\n  chain divert {{\n    type nat hook prerouting priority -100;\n{rules}  }}\n}}\n"
    bed.topology.azure.run("nft", "-f", "-", text=text)
    try:
        yield
    finally:
        bed.topology.azure.run("nft", "delete", "table", "ip", table)


def _lay(bed: Bed, settings: dict[str, Any]) -> None:
    bed.workstation.settings = merged(bed.workstation.settings, settings)


Row = tuple[type[msgspec.Struct], Callable[[Bed, Any], AbstractContextManager[None]]]
ACTIONS: dict[str, Row] = {
    "unbound": (UnboundAction, _unbound),
    "dnsmasq": (DnsmasqAction, _dnsmasq),
    "squid": (SquidAction, _squid),
    "mitmproxy": (MitmproxyAction, _mitmproxy),
    "sni-filter": (SniFilterAction, _sni_filter),
    "gateway": (GatewayAction, _gateway),
    "registry": (RegistryAction, _registry),
    "azurite": (AzuriteAction, _azurite),
}
