"""`preflight plan`: what would be checked from where, and what is left out and why. Sends no packet."""

import os
from pathlib import Path

import click

from preflight import catalogue as catalogues
from preflight.cli import load, options, plan_steps, plan_text
from preflight.failures import UsageFailure
from preflight.model.environment import Environment


@click.command()
@options.config
@options.selection
@click.option(
    "--format",
    "wanted",
    type=click.Choice(list(plan_text.FORMATS)),
    default="table",
    show_default=True,
    help="csv is for a firewall team, markdown for a ticket.",
)
@click.option("--by-step", is_flag=True, help="By the documented steps of a deployment, with what stays unproven.")
def plan(
    config: Path,
    checks: tuple[Path, ...],
    sets: tuple[str, ...],
    chosen: options.Selection,
    wanted: str,
    *,
    by_step: bool,
) -> None:
    """Show what would be checked, without sending a packet.

    Every connection with its source, host, port and reason, for all vantages, whether
    or not they can run from here; then what is left out, and why.
    """
    catalogue, env = load.everything(config, checks, sets, os.environ)
    whole = load.whole_plan(catalogue, env, chosen)
    if by_step:
        if wanted != "table":
            raise UsageFailure(f"--by-step: is text for people\n  leave out --format {wanted}")
        steps = catalogues.load_steps({one.id for one in catalogue.requirements})
        click.echo(plan_steps.as_text(steps, whole, subject(env)), nl=False)
        return
    click.echo(plan_text.FORMATS[wanted](whole, subject(env)), nl=False)


def subject(env: Environment) -> str:
    """`aks-prod (westeurope, AzureCloud)`."""
    place = ", ".join(part for part in (env.main.region, env.cloud.name) if part)
    return f"{env.main.cluster} ({place})" if env.main.cluster else place
