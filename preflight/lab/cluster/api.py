"""The stand-in's API server: REST, watches, logs and access reviews over HTTP/1.1. Keeps nothing, runs nothing.

Answers as kubernetes.io/docs/reference/using-api/api-concepts says, watches with bookmarks and 410 included. RBAC is
one function. `upgrades` leaves room for what turns a connection into something else (exec).
"""

import asyncio
import contextlib
import re
import socket
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import msgspec

from preflight.lab.cluster import discovery, errors
from preflight.lab.cluster.errors import ApiError
from preflight.lab.cluster.kinds import RESOURCES
from preflight.lab.cluster.store import Event, Json, Key, Selector, Store
from preflight.lab.http import Request, Response, answer, document, head, page, requests
from preflight.lab.stream import Socket, Stream, Tls

VERSION = "v1.33.2"
_VERSION: Json = {
    "major": "1", "minor": "33", "gitVersion": VERSION, "gitCommit": "", "gitTreeState": "clean", "buildDate": "",
    "goVersion": "go1.24.4", "compiler": "gc", "platform": "linux/amd64",
}  # fmt: skip
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<api>[^/]+/[^/]+))(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<part>[^/]+))?"
)
_OWN_REVIEWS, _REVIEWS = "selfsubjectaccessreviews", ("selfsubjectaccessreviews", "subjectaccessreviews")
_GROUPS = {"v1", "authorization.k8s.io/v1", *(known.api for known in RESOURCES.values())}
_VERBS = {"POST": "create", "DELETE": "delete"}
_HEALTH = ("/healthz", "/livez", "/readyz")
_LONGEST_WATCH_S = 300.0
_ANONYMOUS = "system:anonymous"

Allow = Callable[[str, str], bool]  # verb, resource ("pods/log" for a part)


class Lines(Protocol):
    """Gives the log of a pod; raises ApiError before its first line."""

    async def __call__(self, namespace: str, pod: str, *, follow: bool) -> AsyncIterator[bytes]:
        """Lines with their newlines."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request, understood."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    part: str = ""

    @property
    def what(self) -> str:
        """As RBAC names it."""
        return f"{self.resource}/{self.part}" if self.part else self.resource

    @property
    def key(self) -> Key:
        """Of the object that it is about."""
        return Key(self.resource, self.namespace, self.name)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that goes on for as long as there is something to say."""

    kind: str
    parts: AsyncGenerator[bytes, None]


Upgrade = Callable[[Stream, Request, Call], Awaitable[None]]


class ApiServer:
    """Serves connections. What tests may replace: `allow` (RBAC), `trouble` (may raise ApiError for any call)."""

    def __init__(self, store: Store, users: dict[str, str], lines: Lines) -> None:
        self._store, self._users, self._lines = store, users, lines  # bearer token -> user
        self.allow: Allow = lambda _verb, _resource: True
        self.trouble: Callable[[Call], None] = lambda _call: None
        self.upgrades: dict[str, Upgrade] = {}  # "pods/exec" -> who takes over the connection
        self.calls: list[str] = []  # "create jobs", in their order

    async def serve(self, tls: Callable[[Socket], Tls], connection: socket.socket) -> None:
        """One connection from its handshake to its end."""
        stream = tls(Socket(connection))
        await stream.handshake()
        async for request in requests(stream, ""):
            try:
                outcome = await self._outcome(stream, request)
            except ApiError as error:
                outcome = _told(error.status, error.body)
            if isinstance(outcome, Parts):
                await _stream(stream, outcome)
            elif outcome is not None:
                await answer(stream, request, outcome)
            else:
                return

    async def _outcome(self, stream: Stream, request: Request) -> Response | Parts | None:
        """None when the connection was taken over, and has ended."""
        if request.path.rstrip("/") == "/version":
            return _told(200, _VERSION)
        if request.path in _HEALTH:
            return page(200, "ok")
        user = self._user(request)
        if (found := discovery.document(request.path)) is not None:
            return _told(200, found)
        call = _understood(request)
        if call is None:
            return page(404, "404 page not found\n")
        self.calls.append(f"{call.verb} {call.what}")
        self.trouble(call)
        if call.resource == _OWN_REVIEWS:
            return _told(201, self._review(user, _body(request)))
        if not self._may(user, call.verb, call.what):
            raise errors.not_allowed(user, call.verb, call.what, call.namespace, call.name)
        if call.resource in _REVIEWS:
            body = _body(request)
            return _told(201, self._review(str(body.get("spec", {}).get("user")), body))
        if call.what in self.upgrades:
            await self.upgrades[call.what](stream, request, call)
            return None
        return await self._done(call, request)

    def _user(self, request: Request) -> str:
        given = request.headers.get("authorization")
        if given is None:
            return _ANONYMOUS
        user = self._users.get(given.removeprefix("Bearer "))
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return user

    def _may(self, user: str, verb: str, what: str) -> bool:
        """Anonymous users and service accounts have no rights, as in a cluster where nobody gave them any."""
        return not user.startswith("system:") and self.allow(verb, what)

    def _review(self, user: str, body: Json) -> Json:
        asked = body.get("spec", {}).get("resourceAttributes", {})
        part = asked.get("subresource")
        what = f"{asked.get('resource')}/{part}" if part else str(asked.get("resource"))
        return {**body, "status": {"allowed": self._may(user, str(asked.get("verb")), what)}}

    async def _done(self, call: Call, request: Request) -> Response | Parts:
        store = self._store
        match call.verb:
            case "create":
                return _told(201, store.add(call.resource, call.namespace, _body(request)))
            case "delete":
                return _told(200, _deleted(call, store))
            case "watch":
                return Parts(kind="application/json", parts=_bytes(self._watch(call, request)))
            case "list":
                return _told(200, _list(call, store.select(_selector(call, request)), store.version))
            case _ if call.part == "log":
                follow = request.query.get("follow") == "true"
                lines = await self._lines(call.namespace, call.name, follow=follow)
                return Parts(kind="text/plain", parts=_log(lines))
            case _ if call.part:
                raise errors.no_such_resource()
            case _:
                return _told(200, store.get(call.key))

    async def _watch(self, call: Call, request: Request) -> AsyncGenerator[Json, None]:
        """Without a version, and from version 0, what is there comes first; at the end a bookmark, when asked for."""
        which = _selector(call, request)
        asked = request.query.get("resourceVersion", "")
        since = int(asked) if asked.isdecimal() and int(asked) else None
        seconds = min(_LONGEST_WATCH_S, float(request.query.get("timeoutSeconds") or _LONGEST_WATCH_S))
        try:
            with self._store.watching(since) as (missed, queue):
                told = since if since is not None else self._store.version  # what came after it may still be waiting
                for each in self._store.select(which) if since is None else ():
                    yield {"type": "ADDED", "object": each}
                async for event in _for(seconds, list(missed), queue):
                    told = event.version
                    if which.takes(event.key, event.object):
                        yield {"type": event.kind, "object": event.object}
                if request.query.get("allowWatchBookmarks") == "true":
                    yield {"type": "BOOKMARK", "object": _bookmark(call.resource, told)}
        except ApiError as error:
            yield {"type": "ERROR", "object": error.body}


def _deleted(call: Call, store: Store) -> Json:
    """What is marked only is given as it is; of what is gone the answer says that it is."""
    gone = store.remove(call.key)
    if "deletionTimestamp" in gone["metadata"]:
        return gone
    details = {"name": call.name, "kind": call.resource, "uid": gone["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _list(call: Call, items: list[Json], version: int) -> Json:
    known = RESOURCES[call.resource]
    meta = {"resourceVersion": str(version)}
    return {"kind": f"{known.kind}List", "apiVersion": known.api, "metadata": meta, "items": items}


def _bookmark(resource: str, version: int) -> Json:
    known = RESOURCES[resource]
    return {"kind": known.kind, "apiVersion": known.api, "metadata": {"resourceVersion": str(version)}}


async def _for(seconds: float, missed: list[Event], queue: "asyncio.Queue[Event]") -> AsyncIterator[Event]:
    for event in missed:
        yield event
    ends = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            async with asyncio.timeout_at(ends):
                event = await queue.get()
        except TimeoutError:
            return
        yield event


async def _bytes(events: AsyncGenerator[Json, None]) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(events):
        async for event in events:
            yield msgspec.json.encode(event) + b"\n"


async def _log(lines: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for line in lines:
        yield line


def _understood(request: Request) -> Call | None:
    """None for a path that no API group has."""
    path = _PATH.fullmatch(request.path)
    api = (path["core"] or path["api"]) if path is not None else ""
    if path is None or api not in _GROUPS:
        return None
    resource, name, namespace = path["resource"], path["name"] or "", path["namespace"] or ""
    if resource not in _REVIEWS and (resource not in RESOURCES or RESOURCES[resource].api != api):
        raise errors.no_such_resource()
    reading = "get" if name else "watch" if request.query.get("watch") in ("true", "1") else "list"
    verb = _VERBS.get(request.method, reading)
    part = path["part"] or ""
    if request.method not in ("GET", *_VERBS) or (verb == "create" and name and not part):
        raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    inside = namespace if resource in RESOURCES and RESOURCES[resource].namespaced else ""
    return Call(verb=verb, resource=resource, namespace=inside, name=name, part=part)


def _body(request: Request) -> Json:
    try:
        return msgspec.json.decode(request.body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ApiError(400, "BadRequest", f"the body of the request is not a JSON object: {error}") from error


def _selector(call: Call, request: Request) -> Selector:
    """Equality only: what preflight uses."""
    labels, fields = (
        dict(pair.split("=", 1) for pair in request.query.get(name, "").replace("==", "=").split(",") if "=" in pair)
        for name in ("labelSelector", "fieldSelector")
    )
    return Selector(call.resource, call.namespace, labels, fields)


def _told(status: int, content: Json) -> Response:
    return document(status, content, _headers())


def _headers() -> dict[str, str]:
    return {"Audit-Id": str(uuid.uuid4()), "Cache-Control": "no-cache, private"}


async def _stream(stream: Stream, told: Parts) -> None:
    headers = {"Content-Type": told.kind, "Transfer-Encoding": "chunked", **_headers()}
    first = head(Response(headers=headers)).replace(b"Content-Length: 0\r\n", b"")
    await stream.send(first)
    async with contextlib.aclosing(told.parts):
        async for part in told.parts:
            await stream.send(b"%x\r\n%s\r\n" % (len(part), part))
    await stream.send(b"0\r\n\r\n")
