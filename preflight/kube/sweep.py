"""What runs have left in a cluster, and its removal: matches nothing but preflight's own labels."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from preflight.kube import objects
from preflight.kube.client import Client

Json = dict[str, Any]
# Owners first: what they own goes with them. Secrets and pods are always owned, so nobody needs the right to list them.
_KINDS: Final = ("Job", "ConfigMap")
_ALL: Final = {"Job": "/apis/batch/v1/jobs", "ConfigMap": "/api/v1/configmaps"}


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """One object of some run."""

    kind: str
    namespace: str  # "" for a namespace itself
    name: str
    run_id: str
    created: str
    expires: str

    @property
    def path(self) -> str:
        """Where the API has it."""
        return objects.path(self.kind, self.namespace, self.name)


async def find(client: Client, namespace: str | None = None) -> list[Left]:
    """Everything that carries preflight's labels, in one namespace or in all. Raises `ClusterFailure`."""
    chosen = {"labelSelector": objects.selector()}
    places = {kind: objects.path(kind, namespace) if namespace else _ALL[kind] for kind in _KINDS}
    if namespace is None:
        places = {"Namespace": objects.path("Namespace"), **places}
    found = []
    for kind, path in places.items():
        found += [_left(kind, item) for item in (await client.get(path, chosen)).get("items") or []]
    inside = {one.name for one in found if one.kind == "Namespace"}
    return [one for one in found if one.namespace not in inside]


async def expired_namespaces(client: Client, now: datetime) -> None:
    """Remove the namespaces of runs that ended long ago without removing them. Raises `ClusterFailure`."""
    listed = await client.get(objects.path("Namespace"), {"labelSelector": objects.selector()})
    for left in (_left("Namespace", item) for item in listed.get("items") or []):
        if expired(left, now):
            await client.delete(left.path)


def expired(left: Left, now: datetime) -> bool:
    """Whether its run is over; what does not say when it ends is left alone."""
    ends = _moment(left.expires)
    return ends is not None and ends < now


def older(found: Sequence[Left], age: timedelta, now: datetime) -> list[Left]:
    """Those that were created at least so long ago."""
    return [one for one in found if (made := _moment(one.created)) is not None and now - made >= age]


def _left(kind: str, item: Json) -> Left:
    meta = item.get("metadata") or {}
    return Left(
        kind=kind,
        namespace=str(meta.get("namespace") or ""),
        name=str(meta.get("name")),
        run_id=str((meta.get("labels") or {}).get(objects.RUN) or ""),
        created=str(meta.get("creationTimestamp") or ""),
        expires=str((meta.get("annotations") or {}).get(objects.EXPIRES) or ""),
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
