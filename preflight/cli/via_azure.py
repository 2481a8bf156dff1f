"""`--via command-invoke`: signs in to Azure, looks at the cluster, and makes the vantage that AKS starts a pod for."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from preflight import plan as plans
from preflight.azure import run_command, signin
from preflight.azure.arm import Arm
from preflight.azure.run_command import Ready
from preflight.model.environment import Environment
from preflight.model.secret import Secret, Secrets
from preflight.probes import local
from preflight.probes.dialer import Dialer
from preflight.vantages.shell.place import Where
from preflight.vantages.shell.vantage import ShellVantage

VANTAGE: Final = "pod/aks-command"  # the namespace of those pods; AKS chooses the node, so no pool is named


class Invoked(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that takes commands, and the token that showed it: it is used on, until the run ends."""

    ready: Ready
    token: Secret


@contextlib.asynccontextmanager
async def _arm(env: Environment, secrets: Secrets, token: Secret) -> AsyncIterator[Arm]:
    """Over connections as the environment wants them: its resolver and mapping, its proxy, its authorities."""
    terms = plans.workstation_terms(env)
    async with Dialer(terms, local.look(terms), secrets) as dialer:
        yield Arm(dialer, env.cloud.arm, token)


async def look(env: Environment, secrets: Secrets, target: str) -> Invoked:
    """Sign in and read the cluster; starts nothing. Raises `ClusterFailure`, `MissingExtra` and `UsageFailure`."""
    cluster = run_command.parse(target)
    token = await signin.token(env.cloud.arm, env.cloud.entra)
    async with _arm(env, secrets, token) as arm:
        return Invoked(ready=await run_command.look(arm, cluster), token=token)


@contextlib.asynccontextmanager
async def vantage(env: Environment, secrets: Secrets, invoked: Invoked) -> AsyncIterator[ShellVantage]:
    """The place, for as long as the run goes on."""
    cluster = invoked.ready.cluster
    where = Where(
        via=f"command-invoke {cluster.short}",
        words=f"a command pod (namespace aks-command) of cluster {cluster.name}",
    )

    async def sign_in(resource: str) -> Secret:
        return await signin.token(resource, env.cloud.entra)

    async with _arm(env, secrets, invoked.token) as arm:
        yield ShellVantage(
            lambda text: run_command.shell(arm, invoked.ready, sign_in, text, limit_s=env.limits.run_deadline_s),
            where,
            at_once=run_command.TARGETS,
        )
