"""One client of one API server: JSON values in and out, lines of streams, and every exception translated.

Decides nothing. Authentication, trust and proxies are the library's, as the kubeconfig says.
"""

import asyncio
import base64
import contextlib
import os
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from preflight import __version__
from preflight.failures import ClusterFailure, MissingExtra, Refused, UsageFailure
from preflight.kube import refusals
from preflight.kube.values import items, table, text

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse
    from kubernetes.aio.client import ApiClient
    from kubernetes.aio.client.rest import RESTResponse

Json = dict[str, Any]
IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
EXEC_PROTOCOL = "v4.channel.k8s.io"  # every API server since 1.4 speaks it
_CONNECT_S = 10.0
_ANSWER_S = 30.0
_FAREWELL_S = 2.0  # for the other end of a websocket to close too
MAX_ANSWER = 64 * 1024 * 1024
MAX_LINE = 4 * 1024 * 1024
MAX_OBJECTS = 500_000  # of one collection
_CHUNK = 64 * 1024


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the cluster: a kubeconfig, or this pod's own service account when there is none."""

    kubeconfig: str | None = None  # path; None: $KUBECONFIG, ~/.kube/config, then the service account
    context: str | None = None


class Client:
    """What the rest of preflight asks of a cluster. Make one with `connect`."""

    def __init__(self, library: "ApiClient") -> None:
        self._library = library
        self.calls: Counter[str] = Counter()  # "POST jobs" -> how often: the bound per Job is tested

    @property
    def server(self) -> str:
        """URL of the API server."""
        return str(self._library.configuration.host)

    async def get(self, path: str, query: Mapping[str, str] = {}) -> Json:
        """Read an object or a list. Raises `ClusterFailure`."""
        return await self._call("GET", path, query)

    async def everything(self, path: str, *, page: int = 500) -> list[Json]:
        """All objects of a collection, page by page. Raises `ClusterFailure`."""
        found: list[Json] = []
        more = ""
        while True:
            answer = await self.get(path, {"limit": str(page)} | ({"continue": more} if more else {}))
            found += items(answer)
            more = text(table(answer, "metadata").get("continue"), most=100_000)
            if not more or len(found) > MAX_OBJECTS:
                return found

    async def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection at `path`. Raises `ClusterFailure`."""
        return await self._call("POST", path, body=body)

    async def delete(self, path: str) -> None:
        """Delete an object and what it owns, in the background; one that is gone already is no failure."""
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        with contextlib.suppress(Gone):
            await self._call("DELETE", path, body=options)

    async def lines(
        self, path: str, query: Mapping[str, str] = {}, *, silence_s: float = 60.0
    ) -> AsyncGenerator[bytes, None]:
        """The lines of a stream (watch, log) as they come, without their ends.

        Ends when the server ends it. Raises `ClusterFailure` when it breaks, or says nothing for `silence_s`.
        """
        answer = await self._request("GET", path, query, None, limit_s=None)
        try:
            rest = b""
            while chunk := await _within(answer.response.content.read(_CHUNK), silence_s, path):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line
                if len(rest) > MAX_LINE:
                    raise ClusterFailure("kube.unexpected-answer", f"{path}: a line of more than {MAX_LINE} bytes")
            if rest:
                yield rest
        finally:
            answer.response.close()

    @contextlib.asynccontextmanager
    async def socket(self, path: str, query: Sequence[tuple[str, str]]) -> "AsyncIterator[ClientWebSocketResponse]":
        """A websocket to the API server, as `exec` wants it. Raises `ClusterFailure` when it is not opened."""
        import aiohttp  # noqa: PLC0415 - the library's own transport: slow to import

        self.calls[f"GET {_collection(path)}"] += 1
        _, url, headers, _, _ = await self._library.param_serialize(
            "GET", path, query_params=list(query), auth_settings=["BearerToken"]
        )
        headers = {name: value for name, value in headers.items() if name.lower() not in ("accept", "content-type")}
        session = self._session()
        try:
            async with asyncio.timeout(_ANSWER_S):
                opened = await session.ws_connect(
                    url, headers=headers, protocols=(EXEC_PROTOCOL,), max_msg_size=MAX_LINE, proxy=self._proxy(),
                    timeout=aiohttp.ClientWSTimeout(ws_close=_FAREWELL_S),
                )  # fmt: skip
        except aiohttp.WSServerHandshakeError as error:
            raise await self._refused(session, url, headers, error.status, path) from error
        except _errors() as error:
            raise translated(error, self.server) from error
        try:
            yield opened
        finally:
            with contextlib.suppress(*_errors()):
                await opened.close()

    async def _refused(self, session: Any, url: str, headers: dict[str, str], status: int, path: str) -> Refused:
        """Asks once more in plain HTTP, since a handshake that fails throws away what the server says of it."""
        asked = headers | {
            "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
            "sec-websocket-key": base64.b64encode(os.urandom(16)).decode(), "sec-websocket-protocol": EXEC_PROTOCOL,
        }  # fmt: skip
        body = b""
        with contextlib.suppress(*_errors()):
            async with asyncio.timeout(_ANSWER_S), session.get(url, headers=asked, proxy=self._proxy()) as answer:
                if answer.status >= 400:
                    status, body = answer.status, await answer.content.read(_CHUNK)
        return refusal(status, body, f"GET {path}")

    def _session(self) -> Any:
        """The library's own session: its trust, its client certificate, its connections."""
        rest = self._library.rest_client
        if rest.pool_manager is None:
            rest.pool_manager = rest._create_pool_manager()  # noqa: SLF001 - as the library's own websocket client does
        return rest.pool_manager

    def _proxy(self) -> str | None:
        proxy = self._library.configuration.proxy
        return str(proxy) if proxy else None

    async def _call(self, method: str, path: str, query: Mapping[str, str] = {}, body: Json | None = None) -> Json:
        answer = await self._request(method, path, query, body, limit_s=_ANSWER_S)
        try:
            return _decoded(await _body(answer, path, _ANSWER_S), path)
        finally:
            answer.response.close()

    async def _request(
        self, method: str, path: str, query: Mapping[str, str], body: Json | None, *, limit_s: float | None
    ) -> "RESTResponse":
        import aiohttp  # noqa: PLC0415 - the library's own transport: slow to import

        self.calls[f"{method} {_collection(path)}"] += 1
        try:
            method, url, headers, sent, _ = await self._library.param_serialize(
                method, path, query_params=list(query.items()), header_params={"Accept": "application/json, */*"},
                body=body, auth_settings=["BearerToken"],
            )  # fmt: skip
            timeout = aiohttp.ClientTimeout(total=limit_s, sock_connect=_CONNECT_S)
            async with asyncio.timeout(_ANSWER_S):  # until the head of the answer
                answer = await self._library.call_api(method, url, headers, sent, _request_timeout=timeout)
        except _errors() as error:
            raise translated(error, self.server) from error
        if answer.status >= 400:
            try:
                raise refusal(answer.status, await _body(answer, path, _ANSWER_S), f"{method} {path}")
            finally:
                answer.response.close()
        return answer


class Gone(Refused):
    """404: there is no such object, or no such API."""


def refusal(status: int, body: bytes, what: str) -> Refused:
    """An error status of the API server as failure; its own message is kept."""
    try:
        told = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = {}
    message = str(told.get("message") or body[:300].decode(errors="replace") or "no message")
    reason = str(told.get("reason") or "")
    make = Gone if status == 404 else Refused
    return make(
        refusals.cause(status, message),
        f"{what}: {status} {refusals.told(message[:800])}",
        status=status,
        reason=reason,
    )


@contextlib.asynccontextmanager
async def connect(access: Access) -> AsyncIterator[Client]:
    """A client, closed afterwards. Sends nothing yet. Raises `UsageFailure` for a kubeconfig that cannot be used."""
    try:
        from kubernetes.aio import client as library  # noqa: PLC0415 - 0.6 s
    except ModuleNotFoundError as error:
        raise MissingExtra("cluster", "a run in the cluster") from error
    configuration = library.Configuration()
    configuration.retries = None  # what is tried again is decided here
    configuration.connection_pool_maxsize = 0  # streams of many pods at once: bounded by who opens them
    await _configure(configuration, access)
    async with library.ApiClient(configuration) as opened:
        opened.user_agent = f"preflight/{__version__}"
        yield Client(opened)


async def _configure(configuration: Any, access: Access) -> None:
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - a dependency of the library
    from kubernetes.aio import config  # noqa: PLC0415

    told, there = _kubeconfig(access)
    try:
        if access.kubeconfig is None and not there and IN_CLUSTER.is_file():  # noqa: ASYNC240 - one look, once
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            return
        await config.load_kube_config(told, context=access.context, client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError, ssl.SSLError) as error:
        where = f"context {access.context} of {told}" if access.context else told
        raise UsageFailure(f"--kubeconfig: {where}: {_first_line(error)}") from error


def _kubeconfig(access: Access) -> tuple[str, bool]:
    """Where the kubeconfig is, and whether it is there; $KUBECONFIG may hold several, which the library merges."""
    told = access.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    whole = os.pathsep.join(str(Path(part).expanduser()) for part in told.split(os.pathsep) if part)
    return whole, any(Path(part).is_file() for part in whole.split(os.pathsep))


def _errors() -> tuple[type[Exception], ...]:
    """All that the library and its transport raise for a request; a test holds this against them."""
    import aiohttp  # noqa: PLC0415
    from kubernetes.aio import config  # noqa: PLC0415
    from kubernetes.aio.client.exceptions import OpenApiException  # noqa: PLC0415

    return (aiohttp.ClientError, OpenApiException, config.ConfigException, TimeoutError, OSError)


def translated(error: Exception, server: str) -> ClusterFailure:
    """What a library's exception says, as cause and sentence."""
    import aiohttp  # noqa: PLC0415
    from kubernetes.aio import config  # noqa: PLC0415

    said = _first_line(error)
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError, ssl.SSLError)):
        return ClusterFailure("kube.unreachable", f"TLS with the API server {server} failed: {said}")
    if isinstance(error, config.ConfigException):
        return ClusterFailure("kube.login-refused", f"no credentials for the API server {server}: {said}")
    if isinstance(error, TimeoutError):
        return ClusterFailure("kube.unreachable", f"the API server {server} does not answer in time")
    return ClusterFailure("kube.unreachable", f"the API server {server} cannot be reached: {said}")


async def _within(reading: Any, limit_s: float, path: str) -> bytes:
    try:
        async with asyncio.timeout(limit_s):
            return bytes(await reading)
    except TimeoutError as error:
        raise ClusterFailure("kube.unreachable", f"{path}: nothing came for {limit_s:.0f} s") from error
    except _errors() as error:
        raise ClusterFailure("kube.unreachable", f"{path}: the stream broke: {_first_line(error)}") from error


async def _body(answer: "RESTResponse", path: str, limit_s: float) -> bytes:
    body = bytearray()
    while chunk := await _within(answer.response.content.read(_CHUNK), limit_s, path):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise ClusterFailure("kube.unexpected-answer", f"{path}: an answer of more than {MAX_ANSWER} bytes")
    return bytes(body)


def _decoded(body: bytes, path: str) -> Json:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        said = body[:100].decode(errors="replace")
        raise ClusterFailure("kube.unexpected-answer", f"{path}: the answer is not a JSON object: {said}") from error


def _collection(path: str) -> str:
    """`jobs` of /apis/batch/v1/namespaces/x/jobs/y: what is counted."""
    parts = path.strip("/").split("/")
    if "namespaces" in parts[:-1]:
        after = parts[parts.index("namespaces") + 2 :]
        return "/".join((after[0], *after[2:])) if after else "namespaces"
    return parts[-1]


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
