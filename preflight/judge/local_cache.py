"""DNS caches that stand on each node, by their well-known addresses: a hop of its own, which can answer stale.

AKS LocalDNS: MicrosoftDocs/azure-aks-docs, articles/aks/aks-local-dns.md (2025-07-01); it goes on with what it has when
what is behind it fails. NodeLocal DNSCache: kubernetes.io/docs/tasks/administer-cluster/nodelocaldns (usual address).
"""

from typing import Final

from preflight.model.observation import ResolverFacts

_CACHES: Final = {
    "169.254.10.10": "LocalDNS of the node (for dnsPolicy Default)",
    "169.254.10.11": "LocalDNS of the node (for dnsPolicy ClusterFirst)",
    "169.254.20.10": "NodeLocal DNSCache of the node",
}


def name(server: str) -> str:
    """What answers at `169.254.10.11:53`; empty when it is no known cache."""
    return _CACHES.get(server.rpartition(":")[0] if server.count(":") == 1 else server, "")


def remark(resolver: ResolverFacts) -> str:
    """A sentence for lookups that go through such a cache; empty where they do not."""
    found = [(server, name(server)) for server in resolver.nameservers if name(server)]
    if not found:
        return ""
    server, words = found[0]
    return f"{server} is {words}: a cache in front of the DNS servers, which may answer what is stale"
