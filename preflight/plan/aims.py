"""From a requirement to what it means in this environment: concrete aims, or the reason why it does not apply. Pure."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from preflight.catalogue import conditions
from preflight.catalogue.places import EACH, Absent, Item, Value, fill, login_server
from preflight.catalogue.verify import statuses
from preflight.model.catalogue import Requirement
from preflight.model.environment import ApiAccess, Environment
from preflight.model.plan import Expect, Target
from preflight.model.secret import SERVICE_ACCOUNT
from preflight.model.vocabulary import Link, ProbeName, Severity, VantageKind

_PORTS: Final = {"https": 443, "http": 80, "dns": 53}
_API_LINKS: Final = {
    ApiAccess.PUBLIC: Link.PUBLIC,
    ApiAccess.PRIVATE: Link.PRIVATE,
    # Nodes reach it over an address in the VNet, but a public name may answer publicly besides: both are right.
    ApiAccess.VNET_INTEGRATED: Link.ANY,
}
_REGISTRY_SECRETS: Final = ("registry_user", "registry_password")


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement at one target."""

    id: str
    requirement: Requirement
    title: str
    severity: Severity
    decides: tuple[VantageKind, ...]
    everywhere: bool = False  # decides wherever something runs, and asks for nothing else
    probe: ProbeName
    target: Target
    params: dict[str, str]
    secrets: tuple[str, ...]
    expect: Expect
    opens: tuple[str, ...] = ()
    precondition: str | None = None
    sources: tuple[str, ...] | None = None  # vantages that test it; None: all of its kinds


class Omission(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement that does not apply, or one element of it."""

    id: str
    requirement: Requirement
    title: str
    severity: Severity
    reason: str
    target: str = ""


def aims(
    requirement: Requirement, env: Environment, found_there: Mapping[str, tuple[Item, ...]] = {}
) -> Iterator[Aim | Omission]:
    """What becomes of one requirement, in the order of the environment's lists.

    `found_there` holds the elements of lists that only a look at the cluster gives.
    """
    if requirement.each is None:
        yield _aim(requirement, env, Item())
        return
    each = EACH[requirement.each]
    items = found_there.get(requirement.each, ()) if each.found else each.items(env)
    if not items:
        yield _omission(requirement, Item(), _first_refusal(requirement, env) or each.none)
        return
    found = [_aim(requirement, env, item) for item in items]
    reasons = {one.reason for one in found if isinstance(one, Omission)}
    if len(reasons) == 1 and all(isinstance(one, Omission) for one in found) and requirement.each != "dependency":
        yield _omission(requirement, Item(), reasons.pop())
        return
    yield from found


def _first_refusal(requirement: Requirement, env: Environment) -> str:
    """Why the requirement does not apply whatever its elements are; empty when it would."""
    answers = (conditions.ask(condition, env, Item()) for condition in requirement.when)
    return next((answer.reason for answer in answers if not answer.applies), "")


def identity(requirement: Requirement, item: Item) -> str:
    """The id in the plan: the requirement's, or `dependency.<name>`."""
    return f"{requirement.id}.{item.dependency.name}" if item.dependency else requirement.id


def _omission(requirement: Requirement, item: Item, reason: str) -> Omission:
    return Omission(
        id=identity(requirement, item),
        requirement=requirement,
        title=requirement.title.replace("{dependency.name}", item.name or "Every [[dependency]]"),
        severity=item.severity or requirement.severity,
        reason=reason,
        target=item.name,
    )


def _aim(requirement: Requirement, env: Environment, item: Item) -> Aim | Omission:
    answers = [conditions.ask(condition, env, item) for condition in requirement.when]
    refusal = next((answer for answer in answers if not answer.applies), None)
    if refusal:
        return _omission(requirement, item, refusal.reason)
    url = fill(requirement.target, env, item)
    if isinstance(url, Absent):
        return _omission(requirement, item, url.reason)
    target = parse(url)
    severity = item.severity or requirement.severity
    return Aim(
        id=identity(requirement, item),
        requirement=requirement,
        title=_given({"title": fill(requirement.title, env, item)}).get("title", requirement.title),
        severity=severity if all(answer.sure for answer in answers) else Severity.RECOMMENDED,
        decides=item.dependency.vantages or requirement.decides if item.dependency else requirement.decides,
        everywhere=item.dependency is not None and not item.dependency.vantages,
        probe=ProbeName.TCP if target.scheme == "tcp" and item.dependency else requirement.probe,
        target=target,
        params=_given({name: fill(text, env, item) for name, text in requirement.params.items()}),
        secrets=_secrets(requirement, env, target),
        expect=_expect(requirement, env, item, target),
        opens=tuple(_given({text: fill(text, env, item) for text in requirement.opens}).values()),
        precondition=_precondition(requirement, env),
        sources=item.sources,
    )


def parse(url: str) -> Target:
    """A URL of the catalogue or of a dependency as target; both were checked when they were loaded."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    path = "" if scheme in ("tcp", "dns") else (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=scheme, host=_host(parts.hostname or ""), port=parts.port or _PORTS.get(scheme, 0), path=path)


def _host(name: str) -> str:
    """Lower case, no final dot; addresses in their usual form."""
    plain = name.lower().rstrip(".")
    return str(ipaddress.ip_address(plain)) if ":" in plain else plain


def _given(values: dict[str, Value]) -> dict[str, str]:
    """Those that need no key that is missing."""
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _secrets(requirement: Requirement, env: Environment, target: Target) -> tuple[str, ...]:
    """Credentials that are given. Those of the registry go to that registry and to no other (a bootstrap cache)."""
    own = env.registry.name is not None and target.host == _registry_host(env.registry.name, env.cloud.acr)
    return tuple(
        name
        for name in requirement.secrets
        if name == SERVICE_ACCOUNT
        or (getattr(env.credentials, name) is not None and (own or name not in _REGISTRY_SECRETS))
    )


def _registry_host(name: str, suffix: str) -> str:
    return login_server(name, suffix).partition(":")[0].lower()


def _precondition(requirement: Requirement, env: Environment) -> str | None:
    """Without the cluster's CA nothing can be said from the API server's TLS on."""
    if requirement.trust == "system" or env.api_server_ca_pem or (requirement.trust == "pods-ca" and env.pods_ca_pem):
        return None
    before_tls = all(text in ("origin.dns", "origin.proxy", "origin.tcp") for text in requirement.judges)
    return None if before_tls else "kube.ca-not-given"


def _link(name: str | None, env: Environment, item: Item) -> tuple[Link, bool]:
    """What is expected of the address, and whether public access is known to be denied."""
    match name:
        case "api_server.access":
            return _API_LINKS[env.api_server.access], env.api_server.access is ApiAccess.PRIVATE
        case "registry.link":
            return env.registry.link, env.registry.public_access_denied
        case "workspace.link":
            return env.workspace.link, env.workspace.public_access_denied
        case "storage.blob_link" if item.storage:
            return item.storage.blob_link, item.storage.public_access_denied
        case "storage.table_link" if item.storage:
            return item.storage.table_link, item.storage.public_access_denied
        case _:
            return Link.ANY, False


def _issuers(requirement: Requirement, env: Environment) -> tuple[str, ...]:
    if requirement.expect.any_issuer or requirement.trust != "system":
        return ()
    return env.issuers or requirement.expect.issuers or env.cloud.issuers


def _expect(requirement: Requirement, env: Environment, item: Item, target: Target) -> Expect:
    given, dependency = requirement.expect, item.dependency
    link, denied = _link(given.link, env, item)
    zone = fill(given.private_zone, env, item) if given.private_zone else None
    expect = Expect(
        statuses=tuple(pair for text in given.statuses if (pair := statuses(text))),
        issuers=_issuers(requirement, env),
        alpn=given.alpn,
        link=link,
        public_access_denied=denied,
        private_zone=zone if isinstance(zone, str) else None,
        addresses=tuple(_given({text: fill(text, env, item) for text in given.addresses}).values()),
        trust=requirement.trust,
        options=_given({name: fill(text, env, item) for name, text in given.options.items()}),
    )
    if dependency is None:
        return expect
    accepted = dependency.expect if target.scheme != "tcp" else given.statuses
    return replace(expect, catalogue_name=False, statuses=tuple(pair for text in accepted if (pair := statuses(text))))
