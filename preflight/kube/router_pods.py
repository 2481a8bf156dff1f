"""The router's running pods: since when, and with which proxy settings. Reads them where they may be listed.

What may not be read is not known, and nothing is said about it: rights and their notices are those of the comparison
of network policies, which lists the same pods.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from preflight.failures import ClusterFailure
from preflight.kube import objects
from preflight.kube.client import Client
from preflight.kube.standing import Wanted
from preflight.kube.values import items, labels, table, tables, text
from preflight.model.cluster import RouterPod
from preflight.probes.redact import without_credentials

Json = dict[str, Any]
MOST: Final = 20
_MOST_VALUE: Final = 2_000
PROXIES: Final[tuple[str, ...]] = ("https_proxy", "http_proxy", "all_proxy", "no_proxy")


async def look(client: Client, wanted: Wanted) -> tuple[RouterPod, ...]:
    """The router's pods in the namespaces where it is documented to be, the oldest first."""
    query = {"labelSelector": wanted.selector, "limit": "100"}
    listed = await asyncio.gather(*(_listed(client, place, query) for place in wanted.namespaces))
    return read([pod for pods in listed for pod in pods])


async def _listed(client: Client, namespace: str, query: dict[str, str]) -> list[Json]:
    try:
        return items(await client.get(objects.path("Pod", namespace), query))
    except ClusterFailure:
        return []


def read(found: Sequence[Json]) -> tuple[RouterPod, ...]:
    """Pods that run and are nobody's probe; at most `MOST`."""
    pods = sorted((one for one in map(_read, found) if one is not None), key=lambda one: (one.started, one.name))
    return tuple(pods[:MOST])


def _read(pod: Json) -> RouterPod | None:
    meta, spec, status = table(pod, "metadata"), table(pod, "spec"), table(pod, "status")
    probe = labels(meta.get("labels")).get(objects.MANAGED_BY) == objects.TOOL
    if probe or text(status.get("phase")) != "Running":
        return None
    return RouterPod(
        name=text(meta.get("name")),
        namespace=text(meta.get("namespace")),
        node=text(spec.get("nodeName")),
        started=text(status.get("startTime")) or text(meta.get("creationTimestamp")),
        proxies=_proxies(spec),
        exempt=text(table(meta, "annotations").get("kubernetes.azure.com/no-http-proxy-vars")).lower() == "true",
    )


def _proxies(spec: Json) -> dict[str, str]:
    """Of the first container that has any, without logins; a value that stands in another object is not known."""
    for container in tables(spec.get("containers")):
        told = {text(one.get("name")).lower(): one for one in tables(container.get("env"))}
        found = {
            name: without_credentials(text(told[name].get("value"), _MOST_VALUE))
            for name in PROXIES
            if name in told and isinstance(told[name].get("value"), str)
        }
        if found:
            return found
    return {}
