"""Which resources the stand-in has, and under which API: data only, as in Kubernetes 1.33."""

from typing import Final, NamedTuple


class Resource(NamedTuple):
    """A row of `kubectl api-resources`."""

    kind: str
    api: str = "v1"
    namespaced: bool = True

    @property
    def group(self) -> str:
        """Empty for the core group."""
        return self.api.rpartition("/")[0]


RESOURCES: Final = {
    "namespaces": Resource("Namespace", namespaced=False),
    "nodes": Resource("Node", namespaced=False),
    "pods": Resource("Pod"),
    "configmaps": Resource("ConfigMap"),
    "secrets": Resource("Secret"),
    "events": Resource("Event"),
    "services": Resource("Service"),
    "endpoints": Resource("Endpoints"),
    "serviceaccounts": Resource("ServiceAccount"),
    "resourcequotas": Resource("ResourceQuota"),
    "limitranges": Resource("LimitRange"),
    "jobs": Resource("Job", "batch/v1"),
    "cronjobs": Resource("CronJob", "batch/v1"),
    "deployments": Resource("Deployment", "apps/v1"),
    "daemonsets": Resource("DaemonSet", "apps/v1"),
    "replicasets": Resource("ReplicaSet", "apps/v1"),
    "statefulsets": Resource("StatefulSet", "apps/v1"),
    "endpointslices": Resource("EndpointSlice", "discovery.k8s.io/v1"),
    "networkpolicies": Resource("NetworkPolicy", "networking.k8s.io/v1"),
    "ciliumnetworkpolicies": Resource("CiliumNetworkPolicy", "cilium.io/v2"),
    "ciliumclusterwidenetworkpolicies": Resource("CiliumClusterwideNetworkPolicy", "cilium.io/v2", namespaced=False),
    "roles": Resource("Role", "rbac.authorization.k8s.io/v1"),
    "rolebindings": Resource("RoleBinding", "rbac.authorization.k8s.io/v1"),
    "clusterroles": Resource("ClusterRole", "rbac.authorization.k8s.io/v1", namespaced=False),
    "clusterrolebindings": Resource("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", namespaced=False),
}


def qualified(resource: str) -> str:
    """`jobs.batch`, `pods`: as error messages name a resource (apimachinery, GroupResource.String)."""
    group = RESOURCES[resource].group if resource in RESOURCES else ""
    return f"{resource}.{group}" if group else resource
