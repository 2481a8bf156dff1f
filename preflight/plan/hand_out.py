"""Cuts out of the plan what one vantage is handed: its tasks and the circumstances there. Pure, free of secrets."""

from preflight.model.environment import Environment
from preflight.model.plan import Mapping, Plan, Proxy, VantagePlan
from preflight.model.vocabulary import VantageKind, vantage_kind
from preflight.plan import pacing


def vantage_plan(
    plan: Plan, env: Environment, vantage: str, *, run_id: str, mapping: Mapping | None = None
) -> VantagePlan:
    """The part of one vantage; `mapping` replaces the environment's, for vantages that each have their own."""
    kind = vantage_kind(vantage)
    keys = set(plan.runs.get(vantage, ()))
    detour = env.mapping if mapping is None else mapping
    return VantagePlan(
        run_id=run_id,
        vantage=vantage,
        tasks=tuple(task for task in plan.tasks if task.key in keys),
        limits=pacing.limits(plan, env, vantage),
        pace=pacing.pace(plan, env, vantage),
        mapping=detour,
        proxy=_proxy(env, kind, detour),
        # containerd, kubelet and the cluster's own programs are Go; what people run at a workstation is mostly Python.
        no_proxy_as="go" if kind is not VantageKind.WORKSTATION or plan.stand_in else "python",
        ca_pem=env.ca_pem,
        cluster_ca_pem=env.api_server_ca_pem,
        pods_ca_pem=env.pods_ca_pem or env.api_server_ca_pem,
        compare_resolvers=env.main.resolvers,
        resolver_consumer="coredns" if kind is VantageKind.POD else None,
    )


def workstation_terms(env: Environment) -> VantagePlan:
    """The circumstances of this place without any task: for requests that preflight makes for itself."""
    workstation = VantageKind.WORKSTATION
    return VantagePlan(
        run_id="",
        vantage=workstation.value,
        tasks=(),
        limits=env.limits,
        mapping=env.mapping,
        proxy=_proxy(env, workstation, env.mapping),
        no_proxy_as="python",
        ca_pem=env.ca_pem,
        compare_resolvers=env.main.resolvers,
    )


def _proxy(env: Environment, kind: VantageKind, detour: Mapping) -> Proxy:
    """The file's proxy where it names this vantage.

    A mapped vantage ignores the machine's own proxy variables: they belong to the network that the mapping replaces.
    So does a node: what a webhook writes into a pod of the host's network is not what its runtime goes by.
    """
    own = kind is not VantageKind.NODE and not (detour.nameservers or detour.connect_to)
    if kind not in env.proxy.vantages:
        return Proxy(from_environment=own)
    settings = env.proxy
    return Proxy(https=settings.https, http=settings.http, no_proxy=settings.no_proxy, from_environment=own)
