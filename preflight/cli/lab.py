"""`preflight lab`: the embedded Azure on real addresses, inside a network namespace, for an unmodified engine."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from preflight.cli import loops

if TYPE_CHECKING:
    from preflight.lab.faults import Fault
    from preflight.lab.network import Network


@click.group()
def lab() -> None:
    """Serve the embedded Azure on real addresses and port 443.

    For network namespaces of your own: real names, real ports, no mapping.
    """


def _files(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--environment-out` and `--ca-out`."""
    path = click.Path(path_type=Path, dir_okay=False)
    command = click.option("--ca-out", type=path, metavar="FILE", help="Where to write the lab's CA as well.")(command)
    return click.option(
        "--environment-out",
        type=path,
        metavar="FILE",
        default=Path("preflight.toml"),
        show_default=True,
        help="Where to write the environment that fits.",
    )(command)


def _control(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    path = click.Path(path_type=Path, dir_okay=False)
    text = "Unix socket of the running lab." if required else "Unix socket for `lab fault` and `lab clear`."
    return click.option("--control", type=path, metavar="PATH", required=required, help=text)


@lab.command()
@click.option("--network", "cidrs", multiple=True, metavar="CIDR", help="Address range to answer for; may be repeated.")
@click.option(
    "--view",
    "views",
    multiple=True,
    metavar="CIDR=VANTAGE",
    help="Whose network this is, for faults at one vantage: 10.0.1.0/24=node/user1; may be repeated.",
)
@click.option("--dns", metavar="ADDRESS", help="Where the DNS server listens, port 53.")
@click.option("--assign", is_flag=True, help="Make the ranges local here first (ip route add local).")
@click.option("--fault", "faults", multiple=True, metavar="REQUIREMENT=CAUSE[@VANTAGE]", help="Break this on purpose.")
@click.option(
    "--commands",
    metavar="PROGRAM",
    help="Run what `--via command-invoke` sends with this program, which reads a script: 'sh -s'.",
)
@_control(required=False)
@_files
def serve(
    *,
    cidrs: tuple[str, ...],
    views: tuple[str, ...],
    dns: str | None,
    faults: tuple[str, ...],
    environment_out: Path,
    ca_out: Path | None,
    assign: bool,
    control: Path | None,
    commands: str | None,
) -> None:
    """Serve until Ctrl-C. Prints the credentials that the environment names."""
    from preflight.lab.faults import parse  # noqa: PLC0415 - keeps --help quick
    from preflight.lab.network import network as made  # noqa: PLC0415

    network = made(cidrs, dns, views, assign=assign)
    broken = [parse(text, network.vantages) for text in faults]
    loops.run(_serve(network, broken, environment_out, ca_out, control, commands=commands))


async def _serve(
    network: "Network",
    faults: "list[Fault]",
    environment_out: Path,
    ca_out: Path | None,
    control: Path | None,
    *,
    commands: str | None,
) -> None:
    from preflight.lab.commands import runner  # noqa: PLC0415
    from preflight.lab.control import listening  # noqa: PLC0415
    from preflight.lab.deployment import Role  # noqa: PLC0415
    from preflight.lab.embedded import Lab  # noqa: PLC0415
    from preflight.lab.services.arm import ManagedCluster  # noqa: PLC0415

    stopped = until_stopped()
    async with contextlib.AsyncExitStack() as stack:
        cluster = ManagedCluster(runner(commands) if commands is not None else None)
        lab = Lab(faults=faults, network=network, own={Role.ARM: cluster})
        lab.check(faults, running=False)
        running = await stack.enter_async_context(lab)
        if control is not None:
            await stack.enter_async_context(listening(running, control))
        written = running.write_environment(environment_out.parent)
        if ca_out is not None:
            shutil.copyfile(written.with_name("ca.pem"), ca_out)
        written.replace(environment_out)
        for name, value in running.secrets.items():
            click.echo(f"export {name}='{value}'")
        click.echo(f"serving; environment: {environment_out}", err=True)
        await stopped


@lab.command()
@click.argument("faults", nargs=-1, required=True, metavar="REQUIREMENT=CAUSE[@VANTAGE]...")
@_control(required=True)
def fault(faults: tuple[str, ...], control: Path) -> None:
    """Break these in a running lab, besides what is broken. Prints all that is."""
    _switch(control, add=faults)


@lab.command()
@_control(required=True)
def clear(control: Path) -> None:
    """Mend everything in a running lab."""
    _switch(control, clear=True)


def _switch(control: Path, *, add: tuple[str, ...] = (), clear: bool = False) -> None:
    from preflight.lab.control import Request, ask  # noqa: PLC0415

    for broken in loops.run(ask(control, Request(add=add, clear=clear))):
        click.echo(broken)


def until_stopped() -> Awaitable[object]:
    """What ends when SIGINT or SIGTERM arrives, from this call on: make it before telling anybody that you run."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return asyncio.ensure_future(stop.wait())
