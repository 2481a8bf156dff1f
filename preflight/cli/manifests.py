"""`preflight manifests`: the objects of a run as YAML, for clusters that only take Git. Sends nothing."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from preflight import plan as plans
from preflight.cli import beside, load, options
from preflight.cli.image import default_image
from preflight.failures import UsageFailure
from preflight.kube import manifests as sheets
from preflight.kube import objects, pools, text
from preflight.kube.operation import Stay, terms
from preflight.model.catalogue import Catalogue
from preflight.model.environment import Environment
from preflight.model.plan import VantagePlan
from preflight.model.secret import SERVICE_ACCOUNT
from preflight.model.vocabulary import VantageKind
from preflight.session import new_run_id
from preflight.vantages.agent import SECRET_PREFIX


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The command's own options."""

    pools: tuple[str, ...]
    pool_label: str
    image: str | None
    namespace: str
    pod_labels: tuple[str, ...]
    pull_secrets: tuple[str, ...]
    schedule: str | None
    run_id: str | None


@click.command()
@options.config
@options.selection
@click.option("--pool", "pools", multiple=True, metavar="NAME", help="This pool; may be repeated. Default: the file's.")
@click.option("--pool-label", default=pools.POOL_LABEL, show_default=True, metavar="KEY", help="Label that names it.")
@click.option("--probe-image", "image", metavar="IMAGE", help="Image of the probes.")
@click.option("--namespace", default=objects.TOOL, show_default=True, metavar="NAME", help="Namespace for all of it.")
@click.option(
    "--pod-label",
    "pod_labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="Label of real pods for the pod probes, in a --namespace that is there; may be repeated.",
)
@click.option("--pull-secret", "pull_secrets", multiple=True, metavar="NAME", help="Pull secret; may be repeated.")
@click.option("--schedule", metavar="CRON", help="CronJobs with this schedule instead of Jobs (Kubernetes 1.21).")
@click.option("--run-id", metavar="ID", help="Id for `preflight collect`; a new one by default.")
def manifests(
    config: Path, checks: tuple[Path, ...], sets: tuple[str, ...], chosen: options.Selection, **asked: object
) -> None:
    """Print a run in the cluster as YAML.

    For clusters that only take Git: commit it, let it be applied, and read the
    results with `preflight collect`. Credentials are not in it: it says which Secret
    has to be there.
    """
    catalogue, env = load.everything(config, checks, sets, os.environ)
    wanted = msgspec.convert(asked, Asked)
    sheet = _sheet(catalogue, env, chosen, wanted)
    click.echo(_head(sheet), nl=False)
    click.echo(text.to_yaml(sheets.build(sheet)), nl=False)


def _sheet(catalogue: Catalogue, env: Environment, chosen: options.Selection, asked: Asked) -> sheets.Sheet:
    image = asked.image or default_image(env)
    if image is None:
        raise UsageFailure("--probe-image: name the image that probes run\n  see `preflight image`")
    kinds = tuple(kind for kind in load.wanted_kinds(chosen.vantage) if kind is not VantageKind.WORKSTATION)
    known = tuple(pool.name for pool in env.pools if pool.os.lower() == "linux")
    wish = pools.Wish(kinds=kinds, pools=asked.pools, known=known, label=asked.pool_label)
    labels = beside.labels(asked.pod_labels)
    places = pools.lent(pools.blind(wish), "", labels).places
    if not places:
        raise UsageFailure("manifests: no pool is known\n  name one with --pool, or give [[pool]] in preflight.toml")
    run_id = asked.run_id or new_run_id()
    inside = load.Inside(names=tuple(place.vantage for place in places))
    plan = load.plan(catalogue, env, msgspec.structs.replace(chosen, vantage=",".join(kinds)), inside)
    parts = {place.kind: plans.vantage_plan(plan, env, place.vantage, run_id=run_id) for place in places}
    stay = Stay(
        run_id=run_id, namespace=asked.namespace, run_s=plans.deadline_s(plan, env), pull_secrets=asked.pull_secrets
    )
    return sheets.Sheet(
        terms=terms(stay, datetime.now(UTC)),
        image=image,
        places=places,
        plans={
            kind: msgspec.json.encode(msgspec.structs.replace(part, vantage=kind.value)).decode()
            for kind, part in parts.items()
        },
        variables={
            kind: tuple(
                sorted(
                    {
                        SECRET_PREFIX + name.upper()
                        for task in part.tasks
                        for name in task.secrets
                        if name != SERVICE_ACCOUNT
                    }
                )
            )
            for kind, part in parts.items()
        },
        schedule=asked.schedule,
        make_namespace=not labels,
    )


def _variables(part: VantagePlan) -> set[str]:
    """Of the Secret; a pod's own token comes another way."""
    return {SECRET_PREFIX + name.upper() for task in part.tasks for name in task.secrets if name != SERVICE_ACCOUNT}


def _head(sheet: sheets.Sheet) -> str:
    where = f"--namespace {sheet.terms.namespace} --run-id {sheet.terms.run_id}"
    lines = [f"# Afterwards: preflight collect --kubeconfig FILE {where}"]
    if keys := sheets.needed_secret(sheet):
        lines.append(f"# Needs the Secret {sheets.SECRET} in {sheet.terms.namespace}, with the keys")
        lines += [f"#   {key}" for key in keys]
    return "\n".join(lines) + "\n"
