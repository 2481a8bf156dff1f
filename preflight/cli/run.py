"""`preflight run`: check every requirement from every vantage, judge, report."""

import os
from pathlib import Path

import click

from preflight.cli import load, options, output
from preflight.render.formats import Format


@click.command()
@options.config
@options.selection
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
    wanted: tuple[Format, ...],
    out: str,
    verbose: bool,
    short: bool,
    strict: bool,
) -> None:
    """Check every requirement and report.

    The exit code is the verdict: 0 passed, 1 a required check failed, 3 could not
    test, 4 warnings under --strict, 2 usage or configuration, 130 interrupted.
    """
    from preflight import environment as environments  # noqa: PLC0415 - keeps --help quick
    from preflight.cli.conduct import Circumstances, conducted, gate  # noqa: PLC0415
    from preflight.vantages.workstation import workstation  # noqa: PLC0415

    report = output.Output(wanted, out, verbose=verbose, short=short)
    catalogue, environment = load.everything(config, checks, sets, os.environ)
    plan = load.plan(catalogue, environment, chosen)
    secrets = environments.read_secrets(environment, os.environ)
    how = Circumstances(strict=strict)
    runs = {"workstation": workstation}
    ctx.exit(gate(report, lambda journal: conducted(plan, environment, runs, secrets, how, kept=journal)))
