"""Reads what a cluster says of itself, with the rights that there are; creates nothing, and never fails a run.

Three objects beside the nodes, each by its name. One that may not or cannot be read leaves its part empty.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from preflight.failures import ClusterFailure, Refused
from preflight.kube import facts, objects
from preflight.kube.client import Client, Gone
from preflight.kube.pools import POOL_LABEL
from preflight.kube.rights import LOOKS, Right
from preflight.model.cluster import ClusterFacts
from preflight.model.environment import NetworkModel

Json = dict[str, Any]


async def look(
    client: Client, nodes: Sequence[Json], *, label: str = POOL_LABEL, stated: NetworkModel = NetworkModel.UNKNOWN
) -> ClusterFacts:
    """The facts of a cluster whose nodes were listed already (empty: they may not be)."""
    api, dns, behind = await asyncio.gather(*(_read(client, right) for right in LOOKS))
    read = facts.nodes(nodes, label)
    return ClusterFacts(
        server=client.server[:300],
        api_service=facts.service(api) if isinstance(api, dict) else None,
        dns_service=facts.service(dns) if isinstance(dns, dict) else None,
        dns_replicas=facts.replicas(behind, read) if isinstance(behind, dict) else (),
        nodes=read,
        nodes_total=len(nodes),
        pod_cidrs=facts.pod_cidrs(read),
        network=facts.network(stated, nodes),
        notices=tuple(one for one in (api, dns, behind) if isinstance(one, str)),
    )


async def _read(client: Client, right: Right) -> Json | str:
    """The object, or the sentence that says why it is not known."""
    what = f"{right.resource}/{right.names[0]} in {right.namespace}"
    path = objects.path({"services": "Service"}.get(right.resource, "Endpoints"), right.namespace, right.names[0])
    try:
        return await client.get(path)
    except Gone:
        return f"there is no {what}: {right.why} is not known"
    except Refused as refused:
        may = "without the right to get" if refused.status == 403 else f"{refused.text[:200]}: without"
        return f"{may} {what}: {right.why} is not known"
    except ClusterFailure as failure:
        return f"{what} could not be read ({failure.text[:200]}): {right.why} is not known"
