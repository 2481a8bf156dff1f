"""`preflight lab`: the embedded Azure on real addresses, inside a network namespace, for an unmodified engine."""

import asyncio
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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


@lab.command()
@click.option("--network", "cidrs", multiple=True, metavar="CIDR", help="Address range to answer for; may be repeated.")
@click.option("--dns", metavar="ADDRESS", help="Where the DNS server listens, port 53.")
@click.option("--assign", is_flag=True, help="Make the ranges local here first (ip route add local).")
@click.option("--fault", "faults", multiple=True, metavar="REQUIREMENT=CAUSE[@VANTAGE]", help="Break this on purpose.")
@_files
def serve(
    *,
    cidrs: tuple[str, ...],
    dns: str | None,
    faults: tuple[str, ...],
    environment_out: Path,
    ca_out: Path | None,
    assign: bool,
) -> None:
    """Serve until Ctrl-C. Prints the credentials that the environment names."""
    from preflight.lab.faults import parse  # noqa: PLC0415 - keeps --help quick
    from preflight.lab.network import Network  # noqa: PLC0415

    given = {"cidrs": cidrs or None, "dns": dns, "assign": assign}
    network = Network(**{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
    asyncio.run(_serve(network, [parse(text) for text in faults], environment_out, ca_out))


async def _serve(network: "Network", faults: "list[Fault]", environment_out: Path, ca_out: Path | None) -> None:
    from preflight.lab.embedded import Lab  # noqa: PLC0415

    async with Lab(faults=faults, network=network) as running:
        written = running.write_environment(environment_out.parent)
        if ca_out is not None:
            shutil.copyfile(written.with_name("ca.pem"), ca_out)
        written.replace(environment_out)
        for name, value in running.secrets.items():
            click.echo(f"export {name}='{value}'")
        click.echo(f"serving; environment: {environment_out}", err=True)
        await until_stopped()


async def until_stopped() -> None:
    """Return when SIGINT or SIGTERM arrives."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
