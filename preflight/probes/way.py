"""One request on its way, and what every part of the dialer shares. Settled before the first packet."""

import base64

import httpx
import msgspec

from preflight.model.plan import Limits
from preflight.probes import redirects
from preflight.probes.connector import Connector, TlsWish
from preflight.probes.http import Answer, Channel, Sent
from preflight.probes.proxy import Route
from preflight.probes.redact import Redactor
from preflight.probes.request import Request
from preflight.probes.resolvers import Resolvers
from preflight.probes.streams import ByteStream
from preflight.probes.tls import TlsStream
from preflight.probes.trail import Draft, Trail
from preflight.probes.trust import Judges


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What one vantage makes its connections with."""

    limits: Limits
    judges: Judges
    redactor: Redactor
    resolvers: Resolvers
    connector: Connector


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A request, where it goes, through what, and where its facts are written."""

    request: Request
    url: httpx.URL
    route: Route | None
    trail: Trail
    draft: Draft
    means: Means

    @property
    def host(self) -> str:
        """ASCII name or address, without brackets."""
        return self.url.raw_host.decode("ascii")

    @property
    def port(self) -> int:
        """The URL's port, or its scheme's."""
        return redirects.port(self.url)

    @property
    def server_name(self) -> str:
        """The name in SNI and certificate."""
        return (self.request.server_name or self.host).removesuffix(".")

    @property
    def key(self) -> object:
        """What must be equal for a connection to serve again."""
        asked = self.request
        return redirects.origin(self.url), self.server_name, asked.alpn, asked.trust, self.route and self.route.url

    @property
    def absolute(self) -> bool:
        """Whether a proxy fetches the URL itself and so needs the whole of it, and its own credentials."""
        return self.route is not None and self.url.scheme == "http"

    def wish(self) -> TlsWish | None:
        """The handshake with the target."""
        if self.url.scheme == "http":
            return None
        judge = self.means.judges.get(self.request.trust, self.request.alpn)
        return TlsWish(judge=judge, server_name=self.server_name)

    def sent(self) -> Sent:
        """The request with its secrets in clear."""
        secret = tuple((name, value.reveal()) for name, value in self.request.secret_headers)
        login = login_header(self.route) if self.route is not None and self.absolute else ()
        return Sent(
            method=self.request.method,
            url=self.url,
            headers=(*self.request.headers, *secret, *login),
            body=self.request.body,
            body_limit=self.request.body_limit,
            cap_s=self.means.limits.answer_cap_s,
        )

    def keep(self, channel: Channel, answer: Answer) -> None:
        """The connection serves again when the answer was complete and both sides keep it open."""
        if answer.complete and channel.idle:
            self.trail.keep(self.key, channel)
        else:
            channel.close()


def login_header(route: Route) -> tuple[tuple[str, str], ...]:
    """Basic authentication to a proxy, sent without being asked, as every client with a proxy URL does (RFC 7617)."""
    if route.login is None:
        return ()
    encoded = base64.b64encode(route.login.reveal().encode()).decode()
    return (("proxy-authorization", f"Basic {encoded}"),)


def alpn(stream: ByteStream) -> str | None:
    """What was negotiated: the HTTP version to speak."""
    return stream.tls.selected_alpn_protocol() if isinstance(stream, TlsStream) else None
