"""Placeholders of target templates, and what `each` goes through: explicit tables from names to the environment.

A placeholder is the key of preflight.toml whose value it takes. A key that is not given is an `Absent`, never an empty
text.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from preflight.model.cluster import ClusterFacts, ServiceFacts
from preflight.model.environment import ApiAccess, Dependency, Environment, StorageAccount
from preflight.model.vocabulary import Link, Severity

NO_CLUSTER: Final = "no cluster was named (--kubeconfig)"
PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


class Absent(msgspec.Struct, frozen=True):
    """The key whose value is missing; `why` is said where no file gives it."""

    key: str
    why: str = ""

    @property
    def reason(self) -> str:
        """Why a requirement is left out."""
        return self.why or f"{self.key} is not given"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One element of an `each`: the placeholders it adds and what the environment says of it alone."""

    name: str = ""
    values: dict[str, str | None] = {}
    severity: Severity | None = None  # where an element weighs less than its requirement: replicas of a registry
    storage: StorageAccount | None = None
    dependency: Dependency | None = None
    sources: tuple[str, ...] | None = None  # vantages that test it; None: all that the requirement names


class Each(msgspec.Struct, frozen=True, kw_only=True):
    """A list of the environment."""

    adds: tuple[str, ...]
    items: Callable[[Environment], tuple[Item, ...]]
    none: str  # why the requirement is left out when the list is empty
    found: bool = False  # its elements come from a look at the cluster, not from the environment


Value = str | Absent


def login_server(name: str, suffix: str) -> str:
    """`acrprod` -> `acrprod.azurecr.io`; a whole login server stays."""
    return name if "." in name else f"{name}.{suffix}"


def _key(key: str, value: str | None) -> Value:
    return value or Absent(key)


def _region(env: Environment) -> Value:
    return _key("environment.region", env.main.region)


def _regional(env: Environment, template: str, key: str) -> Value:
    """A suffix with `{region}` filled in."""
    if not template:
        return Absent(f"clouds.{env.cloud.name}.{key}")
    region = _region(env)
    if "{region}" not in template:
        return template
    return region if isinstance(region, Absent) else template.replace("{region}", region)


def _cloud(key: str) -> Callable[[Environment], Value]:
    return lambda env: _key(f"clouds.{env.cloud.name}.{key}", getattr(env.cloud, key))


def _api_server_zone(env: Environment) -> Value:
    match env.api_server.access:
        case ApiAccess.PRIVATE:
            return _regional(env, env.cloud.api_server_private, "api_server_private")
        case ApiAccess.VNET_INTEGRATED:
            return _regional(env, env.cloud.api_server_vnet, "api_server_vnet")
        case ApiAccess.PUBLIC:
            return Absent("api_server.access")


def _login_server(env: Environment) -> Value:
    return login_server(env.registry.name, env.cloud.acr) if env.registry.name else Absent("registry.name")


def _pulled_image(env: Environment) -> Value:
    """What the kubelet is to pull from the customer's registry, with the registry's name."""
    server, given = _login_server(env), env.registry
    if isinstance(server, Absent):
        return server
    if given.pull_image is not None:
        return f"{server}/{given.pull_image}"
    if given.repository is None:
        return Absent("registry.repository or registry.pull_image")
    return f"{server}/{given.repository}{'@' if given.reference.startswith('sha256:') else ':'}{given.reference}"


def _label(env: Environment) -> Value:
    server = _login_server(env)
    return server if isinstance(server, Absent) else server.partition(".")[0]


def registry_regions(env: Environment) -> tuple[str, ...]:
    """Home region first, then the replicas; empty when the home region is not known."""
    home = env.registry.region or env.main.region
    return (home, *(region for region in env.registry.replicas if region != home)) if home else ()


def _regions(env: Environment) -> Value:
    dedicated = env.registry.data_endpoints or env.registry.link is Link.PRIVATE
    return _key("registry.data_endpoints", ",".join(registry_regions(env)) if dedicated else None)


def _layer_hosts(env: Environment) -> Value:
    """Without dedicated data endpoints layers come from Microsoft-managed blob accounts, which nobody can name."""
    dedicated = env.registry.data_endpoints or env.registry.link is Link.PRIVATE
    return _key(
        "registry.data_endpoints", None if dedicated or not env.cloud.storage else f"*.blob.{env.cloud.storage}"
    )


def _workspace_region(env: Environment) -> Value:
    return env.workspace.region or _region(env)


def _scouted(key: str, read: Callable[[ClusterFacts], str], otherwise: str) -> Callable[[Environment], Value]:
    """What only the cluster itself says: `otherwise` tells why it is not known of one that was looked at."""

    def value(env: Environment) -> Value:
        if env.cluster is None:
            return Absent(key, NO_CLUSTER)
        return read(env.cluster) or Absent(key, otherwise)

    return value


def _at(service: ServiceFacts | None, usual: int) -> str:
    """`10.96.0.1:443`, brackets around IPv6."""
    if service is None or not service.addresses:
        return ""
    address = service.addresses[0]
    return f"{f'[{address}]' if ':' in address else address}:{_port(service, usual)}"


def _port(service: ServiceFacts | None, usual: int) -> str:
    return str((*service.ports, usual)[0]) if service is not None else ""


def _replicas(facts: ClusterFacts) -> str:
    """Every replica that is ready, as `address:port`, commas between."""
    ready = (one for one in facts.dns_replicas if one.ready)
    return ",".join(
        f"[{one.address}]:{one.port}" if ":" in one.address else f"{one.address}:{one.port}" for one in ready
    )


def _outside_name(env: Environment) -> Value:
    """A name that this deployment needs and the cluster's own DNS has to ask somebody else for."""
    found = (env.api_server.fqdn, env.main.bootstrap_registry, _login_server(env), env.cloud.mcr)
    return next((one for one in found if isinstance(one, str) and one), Absent("api_server.fqdn"))


_NO_API: Final = "the Service default/kubernetes of the cluster is not known"
_NO_DNS: Final = "the Service kube-system/kube-dns of the cluster is not known"
_NO_REPLICAS: Final = "the Endpoints kube-system/kube-dns of the cluster are not known"
_NO_RIGHTS: Final = "what the router's account may do could not be asked"

PLACES: Final[dict[str, Callable[[Environment], Value]]] = {
    "environment.region": _region,
    "environment.mcr_image": lambda env: env.main.mcr_image,
    "environment.bootstrap_registry": lambda env: _key("environment.bootstrap_registry", env.main.bootstrap_registry),
    "api_server.fqdn": lambda env: _key("api_server.fqdn", env.api_server.fqdn),
    "api_server.zone": _api_server_zone,
    "cloud.arm": _cloud("arm"),
    "cloud.entra": _cloud("entra"),
    "cloud.mcr": _cloud("mcr"),
    "cloud.mcr_data": _cloud("mcr_data"),
    "cloud.acr": _cloud("acr"),
    "cloud.storage": _cloud("storage"),
    "cloud.azureml": _cloud("azureml"),
    "cloud.experiments": _cloud("experiments"),
    "cloud.kusto": _cloud("kusto"),
    "cloud.kusto_ingest": lambda env: _regional(env, env.cloud.kusto_ingest, "kusto_ingest"),
    "registry.login_server": _login_server,
    "registry.label": _label,
    "registry.regions": _regions,
    "registry.layer_hosts": _layer_hosts,
    "registry.image": _pulled_image,
    "registry.repository": lambda env: _key("registry.repository", env.registry.repository),
    "registry.reference": lambda env: env.registry.reference,
    "workspace.id": lambda env: _key("workspace.id", env.workspace.id),
    "workspace.region": _workspace_region,
    "workspace.tenant": lambda env: env.workspace.tenant or "common",
    "workspace.client_id": lambda env: _key("workspace.client_id", env.workspace.client_id),
    "endpoint.scheme": lambda env: "https" if env.endpoint.tls else "http",
    "endpoint.domain": lambda env: _key("endpoint.domain", env.endpoint.domain),
    "endpoint.path": lambda env: env.endpoint.path,
    "endpoint.address": lambda env: _key("endpoint.address", env.endpoint.address),
    "cluster.api_server": _scouted("cluster.api_server", lambda facts: _at(facts.api_service, 443), _NO_API),
    "cluster.api_port": _scouted("cluster.api_port", lambda facts: _port(facts.api_service, 443), _NO_API),
    "cluster.dns": _scouted("cluster.dns", lambda facts: _at(facts.dns_service, 53), _NO_DNS),
    "cluster.dns_replicas": _scouted("cluster.dns_replicas", _replicas, _NO_REPLICAS),
    "cluster.router_rights": _scouted(
        "cluster.router_rights", lambda facts: facts.router.rights if facts.router is not None else "", _NO_RIGHTS
    ),
    "cluster.outside_name": _outside_name,
}


def _storage(env: Environment) -> tuple[Item, ...]:
    return tuple(
        Item(
            name=one.account,
            values={"storage.account": one.account, "storage.container": one.container, "storage.blob": one.blob},
            storage=one,
        )
        for one in env.storage
    )


def _registry_data(env: Environment) -> tuple[Item, ...]:
    return tuple(
        Item(name=region, values={"data.region": region}, severity=Severity.RECOMMENDED if number else None)
        for number, region in enumerate(registry_regions(env))
    )


def _packages(env: Environment) -> tuple[Item, ...]:
    return tuple(Item(name=host, values={"package.host": host}) for host in env.cloud.packages)


def _dependencies(env: Environment) -> tuple[Item, ...]:
    return tuple(
        Item(
            name=one.name,
            values={"dependency.name": one.name, "dependency.url": one.url},
            severity=one.severity,
            dependency=one,
        )
        for one in env.dependencies
    )


EACH: Final[dict[str, Each]] = {
    "storage": Each(
        adds=("storage.account", "storage.container", "storage.blob"),
        items=_storage,
        none="no [[storage]] account is given",
    ),
    "registry.data": Each(
        adds=("data.region",), items=_registry_data, none="neither registry.region nor environment.region is given"
    ),
    "packages": Each(adds=("package.host",), items=_packages, none="the cloud names no package hosts"),
    "peers": Each(
        adds=("peer.host",),
        items=lambda _env: (),
        none="pods of a run answer each other only where it starts them: give --kubeconfig",
        found=True,
    ),
    "dependency": Each(
        adds=("dependency.name", "dependency.url"), items=_dependencies, none="no [[dependency]] is given"
    ),
}


def placeholders(template: str) -> tuple[str, ...]:
    """The names in a template."""
    return tuple(PLACEHOLDER.findall(template))


def fill(template: str, env: Environment, item: Item) -> Value:
    """The template with every placeholder replaced, or the first key that is missing."""
    found: dict[str, str] = {}
    for name in placeholders(template):
        value = _key(name, item.values[name]) if name in item.values else PLACES[name](env)
        if isinstance(value, Absent):
            return value
        found[name] = value
    return PLACEHOLDER.sub(lambda match: found[match[1]], template)
