"""Reads what a cluster says of itself, with the rights that there are; creates nothing, and never fails a run.

Single objects beside the nodes, each by its name. One that may not or cannot be read leaves its part empty.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure, Refused
from preflight.kube import facts, objects, router
from preflight.kube.client import Client, Gone
from preflight.kube.pools import POOL_LABEL
from preflight.kube.rights import LOOKS, Right
from preflight.model.cluster import ClusterFacts
from preflight.model.environment import NetworkModel

Json = dict[str, Any]
_KINDS: Final = {"services": "Service", "endpoints": "Endpoints", "configmaps": "ConfigMap"}
_MOST_PEM: Final = 256 * 1024


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The facts, and what pods trust for the API server (PEM; empty when it is not known)."""

    facts: ClusterFacts
    pods_ca_pem: str = ""


async def look(
    client: Client, nodes: Sequence[Json], *, label: str = POOL_LABEL, stated: NetworkModel = NetworkModel.UNKNOWN
) -> Found:
    """The facts of a cluster whose nodes were listed already (empty: they may not be)."""
    objects_asked = asyncio.gather(*(_read(client, right) for right in LOOKS))
    (api, dns, behind, root_ca), (installed, untold) = await asyncio.gather(objects_asked, router.find(client))
    read = facts.nodes(nodes, label)
    told = ClusterFacts(
        server=client.server[:300],
        api_service=facts.service(api) if isinstance(api, dict) else None,
        dns_service=facts.service(dns) if isinstance(dns, dict) else None,
        dns_replicas=facts.replicas(behind, read) if isinstance(behind, dict) else (),
        nodes=read,
        nodes_total=len(nodes),
        pod_cidrs=facts.pod_cidrs(read),
        network=facts.network(stated, nodes),
        router=installed,
        notices=(*(one for one in (api, dns, behind, root_ca) if isinstance(one, str) and one), *untold),
    )
    return Found(facts=told, pods_ca_pem=_pem(root_ca) if isinstance(root_ca, dict) else "")


async def _read(client: Client, right: Right) -> Json | str:
    """The object, or the sentence that says why it is not known; empty where there is none: plans say so themselves."""
    what = f"{right.resource}/{right.names[0]} in {right.namespace}"
    path = objects.path(_KINDS[right.resource], right.namespace, right.names[0])
    try:
        return await client.get(path)
    except Gone:
        return ""
    except Refused as refused:
        may = "without the right to get" if refused.status == 403 else f"{refused.text[:200]}: without"
        return f"{may} {what}: {right.why} is not known"
    except ClusterFailure as failure:
        return f"{what} could not be read ({failure.text[:200]}): {right.why} is not known"


def _pem(found: Json) -> str:
    """The certificates of the ConfigMap; empty for what OpenSSL cannot read."""
    data = found.get("data")
    text = data.get("ca.crt") if isinstance(data, dict) else None
    if not isinstance(text, str) or len(text) > _MOST_PEM:
        return ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError, TypeError):
        return ""
    return text
