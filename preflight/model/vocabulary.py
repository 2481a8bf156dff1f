"""The closed words of the project: statuses, owners, phases, stages. Meanings are in docs/architecture.md."""

from enum import StrEnum
from typing import Annotated

import msgspec


class Status(StrEnum):
    """What became of one check; every format shows all of them."""

    PASS = "pass"  # noqa: S105 - a status, not a password
    WARN = "warn"
    FAIL = "fail"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    WAIVED = "waived"


class Severity(StrEnum):
    """Whether a failing requirement fails the run or warns."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"


class Phase(StrEnum):
    """The documentation's chronological order."""

    ROUTER_INSTALL = "router-install"
    ROUTER_START = "router-start"
    ROUTER_RUN = "router-run"
    MODEL_DEPLOY = "model-deploy"
    SERVE = "serve"
    CANARY = "canary"


class VantageKind(StrEnum):
    """Where from; the part of a vantage's name before the slash."""

    WORKSTATION = "workstation"
    NODE = "node"
    POD = "pod"


# Checked where a value is decoded: what another program wrote may name a place of no kind.
VantageName = Annotated[str, msgspec.Meta(pattern=r"^(workstation|node|pod)(/.*)?$")]
KindName = Annotated[str, msgspec.Meta(pattern=r"^(workstation|node|pod)$")]


class Stage(StrEnum):
    """The stages of one hop, in the order in which they are reached."""

    DNS = "dns"
    PROXY = "proxy"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"


class Owner(StrEnum):
    """Who can change what is in the way."""

    DNS = "dns"
    NETWORK = "network"
    PLATFORM = "platform"
    IDENTITY = "identity"
    APPLICATION = "application"


class Confidence(StrEnum):
    """How sure a finding is; `likely` and `possible` say what would settle it."""

    PROVEN = "proven"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Link(StrEnum):
    """What the environment expects of a service's address."""

    PRIVATE = "private"
    PUBLIC = "public"
    ANY = "any"


# The downward API's word for where a pod stands and which address it has.
NODE_VARIABLE = "PREFLIGHT_NODE"
ADDRESS_VARIABLE = "PREFLIGHT_ADDRESS"


class ProbeName(StrEnum):
    """What a task runs; `preflight.probes.services` holds the table to modules."""

    TCP = "tcp"
    HTTP = "http"
    REGISTRY = "registry"
    BLOB = "blob"
    TABLE = "table"
    ENTRA = "entra"
    WORKSPACE = "workspace"
    KUSTO = "kusto"
    KUBE_API = "kube_api"
    ENDPOINT = "endpoint"
    PEERS = "peers"
    CLUSTER_DNS = "cluster_dns"
    PULL = "pull"  # by the kubelet of a node, watched from outside: no agent runs it


def vantage_kind(vantage: str) -> VantageKind:
    """The kind of a vantage name: `node/user1` -> `node`."""
    return VantageKind(vantage.partition("/")[0])
