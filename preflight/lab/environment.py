"""Writes the environment that fits the lab: `preflight.toml` and the authorities beside it. Runs nothing."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from preflight.lab import deployment as at
from preflight.lab.pki import ORGANISATION
from preflight.model.plan import Mapping

CA_FILE, CLUSTER_CA_FILE = "ca.pem", "cluster-ca.pem"


def variable(secret: str) -> str:
    """The environment variable that carries a secret of the lab."""
    return f"PREFLIGHT_LAB_{secret.upper()}"


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between one lab and another."""

    resolvers: Sequence[str] = ()  # to be compared
    proxied: Sequence[str] = ()  # kinds of vantages behind the proxy
    not_given: frozenset[str] = frozenset()  # secrets, and "api_server.ca_file"
    mapping: Mapping = Mapping()  # of the workstation; empty where the real addresses answer
    endpoint: str = at.ENDPOINT.public or ""
    private: bool = False  # every address is private: nothing public can be expected
    pools: Sequence[str] = (at.NODE_POOL,)


def text(circumstances: Circumstances) -> str:
    """preflight.toml."""
    missing = circumstances.not_given
    tables = (
        _main(circumstances), _services(missing, circumstances),
        _pools(circumstances.pools), _proxy(circumstances.proxied), _credentials(missing), _dependencies(),
        _limits(), _mapping(circumstances.mapping),
    )  # fmt: skip
    return "\n\n".join(table for table in tables if table) + "\n"


def _array(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def _main(circumstances: Circumstances) -> str:
    return f"""\
# The embedded Azure of preflight's lab: every name here is played by a process on this machine.
schema_version = 1
issuers = ["{ORGANISATION}"]  # stands in the name of every authority that plays a genuine one

[environment]
cloud = "AzureCloud"
region = "{at.REGION}"
cluster = "{at.CLUSTER}"
layout = "v1"
network_model = "pod-subnet"
outbound_type = "userDefinedRouting"
token_authentication = true
ca_file = "{CA_FILE}"
resolvers = {_array(circumstances.resolvers)}"""


def _services(not_given: frozenset[str], circumstances: Circumstances) -> str:
    authority = "" if "api_server.ca_file" in not_given else f'\nca_file = "{CLUSTER_CA_FILE}"'
    # Behind API Server VNet Integration both kinds of address are right.
    access, workspace = ("vnet-integrated", "any") if circumstances.private else ("public", "public")
    return f"""\
[api_server]
fqdn = "{at.API_SERVER.name}"
access = "{access}"{authority}

[registry]
name = "{at.REGISTRY}"
region = "{at.REGION}"
replicas = ["{at.REPLICA}"]
data_endpoints = true
link = "private"
repository = "{at.REPOSITORY}"
reference = "{at.REFERENCE}"

[[storage]]
account = "{at.ACCOUNT}"
blob_link = "private"
table_link = "private"
container = "{at.CONTAINER}"
blob = "{at.BLOB_NAME}"

[workspace]
name = "{at.WORKSPACE}"
id = "{at.WORKSPACE_ID}"
region = "{at.REGION}"
tenant = "{at.TENANT}"
client_id = "{at.CLIENT_ID}"
link = "{workspace}"

[endpoint]
domain = "{at.ENDPOINT.name}"
address = "{circumstances.endpoint}"
path = "{at.ENDPOINT_PATH}\""""


def _pools(names: Sequence[str]) -> str:
    return "\n\n".join(f'[[pool]]\nname = "{name}"' for name in names)


def _proxy(kinds: Sequence[str]) -> str:
    if not kinds:
        return ""
    return f"""\
[proxy]
https = "http://{at.PROXY.name}:{at.PROXY.port}"
vantages = {_array(kinds)}"""


def _credentials(not_given: frozenset[str]) -> str:
    lines = (f'{name} = {{ env = "{variable(name)}" }}' for name in at.SECRETS if name not in not_given)
    return "\n".join(("[credentials]", *lines))


def _dependencies() -> str:
    return f"""\
[[dependency]]
name = "features"
url = "https://{at.FEATURES.name}/health"

[[dependency]]
name = "database"
url = "tcp://{at.DATABASE.name}:{at.DATABASE.port}\""""


def _limits() -> str:
    # Everything is on this machine: what does not answer soon never will.
    return """\
[limits]
answer_cap_s = 4.0
check_deadline_s = 20.0"""


def _mapping(mapping: Mapping) -> str:
    if not mapping.nameservers:
        return ""
    lines = (f'"{address}" = "{place}"' for address, place in sorted(mapping.connect_to.items()))
    head = f"[mapping]\nnameservers = {_array(mapping.nameservers)}\n\n[mapping.connect_to]"
    return "\n".join((head, *lines))


def write(folder: Path, circumstances: Circumstances, *, ca_pem: str, cluster_ca_pem: str) -> Path:
    """The file and its two authorities, in `folder`; gives the path of preflight.toml."""
    (folder / CA_FILE).write_text(ca_pem)
    (folder / CLUSTER_CA_FILE).write_text(cluster_ca_pem)
    path = folder / "preflight.toml"
    path.write_text(text(circumstances))
    return path
