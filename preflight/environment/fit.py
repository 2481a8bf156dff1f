"""What the keys of `preflight.toml` must be together, and what they imply for each other. Pure."""

from collections.abc import Callable, Container, Iterable, Mapping

from msgspec.structs import asdict, replace

from preflight.environment.rules import host_and_port, is_label
from preflight.environment.shape import File
from preflight.model.environment import ApiAccess, ApiServer, Cloud, Endpoint
from preflight.model.plan import Limits
from preflight.strict import Reader, shown

_PRIVATE = {".privatelink.": ApiAccess.PRIVATE, ".private.": ApiAccess.VNET_INTEGRATED}


def fit(file: File, cloud: Cloud, given: Mapping[str, Container[str]], reader: Reader) -> File:
    """The file with what follows from it filled in; contradictions are reported. `given`: table -> keys in it."""
    for rule in _RULES:
        rule(file, cloud, reader)
    return replace(
        file,
        api_server=_api_server(file, given.get("api_server", ()), reader),
        endpoint=_endpoint(file, cloud, reader),
        limits=_limits(file.limits, given.get("limits", ()), reader),
    )


def _duplicates(names: Iterable[str], report: Callable[[str], None]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            report(name)
        seen.add(name)


def _unique(file: File, _cloud: Cloud, reader: Reader) -> None:
    lists = {
        "dependency": ("name", [one.name for one in file.dependency]),
        "storage": ("account", [one.account for one in file.storage]),
        "pool": ("name", [one.name for one in file.pool]),
    }
    for table, (key, names) in lists.items():
        _duplicates(
            names,
            lambda name, table=table, key=key: reader.report(  # type: ignore[misc]
                f"{table}[{name}].{key}",
                f"{shown(name)} stands there twice",
                f"give each [[{table}]] a {key} of its own",
            ),
        )


def _pairs(file: File, _cloud: Cloud, reader: Reader) -> None:
    for one in file.storage:
        if bool(one.container) is not bool(one.blob) and not reader.spoilt(f"storage[{one.account}]"):
            missing = "blob" if one.container else "container"
            reader.report(f"storage[{one.account}].{missing}", "is missing", "a blob to read needs container and blob")
    credentials = file.credentials
    if (credentials.registry_user is None) is not (credentials.registry_password is None):
        missing = "registry_user" if credentials.registry_user is None else "registry_password"
        if not reader.spoilt(f"credentials.{missing}"):
            reader.report(f"credentials.{missing}", "is missing", "user and password of the registry go together")


def _sources(file: File, _cloud: Cloud, reader: Reader) -> None:
    for name in file.credentials.__struct_fields__:
        source = getattr(file.credentials, name)
        key = f"credentials.{name}"
        if source is not None and (source.env is None) is (source.file is None) and not reader.spoilt(key):
            reader.report(key, "needs one source", 'give { env = "VARIABLE" } or { file = "PATH" }, not both')


def _connections(file: File, _cloud: Cloud, reader: Reader) -> None:
    for source, destination in file.mapping.connect_to.items():
        if host_and_port(source) is None:
            reader.report("mapping.connect_to", f"{shown(source)} is not address:port", 'give "203.0.113.20:443"')
        if host_and_port(destination) is None:
            reader.report("mapping.connect_to", f"{shown(destination)} is not address:port", 'give "127.0.0.1:18443"')


def _labels(file: File, _cloud: Cloud, reader: Reader) -> None:
    for key, labels in (("router_labels", file.pods.router_labels), ("model_labels", file.pods.model_labels)):
        for name, value in labels.items():
            if not is_label(name, value):
                found = f"{shown(f'{name}={value}')} is not a label"
                reader.report(f"pods.{key}", found, 'give { azuremlappname = "azureml-fe" }')


def _same_cloud(file: File, cloud: Cloud, reader: Reader) -> None:
    """A login server of another cloud means that one of the two is wrong."""
    name = (file.registry.name or "").lower()
    foreign = ".azurecr." in name and cloud.acr and not name.endswith(f".{cloud.acr}")
    if foreign and not reader.spoilt("environment.cloud"):
        reader.report(
            "registry.name",
            f"{shown(name)} is not a registry of {cloud.name}",
            f'registries there end with ".{cloud.acr}": correct it, or environment.cloud',
        )


_RULES = (_unique, _pairs, _sources, _connections, _labels, _same_cloud)


def _api_server(file: File, given: Container[str], reader: Reader) -> ApiServer:
    """A private name says by itself how the API server is published; a contradiction is reported."""
    server = file.api_server
    fqdn = (server.fqdn or "").lower()
    implied = next((access for label, access in _PRIVATE.items() if label in fqdn), None)
    if implied is None or implied is server.access:
        return replace(server, fqdn=fqdn or None)
    if "access" in given and server.access is ApiAccess.PUBLIC:
        reader.report(
            "api_server.access", f'"public" contradicts the name {shown(fqdn)}', f'write access = "{implied.value}"'
        )
    return replace(server, fqdn=fqdn, access=server.access if "access" in given else implied)


def _endpoint(file: File, cloud: Cloud, reader: Reader) -> Endpoint:
    """A label alone becomes the whole generated name; a generated name belongs to the cloud."""
    endpoint, region = file.endpoint, file.environment.region
    if not endpoint.domain or reader.spoilt("endpoint.domain"):
        return endpoint
    domain = endpoint.domain.lower()
    if "." not in domain and not endpoint.custom_domain:
        if not region or not cloud.cloudapp:
            reader.report(
                "endpoint.domain", f"{shown(domain)} is not a whole name", f'give "{domain}.<region>.<suffix>"'
            )
            return endpoint
        return replace(endpoint, domain=f"{domain}.{region}.{cloud.cloudapp}")
    if not endpoint.custom_domain and cloud.cloudapp and not domain.endswith(f".{cloud.cloudapp}"):
        reader.report(
            "endpoint.domain",
            f'{shown(domain)} does not end with ".{cloud.cloudapp}"',
            "write custom_domain = true beside it if it is a domain of your own",
        )
    return replace(endpoint, domain=domain)


_BOUNDS = (  # each wait lies within the next; from the outermost inwards, so that a short run shortens what it holds
    ("check_deadline_s", "run_deadline_s"),
    ("answer_cap_s", "check_deadline_s"),
    ("connect_cap_s", "check_deadline_s"),
    ("second_attempt_s", "connect_cap_s"),
)


def _limits(limits: Limits, given: Container[str], reader: Reader) -> Limits:
    """A default gives way to a shorter bound around it; two that were given must fit."""
    if reader.spoilt("limits"):
        return limits
    values = asdict(limits)
    for inner, outer in _BOUNDS:
        if values[inner] > values[outer] and inner in given:
            found = f"{values[inner]:g} is longer than {outer} ({values[outer]:g})"
            reader.report(f"limits.{inner}", found, f"give at most {values[outer]:g}, or a longer {outer}")
        values[inner] = min(values[inner], values[outer])
    return replace(limits, **values)
