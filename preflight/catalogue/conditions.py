"""The closed table of conditions that `when` may name, each a question to the environment with its two reasons."""

from collections.abc import Callable
from typing import Final

import msgspec

from preflight.catalogue.places import PLACES, Absent, Item
from preflight.model.environment import Credentials, Environment, Layout, OutboundType
from preflight.model.vocabulary import Link

ISOLATED: Final = (OutboundType.NONE, OutboundType.BLOCK)
GIVEN: Final = "given "
NOT: Final = "not "


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`holds` answers None when the environment does not say: the requirement is then recommended only."""

    holds: Callable[[Environment, Item], bool | None]
    only: str  # reason when it had to hold
    never: str  # reason when it had to be otherwise


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a requirement applies; `reason` says why not."""

    applies: bool
    sure: bool = True
    reason: str = ""


def isolated(env: Environment) -> bool:
    """Whether the cluster has no way out of its own, so that images come from the bootstrap registry."""
    return env.main.outbound_type in ISOLATED


def _layout(layout: Layout) -> Callable[[Environment, Item], bool | None]:
    return lambda env, _item: None if env.main.layout is Layout.AUTO else env.main.layout is layout


def _names_cluster(env: Environment) -> bool:
    """A file that names nothing of a cluster is about dependencies only: MCR's host is known, but not wanted."""
    return bool(env.api_server.fqdn or env.main.region or env.main.cluster or env.pools)


CONDITIONS: Final[dict[str, Condition]] = {
    "cluster": Condition(
        holds=lambda env, _item: _names_cluster(env),
        only="no cluster is given (environment.region, environment.cluster or api_server.fqdn)",
        never="not with a cluster",
    ),
    "token-authentication": Condition(
        holds=lambda env, _item: env.main.token_authentication,
        only="only with token authentication (environment.token_authentication)",
        never="not with token authentication (environment.token_authentication)",
    ),
    "custom-domain": Condition(
        holds=lambda env, _item: env.endpoint.custom_domain,
        only="only with a custom domain (endpoint.custom_domain)",
        never="not with a custom domain (endpoint.custom_domain)",
    ),
    "isolated": Condition(
        holds=lambda env, _item: isolated(env),
        only='only in an isolated cluster (environment.outbound_type "none" or "block")',
        never="not in an isolated cluster: its images come from environment.bootstrap_registry",
    ),
    "layout v1": Condition(
        holds=_layout(Layout.V1),
        only='only in the v1 layout (environment.layout "v1")',
        never='not in the v1 layout (environment.layout "v1")',
    ),
    "layout extension": Condition(
        holds=_layout(Layout.EXTENSION),
        only='only with the Kubernetes extension (environment.layout "extension")',
        never='not with the Kubernetes extension (environment.layout "extension")',
    ),
    "data-endpoints": Condition(
        holds=lambda env, _item: env.registry.data_endpoints or env.registry.link is Link.PRIVATE,
        only="only with dedicated data endpoints (registry.data_endpoints) or a private endpoint (registry.link)",
        never="not with dedicated data endpoints or a private endpoint",
    ),
    "router": Condition(
        holds=lambda env, _item: env.cluster is not None and env.cluster.router is not None,
        only="only where the router runs: it was not found in the cluster, or no cluster was named (--kubeconfig)",
        never="not where the router runs",
    ),
    "storage.table": Condition(
        holds=lambda _env, item: item.storage is not None and item.storage.table,
        only="only for accounts with tables (storage.table)",
        never="not for accounts with tables (storage.table)",
    ),
}


def known(condition: str) -> bool:
    """Whether `when` may name it: a condition, `not CONDITION`, or `given KEY`."""
    if condition.startswith(GIVEN):
        key = condition.removeprefix(GIVEN)
        return key in PLACES or key.removeprefix("credentials.") in Credentials.__struct_fields__
    return condition.removeprefix(NOT) in CONDITIONS


def ask(condition: str, env: Environment, item: Item) -> Answer:
    """One condition of a `when`."""
    if condition.startswith(GIVEN):
        return _given(condition.removeprefix(GIVEN), env)
    entry = CONDITIONS[condition.removeprefix(NOT)]
    wanted = not condition.startswith(NOT)
    held = entry.holds(env, item)
    if held is None:
        return Answer(applies=True, sure=False)
    return Answer(applies=held is wanted, reason="" if held is wanted else entry.only if wanted else entry.never)


def _given(key: str, env: Environment) -> Answer:
    if key.startswith("credentials."):
        present = getattr(env.credentials, key.removeprefix("credentials.")) is not None
    else:
        value = PLACES[key](env)
        if isinstance(value, Absent):
            return Answer(applies=False, reason=value.reason)
        present = True
    return Answer(applies=present, reason="" if present else f"{key} is not given")
