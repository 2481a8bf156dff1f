"""Options that name a cluster and what a run may do in it, as decorators. Loads nothing that opens a connection."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from preflight.kube.pools import POOL_LABEL

Command = Callable[..., Any]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says about the cluster."""

    kubeconfig: str | None = None
    context: str | None = None
    pools: tuple[str, ...] = ()
    pool_label: str = POOL_LABEL
    all_nodes: bool = False
    images: tuple[str, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    namespace: str | None = None
    pod_as: str | None = None  # "own", "router" or "model"; None: what the environment says
    pod_namespace: str | None = None
    pod_labels: tuple[str, ...] = ()
    start_s: float = 330.0
    via: tuple[tuple[str, str], ...] = ()  # ("existing-pod", "shop/model-0"), ...
    push_nonce: str | None = None  # repository
    node_trust: bool = False
    pulls: bool = True  # false where kubelets pull in name only

    @property
    def given(self) -> bool:
        """Whether a cluster was named at all: nothing is ever created in one that was not."""
        return self.kubeconfig is not None or self.context is not None


def access_options(command: Command) -> Command:
    """`--kubeconfig`, `--context`."""
    path = click.Path(path_type=Path, dir_okay=False)
    command = click.option("--context", metavar="NAME", help="Context of the kubeconfig.")(command)
    return click.option("--kubeconfig", metavar="FILE", type=path, help="The cluster.")(command)


def options(command: Command) -> Command:
    """All options of a run in the cluster, handed over as `cluster`."""

    @functools.wraps(command)
    def inner(*args: Any, **given: Any) -> Any:
        return command(*args, cluster=_options(given), **given)

    for option in (
        click.option(
            "--via", nargs=2, multiple=True, metavar="KIND TARGET",
            help="A shell probe, no Jobs: existing-pod NS/POD[/CONTAINER], command-invoke SUB/GROUP/CLUSTER.",
        ),
        click.option(
            "--start-deadline", metavar="SECONDS", type=click.FloatRange(min=1), default=330.0, show_default=True,
            help="Until a probe must have started; a registry that hangs is given up by containerd after 300.",
        ),
        click.option(
            "--pod-label", "pod_labels", metavar="KEY=VALUE", multiple=True,
            help="Label for the pod probes, which policies select by; may be repeated.",
        ),
        click.option("--pod-namespace", metavar="NAME", help="Namespace for the pod probes alone."),
        click.option(
            "--pod-as", type=click.Choice(("own", "router", "model")),
            help="Let the pod probes stand beside these pods, under their network policies. Default: pods.stand_as.",
        ),
        click.option(
            "--node-trust", is_flag=True,
            help="Compare the nodes' certificate store with the probe's: mounts /etc/ssl/certs of nodes, read-only.",
        ),
        click.option(
            "--push-nonce", metavar="REPOSITORY",
            help="Push a tiny image with a fresh layer there, let nodes pull it, delete it; proves that layers arrive.",
        ),
        click.option("--namespace", metavar="NAME", help="Namespace for the probes; one of the run's own by default."),
        click.option(
            "--pull-secret", "pull_secrets", multiple=True, metavar="NAME", help="Pull secret; may be repeated."
        ),
        click.option(
            "--probe-image", "images", multiple=True, metavar="IMAGE",
            help="Image of the probes; repeated: tried in order.",
        ),
        click.option("--all-nodes", is_flag=True, help="A probe on every node, not on one of each pool."),
        click.option(
            "--pool-label", metavar="KEY", default=POOL_LABEL, show_default=True, help="Node label that names the pool."
        ),
        click.option("--pool", "pools", multiple=True, metavar="NAME", help="Only this pool; may be repeated."),
    ):  # fmt: skip
        inner = option(inner)
    return access_options(inner)


def _options(given: dict[str, Any]) -> Options:
    """Takes the cluster's options out of what click parsed."""
    kubeconfig = given.pop("kubeconfig")
    return Options(
        kubeconfig=str(kubeconfig) if kubeconfig is not None else None,
        context=given.pop("context"),
        pools=given.pop("pools"),
        pool_label=given.pop("pool_label"),
        all_nodes=given.pop("all_nodes"),
        images=given.pop("images"),
        pull_secrets=given.pop("pull_secrets"),
        namespace=given.pop("namespace"),
        pod_as=given.pop("pod_as"),
        pod_namespace=given.pop("pod_namespace"),
        pod_labels=given.pop("pod_labels"),
        start_s=given.pop("start_deadline"),
        via=given.pop("via"),
        push_nonce=given.pop("push_nonce"),
        node_trust=given.pop("node_trust"),
    )
