"""Objects that a cluster has before anybody comes: nodes as AKS labels them, services, pods that only stand there.

Nothing here runs: a pod that is put there as `Running` is nobody's process.
"""

from typing import Any

Json = dict[str, Any]


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
