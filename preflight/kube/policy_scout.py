"""Reads real pods, namespaces and network policies of a cluster with the rights that there are; creates nothing.

What may not be read never fails a run: a notice says what is therefore not proven.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from preflight.failures import ClusterFailure, Refused
from preflight.judge.selecting import selects
from preflight.kube import objects, policies, standing
from preflight.kube.client import Client, Gone
from preflight.kube.standing import Wanted
from preflight.kube.values import items, labels, table, text
from preflight.model.policies import Policy, PolicyFacts, Stand

Json = dict[str, Any]
_MOST: Final = 200  # policies that are kept
_PAGE: Final = "1000"
_KINDS: Final = {policies.KUBERNETES: "networkpolicies", policies.CILIUM: "ciliumnetworkpolicies"}
# Kinds of policies that are not evaluated: group of the API, whose they are.
_OTHERS: Final = {
    "crd.projectcalico.org": "Calico's own network policies",
    "projectcalico.org": "Calico's own network policies",
    "policy.networking.k8s.io": "admin network policies",
    "security.antrea.tanzu.vmware.com": "Antrea's own network policies",
    "crd.antrea.io": "Antrea's own network policies",
}


async def real_pods(client: Client, wants: Sequence[Wanted]) -> tuple[tuple[Stand, ...], tuple[str, ...]]:
    """Where the real pods stand, running ones before documented ones; and what could not be found out."""
    told = await asyncio.gather(*(_pods(client, want) for want in wants))
    return tuple(one for stands, _ in told for one in stands), tuple(text for _, texts in told for text in texts)


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """All policies that could be read, whomever they are about."""

    policies: tuple[Policy, ...]
    namespaces: dict[str, dict[str, str]]
    cilium: bool
    gaps: tuple[str, ...]  # what could not be read or is not evaluated, a sentence each
    keys: frozenset[str] | None  # labels of which any policy speaks; None: not all policies of the cluster are known


async def read(client: Client, places: Sequence[str]) -> Read:
    """The policies of the cluster, or those of these namespaces where no more may be read."""
    namespaces, plain, of_cilium, clusterwide, others = await asyncio.gather(
        _namespaces(client, places),
        _listed(client, policies.KUBERNETES, places),
        _listed(client, policies.CILIUM, places),
        _clusterwide(client),
        _others(client),
    )
    gaps = (*plain.gaps, *of_cilium.gaps, *clusterwide.gaps, *others)
    whole = not gaps and all(one.whole for one in (plain, of_cilium, clusterwide))
    listed = [item for one in (plain, of_cilium, clusterwide) for item in one.items]
    return Read(
        policies=(
            *(policies.kubernetes(one) for one in plain.items),
            *(one for item in of_cilium.items for one in policies.cilium(item, policies.CILIUM)),
            *(one for item in clusterwide.items for one in policies.cilium(item, policies.CLUSTERWIDE)),
        ),
        namespaces=namespaces,
        cilium=of_cilium.known or clusterwide.known,
        gaps=gaps,
        keys=frozenset(key for item in listed for key in policies.mentioned(item)) if whole else None,
    )


def about(found: Read, real: tuple[Stand, ...], probe: Stand, notices: tuple[str, ...] = ()) -> PolicyFacts:
    """The policies that are about the real pods or the probe. Pure."""
    facts = PolicyFacts(real=real, probe=probe, namespaces=found.namespaces, cilium=found.cilium)
    kept = _about(found.policies, (*real, probe), facts)
    cut = (f"{len(kept)} network policies: only {_MOST} are kept",) if len(kept) > _MOST else ()
    gaps = (*found.gaps, *cut)
    if not found.policies and not gaps:
        notices = ()  # there is no policy at all: whom they would select does not matter
    return msgspec.structs.replace(facts, read=not gaps, policies=kept[:_MOST], notices=(*notices, *gaps))


def _about(every: Iterable[Policy], stands: Sequence[Stand], facts: PolicyFacts) -> tuple[Policy, ...]:
    mine = (one for one in every if any(selects(one, stand, facts) for stand in stands))
    return tuple(sorted(mine, key=lambda one: (one.kind, one.namespace, one.name)))


async def _pods(client: Client, want: Wanted) -> tuple[tuple[Stand, ...], tuple[str, ...]]:
    query = {"labelSelector": want.selector, "limit": _PAGE}
    apart = [objects.path("Pod", place) for place in want.namespaces]
    listed = [await _read(client, path, query) for path in (apart if want.certain else ["/api/v1/pods"])]
    if not want.certain and isinstance(listed[0], ClusterFailure):
        listed = [await _read(client, path, query) for path in apart] or listed
    if stands := tuple(one for pods in listed for one in standing.found(want.role, pods)):
        return stands, ()
    known = await _documented(client, want)
    refused = any(isinstance(pods, ClusterFailure) for pods in listed)
    return known, _unsure(want, refused=refused) if refused or not known else ()


def _unsure(want: Wanted, *, refused: bool) -> tuple[str, ...]:
    whose, key = f"the {want.role.value}'s pods", f"pods.{want.role.value}_namespace"
    if refused and want.namespaces:
        return (f"without the right to list pods where {whose} may be: their labels are the documented ones",)
    why = "without the right to list pods" if refused else f"no {want.role.value} pod runs"
    return (f"{why}, and {key} is not given: nothing is proven about network policies for {whose}",)


async def _documented(client: Client, want: Wanted) -> tuple[Stand, ...]:
    """The first of the namespaces that is there; one that cannot be looked at counts as there."""
    for place in want.namespaces:
        try:
            await client.get(objects.path("Namespace", name=place))
        except Gone:
            continue
        except ClusterFailure:
            pass
        return (standing.documented(want, place),)
    return ()


async def _namespaces(client: Client, places: Sequence[str]) -> dict[str, dict[str, str]]:
    """Labels by name, of those that matter."""
    names = tuple(dict.fromkeys((*places, "kube-system")))
    told = await asyncio.gather(*(_read(client, objects.path("Namespace", name=name), {}) for name in names))
    return {
        name: labels(table(one, "metadata").get("labels"))
        for name, one in zip(names, told, strict=True)
        if isinstance(one, dict)
    }


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    """The policies of one kind."""

    items: tuple[Json, ...] = ()
    known: bool = True  # the cluster knows the kind
    whole: bool = True  # in all namespaces
    gaps: tuple[str, ...] = ()


async def _listed(client: Client, kind: str, places: Sequence[str]) -> _Listed:
    """All policies of a kind, or those of the namespaces that matter."""
    base, resource = _base(kind), _KINDS[kind]
    whole = await _read(client, f"{base}/{resource}", {"limit": _PAGE})
    if isinstance(whole, dict):
        return _Listed(items=tuple(items(whole)), gaps=_cut(whole, resource))
    if isinstance(whole, Gone):
        return _Listed(known=False)
    told = [(place, await _read(client, f"{base}/namespaces/{place}/{resource}", {"limit": _PAGE})) for place in places]
    return _Listed(
        items=tuple(item for _, one in told if isinstance(one, dict) for item in items(one)),
        whole=False,
        gaps=tuple(_missed(resource, place, one) for place, one in told if isinstance(one, ClusterFailure)),
    )


async def _clusterwide(client: Client) -> _Listed:
    resource = "ciliumclusterwidenetworkpolicies"
    whole = await _read(client, f"{_base(policies.CLUSTERWIDE)}/{resource}", {"limit": _PAGE})
    if isinstance(whole, dict):
        return _Listed(items=tuple(items(whole)), gaps=_cut(whole, resource))
    return _Listed(known=False, gaps=() if isinstance(whole, Gone) else (_missed(resource, "", whole),))


async def _others(client: Client) -> tuple[str, ...]:
    """Kinds of policies that the cluster knows and that are not evaluated."""
    groups = await _read(client, "/apis", {})
    known = [text(one.get("name")) for one in table(groups).get("groups") or ()] if isinstance(groups, dict) else []
    told = dict.fromkeys(whose for group, whose in _OTHERS.items() if group in known)
    return tuple(f"the cluster knows {whose}, which are not evaluated: nothing is proven about them" for whose in told)


def _missed(resource: str, place: str, failure: ClusterFailure) -> str:
    where = f" in {place}" if place else ""
    if isinstance(failure, Refused) and failure.status == 403:
        return f"without the right to list {resource}{where}: nothing is proven about network policies there"
    return f"{resource}{where} could not be listed ({failure.text[:200]}): nothing is proven about them"


def _cut(whole: Json, resource: str) -> tuple[str, ...]:
    more = table(whole, "metadata").get("continue")
    return (f"more than {_PAGE} {resource}: only the first were read",) if more else ()


def _base(kind: str) -> str:
    return "/apis/networking.k8s.io/v1" if kind == policies.KUBERNETES else "/apis/cilium.io/v2"


async def _read(client: Client, path: str, query: dict[str, str]) -> Json | ClusterFailure:
    try:
        return await client.get(path, query)
    except ClusterFailure as failure:
        return failure
