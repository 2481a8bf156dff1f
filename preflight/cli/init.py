"""`preflight init`: write a commented preflight.toml, from az output, from flags, or by asking."""

import sys
from pathlib import Path
from typing import Any

import click

from preflight.cli import answers
from preflight.cli.options import DEFAULT_CONFIG


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path), default=DEFAULT_CONFIG)
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="JSON printed by az aks show, az acr show, az storage account show, az ml workspace show, kubectl config"
    " view --raw; may be repeated.",
)
@answers.flags
@click.option("--force", is_flag=True, help="Replace an existing file.")
def init(path: Path, sources: tuple[Path, ...], *, force: bool, **given: Any) -> None:
    """Write a commented preflight.toml (to PATH).

    Fills it from the output of az, from flags, or by asking when there is neither. Needs
    no rights in Azure and sends no packet. Passwords are never written: the file names
    where they come from.
    """
    named = {key: value for key, value in given.items() if value not in (None, ())}
    answers.refuse_existing(path, force=force)
    draft = answers.from_outputs(sources)
    answers.from_flags(draft, named)
    if not sources and not named and sys.stdin.isatty():
        answers.by_asking(draft)
    click.echo(answers.write(draft, path, force=force))
