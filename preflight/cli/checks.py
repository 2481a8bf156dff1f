"""`preflight checks`: list, show and validate the catalogue."""

import json
import textwrap
from pathlib import Path
from typing import Any

import click
import msgspec

from preflight import catalogue as catalogues
from preflight.cli import options
from preflight.failures import UsageFailure
from preflight.model.catalogue import Requirement
from preflight.model.vocabulary import Phase, Severity, VantageKind
from preflight.strict import nearest, shown


@click.group()
def checks() -> None:
    """List, show and validate the catalogue.

    One requirement is one thing that the documents say must hold. Folders of your
    own add requirements, or override keys of single ones by their id.
    """


@checks.command("list")
@options.checks_folders
@click.option("--format", "wanted", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_(checks: tuple[Path, ...], wanted: str) -> None:
    """List all requirements, phase by phase in the documented order."""
    catalogue = catalogues.load(checks)
    if wanted == "json":
        click.echo(json.dumps(msgspec.to_builtins(catalogue), indent=2, ensure_ascii=False))
        return
    for phase in Phase:
        mine = [requirement for requirement in catalogue.requirements if requirement.phase is phase]
        if mine:
            click.echo("\n".join([phase.value, *map(_line, mine), ""]))
    click.echo(f"{len(catalogue.requirements)} requirements, * recommended only; catalogue {catalogue.version}")


def _line(requirement: Requirement) -> str:
    where = ", ".join(kind.value for kind in requirement.decides)
    where = where if len(requirement.decides) < len(VantageKind) else "all"
    mark = "*" if requirement.severity is Severity.RECOMMENDED else ""
    title = requirement.title.replace("{dependency.name}", "A dependency")
    return f"  {_name(requirement) + mark:<22} {title:<37} {where}"


def _name(requirement: Requirement) -> str:
    return f"{requirement.id}.NAME" if requirement.each == "dependency" else requirement.id


@checks.command()
@click.argument("requirement")
@options.checks_folders
def show(requirement: str, checks: tuple[Path, ...]) -> None:
    """Show one requirement: what it asks, from where, why, and who says so."""
    known = {entry.id: entry for entry in catalogues.load(checks).requirements}
    wanted = "dependency" if requirement.startswith("dependency.") else requirement
    if wanted not in known:
        hint = nearest(wanted, known)
        meant = f"did you mean {hint}? " if hint else ""
        raise UsageFailure(f"{shown(requirement)} is not a requirement\n  {meant}see `preflight checks list`")
    click.echo(described(known[wanted]))


def described(requirement: Requirement) -> str:
    """One requirement for a terminal."""
    expect = requirement.expect
    facts: dict[str, Any] = {
        "phase": requirement.phase.value,
        "severity": requirement.severity.value,
        "decides at": ", ".join(kind.value for kind in requirement.decides),
        "compared at": ", ".join(kind.value for kind in requirement.informs),
        "target": requirement.target,
        "for each": requirement.each or "",
        "probe": f"{requirement.probe.value}: {', '.join(requirement.judges)}",
        "good answers": ", ".join(expect.statuses),
        "ALPN": ", ".join(expect.alpn),
        "expectation": expect.link or "",
        "private zone": expect.private_zone or "",
        "second hops": ", ".join(requirement.opens),
        "only when": ", ".join(requirement.when),
        "after": ", ".join(requirement.after),
        "without it": requirement.breaks,
        "source": requirement.source,
        "reviewed": requirement.reviewed,
    }
    lines = [f"{requirement.id}  {requirement.title}", ""]
    for name, text in facts.items():
        if text:
            lines += textwrap.wrap(
                text, 80, initial_indent=f"  {name:<13} ", subsequent_indent=" " * 16, break_on_hyphens=False,
                break_long_words=False,
            )  # fmt: skip
    return "\n".join(lines)


@checks.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def validate(folder: Path | None) -> None:
    """Validate the catalogue, together with a folder of your own if one is given."""
    own = (folder,) if folder else ()
    catalogue = catalogues.load(own)
    clouds = catalogues.load_clouds(own)
    click.echo(
        f"{len(catalogue.requirements)} requirements, {len(clouds)} clouds, catalogue {catalogue.version}: valid"
    )
