"""Azure Resource Manager: nothing without a token, and with one a managed cluster that runs commands.

Sources: learn.microsoft.com/azure/azure-resource-manager, pages common-deployment-errors, error-not-found,
request-limits-and-throttling, async-operations; learn.microsoft.com/rest/api/aks/managed-clusters, pages get,
run-command, get-command-result (with the examples of azure-rest-api-specs, RunCommandRequest.json,
RunCommandResultSucceed.json, RunCommandResultFailed.json); "Access a private AKS cluster using the command invoke" for
the limit of the output; the answer without a token is the one that azure-cli relies on for its tenant discovery.
"""

import base64
import binascii
import io
import re
import uuid
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from preflight.lab import deployment as at
from preflight.lab.http import Handler, Request, Response, document

MAX_OUTPUT: Final = 512 * 1024  # bytes: access-private-cluster.md, "limited to 512kB in size"
_CLUSTER: Final = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/microsoft\.containerservice/managedclusters/([^/]+)(/.*)?",
    re.IGNORECASE,
)
_RESULT: Final = re.compile(r"/commandresults/([0-9a-f]{32})", re.IGNORECASE)


class Running(Protocol):
    """A command that was started."""

    def ended(self) -> tuple[int, bytes] | None:
        """Exit code and output; None while it runs."""


Start = Callable[[str, Mapping[str, bytes]], Running]  # the command and the files that came along


def arm(_request: Request) -> Response:
    """Everything needs a token."""
    challenge = (
        f'Bearer authorization_uri="https://{at.ENTRA.name}/{at.TENANT}", error="invalid_token",'
        " error_description=\"The authentication failed because of missing 'Authorization' header.\""
    )
    message = "Authentication failed. The 'Authorization' header is missing."
    headers = {"WWW-Authenticate": challenge, "x-ms-failure-cause": "gateway"}
    return failure(401, "AuthenticationFailed", message, headers)


def failure(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """An error as the Resource Manager words it: common-deployment-errors."""
    return document(status, {"error": {"code": code, "message": message}}, headers)


class ManagedCluster:
    """One cluster of one subscription, whose commands `start` runs; without it run command is disabled."""

    def __init__(self, start: Start | None = None, *, entra: bool = False) -> None:
        self._start, self._entra = start, entra
        self._commands: dict[str, Running] = {}
        self.answers: list[Response] = []  # given before any other, one for each request with the right token
        self.payloads: list[dict[str, Any]] = []  # of the commands that came

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        token = request.headers.get("authorization", "")
        if not token:
            return arm(request)
        if token != f"Bearer {at.ARM_TOKEN}":
            return failure(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if self.answers:
            return self.answers.pop(0)
        match = _CLUSTER.fullmatch(request.path)
        if match is None or "api-version" not in request.query:
            return failure(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
            )
        return self._missing(*match.groups()[:3]) or self._cluster(request, match[4] or "")

    def _missing(self, subscription: str, group: str, name: str) -> Response | None:
        if subscription.lower() != at.SUBSCRIPTION:
            return failure(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        if group.lower() != at.GROUP:
            return failure(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        if name.lower() != at.CLUSTER:
            resource = f"Microsoft.ContainerService/managedClusters/{name}"
            message = (
                f"The Resource '{resource}' under resource group '{group}' was not found. For more details please go to"
                " https://aka.ms/ARMResourceNotFoundFix"
            )
            return failure(404, "ResourceNotFound", message)
        return None

    def _cluster(self, request: Request, rest: str) -> Response:
        result = _RESULT.fullmatch(rest)
        if request.method == "GET" and not rest:
            return document(200, self._properties())
        if request.method == "POST" and rest.lower() == "/runcommand" and self._start is not None:
            return self._run(request, self._start)
        if request.method == "GET" and result is not None and result[1] in self._commands:
            return self._result(request, result[1])
        return failure(404, "NotFound", "The requested resource was not found.")

    def _properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "apiServerAccessProfile": {"enablePrivateCluster": True, "disableRunCommand": self._start is None},
        }
        if self._entra:
            properties["aadProfile"] = {"managed": True, "enableAzureRBAC": True}
        return {"id": _path(), "name": at.CLUSTER, "location": at.REGION, "properties": properties}

    def _run(self, request: Request, start: Start) -> Response:
        try:
            payload = msgspec.json.decode(request.body, type=dict[str, Any])
            files = _unpacked(str(payload.get("context") or ""))
        except (msgspec.DecodeError, binascii.Error, zipfile.BadZipFile, UnicodeDecodeError, ValueError):
            return failure(
                400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
            )
        self.payloads.append(payload)
        command = uuid.uuid4().hex
        self._commands[command] = start(str(payload.get("command") or ""), files)
        return self._accepted(request, command)

    def _result(self, request: Request, command: str) -> Response:
        ended = self._commands[command].ended()
        if ended is None:
            return self._accepted(request, command)
        code, output = ended
        properties = {
            "provisioningState": "Succeeded",
            "exitCode": code,
            "startedAt": "2026-11-22T10:00:00Z",
            "finishedAt": "2026-11-22T10:00:01Z",
            "logs": output[:MAX_OUTPUT].decode("utf-8", "replace"),
        }
        return document(200, {"id": command, "properties": properties})

    @staticmethod
    def _accepted(request: Request, command: str) -> Response:
        version = request.query["api-version"]
        location = f"https://{request.host}{_path()}/commandResults/{command}?api-version={version}"
        return Response(status=202, headers={"Location": location, "Retry-After": "1", "Content-Length": "0"})


def _path() -> str:
    """The cluster's id."""
    group = f"/subscriptions/{at.SUBSCRIPTION}/resourcegroups/{at.GROUP}"
    return f"{group}/providers/Microsoft.ContainerService/managedClusters/{at.CLUSTER}"


def _unpacked(context: str) -> dict[str, bytes]:
    """The files of a command: base64 of a zip, as azure-cli packs them."""
    if not context:
        return {}
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(context))) as archive:
        return {one.filename: archive.read(one) for one in archive.infolist()[:16] if one.file_size <= MAX_OUTPUT}


ERRORS: dict[str, Handler] = {}
