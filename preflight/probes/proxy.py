"""Which proxy applies to a target at a vantage, with whose credentials. Connects nowhere."""

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from preflight.model.observation import VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secret, Secrets
from preflight.probes import names, noproxy
from preflight.probes.redact import without_credentials

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The proxy in front of a target."""

    scheme: str  # "http" or "https": how the proxy itself is spoken to
    host: str
    port: int
    source: str  # "preflight.toml proxy.https", "environment HTTPS_PROXY", ...
    login: Secret | None = None  # "user:password"

    @property
    def url(self) -> str:
        """Without credentials."""
        return f"{self.scheme}://{names.join(self.host, self.port)}"


class Proxies:
    """The proxies of one vantage: the plan's, then the environment's where the plan leaves a place free."""

    def __init__(
        self, plan: VantagePlan, facts: VantageFacts, secrets: Secrets, environ: Mapping[str, str] | None = None
    ) -> None:
        self._plan = plan
        self._facts = facts
        self._login = secrets.get("proxy")
        self._environ = environ or {}

    def route(self, scheme: str, host: str, port: int) -> Route | None:
        """The proxy for a target; None for a direct connection."""
        found = self._configured(scheme) or self._from_environment(scheme)
        if found is None:
            return None
        url, source, login = found
        if noproxy.applies(self._no_proxy(), host, port, self._plan.no_proxy_as):
            return None
        return parse(url, source, login)

    def logins(self) -> tuple[str, ...]:
        """The values that must never be recorded."""
        found = (self._from_environment(scheme) for scheme in _DEFAULT_PORTS)
        return tuple(one[2].reveal() for one in found if one is not None and one[2] is not None)

    def _configured(self, scheme: str) -> tuple[str, str, Secret | None] | None:
        url = self._plan.proxy.https if scheme == "https" else self._plan.proxy.http
        return (url, f"preflight.toml proxy.{scheme}", self._login) if url else None

    def _from_environment(self, scheme: str) -> tuple[str, str, Secret | None] | None:
        if not self._plan.proxy.from_environment:
            return None
        for variable in (f"{scheme}_proxy", "all_proxy"):
            url = self._facts.proxies.get(variable)
            if url and parse(url, "") is not None:
                name, login = self._written(variable, url)
                return url, f"environment {name}", login or self._login
        return None

    def _written(self, variable: str, url: str) -> tuple[str, Secret | None]:
        """The variable as it is spelled here, and the credentials in it that the facts leave out."""
        for name in (variable, variable.upper()):
            value = self._environ.get(name, "")
            if value and without_credentials(value) == url:
                return name, _login(value)
        return variable, None

    def _no_proxy(self) -> str:
        configured = self._plan.proxy.no_proxy
        if configured or not self._plan.proxy.from_environment:
            return configured
        return self._facts.proxies.get("no_proxy", "")


def parse(url: str, source: str, login: Secret | None = None) -> Route | None:
    """A proxy's URL; "proxy.corp:3128" is http. None for what is no HTTP proxy (SOCKS) or no URL."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return Route(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or _DEFAULT_PORTS[parts.scheme],
        source=source,
        login=login or _login(url),
    )


def _login(url: str) -> Secret | None:
    """The userinfo of a URL, decoded, as "user:password"."""
    authority = url.partition("://")[2] or url
    userinfo, found, _ = authority.partition("/")[0].rpartition("@")
    if not found:
        return None
    user, _, password = userinfo.partition(":")
    return Secret(f"{unquote(user)}:{unquote(password)}")
