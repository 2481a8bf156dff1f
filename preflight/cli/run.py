"""`preflight run`: check every requirement from every vantage, judge, report."""

import os
from pathlib import Path

import click

from preflight.cli import cluster_options, load, options, output
from preflight.render.formats import Format


@click.command()
@options.config
@options.selection
@cluster_options.options
@options.limits
@output.options
@click.option("--strict", is_flag=True, help="Warnings exit with 4 instead of 0.")
@click.pass_context
def run(
    ctx: click.Context,
    *,
    config: Path,
    checks: tuple[Path, ...],
    sets: tuple[str, ...],
    chosen: options.Selection,
    cluster: cluster_options.Options,
    wanted: tuple[Format, ...],
    out: str,
    verbose: bool,
    short: bool,
    strict: bool,
) -> None:
    """Check every requirement and report.

    With --kubeconfig also from the node and the pod network of every pool: probes run
    there as Jobs, and everything that was created is removed again.

    The exit code is the verdict: 0 passed, 1 a required check failed, 3 could not
    test, 4 warnings under --strict, 2 usage or configuration, 130 interrupted.
    """
    from preflight import environment as environments  # noqa: PLC0415 - keeps --help quick
    from preflight.cli.conduct import Circumstances, gate  # noqa: PLC0415
    from preflight.cli.inside import observer  # noqa: PLC0415

    report = output.Output(wanted, out, verbose=verbose, short=short)
    catalogue, environment = load.everything(config, checks, sets, os.environ)
    secrets = environments.read_secrets(environment, os.environ)
    how = Circumstances(strict=strict)
    ctx.exit(gate(report, observer(catalogue, environment, chosen, secrets, how, options=cluster)))
