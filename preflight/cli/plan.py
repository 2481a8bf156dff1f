"""`preflight plan`: what would be checked from where, and what is left out and why. Sends no packet."""

import os
from pathlib import Path

import click

from preflight.cli import load, options, plan_text
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
def plan(config: Path, checks: tuple[Path, ...], sets: tuple[str, ...], chosen: options.Selection, wanted: str) -> None:
    """Show what would be checked, without sending a packet.

    Every connection with its source, host, port and reason, for all vantages, whether
    or not they can run from here; then what is left out, and why.
    """
    catalogue, env = load.everything(config, checks, sets, os.environ)
    text = plan_text.FORMATS[wanted](load.whole_plan(catalogue, env, chosen), subject(env))
    click.echo(text, nl=False)


def subject(env: Environment) -> str:
    """`aks-prod (westeurope, AzureCloud)`."""
    place = ", ".join(part for part in (env.main.region, env.cloud.name) if part)
    return f"{env.main.cluster} ({place})" if env.main.cluster else place
