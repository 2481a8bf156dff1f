"""One run of the demo: the embedded Azure, a stand-in cluster beside it, and a run through both as anybody's would be.

Pods of that cluster are processes of this installation; everything ends with the run.
"""

import contextlib
import os
import shlex
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import click

from preflight import environment as environments
from preflight.cli import inside, load
from preflight.cli.cluster_options import Options
from preflight.cli.conduct import Circumstances
from preflight.cli.journal import Journal
from preflight.cli.lab import until_stopped
from preflight.cli.options import Selection
from preflight.failures import UsageFailure
from preflight.lab.cluster.whole import IMAGE, Cluster, cluster, node
from preflight.lab.embedded import Lab
from preflight.lab.faults import Fault, places
from preflight.model.run import Evidence
from preflight.model.vocabulary import VantageKind


@contextlib.asynccontextmanager
async def played(faults: Sequence[Fault], pools: Sequence[str], folder: Path) -> AsyncIterator[tuple[Lab, Cluster]]:
    """Azure and a cluster with these node pools, until the block is left."""
    nodes = [node(f"aks-{pool}-00000000-vmss000000", pool) for pool in pools]
    async with Lab(faults=faults, vantages=places(pools)) as lab, cluster(lab.pki, folder, nodes) as running:
        yield lab, running


async def observe(faults: Sequence[Fault], pools: Sequence[str], banner: str, journal: Journal) -> Evidence:
    """The run. Raises `Failure`."""
    with tempfile.TemporaryDirectory(prefix="preflight-demo-") as folder:
        async with played(faults, pools, Path(folder)) as (lab, running):
            environ = {**os.environ, **lab.secrets}
            catalogue, env = load.everything(lab.write_environment(Path(folder)), (), (), environ)
            secrets = environments.read_secrets(env, environ)
            options = Options(kubeconfig=str(running.kubeconfig), images=(IMAGE,))
            how = Circumstances(banner=banner, detours=lab.mappings)
            scouted = await inside.look(options, env, inside.INSIDE)
            conducted = inside.conductor(
                catalogue, env, Selection(), secrets, how, options=options, scouted=scouted
            )  # fmt: skip
            return await conducted(journal)


async def serve(faults: Sequence[Fault], pools: Sequence[str]) -> int:
    """Keep both up until a signal, and say how to run against them. Raises `UsageFailure`."""
    workstation = VantageKind.WORKSTATION.value
    for fault in faults:
        if fault.vantage not in (None, workstation):
            raise UsageFailure(
                f"--serve --fault {fault}: other runs see the network of the workstation from everywhere\n"
                "  leave out --serve, or the vantage"
            )
    stopped = until_stopped()
    with tempfile.TemporaryDirectory(prefix="preflight-demo-") as folder:
        async with played(faults, pools, Path(folder)) as (lab, running):
            path = lab.write_environment(Path(folder))
            click.echo(
                "The embedded Azure and a stand-in cluster are running. In another terminal:\n\n"
                f"  {_command(path, running.kubeconfig, lab.secrets)}\n\nCtrl-C ends it."
            )
            await stopped
    return 0


def _command(config: Path, kubeconfig: Path, secrets: dict[str, str]) -> str:
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in secrets.items())
    return f"{variables} \\\n  preflight run --config {config} --kubeconfig {kubeconfig} --probe-image {IMAGE}"
