"""`preflight collect`: judges what probes found that somebody else started, from `preflight manifests`."""

import functools
import os
from pathlib import Path
from typing import Any

import click
import msgspec

from preflight.cli import beside, cluster_options, load, options, output
from preflight.cli.journal import Journal
from preflight.failures import UsageFailure
from preflight.kube import objects
from preflight.kube.client import Access, connect
from preflight.model.catalogue import Catalogue
from preflight.model.cluster import ClusterFacts
from preflight.model.environment import Environment
from preflight.model.run import Evidence
from preflight.render.formats import Format
from preflight.vantages.collected import Collected, newest


@click.command()
@options.config
@options.selection
@cluster_options.access_options
@click.option("--namespace", default=objects.TOOL, show_default=True, metavar="NAME", help="Where the probes ran.")
@click.option("--run-id", required=True, metavar="ID", help="The id that `preflight manifests` printed.")
@output.options
@click.option("--strict", is_flag=True, help="Warnings exit with 4 instead of 0.")
@click.pass_context
def collect(
    ctx: click.Context,
    *,
    config: Path,
    checks: tuple[Path, ...],
    sets: tuple[str, ...],
    chosen: options.Selection,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str,
    run_id: str,
    wanted: tuple[Format, ...],
    out: str,
    verbose: bool,
    short: bool,
    strict: bool,
) -> None:
    """Report what probes found that somebody else started.

    Give the same preflight.toml and the same --vantage, --only and --skip that
    `preflight manifests` was given.
    """
    from preflight.cli.conduct import gate  # noqa: PLC0415 - keeps --help quick

    report = output.Output(wanted, out, verbose=verbose, short=short)
    catalogue, env = load.everything(config, checks, sets, os.environ)
    access = Access(kubeconfig=str(kubeconfig) if kubeconfig is not None else None, context=context)
    conduct = functools.partial(
        _collect, access, namespace, run_id, catalogue=catalogue, env=env, chosen=chosen, strict=strict
    )
    ctx.exit(gate(report, lambda journal: conduct(kept=journal)))


async def _collect(
    access: Access,
    namespace: str,
    run_id: str,
    *,
    catalogue: Catalogue,
    env: Environment,
    chosen: options.Selection,
    strict: bool,
    kept: Journal,
) -> Evidence:
    from preflight.cli.conduct import Circumstances, conducted  # noqa: PLC0415

    async with connect(access) as client:
        query = {"labelSelector": objects.selector(run_id)}
        listed: list[dict[str, Any]] = (await client.get(objects.path("Pod", namespace), query)).get("items") or []
        found = newest(listed)
        if not found:
            raise UsageFailure(f"--run-id {run_id}: namespace {namespace} holds no probe of this run")
        policies = await beside.compared(client, env, found)
        facts = ClusterFacts(server=client.server[:300], policies=policies) if policies is not None else None
        inside = load.Inside(names=tuple(found), facts=facts)
        plan = load.plan(catalogue, env, _kinds_of(chosen, found), inside)
        there = {name: Collected(client, pod) for name, pod in found.items()}
        how = Circumstances(strict=strict, run_id=run_id)
        evidence = await conducted(plan, env, there, {}, how, kept=kept)
        told = policies.notices if policies is not None else ()
        return msgspec.structs.replace(evidence, notices=(*evidence.notices, *told))


def _kinds_of(chosen: options.Selection, found: dict[str, Any]) -> options.Selection:
    """What ran there decides; the workstation is not part of it."""
    kinds = ",".join(dict.fromkeys(name.partition("/")[0] for name in found))
    return options.Selection(vantage=kinds, only=chosen.only, skip=chosen.skip, stand_in=chosen.stand_in)
