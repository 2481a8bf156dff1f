"""A script in a pod that AKS starts for it: `runCommand` of a managed cluster, and its result. Nothing else is created.

REST: learn.microsoft.com/rest/api/aks/managed-clusters/run-command and get-command-result (2025-10-01): POST gives 202
with the result's address in Location; GET gives 202 until the command has ended. Limits: "Access a private AKS cluster
using the command invoke": 60 s until the pod starts, 512 kB of output.
"""

import asyncio
import base64
import io
import re
import time
import zipfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from preflight.azure.arm import Arm
from preflight.failures import ClusterFailure, UsageFailure
from preflight.model.secret import Secret

Json = dict[str, Any]
API_VERSION: Final = "2025-10-01"
TARGETS: Final = 12  # of one command, so that its output stays below the limit
AKS_AAD_SERVER: Final = (
    "6dae42f8-4368-4678-94ff-3960e28e3630"  # the application behind Entra sign-in to clusters: azure-cli acs
)
_FILE: Final = "preflight.sh"
_START_S: Final = 180.0  # beyond the run's own time: the pod's image, its start, and the way back
_ID: Final = re.compile(
    r"/?(?:subscriptions/)?([0-9a-fA-F-]{36})/(?:resourceGroups/)?([-\w._()]{1,90})"
    r"/(?:providers/Microsoft\.ContainerService/managedClusters/)?([a-zA-Z0-9](?:[-_a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)",
    re.IGNORECASE,
)


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """One managed cluster in Azure."""

    subscription: str
    group: str
    name: str

    @property
    def path(self) -> str:
        """Its resource id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.ContainerService/managedClusters/{self.name}"
        )

    @property
    def short(self) -> str:
        """As it may be given on the command line."""
        return f"{self.subscription}/{self.group}/{self.name}"


def parse(text: str) -> Cluster:
    """A resource id, or SUBSCRIPTION/GROUP/CLUSTER. Raises `UsageFailure`."""
    match = _ID.fullmatch(text.strip())
    if match is None:
        raise UsageFailure(
            f"--via command-invoke {text[:200]!r}: is not SUBSCRIPTION/GROUP/CLUSTER\n"
            "  az aks show -g GROUP -n CLUSTER --query id shows it"
        )
    return Cluster(subscription=match[1].lower(), group=match[2], name=match[3])


SignIn = Callable[[str], Awaitable[Secret]]


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster in which commands can be run, as far as it can be known beforehand."""

    cluster: Cluster
    entra: bool = False  # Entra signs users in to the cluster, so that a command needs a token of its own


async def look(arm: Arm, cluster: Cluster) -> Ready:
    """What the cluster says of itself; without the right to read it, nothing. Raises `ClusterFailure`."""
    try:
        found = (await arm.ask("GET", f"{cluster.path}?api-version={API_VERSION}")).body
    except ClusterFailure as failure:
        if failure.cause == "azure.forbidden":
            return Ready(cluster=cluster)
        raise
    told = _part(found, "properties")
    if _part(told, "apiServerAccessProfile").get("disableRunCommand") is True:
        raise ClusterFailure("azure.command-disabled", f"cluster {cluster.name} has run command disabled")
    if str(_part(told, "powerState").get("code")).lower() == "stopped":
        raise ClusterFailure("azure.command-failed", f"cluster {cluster.name} is stopped")
    return Ready(cluster=cluster, entra=_part(told, "aadProfile").get("managed") is True)


async def shell(arm: Arm, ready: Ready, sign_in: SignIn, text: str, *, limit_s: float) -> AsyncGenerator[bytes, None]:
    """The lines that the script has written, when it has ended. Raises `ClusterFailure`."""
    cluster = ready.cluster
    payload: Json = {"command": f"sh {_FILE}", "context": _context(text)}
    if ready.entra:
        payload["clusterToken"] = (await sign_in(AKS_AAD_SERVER)).reveal()
    started = await arm.ask("POST", f"{cluster.path}/runCommand?api-version={API_VERSION}", payload)
    result = await _result(arm, cluster, started.headers.get("location", ""), started.pause_s, limit_s + _START_S)
    state = str(result.get("provisioningState") or "").lower()
    if state != "succeeded":
        reason = str(result.get("reason") or state or "no reason")[:500]
        raise ClusterFailure("azure.command-failed", f"the command in cluster {cluster.name} did not run: {reason}")
    for line in str(result.get("logs") or "").split("\n"):
        yield line.encode("utf-8", "replace")


async def _result(arm: Arm, cluster: Cluster, location: str, pause_s: float, limit_s: float) -> Json:
    """Look until the command has ended."""
    path = _own(arm, cluster, location)
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        await asyncio.sleep(pause_s)
        answer = await arm.ask("GET", path)
        told = _part(answer.body, "properties")
        state = str(told.get("provisioningState") or "").lower()
        if answer.status == 200 and not state.endswith("ing"):
            return told
        pause_s = answer.pause_s
    raise ClusterFailure(
        "azure.command-failed", f"the command in cluster {cluster.name} has no result after {limit_s:.0f} s"
    )


def _own(arm: Arm, cluster: Cluster, location: str) -> str:
    """The result's path. The token goes to the Resource Manager that it is for, and to this cluster's results alone."""
    parts = urlsplit(location)
    host = (parts.netloc or "").lower()
    there = host == arm.host.lower() or host.endswith(f".{arm.host.lower()}")  # a region's own name: the same service
    mine = parts.path.lower().startswith(f"{cluster.path}/commandResults/".lower())
    if parts.scheme != "https" or not there or not mine:
        raise ClusterFailure(
            "azure.unexpected-answer", f"{arm.host} names no result of the command: {location[:300]!r}"
        )
    return f"{parts.path}?{parts.query or f'api-version={API_VERSION}'}"


def _context(text: str) -> str:
    """The script as the file that goes along: base64 of a zip, as `az aks command invoke --file` sends it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_FILE, text)
    return base64.b64encode(packed.getvalue()).decode()


def _part(value: Json, name: str) -> Json:
    part = value.get(name)
    return part if isinstance(part, dict) else {}
