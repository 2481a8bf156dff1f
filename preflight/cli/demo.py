"""`preflight demo`: the main job against the embedded Azure, healthy or broken on purpose."""

import asyncio
import os
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from preflight.cli import output
from preflight.cli.lab import until_stopped
from preflight.render.formats import Format

if TYPE_CHECKING:
    from preflight.cli.journal import Journal
    from preflight.lab.faults import Fault
    from preflight.model.run import Evidence

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
@click.option("--serve", is_flag=True, help="Keep the embedded Azure running until Ctrl-C instead.")
@output.options
@click.pass_context
def demo(
    ctx: click.Context,
    faults: tuple[str, ...],
    wanted: tuple[Format, ...],
    out: str,
    *,
    list_faults: bool,
    every: bool,
    serve: bool,
    verbose: bool,
    short: bool,
) -> None:
    """Run everything against the embedded Azure.

    Real DNS, TCP, TLS and HTTP against stand-ins on this machine, seen from a
    workstation, a node and a pod. Needs no root and no network. Break something
    with --fault and see it named.
    """
    _need_extras()
    if list_faults:
        ctx.exit(_list(every=every))
    chosen = _parse(faults)
    if serve:
        ctx.exit(asyncio.run(_serve(chosen)))
    report = output.Output(wanted, out, verbose=verbose, short=short)
    from preflight.cli.conduct import gate  # noqa: PLC0415 - keeps --help quick

    ctx.exit(gate(report, lambda journal: _observe(chosen, journal)))


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


def _parse(texts: Sequence[str]) -> "list[Fault]":
    from preflight.lab.faults import parse  # noqa: PLC0415

    return [parse(text) for text in texts]


async def _observe(faults: "list[Fault]", journal: "Journal") -> "Evidence":
    from preflight import environment as environments  # noqa: PLC0415
    from preflight.cli import load  # noqa: PLC0415
    from preflight.cli.conduct import Circumstances, conducted  # noqa: PLC0415
    from preflight.lab.embedded import VANTAGES, Lab  # noqa: PLC0415
    from preflight.plan import build  # noqa: PLC0415
    from preflight.vantages.process import process  # noqa: PLC0415
    from preflight.vantages.workstation import workstation  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="preflight-demo-") as folder:
        async with Lab(faults=faults) as lab:
            environ = {**os.environ, **lab.secrets}
            catalogue, environment = load.everything(lab.write_environment(Path(folder)), (), (), environ)
            plan = build(catalogue, environment, vantages=VANTAGES)
            secrets = environments.read_secrets(environment, environ)
            runs = {name: workstation if name == "workstation" else process for name in VANTAGES}
            how = Circumstances(banner=BANNER, detours=lab.mappings)
            return await conducted(plan, environment, runs, secrets, how, kept=journal)


async def _serve(faults: "list[Fault]") -> int:
    """Keep the stand-ins up and say where the environment file is."""
    from preflight.lab.embedded import Lab  # noqa: PLC0415

    stopped = until_stopped()
    with tempfile.TemporaryDirectory(prefix="preflight-demo-") as folder:
        async with Lab(faults=faults) as lab:
            path = lab.write_environment(Path(folder))
            click.echo(
                "The embedded Azure is running. In another terminal:\n\n"
                f"  {_command(path, lab.secrets)}\n\nCtrl-C ends it."
            )
            await stopped
    return 0


def _command(path: Path, secrets: dict[str, str]) -> str:
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in secrets.items())
    return f"{variables} \\\n  preflight run --config {path} --vantage workstation"
