"""What `preflight init` knows: from az output, flags and questions; checked as a whole before anything is written."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from preflight import catalogue as catalogues
from preflight import environment as environments
from preflight.cli import files
from preflight.environment import azure_output, template
from preflight.environment.draft import Draft
from preflight.environment.rules import RULES
from preflight.failures import UsageFailure
from preflight.strict import shown


class Flag(NamedTuple):
    """One flag, the key that it sets and the question that asks for the same."""

    name: str
    key: str
    help: str
    question: str = ""  # empty: never asked


_FLAGS: Final = (
    Flag("cloud", "environment.cloud", "One that is known, or your own.", "Cloud"),
    Flag("region", "environment.region", "Short name: westeurope.", "Region (short name, westeurope)"),
    Flag("cluster", "environment.cluster", "Name of the cluster, for the report.", "Name of the AKS cluster"),
    Flag("layout", "environment.layout", "v1, extension or auto."),
    Flag("fqdn", "api_server.fqdn", "The API server's FQDN.", "FQDN of the API server"),
    Flag("access", "api_server.access", "How it is published.", "Access (public, private, vnet-integrated)"),
    Flag("registry", "registry.name", "Name or login server of the registry.", "Container registry"),
    Flag("repository", "registry.repository", "An image to pull for proof.", "Repository of an image to pull"),
    Flag("workspace", "workspace.name", "Name of the Azure ML workspace.", "Azure ML workspace"),
    Flag("workspace-id", "workspace.id", "Its GUID.", "Its id (GUID)"),
    Flag("endpoint", "endpoint.domain", "Domain of the endpoint, or its label.", "Endpoint domain or label"),
    Flag("proxy", "proxy.https", "HTTPS proxy, without password.", "HTTPS proxy"),
    Flag("ca-file", "environment.ca_file", "Authorities to trust besides the system's.", "Extra CA file (PEM)"),
)  # fmt: skip
_DEFAULTS: Final = {"environment.cloud": "AzureCloud"}


def flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of the table, and those that take several values."""
    many = (
        click.option("--dependency", multiple=True, metavar="NAME=URL", help="What the model calls; may be repeated."),
        click.option("--storage", multiple=True, metavar="ACCOUNT", help="A storage account; may be repeated."),
        click.option("--token-authentication/--no-token-authentication", default=None, help="Whether it is on."),
        click.option("--custom-domain/--no-custom-domain", default=None, help="Whether the endpoint has one."),
    )
    for option in many:
        command = option(command)
    for flag in reversed(_FLAGS):
        command = click.option(f"--{flag.name}", metavar="TEXT", help=flag.help)(command)
    return command


def refuse_existing(path: Path, *, force: bool) -> None:
    """Nothing is replaced unless asked for."""
    if path.exists() and not force:
        raise UsageFailure(
            f"{path}: exists already and was left as it is\n"
            "  replace it with --force, or name another: preflight init PATH"
        )
    if not path.parent.is_dir():
        raise UsageFailure(f"{path}: the folder {path.parent} does not exist")


def from_outputs(sources: Sequence[Path]) -> Draft:
    """What the outputs of az say."""
    return azure_output.understand(sources) if sources else Draft()


def from_flags(draft: Draft, given: Mapping[str, Any]) -> None:
    """Flags win over what az said."""
    for flag in _FLAGS:
        value = given.get(flag.name.replace("-", "_"))
        if value:
            _set(draft, flag.key, value)
    if "token_authentication" in given:
        _set(draft, "environment.token_authentication", given["token_authentication"])
    if "custom_domain" in given:
        _set(draft, "endpoint.custom_domain", given["custom_domain"])
    for account in given.get("storage", ()):
        draft.element("storage", "account", account=account)
    for entry in given.get("dependency", ()):
        name, equals, url = entry.partition("=")
        if not equals:
            raise UsageFailure(
                f"--dependency {shown(entry)}: is not NAME=URL\n"
                "  for example --dependency features=https://features.contoso.com/health"
            )
        draft.element("dependency", "name", name=name.strip(), url=url.strip())


def by_asking(draft: Draft) -> None:
    """One question per key that people know; empty answers leave the key out. A wrong answer is asked again."""
    click.echo("Empty answers leave a key out; everything can be changed in the file later.\n")
    for flag in _FLAGS:
        if flag.question:
            answer = _ask(flag.question, flag.key, _DEFAULTS.get(flag.key, ""))
            if answer:
                _set(draft, flag.key, answer)
    for account in _several("Storage accounts, separated by commas", "storage.account"):
        draft.element("storage", "account", account=account)
    _set(draft, "environment.token_authentication", click.confirm("Token authentication", default=False))


def _ask(question: str, key: str, default: str) -> str:
    rule = RULES.get(key)
    while True:
        answer = str(click.prompt(question, default=default, show_default=bool(default))).strip()
        fault = rule(answer) if rule and answer else None
        if fault is None:
            return answer
        click.echo(f"  {shown(answer)} {fault[0]}\n  {fault[1]}")


def _several(question: str, key: str) -> list[str]:
    while True:
        answers = [part.strip() for part in str(click.prompt(question, default="", show_default=False)).split(",")]
        named = [answer for answer in answers if answer]
        faults = [(answer, fault) for answer in named if (fault := RULES[key](answer))]
        if not faults:
            return named
        for answer, fault in faults:
            click.echo(f"  {shown(answer)} {fault[0]}\n  {fault[1]}")


def _set(draft: Draft, key: str, value: Any) -> None:
    table, _, name = key.partition(".")
    draft.tables[table] = {**draft.tables.get(table, {}), name: value}


def write(draft: Draft, path: Path, *, force: bool) -> str:
    """Write the file and the certificates beside it, after the whole was checked; gives what to tell."""
    text = template.render(draft.tables)
    _check(text, path, draft)
    for name, pem in draft.certificates.items():
        refuse_existing(path.parent / name, force=force)
        _replace(path.parent / name, pem)
    _replace(path, text)
    lines = [f"understood: {one}" for one in draft.understood]
    lines += [f"to do: {one}" for one in draft.notes]
    written = ", ".join([str(path), *(str(path.parent / name) for name in draft.certificates)])
    return "\n".join([*lines, f"written: {written}", f"next: preflight plan --config {path}"])


def _check(text: str, path: Path, draft: Draft) -> None:
    """The file as it would be read; certificates that are only about to be written are taken out for it."""
    data = tomllib.loads(text)
    for table in ("environment", "api_server"):
        if data.get(table, {}).get("ca_file") in draft.certificates:
            del data[table]["ca_file"]
    environments.resolve(path, data, environ={}, clouds=catalogues.load_clouds())


def _replace(path: Path, text: str) -> None:
    try:
        files.replace(path, text)
    except OSError as error:
        raise UsageFailure(f"{path}: cannot be written: {error.strerror}") from error
