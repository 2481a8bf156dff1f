"""A run inside a cluster: a look at its pools and at one's own rights, then the vantages there."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

import msgspec

from preflight import plan as plans
from preflight.cli import beside, load, loops, pulls, signals, via
from preflight.cli.cluster_options import Options
from preflight.cli.conduct import Circumstances, conducted
from preflight.cli.image import default_image
from preflight.cli.journal import Journal
from preflight.cli.options import Selection
from preflight.failures import ClusterFailure, UsageFailure
from preflight.kube import objects, pools, rights, router_pods, standing
from preflight.kube import scout as scouting
from preflight.kube.client import Access, Client, connect
from preflight.kube.operation import Operation, Stay, operations
from preflight.kube.pairs import Pairs, pairs
from preflight.kube.pools import Placement, Wish
from preflight.kube.standing import Asked
from preflight.model.catalogue import Catalogue
from preflight.model.cluster import ClusterFacts, RouterPod
from preflight.model.environment import Environment
from preflight.model.plan import Plan
from preflight.model.policies import Role
from preflight.model.run import Evidence
from preflight.model.secret import Secrets
from preflight.model.vocabulary import VantageKind
from preflight.session import new_run_id
from preflight.vantages import nonce
from preflight.vantages.base import Vantage
from preflight.vantages.cluster import ClusterVantage
from preflight.vantages.peers import Peers
from preflight.vantages.pulling import Pulling
from preflight.vantages.starting import Patience
from preflight.vantages.workstation import workstation

INSIDE: Final = (VantageKind.NODE, VantageKind.POD)


class Scouted(msgspec.Struct, frozen=True, kw_only=True):
    """What was found before planning: places, or for each kind why there are none."""

    placement: Placement = Placement()
    unavailable: dict[str, tuple[str | None, str]] = {}
    facts: ClusterFacts | None = None
    pods_ca_pem: str = ""  # what pods trust for the API server
    notices: tuple[str, ...] = ()

    @property
    def pairs(self) -> Pairs:
        """Which pods ask which."""
        return pairs(self.placement.places)

    @property
    def inside(self) -> load.Inside:
        """For planning."""
        names = tuple(place.vantage for place in self.placement.places)
        gaps = {**self.unavailable, **self.placement.gaps}
        return load.Inside(names=names, unavailable=gaps, facts=self.facts, peers=self.pairs.sources)


class Trip(msgspec.Struct, frozen=True, kw_only=True):
    """What a run inside the cluster needs to know besides the plan."""

    options: Options
    placement: Placement
    images: tuple[str, ...]
    pairs: Pairs = Pairs()
    notices: tuple[str, ...] = ()

    @property
    def elsewhere(self) -> bool:
        """Whether pods of one node meet the network of another."""
        totals = {place.pool: place.total for place in self.placement.places}
        return len(totals) > 1 or sum(totals.values()) > 1


def scout(options: Options, env: Environment, kinds: tuple[VantageKind, ...]) -> Scouted:
    """Look at the cluster's nodes and at one's own rights; creates nothing. Raises `UsageFailure`."""
    return loops.run(look(options, env, kinds))


async def look(options: Options, env: Environment, kinds: tuple[VantageKind, ...]) -> Scouted:
    """The same inside a running loop."""
    inside = tuple(kind for kind in kinds if kind in INSIDE)
    known = tuple(pool.name for pool in env.pools if pool.os.lower() == "linux")
    wish = Wish(kinds=inside, pools=options.pools, known=known, label=options.pool_label, all_nodes=options.all_nodes)
    asked = beside.asked(options, env, inside)
    try:
        secrets = any(msgspec.structs.asdict(env.credentials).values())
        return await _scout(options, wish, env, asked=asked, secrets=secrets)
    except ClusterFailure as failure:
        return Scouted(unavailable={kind.value: (failure.cause, failure.text) for kind in inside})


async def _scout(options: Options, wish: Wish, env: Environment, *, asked: Asked, secrets: bool) -> Scouted:
    async with connect(Access(kubeconfig=options.kubeconfig, context=options.context)) as client:
        wanted = rights.needed(own_namespace=options.namespace is None, secrets=secrets)
        lacking = await rights.missing(client, wanted, options.namespace or objects.TOOL)
        if needed := [one for one in lacking if not one.right.optional]:
            hint = "" if options.namespace else "; with --namespace fewer rights do"
            told = f"may not {'; '.join(map(str, needed))} in {options.namespace or 'a new namespace'}{hint}"
            raise ClusterFailure("kube.forbidden", f"the user of the kubeconfig {told}; see `preflight rbac`")
        notices = tuple(f"without the right to {one}: {one.right.why} is not possible" for one in lacking)
        blind = any(one.right.resource == "nodes" for one in lacking)
        placement = pools.blind(wish) if blind else Placement()
        if blind and not placement.places:
            raise ClusterFailure("kube.forbidden", "nodes may not be listed, and no pool was named with --pool")
        nodes = [] if blind else (await client.get(objects.path("Node"))).get("items") or []
        found = await scouting.look(client, nodes, label=options.pool_label, stated=env.main.network_model)
        placement = placement if blind else pools.place(nodes, wish)
        stood = await beside.stand(client, placement, asked, env, own=options.namespace, secrets=secrets)
        router = await _router(client, env)
        return Scouted(
            placement=stood.placement,
            unavailable=stood.unavailable,
            facts=msgspec.structs.replace(found.facts, policies=stood.policies, router_pods=router),
            pods_ca_pem=found.pods_ca_pem,
            notices=(*notices, *found.facts.notices, *stood.notices),
        )


async def _router(client: Client, env: Environment) -> tuple[RouterPod, ...]:
    return await router_pods.look(client, next(one for one in standing.wanted(env) if one.role is Role.ROUTER))


def images(options: Options, env: Environment) -> tuple[str, ...]:
    """The images to try in order. Raises `UsageFailure` when there is none."""
    found = options.images or tuple(image for image in (default_image(env),) if image)
    if not found:
        raise UsageFailure("--probe-image: name the image that probes run\n  see `preflight image`")
    return found


def observer(
    catalogue: Catalogue, env: Environment, chosen: Selection, secrets: Secrets, how: Circumstances, *, options: Options
) -> Callable[[Journal], Awaitable[Evidence]]:
    """Plan a run from here and, when a cluster is named, from inside it; gives what conducts it. Raises `Failure`."""
    if options.via:
        return via.observer(catalogue, env, chosen, secrets, how, options=options)
    kinds = tuple(kind for kind in load.wanted_kinds(chosen.vantage) if kind in INSIDE)
    scouted = scout(options, env, kinds) if options.given and kinds else None
    return conductor(catalogue, env, chosen, secrets, how, options=options, scouted=scouted)


def conductor(
    catalogue: Catalogue,
    env: Environment,
    chosen: Selection,
    secrets: Secrets,
    how: Circumstances,
    *,
    options: Options,
    scouted: Scouted | None,
) -> Callable[[Journal], Awaitable[Evidence]]:
    """The same after the look. Raises `Failure`."""
    if scouted is not None and scouted.pods_ca_pem:
        env = _trusting(env, scouted.pods_ca_pem)
    run = msgspec.structs.replace(how, run_id=new_run_id())
    given = images(options, env) if scouted is not None and scouted.placement.places else ()
    wanted = pulls.planned(env, options, given, run.run_id)
    within = scouted.inside if scouted is not None else None
    plan = load.plan(catalogue, wanted, chosen, within, kubelets=options.given and options.pulls)
    here: dict[str, Vantage] = {VantageKind.WORKSTATION.value: workstation}
    if scouted is None or not scouted.placement.places:
        return lambda journal: conducted(plan, env, here, secrets, how, kept=journal)
    found = scouted.pairs
    notices = (*scouted.notices, *((found.notice,) if found.notice else ()))
    trip = Trip(options=options, placement=scouted.placement, images=given, pairs=found, notices=notices)
    return lambda journal: observe_inside(plan, env, here, secrets, run, trip=trip, kept=journal)


def _trusting(env: Environment, pem: str) -> Environment:
    """What pods trust judges the API server at its address inside; at its name too, where the file gives no CA."""
    return msgspec.structs.replace(env, pods_ca_pem=pem, api_server_ca_pem=env.api_server_ca_pem or pem)


async def observe_inside(
    plan: Plan,
    env: Environment,
    here: Mapping[str, Vantage],
    secrets: Secrets,
    how: Circumstances,
    *,
    trip: Trip,
    kept: Journal,
) -> Evidence:
    """Conduct the run with its vantages in the cluster; everything that it created there is removed afterwards."""
    options, places = trip.options, trip.placement.places
    stay = Stay(
        run_id=how.run_id,
        namespace=options.namespace,
        kinds=tuple(dict.fromkeys(place.kind for place in places)),
        start_s=options.start_s,
        run_s=plans.deadline_s(plan, env),
        pull_secrets=options.pull_secrets,
    )
    patience = Patience(start=options.start_s)
    async with connect(Access(kubeconfig=options.kubeconfig, context=options.context)) as client:
        wish = pulls.wish(plan, env, options, how.run_id)
        async with _cleaned_up() as stack:
            fresh = await stack.enter_async_context(nonce.fresh(wish, secrets))
            running = await stack.enter_async_context(operations(client, stay, (place.namespace for place in places)))
            peers = await stack.enter_async_context(_answering(running, plan, trip, patience))
            pulling = Pulling(pulls.terms(env, options, trip.images), fresh)
            there = {
                place.vantage: ClusterVantage(
                    running[place.namespace],
                    place,
                    trip.images,
                    patience,
                    peers=peers if place.kind is VantageKind.POD else None,
                    pulling=pulling,
                    node_trust=options.node_trust,
                )
                for place in places
            }
            evidence = await conducted(plan, env, {**here, **there}, secrets, how, kept=kept)
        left = tuple(dict.fromkeys(one.leftovers for one in running.values() if one.leftovers))
        left = (*left, *pulls.notices(pulling, evidence, env, options, trip.images))
    return msgspec.structs.replace(evidence, notices=(*evidence.notices, *trip.notices, *left))


@contextlib.asynccontextmanager
async def _cleaned_up() -> AsyncIterator[contextlib.AsyncExitStack]:
    """What is entered here is left however it ends; a signal that comes meanwhile does not end it half-way."""
    stack = contextlib.AsyncExitStack()
    try:
        yield stack
    finally:
        with signals.deferred("removing what the run created in the cluster"):
            await stack.aclose()


def _answering(running: Mapping[str, Operation], plan: Plan, trip: Trip, patience: Patience) -> Peers:
    """The pods that answer others; the first node that is probed also tells which source it sees of pods."""
    peers = Peers(running, plan, trip.pairs.answering, trip.images, patience)
    nodes = [place for place in trip.placement.places if place.kind is VantageKind.NODE]
    if nodes and trip.elsewhere:
        peers.watched_from(nodes[0])
    return peers
