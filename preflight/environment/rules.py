"""What each value of `preflight.toml` may look like: one rule per key, each with words on what is right. Pure."""

import ipaddress
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from preflight.strict import Fault, Rule, masked, url_host

_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.IGNORECASE)
_GUID: Final = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_REPOSITORY: Final = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64}")
_LABEL_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_SECRET_KEY: Final = re.compile(
    r"[?&;](sig|signature|code|key|api[-_]?key|token|access_token|password|secret|subscription-key)=", re.IGNORECASE
)


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_host(text: str) -> bool:
    """Whether it is a DNS name of at most 253 characters."""
    return len(text) <= 253 and _HOST.fullmatch(text) is not None


def _host_of(text: str) -> str:
    """The host in a URL, or what stands before path and port; for suggestions."""
    return url_host(text) if "://" in text else text.partition("/")[0].partition(":")[0].lower()


def hostname(example: str, what: str) -> Rule:
    """A whole host name, with words for what people paste instead."""

    def rule(value: str) -> Fault | None:
        if "://" in value:
            return "is a URL", f'give the {what} only: "{_host_of(value) or example}"'
        if "/" in value or ":" in value:
            return "is more than a host name", f'give the {what} only: "{_host_of(value) or example}"'
        if value.endswith("."):
            return "ends with a dot", f'give it without: "{value.rstrip(".")}"'
        if not value.isascii():
            return "holds characters that are not ASCII", 'give the name in its punycode form ("xn--…")'
        if not is_host(value):
            return "is not a host name", f'give the {what}, for example "{example}"'
        return None

    return rule


def _fqdn(value: str) -> Fault | None:
    fault = hostname("aks-prod-1a2b3c4d.hcp.westeurope.azmk8s.io", "API server's FQDN")(value)
    if fault is None and "." not in value:
        return "is not a whole name", 'give the FQDN that `az aks show` prints: "….hcp.<region>.azmk8s.io"'
    return fault


def _region(value: str) -> Fault | None:
    if re.fullmatch(r"[a-z][a-z0-9]*", value):
        return None
    simple = re.sub(r"[^a-z0-9]", "", value.lower()) if re.fullmatch(r"[\w -]{1,40}", value) else ""
    found = "has a space in it" if " " in value.strip() else "is not a region's short name"
    return found, f'give the short name of `az account list-locations`: "{simple or "westeurope"}"'


def _registry(value: str) -> Fault | None:
    name = _host_of(value) or "acrprod.azurecr.io"
    if "://" in value:
        short = name.partition(".")[0]
        return "is a URL", f'give the registry\'s name or login server: "{short}" or "{name}"'
    if "/" in value:
        return "holds a path", f'give the registry alone: "{name}"; the image goes into registry.repository'
    host, colon, port = value.partition(":")  # ACR has no port; a registry of one's own may
    if colon and "." in host and is_host(host.lower()) and port.isdecimal() and 0 < int(port[:6]) < 65536:
        return None
    if not is_host(value.lower()) or not (5 <= len(value.partition(".")[0]) <= 63):
        return "is not the name of a registry", 'give its name or login server: "acrprod" or "acrprod.azurecr.io"'
    return None


def _repository(value: str) -> Fault | None:
    name, colon, tag = value.partition(":")
    if "://" in value or (value.partition("/")[2] and "." in value.partition("/")[0]):
        return "names a host", f'give the repository alone: "{value.rpartition("://")[2].partition("/")[2]}"'
    if colon and _REPOSITORY.fullmatch(name):
        return "holds a tag", f'give "{name}", and reference = "{tag}"'
    if not _REPOSITORY.fullmatch(value):
        return "is not a repository", 'give it as `az acr repository list` prints it: "ml/model"'
    return None


def _image(value: str) -> Fault | None:
    """`repository:tag` or `repository@sha256:…`, without the registry."""
    name, _, digest = value.partition("@")
    repository, colon, tag = (name, "", "") if digest else value.rpartition(":")
    if "://" in value or ("." in value.partition("/")[0] and "/" in value):
        return "names a host", 'give repository and tag alone: "ml/model:latest"'
    right = _REPOSITORY.fullmatch(repository) and (_REFERENCE.fullmatch(digest or tag) if digest or colon else False)
    return None if right else ("is not an image", 'give repository and tag: "ml/model:latest"')


def _pull_secret(value: str) -> Fault | None:
    if value == "-" or re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", value):
        return None
    return "is not the name of a Secret", 'give the name of a pull secret in the run\'s namespace, or "-" for none'


def _reference(value: str) -> Fault | None:
    if _REFERENCE.fullmatch(value):
        return None
    return "is neither a tag nor a digest", 'give "latest" or "sha256:" and 64 hexadecimal digits'


def _account(value: str) -> Fault | None:
    if re.fullmatch(r"[a-z0-9]{3,24}", value):
        return None
    if "://" in value or "." in value:
        found = "is a URL" if "://" in value else "is a host name"
        return found, f'give the account\'s name: "{_host_of(value).partition(".")[0] or "stmlprod"}"'
    return "is not the name of a storage account", "3 to 24 lower-case letters and digits"


def _container(value: str) -> Fault | None:
    if re.fullmatch(r"\$root|[a-z0-9](-?[a-z0-9]){2,62}", value):
        return None
    return "is not the name of a container", "3 to 63 lower-case letters, digits and single hyphens"


def _blob(value: str) -> Fault | None:
    if not value or value.startswith("/") or "?" in value or "#" in value or not value.isprintable():
        return "is not the name of a blob", 'give its path inside the container: "models/model.onnx", without "?"'
    return None


def _guid(example: str) -> Rule:
    def rule(value: str) -> Fault | None:
        if _GUID.fullmatch(value):
            return None
        return "is not a GUID", f"give {example}: 8-4-4-4-12 hexadecimal digits"

    return rule


def _tenant(value: str) -> Fault | None:
    if _GUID.fullmatch(value) or (is_host(value) and "." in value) or value in ("common", "organizations"):
        return None
    return "is not a tenant", 'give its GUID, or a domain of it: "contoso.onmicrosoft.com"'


def _address(value: str) -> Fault | None:
    return None if is_address(value) else ("is not an IP address", "give the address of the router's load balancer")


def _path(value: str) -> Fault | None:
    if not value.startswith("/") or not value.isprintable() or " " in value:
        return "is not a path", f'it starts with "/": "/{value.lstrip("/").replace(" ", "%20")}"'
    if _SECRET_KEY.search(value):
        return "holds a secret", "every report shows the path; take the secret out"
    return None


def host_and_port(value: str) -> tuple[str, int] | None:
    """`10.0.0.4:53` or `[fd00::4]:53` -> address and port; None when it is not that."""
    found = re.fullmatch(r"\[([0-9a-fA-F:.]+)\]:(\d{1,5})|([^:\[\]]+):(\d{1,5})", value)
    if not found:
        return None
    host, port = found[1] or found[3], int(found[2] or found[4])
    return (host, port) if is_address(host) and 1 <= port <= 65535 else None


def _resolver(value: str) -> Fault | None:
    if is_address(value) or host_and_port(value):
        return None
    if "://" in value:
        return "is a URL", 'give the DNS server\'s address: "10.0.0.4" or "10.0.0.4:53"'
    return "is not the address of a DNS server", 'give "10.0.0.4", "10.0.0.4:53" or "[fd00::4]:53"'


def _mapped(value: str) -> Fault | None:
    return None if host_and_port(value) else ("is not address:port", 'give "127.0.0.1:5353" or "[::1]:5353"')


def port_of(value: str) -> int | None:
    """The port of a URL, None when there is none. Raises ValueError when it is no port."""
    port = urlsplit(value).port
    if port == 0:
        raise ValueError("0 is not a port")
    return port


def _url(value: str, schemes: tuple[str, ...], example: str) -> Fault | None:
    """What is wrong with any URL that we connect to."""
    if "://" not in value:
        return (
            "is not a URL",
            f'give it with its scheme: "{schemes[0]}://{masked(value)}"' if value else f'give "{example}"',
        )
    if not value.isprintable() or " " in value or "\\" in value:
        return "is not a URL", f'it holds characters that a URL cannot hold; give "{example}"'
    if value.partition("://")[0].lower() not in schemes:
        return "has a scheme that cannot be checked", f"allowed: {', '.join(f'{scheme}://' for scheme in schemes)}"
    return _authority(value, example)


def _authority(value: str, example: str) -> Fault | None:
    try:
        parts, _ = urlsplit(value), port_of(value)
    except ValueError:
        return "has a port that is not one", "a port is a number from 1 to 65535"
    if not parts.hostname:
        return "names no host", f'give "{example}"'
    if not (is_address(parts.hostname) or is_host(parts.hostname)):
        return "names a host that cannot be one", f'give "{example}"'
    return None


def _dependency_url(value: str) -> Fault | None:
    example = "https://scores.contoso.com/health"
    if "@" in value.partition("://")[2].partition("/")[0]:
        return "holds credentials", "every report shows the URL; take them out and expect 401 instead"
    fault = _url(value, ("https", "http", "tcp"), example)
    if fault:
        return fault
    if value.lower().startswith("tcp://"):
        return _tcp(value)
    if _SECRET_KEY.search(value):
        return "holds a secret", "every report shows the URL; take the secret out and expect 401 instead"
    return None


def _tcp(value: str) -> Fault | None:
    parts = urlsplit(value)
    if parts.port is None:
        return "names no port", f'give "{value.rstrip("/")}:5432"'
    if parts.path.strip("/") or parts.query:
        return "has a path", f'tcp:// takes host and port only: "tcp://{parts.netloc}"'
    return None


def _proxy_url(value: str) -> Fault | None:
    if "@" in value:
        return "holds credentials", _PROXY_LOGIN
    fault = _url(value, ("http", "https"), "http://proxy.contoso.com:3128")
    if fault is None and urlsplit(value).path.strip("/"):
        return "has a path", "a proxy is scheme, host and port"
    return fault


def _statuses(value: str) -> Fault | None:
    found = re.fullmatch(r"([1-5]\d\d)(?:-([1-5]\d\d))?", value.strip())
    if found and int(found[1]) <= int(found[2] or found[1]):
        return None
    return "is neither an HTTP status nor a range", 'give "401" or "200-399"'


def _name(value: str) -> Fault | None:
    if re.fullmatch(r"[a-z0-9-]+", value):
        return None
    simple = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")
    return "is not a name", f'lower-case letters, digits and hyphens: "{simple or "scores"}"'


def is_label(key: str, value: str) -> bool:
    """Whether Kubernetes takes it as a label ("Labels and Selectors", syntax and character set)."""
    prefix, slash, name = key.rpartition("/")
    right = _LABEL_NAME.fullmatch(name) is not None and (not slash or (is_host(prefix) and prefix == prefix.lower()))
    return right and (not value or _LABEL_NAME.fullmatch(value) is not None)


def _namespace(value: str) -> Fault | None:
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", value):
        return None
    return "is not the name of a namespace", "at most 63 lower-case letters, digits and hyphens"


def _within(low: float, high: float, unit: str) -> Callable[[float], Fault | None]:
    def rule(value: float) -> Fault | None:
        return None if low <= value <= high else ("is out of range", f"give {low:g} to {high:g} {unit}")

    return rule


def _variable(value: str) -> Fault | None:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        return None
    return "is not the name of an environment variable", 'give its name: "ACR_PASSWORD"'


_PROXY_LOGIN: Final = (
    'take them out, and say where they come from: credentials.proxy = { env = "PROXY_LOGIN" }'
    ' with "user:password" in that variable'
)
_CREDENTIALS: Final = (
    "api_server_token",
    "registry_user",
    "registry_password",
    "storage_sas",
    "storage_token",
    "entra_client_secret",
    "workspace_token",
    "proxy",
)

RULES: Final[dict[str, Rule]] = {
    "environment.region": _region,
    "environment.bootstrap_registry": hostname("acrcache.azurecr.io", "login server"),
    "environment.resolvers": _resolver,
    "api_server.fqdn": _fqdn,
    "registry.name": _registry,
    "registry.region": _region,
    "registry.replicas": _region,
    "registry.repository": _repository,
    "registry.reference": _reference,
    "registry.pull_secret": _pull_secret,
    "registry.pull_image": _image,
    "environment.mcr_image": _image,
    "storage.account": _account,
    "storage.container": _container,
    "storage.blob": _blob,
    "workspace.id": _guid("the workspace's id (`az ml workspace show`, workspaceId)"),
    "workspace.region": _region,
    "workspace.tenant": _tenant,
    "workspace.client_id": _guid("the application (client) id"),
    "endpoint.domain": hostname("scores.westeurope.cloudapp.azure.com", "endpoint's domain"),
    "endpoint.address": _address,
    "endpoint.path": _path,
    "proxy.https": _proxy_url,
    "proxy.http": _proxy_url,
    "pods.router_namespace": _namespace,
    "pods.model_namespace": _namespace,
    "dependency.name": _name,
    "dependency.url": _dependency_url,
    "dependency.expect": _statuses,
    "limits.concurrency": _within(1, 1024, "checks at once"),
    "limits.per_host": _within(1, 256, "checks of one host at once"),
    "limits.connect_cap_s": _within(0.05, 60, "seconds"),
    "limits.second_attempt_s": _within(0.01, 60, "seconds"),
    "limits.answer_cap_s": _within(0.05, 300, "seconds"),
    "limits.check_deadline_s": _within(0.1, 600, "seconds"),
    "limits.run_deadline_s": _within(0.1, 3600, "seconds"),
    "limits.connects_per_s": _within(1, 10_000, "new connections a second"),
    "mapping.nameservers": _mapped,
    **{f"credentials.{name}.env": _variable for name in _CREDENTIALS},
}
