"""Which places fail and which do not, for the same targets: the pattern that they form, and its sentence. Pure."""

from enum import StrEnum

import msgspec

from preflight.judge import load
from preflight.judge.dns_places import Place
from preflight.judge.scene import listed
from preflight.model.environment import NetworkModel
from preflight.model.vocabulary import VantageKind, vantage_kind


class Pattern(StrEnum):
    """Which places fail and which do not, for the same targets."""

    POD_ONLY = "pods fail, nodes do not"
    SOME_PODS = "pods of some pools fail, their nodes and other pods do not"
    NODE_ONLY = "nodes fail, pods do not"
    SOME_POOLS = "some pools fail, others do not"
    CLUSTER_ONLY = "the cluster fails, the workstation does not"
    WORKSTATION_ONLY = "the workstation fails, the cluster does not"
    EVERYBODY = "the cluster fails and the workstation too"
    EVERYWHERE = "every place of the cluster fails"
    ONE_PLACE = "only one place was seen"


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The same targets from all places."""

    cause: str
    failing: tuple[str, ...]
    working: tuple[str, ...]
    inside: bool = False  # private destinations
    api_server: bool = False
    between_pods: bool = False  # from one pod of the cluster to another
    proxied: tuple[str, ...] = ()  # working places that go through a proxy
    model: NetworkModel = NetworkModel.UNKNOWN
    behind: bool | None = None  # whether pods leave behind their node's address; None: not known
    subnets: tuple[str, ...] = ()  # of the failing places, as the environment names them
    seen_as: dict[str, str] = {}  # failing pods that leave behind their node's address -> that address
    places: tuple[Place, ...] = ()  # where on the way a pod's lookup fails, when that was seen
    policies: tuple[str, ...] = ()  # that a reservation is about
    alone: tuple[str, ...] = ()  # policies that select the probe and none of the real pods
    suspects: tuple[str, ...] | None = ()  # policies that may deny it; None: it is known that none does
    shares: dict[str, str] = {}  # "node/user1" -> "1 of 3 nodes" that fail, where the pool has more than one
    ranges: dict[str, str] = {}  # failing pods that keep their address -> the range that it is from


_NAMED = 8  # places in a sentence
_CLUSTER = frozenset((VantageKind.NODE, VantageKind.POD))


def pattern(view: View) -> Pattern:
    """Which of the known patterns the places form."""
    direct = tuple(vantage for vantage in view.working if vantage not in view.proxied)  # a proxy's way is another way
    bad, good = _kinds(view.failing), _kinds(direct)
    if not direct:
        return _all_fail(view, bad)
    if _CLUSTER & bad & good:
        return Pattern.SOME_PODS if _only_their_pods(view, bad) else Pattern.SOME_POOLS
    if VantageKind.POD in bad and VantageKind.NODE in good:
        return Pattern.POD_ONLY
    if VantageKind.NODE in bad and VantageKind.POD in good:
        return Pattern.NODE_ONLY
    if bad == {VantageKind.WORKSTATION}:
        return Pattern.WORKSTATION_ONLY
    return Pattern.CLUSTER_ONLY


def _all_fail(view: View, bad: set[VantageKind]) -> Pattern:
    if len(view.failing) == 1:
        return Pattern.ONE_PLACE
    return Pattern.EVERYBODY if VantageKind.WORKSTATION in bad and _CLUSTER & bad else Pattern.EVERYWHERE


def _only_their_pods(view: View, bad: set[VantageKind]) -> bool:
    """Whether the nodes of every pool whose pods fail get through."""
    nodes = {pool_of(vantage) for vantage in view.working if vantage_kind(vantage) is VantageKind.NODE}
    pods = {pool_of(vantage) for vantage in view.failing if vantage_kind(vantage) is VantageKind.POD}
    return VantageKind.NODE not in bad and bool(pods) and pods <= nodes


def clue(view: View) -> str:
    """What the comparison shows, in one sentence; "" when there is nothing to compare."""
    if view.cause in load.OF_LOAD:  # a matter of how many asked, not of rules
        return f"The same worked at that time from {listed(view.working, most=_NAMED)}." if view.working else ""
    if not set(view.working) - set(view.proxied):
        return f"The same from {listed(view.failing, most=_NAMED)}." if len(view.failing) > 1 else ""
    because = {
        Pattern.POD_ONLY: "so the way from the nodes is open",
        Pattern.SOME_PODS: "so the nodes of these pools get through, and pods of other pools do",
        Pattern.NODE_ONLY: "so the way from the pods is open",
        Pattern.SOME_POOLS: "so the pools meet different rules",
        Pattern.CLUSTER_ONLY: "so the service is up; what differs is the cluster's network",
        Pattern.WORKSTATION_ONLY: "so the cluster's network is not concerned",
    }[pattern(view)]
    direct = tuple(vantage for vantage in view.working if vantage not in view.proxied)
    return f"The same works from {listed(direct, most=_NAMED)}, {because}."


def pool_of(vantage: str) -> str:
    """`user1` of `pod/user1` and of `pod/user1/NODE`; "" for the workstation."""
    return (*vantage.split("/"), "")[1]


def _kinds(vantages: tuple[str, ...]) -> set[VantageKind]:
    return {vantage_kind(vantage) for vantage in vantages}
