"""One service each: which requests to send and which facts to read out of the answers. The table to them all."""

from collections.abc import Awaitable, Callable

from preflight.model.plan import Task
from preflight.model.secret import Secrets
from preflight.model.vocabulary import ProbeName
from preflight.probes.dialer import Dialer
from preflight.probes.services import (
    blob,
    cluster_dns,
    endpoint,
    entra,
    http,
    kube_api,
    kusto,
    peers,
    registry,
    table,
    tcp,
    workspace,
)
from preflight.probes.trail import Trail

Probe = Callable[[Task, Dialer, Trail, Secrets], Awaitable[None]]

PROBES: dict[ProbeName, Probe] = {
    ProbeName.TCP: tcp.probe,
    ProbeName.HTTP: http.probe,
    ProbeName.REGISTRY: registry.probe,
    ProbeName.BLOB: blob.probe,
    ProbeName.TABLE: table.probe,
    ProbeName.ENTRA: entra.probe,
    ProbeName.WORKSPACE: workspace.probe,
    ProbeName.KUSTO: kusto.probe,
    ProbeName.KUBE_API: kube_api.probe,
    ProbeName.ENDPOINT: endpoint.probe,
    ProbeName.PEERS: peers.probe,
    ProbeName.CLUSTER_DNS: cluster_dns.probe,
}
