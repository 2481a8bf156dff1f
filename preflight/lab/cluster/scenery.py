"""Objects that a cluster has before anybody comes: nodes as AKS labels them, services, pods that only stand there.

Nothing here runs: a pod that is put there as `Running` is nobody's process.
"""

from preflight.lab.cluster.store import Json, Selector, Store


def node(name: str, pool: str, **labels: str) -> Json:
    """A ready Linux node of a pool (labels: learn.microsoft.com/azure/aks/use-labels)."""
    own = {
        "agentpool": pool, "kubernetes.azure.com/agentpool": pool, "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
    }  # fmt: skip
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    info = {
        "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.33.2",
        "kubeProxyVersion": "v1.33.2", "osImage": "Ubuntu 22.04.5 LTS", "kernelVersion": "5.15.0-1089-azure",
        "containerRuntimeVersion": "containerd://1.7.27-1", "machineID": name, "systemUUID": name, "bootID": name,
    }  # fmt: skip
    return {
        "metadata": {"name": name, "labels": {**own, **labels}},
        "spec": {},
        "status": {"conditions": [ready], "nodeInfo": info, "allocatable": {"cpu": "4", "memory": "16Gi"}},
    }


API_ADDRESS, DNS_ADDRESS = (
    "10.0.0.1",
    "10.0.0.10",
)  # the defaults of AKS (learn.microsoft.com/azure/aks/configure-kubenet)
API_NAMES = (
    "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
)  # fmt: skip
_REPLICAS = 2


def furnish(store: Store, authority: str) -> tuple[str, ...]:
    """What pods find in every AKS cluster: the API server's Service, cluster DNS, the authority that they trust.

    Gives the addresses of the DNS replicas, one on each of the first nodes. Nobody answers at any of these addresses.
    """
    store.add("services", "default", service("kubernetes", API_ADDRESS, ("https", 443, "TCP")))
    labels = {"k8s-app": "kube-dns"}
    ports = (("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"))
    store.add("services", "kube-system", service("kube-dns", DNS_ADDRESS, *ports, selector=labels))
    store.add("configmaps", "default", {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": authority}})
    names = [str(one["metadata"]["name"]) for one in store.select(Selector("nodes"))][:_REPLICAS]
    places = {f"coredns-7d8f9c4b5-{number}": (name, f"10.244.{number}.10") for number, name in enumerate(names)}
    for replica, (on, address) in places.items():
        store.add("pods", "kube-system", pod(replica, on, address, **labels))
    behind = [
        {"ip": address, "nodeName": on, "targetRef": {"kind": "Pod", "name": replica, "namespace": "kube-system"}}
        for replica, (on, address) in places.items()
    ]
    told = [{"name": name, "port": number, "protocol": protocol} for name, number, protocol in ports]
    subsets = [{"addresses": behind, "ports": told}]
    store.add("endpoints", "kube-system", {"metadata": {"name": "kube-dns"}, "subsets": subsets})
    return tuple(address for _, address in places.values())


def service(name: str, address: str, *ports: tuple[str, int, str], selector: dict[str, str] | None = None) -> Json:
    """A ClusterIP Service; each port is name, number, protocol."""
    told = [{"name": one, "port": number, "protocol": protocol} for one, number, protocol in ports]
    spec: Json = {"clusterIP": address, "clusterIPs": [address], "type": "ClusterIP", "ports": told}
    return {"metadata": {"name": name}, "spec": spec | ({"selector": selector} if selector else {})}


def pod(name: str, on: str, address: str, **labels: str) -> Json:
    """A pod that has been running for long."""
    ready = {"type": "Ready", "status": "True"}
    spec = {"nodeName": on, "containers": [{"name": "main", "image": name}]}
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [ready]}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": status}
