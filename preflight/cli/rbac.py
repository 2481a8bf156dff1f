"""`preflight rbac`: the fewest rights that a run needs, as objects for an administrator to apply. Sends nothing."""

from collections.abc import Sequence
from typing import Any

import click

from preflight.failures import UsageFailure
from preflight.kube import rights, text

NAME = "preflight"


@click.command()
@click.option("--namespace", metavar="NAME", help="Rights in this namespace only; without it a run makes its own.")
@click.option("--pod-namespace", metavar="NAME", help="Rights there, too: pod probes stand beside real pods.")
@click.option("--user", metavar="NAME", help="Bind to this user.")
@click.option("--group", metavar="NAME", help="Bind to this group; with Entra its object id.")
@click.option("--service-account", metavar="NAMESPACE/NAME", help="Bind to this service account.")
@click.option("--name", default=NAME, show_default=True, metavar="NAME", help="Name of the roles.")
@click.option(
    "--via",
    type=click.Choice(["existing-pod"]),
    help="The rights of `run --via existing-pod` instead, which are fewer.",
)
def rbac(
    *,
    namespace: str | None,
    pod_namespace: str | None,
    user: str | None,
    group: str | None,
    service_account: str | None,
    name: str,
    via: str | None,
) -> None:
    """Print the rights that a run needs, as YAML.

    Roles and their bindings, to be applied by an administrator:
    preflight rbac --namespace NAME --group ID | kubectl apply -f -
    """
    subject = _subject(user, group, service_account)
    if via is not None:
        _print(rights.of_shell(), rights.granting(name, subject, rights.of_shell(), namespace=namespace))
        return
    wanted = (*rights.needed(own_namespace=namespace is None), *rights.LOOKS, *rights.ROUTER, *rights.POLICIES)
    _print(wanted, rights.roles(name, subject, namespace=namespace, beside=pod_namespace))


def _print(wanted: Sequence[rights.Right], roles: list[dict[str, Any]]) -> None:
    for right in wanted:
        click.echo(f"# {right}{' (optional)' if right.optional else ''}: {right.why}")
    click.echo(text.to_yaml(roles), nl=False)


def _subject(user: str | None, group: str | None, service_account: str | None) -> dict[str, str]:
    """Exactly one of them. Raises `UsageFailure`."""
    if sum(one is not None for one in (user, group, service_account)) != 1:
        raise UsageFailure("rbac: name one to bind to: --user, --group or --service-account")
    if service_account is not None:
        place, slash, name = service_account.partition("/")
        if not slash or not place or not name:
            raise UsageFailure(f"--service-account {service_account}: is not NAMESPACE/NAME")
        return {"kind": "ServiceAccount", "namespace": place, "name": name}
    kind, name = ("User", user) if user is not None else ("Group", group or "")
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
