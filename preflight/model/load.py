"""How many replicas a load needs, by the documented formula of the router's autoscaler. Pure.

Source: "Deploy a model to an Azure Kubernetes Service cluster" (Azure ML v1), section Understand autoscaling:
concurrent requests = requests a second x seconds a request / target utilization; replicas = these / requests that one
replica serves at once, rounded up. The defaults are those of `AksWebservice.deploy_configuration`.
"""

from decimal import ROUND_CEILING, Decimal

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a model has to serve."""

    rps: Decimal  # requests a second
    request_s: Decimal  # seconds that one takes
    per_replica: int = 1  # requests that one replica serves at once (replica_max_concurrent_requests)
    utilization: Decimal = Decimal("0.7")  # of the replicas, above 0 and at most 1 (autoscale_target_utilization, in %)

    @property
    def concurrent(self) -> Decimal:
        """Requests at once that the replicas have to be able to hold."""
        return self.rps * self.request_s / self.utilization

    @property
    def replicas(self) -> int:
        """At least one."""
        return max(1, int((self.concurrent / self.per_replica).to_integral_value(rounding=ROUND_CEILING)))

    @property
    def busy_replicas(self) -> int:
        """Replicas that the load keeps busy altogether, without any reserve."""
        busy = self.rps * self.request_s / self.per_replica
        return max(1, int(busy.to_integral_value(rounding=ROUND_CEILING)))


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica asks for: `cpu_cores` and `memory_gb` of a deployment configuration."""

    cpu: Decimal = Decimal("0.1")  # cores
    memory: int = 500_000_000  # bytes
