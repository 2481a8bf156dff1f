"""For how many nodes a probe speaks: "n of m nodes of the pool", and pools whose nodes are not alike. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from preflight.judge.pattern import pool_of
from preflight.judge.scene import listed, moment
from preflight.model.cluster import ClusterFacts, NodeFacts
from preflight.model.plan import Plan
from preflight.model.vocabulary import VantageKind, vantage_kind

_MOST_POOLS = 5
_MOST_KINDS = 4
_ALIKE_DAYS = 7  # nodes of one scaling or upgrade are made within days


def shares(failing: Sequence[str], plan: Plan) -> dict[str, str]:
    """`node/user1` -> `3 of 5 nodes` that fail, where the pool's nodes are known and more than one."""
    return {place: f"{bad} of {total} nodes" for place, bad, total, _ in _shares(failing, plan)}


def sentences(failing: Sequence[str], plan: Plan) -> tuple[str, ...]:
    """The same as sentences, with how many nodes were probed when not all of them were."""
    told = []
    for place, bad, total, seen in _shares(failing, plan):
        rest = "" if seen == total else f"; {seen} of {total} {'was' if seen == 1 else 'were'} probed"
        told.append(f"{place} fails on {bad} of {total} nodes of the pool{rest}.")
    return tuple(told)


def place_of(vantage: str) -> str:
    """`node/user1` of `node/user1/NODE`."""
    return "/".join(vantage.split("/")[:2])


def _shares(failing: Sequence[str], plan: Plan) -> Iterator[tuple[str, int, int, int]]:
    """Place, failing nodes, all nodes, probed nodes."""
    totals = _totals(plan.cluster)
    for kind in (VantageKind.NODE, VantageKind.POD):
        bad, probed = _by_pool(failing, kind), _by_pool(plan.vantages, kind)
        for pool, number in bad.items():
            if totals[pool] > 1 and probed[pool] >= number:
                yield f"{kind.value}/{pool}", number, totals[pool], probed[pool]


def differences(plan: Plan) -> tuple[str, ...]:
    """Pools whose nodes differ in image, zone or age: what one of them shows need not hold for the others."""
    cluster = plan.cluster
    if cluster is None:
        return ()
    pools: dict[str, list[NodeFacts]] = {}
    for node in cluster.nodes:
        pools.setdefault(node.pool, []).append(node)
    probed = {pool_of(vantage) for vantage in plan.vantages}
    told = []
    for pool, nodes in sorted(pools.items()):
        found = list(_differing(nodes))
        if found and pool in probed:
            whole = _by_pool(plan.vantages, VantageKind.NODE)[pool] + _by_pool(plan.vantages, VantageKind.POD)[pool]
            hint = "" if whole >= len(nodes) else "; a probe speaks for its own node, --all-nodes probes every one"
            told.append(f"nodes of pool {pool} differ in {', in '.join(found)}{hint}")
    more = len(told) - _MOST_POOLS
    return (*told[:_MOST_POOLS], *([f"and {more} more pools whose nodes differ"] if more > 0 else []))


def _differing(nodes: Sequence[NodeFacts]) -> Iterator[str]:
    for word, values in (("image", [node.image for node in nodes]), ("zone", [node.zone for node in nodes])):
        counted = Counter(value for value in values if value)
        if len(counted) > 1:
            yield f"{word} ({listed([f'{number} of {value}' for value, number in counted.most_common()], _MOST_KINDS)})"
    made = sorted(moment(node.created) for node in nodes if node.created)
    if made and (made[-1] - made[0]).days > _ALIKE_DAYS:
        yield f"age (made between {made[0].date().isoformat()} and {made[-1].date().isoformat()})"


def _totals(cluster: ClusterFacts | None) -> Counter[str]:
    """Nodes by pool; nothing where some nodes were not kept, since a wrong number is worse than none."""
    if cluster is None or cluster.nodes_total > len(cluster.nodes):
        return Counter()
    return Counter(node.pool for node in cluster.nodes)


def _by_pool(vantages: Sequence[str], kind: VantageKind) -> Counter[str]:
    return Counter(pool_of(vantage) for vantage in vantages if vantage and vantage_kind(vantage) is kind)
