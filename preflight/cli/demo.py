"""`preflight demo`: the main job against the embedded Azure, healthy or broken on purpose."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from preflight.cli import loops, output
from preflight.render.formats import Format

if TYPE_CHECKING:
    from preflight.lab.faults import Fault

BANNER = "This report shows the embedded Azure of preflight's demo, not a real network."


@click.command()
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="REQUIREMENT=CAUSE[@VANTAGE]",
    help="Break this on purpose; may be repeated.",
)
@click.option("--list-faults", is_flag=True, help="List what can be broken so that the demo exits 1.")
@click.option("--all", "every", is_flag=True, help="With --list-faults: also what only warns.")
@click.option(
    "--pool",
    "pools",
    multiple=True,
    metavar="NAME",
    help="Node pools of the stand-in cluster; repeated, one by default.",
)
@click.option("--serve", is_flag=True, help="Keep Azure and cluster running until Ctrl-C instead.")
@output.options
@click.pass_context
def demo(
    ctx: click.Context,
    faults: tuple[str, ...],
    wanted: tuple[Format, ...],
    out: str,
    *,
    pools: tuple[str, ...],
    list_faults: bool,
    every: bool,
    serve: bool,
    verbose: bool,
    short: bool,
) -> None:
    """Run everything against the embedded Azure.

    Real DNS, TCP, TLS and HTTP against stand-ins on this machine, seen from a
    workstation, and from a node and a pod of a stand-in cluster whose pods are
    processes. Needs no root and no network. Break something with --fault and see it
    named.
    """
    _need_extras()
    if list_faults:
        ctx.exit(_list(every=every))
    chosen, there = _parse(faults, pools)
    from preflight.cli import played  # noqa: PLC0415 - keeps --help quick

    if serve:
        ctx.exit(loops.run(played.serve(chosen, there)))
    report = output.Output(wanted, out, verbose=verbose, short=short)
    from preflight.cli.conduct import gate  # noqa: PLC0415

    ctx.exit(gate(report, lambda journal: played.observe(chosen, there, BANNER, journal)))


def _need_extras() -> None:
    """The demo needs [all]: it renders every format and shows what the whole product does."""
    from importlib.util import find_spec  # noqa: PLC0415 - keeps --help quick

    from preflight.failures import MissingExtra  # noqa: PLC0415

    for module in ("jinja2", "rich", "kubernetes", "azure"):
        if find_spec(module) is None:
            raise MissingExtra("all", f"preflight demo (it lacks {module})")


def _list(*, every: bool) -> int:
    from preflight.lab.faults import FAULTS  # noqa: PLC0415

    for fault in FAULTS:
        if fault.fails or every:
            click.echo(f"{fault.requirement}={fault.cause}")
    return 0


def _parse(texts: Sequence[str], pools: Sequence[str]) -> "tuple[list[Fault], tuple[str, ...]]":
    """The faults, and the pools that there are. Raises `UsageFailure`."""
    from preflight.lab.faults import parse, places, pool_names  # noqa: PLC0415

    there = pool_names(pools)
    return [parse(text, places(there)) for text in texts], there
