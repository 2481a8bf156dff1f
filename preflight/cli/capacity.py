"""`preflight capacity`: how many replicas a load needs, and whether the pools have room for them. Creates nothing."""

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from preflight.cli import cluster_options, loops
from preflight.kube import capacity as rooms
from preflight.kube.client import Access, connect
from preflight.kube.pools import POOL_LABEL
from preflight.model.load import Load, Size

_GIB: Final = 2**30
_GB: Final = 10**9


def _number(most: int) -> Callable[[click.Context, click.Parameter, str], Decimal]:
    """For an option whose value is above 0 and at most `most`."""

    def convert(ctx: click.Context, param: click.Parameter, value: str) -> Decimal:
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise click.BadParameter(f"{value} is not a number", ctx, param) from None
        if not number.is_finite() or not 0 < number <= most:
            raise click.BadParameter(f"{value} is not above 0 and at most {most}", ctx, param)
        return number

    return convert


@click.command()
@click.option("--rps", callback=_number(1_000_000), required=True, metavar="N", help="Requests a second to be served.")
@click.option("--request-seconds", callback=_number(86_400), required=True, metavar="N", help="Seconds that one takes.")
@click.option(
    "--per-replica", type=click.IntRange(1, 10_000), default=1, show_default=True,
    help="Requests that one replica serves at once.",
)  # fmt: skip
@click.option(
    "--utilization", callback=_number(1), default="0.7", show_default=True, metavar="N",
    help="Share of the replicas that should be busy; the rest is reserve.",
)  # fmt: skip
@click.option(
    "--cpu-cores", callback=_number(1_000), default="0.1", show_default=True, metavar="N", help="Cores of one replica."
)
@click.option(
    "--memory-gb", callback=_number(10_000), default="0.5", show_default=True, metavar="N", help="GB of one replica."
)
@click.option("--pool", "pools", multiple=True, metavar="NAME", help="Only this pool, taints tolerated; repeatable.")
@click.option(
    "--pool-label", metavar="KEY", default=POOL_LABEL, show_default=True, help="Node label that names the pool."
)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
@cluster_options.access_options
@click.pass_context
def capacity(
    ctx: click.Context,
    *,
    rps: Decimal,
    request_seconds: Decimal,
    per_replica: int,
    utilization: Decimal,
    cpu_cores: Decimal,
    memory_gb: Decimal,
    pools: tuple[str, ...],
    pool_label: str,
    form: str,
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Tell how many replicas a load needs, and how many fit.

    With --kubeconfig the pools' room is compared: what their nodes can allocate minus
    what their pods request. The exit code is then 1 when not all replicas fit.
    """
    load = Load(rps=rps, request_s=request_seconds, per_replica=per_replica, utilization=utilization)
    size = Size(cpu=cpu_cores, memory=int(memory_gb * _GB))
    found: tuple[rooms.PoolRoom, ...] | None = None
    if kubeconfig is not None or context is not None:
        access = Access(kubeconfig=str(kubeconfig) if kubeconfig is not None else None, context=context)
        found = loops.run(_look(access, size, pool_label, pools))
    click.echo(as_json(load, size, found) if form == "json" else as_text(load, size, found), nl=False)
    ctx.exit(1 if found is not None and sum(room.fits for room in found) < load.replicas else 0)


async def _look(access: Access, size: Size, label: str, chosen: Sequence[str]) -> tuple[rooms.PoolRoom, ...]:
    """Raises `ClusterFailure`."""
    async with connect(access) as client:
        nodes = await client.everything("/api/v1/nodes")
        pods = await client.everything("/api/v1/pods")
    return rooms.rooms(nodes, pods, size, label=label, chosen=chosen)


def as_json(load: Load, size: Size, found: Sequence[rooms.PoolRoom] | None) -> str:
    """One document; `pools` is absent when no cluster was named."""
    told: dict[str, Any] = {
        "replicas": load.replicas,
        "load": load,
        "replica": size,
        "autoscale": {
            "autoscale_min_replicas": 1,
            "autoscale_max_replicas": load.replicas,
            "autoscale_target_utilization": int(load.utilization * 100),
        },
    }
    if found is not None:
        fits = sum(room.fits for room in found)
        told |= {"fits": fits, "missing": max(0, load.replicas - fits), "pools": found}
    plain = msgspec.to_builtins(told, builtin_types=(Decimal,))
    return msgspec.json.format(msgspec.json.encode(_floats(plain)), indent=2).decode() + "\n"


def _floats(value: Any) -> Any:
    """Decimals as JSON numbers."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _floats(one) for key, one in value.items()}
    return [_floats(one) for one in value] if isinstance(value, list | tuple) else value


def as_text(load: Load, size: Size, found: Sequence[rooms.PoolRoom] | None) -> str:
    """For people, at most 80 columns."""
    lines = [
        f"{load.replicas} replicas",
        "",
        f"  {load.rps} requests a second x {load.request_s} s each / {load.utilization} utilization",
        f"  = {load.concurrent:.1f} requests at once, {load.per_replica} per replica",
        "",
        "Settings of the deployment (Azure ML v1):",
        f"  autoscale_max_replicas={load.replicas}",
        "      what this load needs; the default is 10",
        "  autoscale_min_replicas=N",
        f"      what shall be there before the load comes; {load.busy_replicas} carry it, without reserve",
        f"  autoscale_target_utilization={int(load.utilization * 100)}",
        "      when more are busy the router adds replicas, within about a second; it",
        "      removes them within about a minute. It never adds nodes. A Horizontal-",
        "      PodAutoscaler for the same deployment would fight it.",
    ]
    return "\n".join([*lines, *(_pools(load, size, found) if found is not None else ())]) + "\n"


def _pools(load: Load, size: Size, found: Sequence[rooms.PoolRoom]) -> list[str]:
    each = f"{size.cpu} cores and {Decimal(size.memory) / _GB:.3g} GB"
    lines = ["", f"Room for replicas of {each} each:"]
    for room in found:
        if room.why_not or not room.usable:
            lines.append(f"  {room.pool:<14} none: {room.why_not or 'no usable node'}")
            continue
        free = f"{room.free.cpu:.2f} cores, {room.free.memory / _GIB:.1f} GiB free"
        lines.append(f"  {room.pool:<14} {room.fits} fit on {room.usable} of {room.nodes} nodes ({free})")
    missing = load.replicas - sum(room.fits for room in found)
    if missing <= 0:
        return [*lines, "", "All replicas fit."]
    lines += ["", f"{missing} replicas do not fit."]
    for room in found:
        if room.per_new_node:
            more = -(-missing // room.per_new_node)
            lines.append(f"  {more} more nodes like those of {room.pool} would do ({room.per_new_node} replicas each)")
    return lines
