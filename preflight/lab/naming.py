"""The same deployment under other names: another cloud's, another region's, a customer's own. Text for text only."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from preflight.lab.deployment import Host
from preflight.lab.http import Request, Response


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of names and what stands in their place, in this order. What they become must not occur otherwise."""

    pairs: tuple[tuple[str, str], ...] = ()

    def renamed(self, text: str) -> str:
        """What clients know for what the lab knows."""
        for old, new in self.pairs:
            text = text.replace(old, new)
        return text

    def original(self, text: str) -> str:
        """What the lab knows for what clients know."""
        for old, new in reversed(self.pairs):
            text = text.replace(new, old)
        return text

    def hosts(self, names: Mapping[str, Host]) -> dict[str, Host]:
        """The deployment's names, for DNS."""
        return {self.renamed(name): self._host(host) for name, host in names.items()}

    def _host(self, host: Host) -> Host:
        link = self.renamed(host.link) if host.link else None
        return replace(host, name=self.renamed(host.name), link=link, chain=tuple(map(self.renamed, host.chain)))

    def request(self, request: Request) -> Request:
        """A client's request as the stand-ins understand it."""
        return replace(request, host=self.original(request.host)) if self.pairs else request

    def response(self, response: Response) -> Response:
        """A stand-in's answer as a client expects it: challenges, redirects and documents name hosts."""
        if not self.pairs:
            return response
        headers = {name: self.renamed(value) for name, value in response.headers.items()}
        if "json" not in headers.get("Content-Type", ""):
            return replace(response, headers=headers)
        return replace(response, headers=headers, body=self.renamed(response.body.decode()).encode())
