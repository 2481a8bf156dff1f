"""Answers of the lab's web servers that a scenario writes itself: captive pages, redirects. Values only."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from preflight.lab.http import Request, Response
from preflight.lab.pki import Leaf


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What one host answers to some requests."""

    host: str
    path: str = "*"  # shell pattern
    status: int = 200
    headers: dict[str, str] = {}
    body: str = ""


class Presented(msgspec.Struct, frozen=True, kw_only=True):
    """Which certificate one host presents."""

    host: str
    leaf: Leaf


class Costume:
    """The pages and certificates in place. `wear` switches them while the servers run."""

    def __init__(self) -> None:
        self._pages: tuple[Page, ...] = ()
        self._leaves: dict[str, Leaf] = {}

    def wear(self, pages: Sequence[Page], presented: Sequence[Presented]) -> None:
        """From now on these and no others."""
        self._pages = tuple(pages)
        self._leaves = {one.host: one.leaf for one in presented}

    def leaf(self, host: str) -> Leaf | None:
        """The certificate that a host presents instead of its usual one."""
        return self._leaves.get(host)

    def answer(self, host: str, request: Request) -> Response | None:
        """The page that a host gives instead of its usual answer."""
        page = next((one for one in self._pages if one.host == host and fnmatchcase(request.path, one.path)), None)
        if page is None:
            return None
        headers = {"Content-Type": "text/html; charset=utf-8", **page.headers}
        return Response(status=page.status, headers=headers, body=page.body.encode())
