"""Files that people and other programs hand over: environments, catalogues, az output, credentials, authorities."""

import contextlib
import importlib
import tomllib
from pathlib import Path

import httpx
import msgspec

from fuzz import onward
from fuzz.files import Scratch, in_memory
from fuzz.memory import NEXT
from fuzz.target import Depth, Target
from preflight import catalogue, environment, plan
from preflight.catalogue import clouds as cloud_files
from preflight.catalogue.verify import verify
from preflight.environment import azure_output, read, template
from preflight.environment.shape import File
from preflight.failures import Problems, UsageFailure
from preflight.model.catalogue import Catalogue
from preflight.model.environment import Credentials, Environment, SecretSource
from preflight.model.plan import Plan
from preflight.probes.services import credentials
from preflight.probes.trust import Judges

_SCRATCH = Scratch()
catalogue_load = importlib.import_module("preflight.catalogue.load")  # its package has a function of that name
_CLOUDS = catalogue.load_clouds()
_EVERYWHERE = ("workstation", "node", "pod")


def _printable(failure: UsageFailure, never: str = "") -> None:
    text = str(failure)
    assert text
    assert len(never) < 8 or never not in text, "a message that tells the secret"
    assert all(char == "\n" or char.isprintable() for char in text), "a message that a terminal obeys"


def _planned(built: Plan, env: Environment) -> None:
    for name in built.vantages:
        msgspec.json.encode(plan.vantage_plan(built, env, name, run_id="fuzz"))


def _environment(data: bytes, depth: Depth) -> None:
    """preflight.toml; behind the separator, environment variables as NAME=VALUE, a line each."""
    text, _, variables = data.partition(NEXT)
    lines = (line.partition("=") for line in variables.decode("utf-8", "replace").split("\n"))
    environ = {name: value for name, found, value in lines if found and name}
    try:
        env = environment.load(in_memory(text, "preflight.toml"), environ=environ, clouds=_CLOUDS)
        built = plan.build(onward.catalogue_of_the_project(), env, vantages=_EVERYWHERE)
    except UsageFailure as failure:
        _printable(failure)
        return
    _planned(built, env)
    msgspec.json.encode(environment.describe(env))
    with contextlib.suppress(UsageFailure):
        environment.read_secrets(env, environ)
    if depth is Depth.SHOWN:
        onward.onward(onward.unseen(built, environment.describe(env)), depth=Depth.SHOWN)


def _catalogue(data: bytes, depth: Depth) -> None:
    """A file of checks. What it holds is planned for the whole environment."""
    path = in_memory(data, "50-own.toml")
    try:
        problems: list[str] = []
        drafts = {draft.id: draft for draft in catalogue_load._file(path, problems)}
        found = [one for draft in drafts.values() if (one := catalogue_load._convert(draft, problems)) is not None]
        problems += verify(found, drafts, lambda requirement, key: drafts[requirement].place(f"{requirement}.{key}"))
        if problems:
            raise Problems(problems)
        if depth is Depth.SHOWN:
            catalogue.load((_SCRATCH.file(data, "own/50-own.toml").parent,))
    except UsageFailure as failure:
        _printable(failure)
        return
    if not found:
        return
    own = Catalogue(version=catalogue_load.version(found), requirements=tuple(found))
    try:
        built = plan.build(own, onward.whole(), vantages=_EVERYWHERE)
    except UsageFailure as failure:
        _printable(failure)
        return
    _planned(built, onward.whole())
    onward.onward(onward.unseen(built, {}), depth=depth)


def _clouds_file(data: bytes, depth: Depth) -> None:
    """clouds.toml of a folder of checks."""
    try:
        found, problems = cloud_files._read(in_memory(data, "clouds.toml"))
        if problems:
            raise Problems(problems)
    except UsageFailure as failure:
        _printable(failure)
        return
    assert all(name == cloud.name for name, cloud in found.items())


def _az(data: bytes, depth: Depth) -> None:
    """What az printed: understood, written as preflight.toml, and that read again."""
    try:
        draft = azure_output.understand([in_memory(data, "az.json")])
    except UsageFailure as failure:
        _printable(failure)
        return
    text = template.render(draft.tables)
    tables = tomllib.loads(text)
    assert tables["schema_version"] == 1
    assert set(tables) <= {field.name for field in msgspec.structs.fields(File)}
    for name, pem in draft.certificates.items():
        _SCRATCH.file(pem.encode("utf-8", "surrogateescape"), Path(name).name)
    try:
        env = environment.resolve(_SCRATCH.folder / "preflight.toml", tables, environ={}, clouds=_CLOUDS)
    except UsageFailure as failure:
        _printable(failure)
        return
    if depth is Depth.SHOWN:
        _planned(plan.build(onward.catalogue_of_the_project(), env, vantages=_EVERYWHERE), env)


def _secrets(data: bytes, depth: Depth) -> None:
    """The content of a file with a secret; it is also the value of a variable."""
    _SCRATCH.file(data, "secret")
    value = data.decode("utf-8", "replace").replace("\0", "")
    given = Credentials(
        registry_user=SecretSource(env="IT"),
        registry_password=SecretSource(file="secret"),
        storage_sas=SecretSource(file="secret"),
        workspace_token=SecretSource(env="IT"),
    )
    env = msgspec.structs.replace(onward.whole(), source=str(_SCRATCH.folder / "preflight.toml"), credentials=given)
    try:
        secrets = environment.read_secrets(env, {"IT": value})
    except UsageFailure as failure:
        _printable(failure, never=value)
        return
    headers = credentials.basic(secrets["registry_user"], secrets["registry_password"])
    headers += credentials.bearer(secrets["workspace_token"])
    query = credentials.signature(secrets["storage_sas"])
    plain = [(name, secret.reveal()) for name, secret in headers]
    httpx.Request("GET", f"https://a.example/?{query}", headers=plain)
    assert value.strip() not in (repr(secrets), str(secrets))


def _pem(data: bytes, depth: Depth) -> None:
    """A file of authorities."""
    found = read.read_certificates(in_memory(data, "ca.pem"), "ca.pem")
    if not isinstance(found, str):
        assert all(part.isprintable() for part in found)
        return
    Judges(msgspec.structs.replace(onward.vantage_plan(), cluster_ca_pem=found)).get("cluster-ca", ())


_KEYS = tuple(field.name for field in msgspec.structs.fields(File))

TARGETS = (
    Target(
        name="environment",
        parses="preflight.toml and PREFLIGHT_* variables",
        enters="environment.load, plan.build",
        run=_environment,
        longest=8_192,
        mutator="toml",
        words=(*(f"[{key}]" for key in _KEYS), NEXT.decode(), "PREFLIGHT_"),
    ),
    Target(
        name="catalogue",
        parses="files of checks",
        enters="catalogue.load, plan.build",
        run=_catalogue,
        longest=8_192,
        mutator="toml",
        words=("[[requirement]]", "{registry.name}", "{each.", "vantages", "judges", "when"),
    ),
    Target(
        name="clouds",
        parses="clouds.toml",
        enters="catalogue.load_clouds",
        run=_clouds_file,
        mutator="toml",
        words=("[clouds.", "blob_suffix"),
    ),
    Target(
        name="az-output",
        parses="JSON of az and kubectl",
        enters="environment.azure_output.understand, template.render",
        run=_az,
        longest=16_384,
        mutator="json",
    ),
    Target(
        name="credentials",
        parses="secrets in files and variables",
        enters="environment.read_secrets",
        run=_secrets,
        longest=1_024,
        words=("?sv=", "&sig=", "Bearer ", "\r\n", "sr=b"),
    ),
    Target(
        name="ca-file",
        parses="PEM files of authorities",
        enters="environment.read.read_certificates, probes.trust.Judges",
        run=_pem,
        longest=8_192,
        words=("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----"),
    ),
)
