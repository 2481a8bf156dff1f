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
import msgspec

from preflight import environment as environments
from preflight.cli import inside, load
from preflight.cli.cluster_options import Options
from preflight.cli.conduct import Circumstances
from preflight.cli.journal import Journal
from preflight.cli.lab import until_stopped
from preflight.cli.options import Selection
from preflight.failures import UsageFailure
from preflight.lab.cluster import addresses, scenery
from preflight.lab.cluster.store import Selector
from preflight.lab.cluster.whole import IMAGE, Cluster, cluster, node
from preflight.lab.embedded import Lab
from preflight.lab.faults import Fault, places
from preflight.lab.script import Answer
from preflight.model.catalogue import Catalogue, Requirement
from preflight.model.plan import Mapping
from preflight.model.run import Evidence
from preflight.model.vocabulary import ProbeName, VantageKind

IN_NAME_ONLY = "*.pull*"  # what its kubelet does with other images than its own: it would prove nothing
_API_NAME = scenery.API_NAMES[-1]
_COREDNS = Selector("pods", "kube-system", {"k8s-app": "kube-dns"})


@contextlib.asynccontextmanager
async def played(faults: Sequence[Fault], pools: Sequence[str], folder: Path) -> AsyncIterator[tuple[Lab, Cluster]]:
    """Azure and a cluster with these node pools, until the block is left."""
    nodes = [node(f"aks-{pool}-00000000-vmss000000", pool) for pool in pools]
    async with Lab(faults=faults, vantages=places(pools)) as lab, cluster(lab.pki, folder, nodes) as running:
        scenery.furnish(running.store, lab.cluster_ca_pem)
        lab.replace_answers([Answer(name=_API_NAME, records=(f"A {scenery.API_ADDRESS}",))])
        yield lab, running


def _inside(lab: Lab, running: Cluster, vantage: str) -> dict[str, str]:
    """Where the addresses are that pods find in the cluster: its API server's, and cluster DNS, which Azure plays."""
    dns = (scenery.DNS_ADDRESS, *(one["status"]["podIP"] for one in running.store.select(_COREDNS)))
    server = lab.mappings[vantage].nameservers[0]
    return {f"{scenery.API_ADDRESS}:443": running.address, **{f"{address}:53": server for address in dns}}


def _detours(lab: Lab, running: Cluster) -> dict[str, Mapping]:
    return {
        name: msgspec.structs.replace(mapping, connect_to={**mapping.connect_to, **_inside(lab, running, name)})
        for name, mapping in lab.mappings.items()
    }


def write_environment(lab: Lab, running: Cluster, folder: Path) -> Path:
    """preflight.toml for runs that see the workstation's network from everywhere, and the authorities beside it."""
    return lab.write_environment(folder, _inside(lab, running, VantageKind.WORKSTATION.value))


async def observe(faults: Sequence[Fault], pools: Sequence[str], banner: str, journal: Journal) -> Evidence:
    """The run. Raises `Failure`."""
    with tempfile.TemporaryDirectory(prefix="preflight-demo-") as folder:
        async with played(faults, pools, Path(folder)) as (lab, running):
            environ = {**os.environ, **lab.secrets}
            catalogue, env = load.everything(write_environment(lab, running, Path(folder)), (), (), environ)
            secrets = environments.read_secrets(env, environ)
            options = Options(kubeconfig=str(running.kubeconfig), images=(IMAGE,), pulls=False)
            how = Circumstances(banner=banner, detours=_detours(lab, running))
            scouted = await inside.look(options, env, inside.INSIDE)
            skip, notices = _unplayable(catalogue)
            scouted = msgspec.structs.replace(scouted, notices=(*scouted.notices, *notices))
            chosen = Selection(skip=skip)
            conducted = inside.conductor(catalogue, env, chosen, secrets, how, options=options, scouted=scouted)
            return await conducted(journal)


def _unplayable(catalogue: Catalogue) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What pods cannot listen for because another program of this machine does, and the sentence that says so."""
    ports = {one.id: _ports(one) for one in catalogue.requirements if one.probe is ProbeName.PEERS}
    taken = addresses.occupied(sorted({port for some in ports.values() for port in some}))
    skipped = tuple(name for name, some in ports.items() if set(some) & set(taken))
    why = f"another program here listens on {', '.join(map(str, taken))}"
    return skipped, (f"left out in this demo: {', '.join(skipped)}, because {why}",) if skipped else ()


def _ports(requirement: Requirement) -> tuple[int, ...]:
    told = (requirement.target.rpartition(":")[2], *requirement.params.get("ports", "").split(","))
    return tuple(int(one) for one in told if one.isdecimal())


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
            path = write_environment(lab, running, Path(folder))
            click.echo(
                "The embedded Azure and a stand-in cluster are running. In another terminal:\n\n"
                f"  {_command(path, running.kubeconfig, lab.secrets)}\n\nCtrl-C ends it."
            )
            await stopped
    return 0


def _command(config: Path, kubeconfig: Path, secrets: dict[str, str]) -> str:
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in secrets.items())
    named = f"--config {config} --kubeconfig {kubeconfig} --probe-image {IMAGE} --skip '{IN_NAME_ONLY}'"
    return f"{variables} \\\n  preflight run {named}"
