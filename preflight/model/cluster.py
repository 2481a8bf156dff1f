"""What a cluster says of itself before a run is planned: services, DNS replicas, nodes, network. Values, no verdicts.

Read by `preflight.kube.scout` with the rights that the user has. What may not be read is empty, and a notice says so.
All of it comes from the API server's objects and is bounded where it is read: hostile text until it is escaped.
"""

from enum import StrEnum

import msgspec

from preflight.model.policies import PolicyFacts


class Behind(StrEnum):
    """Whether a pod leaves the cluster with its node's address."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class ServiceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One Service."""

    name: str
    namespace: str
    addresses: tuple[str, ...] = ()  # clusterIPs, at most two
    ports: tuple[int, ...] = ()


class DnsReplica(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint behind the Service kube-system/kube-dns."""

    address: str
    ready: bool
    port: int = 53  # where it listens, behind the Service's own port
    pod: str = ""  # empty: no pod stands behind the endpoint, or its name is not told
    node: str = ""
    pool: str = ""  # of the node; empty where nodes may not be listed

    @property
    def place(self) -> str:
        """Pod, node and pool, as far as they are known, for a sentence."""
        where = [f"on {self.node}" if self.node else "", f"pool {self.pool}" if self.pool else ""]
        told = ", ".join(part for part in where if part)
        return f"{self.pod or self.address} ({told})" if told else self.pod or self.address


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One node."""

    name: str
    pool: str
    address: str = ""  # InternalIP
    pod_cidrs: tuple[str, ...] = ()  # of the node's own pods, where the cluster hands ranges to nodes
    image: str = ""  # "AKSUbuntu-2204gen2containerd-202510.19.1", else the name of the system
    zone: str = ""
    created: str = ""  # UTC, ISO 8601
    runtime: str = ""  # "containerd://1.7.27-1"
    kubelet: str = ""  # "v1.30.9"
    ready: bool = False


class NetworkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the network sees of a pod, and who says so."""

    pods_behind_nodes: Behind = Behind.UNKNOWN
    known_from: str = (
        ""  # "preflight.toml environment.network_model", "label kubernetes.azure.com/podnetwork-type", ...
    )
    words: str = ""  # what it says there: "overlay"


class RouterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The router that is installed: azureml-fe (v1) or azureml-fe-v2 (extension)."""

    namespace: str
    deployment: str
    account: str = ""  # the service account of its pods
    rights: str = ""  # "pods=yes,endpoints=no,services=yes": whether the account may list them; empty: not known


class RouterPod(msgspec.Struct, frozen=True, kw_only=True):
    """One running pod of the router (azureml-fe)."""

    name: str
    namespace: str
    node: str = ""
    started: str = ""  # UTC, ISO 8601
    proxies: dict[str, str] = {}  # "https_proxy" -> URL without credentials, "no_proxy" -> text; as in VantageFacts
    exempt: bool = False  # its annotation keeps AKS from writing proxy variables into it


class ClusterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster of one run."""

    server: str = ""  # URL of the API server in the kubeconfig
    api_service: ServiceFacts | None = None  # default/kubernetes
    dns_service: ServiceFacts | None = None  # kube-system/kube-dns
    dns_replicas: tuple[DnsReplica, ...] = ()  # by address
    nodes: tuple[NodeFacts, ...] = ()  # by name; at most as many as are kept
    nodes_total: int = 0
    pod_cidrs: tuple[str, ...] = ()  # the nodes', joined where they are neighbours
    network: NetworkFacts = NetworkFacts()
    router: RouterFacts | None = None  # None: not installed, or it may not be looked at
    policies: PolicyFacts | None = None  # None: there is no pod vantage, so nobody looked
    router_pods: tuple[RouterPod, ...] = ()  # the oldest first
    notices: tuple[str, ...] = ()  # what could not be read, and what is therefore not known
