"""Shares out what a run may do to one destination among the places that do it at once. Pure; see docs/scale.md.

The workstation has a way out of its own and is not bound. The cluster's places share theirs: its SNAT ports, and the
patience of the services with it.
"""

from collections import Counter
from typing import Final

import msgspec

from preflight.model.environment import Environment
from preflight.model.plan import Limits, Pace, Plan
from preflight.model.vocabulary import VantageKind, vantage_kind

CROWD: Final = 10  # places; from here on a failure may be the crowd's own doing, and is tried again alone
_TRIES: Final = 2  # connections of a check to one destination: the second is a redirect, or another attempt
_ALONE_S: Final = 0.1  # of the second round for each place
_LONGEST_ALONE_S: Final = 60.0
_LEAST_BURST: Final = 2


def pace(plan: Plan, env: Environment, vantage: str) -> Pace:
    """What one place may do."""
    places = sum(vantage_kind(name) is not VantageKind.WORKSTATION for name in plan.vantages)
    if vantage_kind(vantage) is VantageKind.WORKSTATION or not places:
        return Pace()
    share = env.limits.connects_per_s / places
    burst = max(int(share / 2), _LEAST_BURST)
    wanted = places * _tries(plan, env, vantage)
    return Pace(
        # Burst and rest make up the share, so that even the first second holds no more.
        connects_per_s=share - burst if share >= 2 * _LEAST_BURST else share,
        burst=burst,
        spread_s=round(wanted / env.limits.connects_per_s, 3) if wanted > env.limits.connects_per_s else 0.0,
        places=places,
        alone_s=min(places * _ALONE_S, _LONGEST_ALONE_S) if places >= CROWD else 0.0,
    )


def limits(plan: Plan, env: Environment, vantage: str) -> Limits:
    """The environment's; the run's deadline is longer by the time that the pace takes."""
    mine = pace(plan, env, vantage)
    extended = env.limits.run_deadline_s + mine.spread_s + mine.alone_s
    return msgspec.structs.replace(env.limits, run_deadline_s=extended)


def deadline_s(plan: Plan, env: Environment) -> float:
    """The run's deadline for whoever waits for all places."""
    return max((limits(plan, env, name).run_deadline_s for name in plan.vantages), default=env.limits.run_deadline_s)


def _tries(plan: Plan, env: Environment, vantage: str) -> int:
    """The most connections of one place to one destination; through a proxy, that is all of them."""
    keys = set(plan.runs[vantage])
    mine = [task.target.hostport for task in plan.tasks if task.key in keys]
    proxied = vantage_kind(vantage) in env.proxy.vantages and (env.proxy.https or env.proxy.http)
    return _TRIES * (len(mine) if proxied else max(Counter(mine).values(), default=0))
