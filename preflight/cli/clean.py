"""`preflight clean`: finds and removes what runs have left in a cluster, by preflight's own labels only."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from preflight.cli import cluster_options, loops
from preflight.failures import UsageFailure
from preflight.kube import sweep
from preflight.kube.client import Access, connect

_AGE: Final = re.compile(r"(\d+)([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@click.command()
@cluster_options.access_options
@click.option("--namespace", metavar="NAME", help="Only in this namespace; without it in all.")
@click.option("--older-than", metavar="AGE", help="Only what is at least so old: 30m, 2h, 1d. Spares runs under way.")
@click.option("--dry-run", is_flag=True, help="List, and remove nothing.")
def clean(
    kubeconfig: Path | None, context: str | None, namespace: str | None, older_than: str | None, *, dry_run: bool
) -> None:
    """Remove what runs have left in a cluster.

    A run removes everything itself; what a killed one leaves goes by its own time
    limits. This removes it at once, and the empty namespaces that stay. Without
    --older-than it also ends runs that are under way.
    """
    age = _age(older_than) if older_than is not None else timedelta(0)
    access = Access(kubeconfig=str(kubeconfig) if kubeconfig is not None else None, context=context)
    removed = loops.run(_clean(access, namespace, age, dry_run=dry_run))
    for one in removed:
        place = f"{one.namespace}/" if one.namespace else ""
        click.echo(
            f"{'would remove' if dry_run else 'removed'} {one.kind} {place}{one.name} of run {one.run_id or '?'}"
        )
    if not removed:
        click.echo("nothing is left of any run")


async def _clean(access: Access, namespace: str | None, age: timedelta, *, dry_run: bool) -> list[sweep.Left]:
    async with connect(access) as client:
        found = sweep.older(await sweep.find(client, namespace), age, datetime.now(UTC))
        for one in () if dry_run else found:
            await client.delete(one.path)
    return found


def _age(text: str) -> timedelta:
    """`90s`, `30m`, `2h`, `1d`. Raises `UsageFailure`."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise UsageFailure(f"--older-than {text}: is not an age\n  for example 30m, 2h or 1d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
