"""Options that several commands share, as decorators; each turns its flags into one value. Loads nothing."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import msgspec

Command = Callable[..., Any]
KINDS: Final = ("workstation", "node", "pod")
DEFAULT_CONFIG: Final = Path("preflight.toml")

# Shorthands for `--set limits.KEY=VALUE`.
_LIMITS: Final = {
    "concurrency": "limits.concurrency",
    "connect_cap": "limits.connect_cap_s",
    "check_deadline": "limits.check_deadline_s",
    "deadline": "limits.run_deadline_s",
    "connects": "limits.connects_per_s",
}


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What of the catalogue, and from where."""

    vantage: str | None = None  # as typed; see `preflight.cli.load.choose_vantages`
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    stand_in: str | None = None


def checks_folders(command: Command) -> Command:
    """`--checks DIR`."""
    return click.option(
        "--checks",
        "checks",
        multiple=True,
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Folder with requirements of your own; may be repeated.",
    )(command)


def config(command: Command) -> Command:
    """`--config`, `--checks`, `--set`: what is true, and what must hold."""
    command = click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="TABLE.KEY=VALUE",
        help="Override one key of the file; may be repeated.",
    )(command)
    command = checks_folders(command)
    return click.option(
        "--config",
        "-c",
        metavar="FILE",
        type=click.Path(path_type=Path),
        default=DEFAULT_CONFIG,
        show_default=True,
        help="The environment.",
    )(command)


def selection(command: Command) -> Command:
    """`--vantage`, `--only`, `--skip`, `--stand-in`, handed over as `chosen`."""

    @functools.wraps(command)
    def inner(*args: Any, vantage: str | None, only: tuple[str, ...], skip: tuple[str, ...], **others: Any) -> Any:
        stand_in = others.pop("stand_in")
        chosen = Selection(vantage=vantage, only=_split(only), skip=_split(skip), stand_in=stand_in)
        return command(*args, chosen=chosen, **others)

    for option in (
        click.option(
            "--stand-in",
            metavar="KIND[,KIND]",
            help="The workstation decides for these (node, pod): a jump host in their subnet.",
        ),
        click.option("--skip", multiple=True, metavar="GLOB", help="Leave these requirements out; may be repeated."),
        click.option("--only", multiple=True, metavar="GLOB", help="Check only these requirements; may be repeated."),
        click.option(
            "--vantage",
            metavar="KIND[,KIND]",
            help="Where from: workstation, node, pod. Others are left out by choice.",
        ),
    ):
        inner = option(inner)
    return inner


def limits(command: Command) -> Command:
    """Shorthands for the limits people change most, handed over among `sets`."""

    @functools.wraps(command)
    def inner(*args: Any, sets: tuple[str, ...], **others: Any) -> Any:
        given = {key: others.pop(name) for name, key in _LIMITS.items()}
        short = tuple(f"{key}={value:g}" for key, value in given.items() if value is not None)
        return command(*args, sets=(*short, *sets), **others)

    seconds = click.FloatRange(min=0, min_open=True)
    for option in (
        click.option(
            "--connects-per-s",
            "connects",
            metavar="N",
            type=click.FloatRange(min=1),
            help="New connections to one destination, from all places in the cluster.",
        ),
        click.option("--deadline", metavar="SECONDS", type=seconds, help="Bound of the whole run."),
        click.option("--check-deadline", metavar="SECONDS", type=seconds, help="Bound of one check."),
        click.option("--connect-cap", metavar="SECONDS", type=seconds, help="Bound of one connect."),
        click.option("--concurrency", metavar="N", type=click.IntRange(min=1), help="Checks at once."),
    ):
        inner = option(inner)
    return inner


def _split(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """`--only 'mcr.*,acr.*'` says the same as two flags."""
    return tuple(part.strip() for text in patterns for part in text.split(",") if part.strip())
