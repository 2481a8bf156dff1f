"""`preflight explain CAUSE`: the page of a cause, offline, for the terminal. Sends nothing and judges nothing."""

import difflib
import textwrap

import click

from preflight import resources
from preflight.cli.page import to_terminal
from preflight.failures import UsageFailure
from preflight.model.causes import CAUSES

WIDTH = 80


@click.command()
@click.argument("cause", required=False)
@click.option("--list", "listing", is_flag=True, help="List all causes; with CAUSE, those that begin with it.")
def explain(cause: str | None, *, listing: bool) -> None:
    """Explain CAUSE: what it means, what proves it, who owns it, how to fix it."""
    if listing or cause is None:
        click.echo(table(cause or ""))
    else:
        click.echo(page(cause), nl=False)


def page(cause: str) -> str:
    """The page of `cause` at 80 columns. Raises UsageFailure for a word that is not in the vocabulary."""
    if cause not in CAUSES:
        raise UsageFailure(_unknown(cause))
    return to_terminal((resources.folder("causes") / f"{cause}.md").read_text("utf-8"), width=WIDTH)


def table(prefix: str = "") -> str:
    """Every cause that begins with `prefix`, with its owner and meaning. Raises UsageFailure when there is none."""
    chosen = [cause for cause in CAUSES.values() if cause.id.startswith(prefix)]
    if not chosen:
        raise UsageFailure(_unknown(prefix))
    return "\n".join(
        f"{cause.id}  ({cause.owner})\n"
        + textwrap.fill(cause.meaning, WIDTH, initial_indent="    ", subsequent_indent="    ")
        for cause in chosen
    )


def _unknown(cause: str) -> str:
    near = difflib.get_close_matches(cause.lower(), CAUSES, n=4, cutoff=0.5)
    inside = [known for known in CAUSES if cause and cause.lower() in known]
    guesses = list(dict.fromkeys([*near, *inside]))[:5]
    layer = cause.rstrip(".").lower()
    if any(known.startswith(f"{layer}.") for known in CAUSES):
        hint = f"preflight explain --list {layer} shows the causes of that layer"
    else:
        hint = f"did you mean {', '.join(guesses)}?" if guesses else "preflight explain --list shows all causes"
    return f'explain: "{cause[:80]}" is not a cause\n  {hint}'
