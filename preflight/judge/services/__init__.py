"""The meaning of services' own answers, one module each; block pages and foreign answers are judged before these."""

from collections.abc import Callable

from preflight.judge import cluster_dns
from preflight.judge.outcome import Outcome
from preflight.judge.services import (
    endpoint,
    entra,
    kube_api,
    kusto,
    peers,
    plain,
    pull,
    registry,
    storage,
    workspace,
)
from preflight.model.observation import Hop, Observation
from preflight.model.plan import Check
from preflight.model.vocabulary import ProbeName

ANSWER: dict[ProbeName, Callable[[Check, Hop, Observation], Outcome]] = {
    ProbeName.TCP: plain.answer,
    ProbeName.HTTP: plain.answer,
    ProbeName.REGISTRY: registry.answer,
    ProbeName.BLOB: storage.answer,
    ProbeName.TABLE: storage.answer,
    ProbeName.ENTRA: entra.answer,
    ProbeName.WORKSPACE: workspace.answer,
    ProbeName.KUSTO: kusto.answer,
    ProbeName.KUBE_API: kube_api.answer,
    ProbeName.ENDPOINT: endpoint.answer,
    ProbeName.PEERS: plain.answer,
    ProbeName.CLUSTER_DNS: plain.answer,
    ProbeName.PULL: pull.answer,
}
"""Judges a complete HTTP answer of any hop of that probe."""

MISSING: dict[ProbeName, Callable[[Check, str, Observation], Outcome]] = {
    ProbeName.TCP: plain.missing,
    ProbeName.HTTP: plain.missing,
    ProbeName.REGISTRY: registry.missing,
    ProbeName.BLOB: storage.missing,
    ProbeName.TABLE: storage.missing,
    ProbeName.ENTRA: entra.missing,
    ProbeName.WORKSPACE: workspace.missing,
    ProbeName.KUSTO: kusto.missing,
    ProbeName.KUBE_API: kube_api.missing,
    ProbeName.ENDPOINT: endpoint.missing,
    ProbeName.PEERS: peers.missing,
    ProbeName.CLUSTER_DNS: cluster_dns.missing,
    ProbeName.PULL: pull.missing,
}
"""Says what it means that a role was never reached although everything before it was fine."""
