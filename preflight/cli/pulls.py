"""What a run in the cluster makes kubelets pull: images, pull secrets, the fresh layer. From options and environment.

Nothing is pushed anywhere unless `--push-nonce` names a repository.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from preflight.catalogue.places import login_server
from preflight.cli.cluster_options import Options
from preflight.failures import UsageFailure
from preflight.judge.scene import listed
from preflight.model.environment import Environment
from preflight.model.plan import Plan, Target, VantagePlan
from preflight.model.run import Evidence
from preflight.model.vocabulary import VantageKind
from preflight.plan import vantage_plan
from preflight.vantages.nonce import Wish
from preflight.vantages.pulling import NO_SECRET, Pulling, Terms

_MOST_NODES: Final = 10  # of one image that are named


def planned(env: Environment, options: Options, images: tuple[str, ...], run_id: str) -> Environment:
    """The environment with the image that nodes are to pull from the customer's registry. Raises `UsageFailure`."""
    registry, image = env.registry, env.registry.pull_image
    if options.push_nonce is not None:
        if registry.name is None:
            raise UsageFailure("--push-nonce: registry.name is not given\n  it says where to push")
        image = f"{options.push_nonce}:{run_id}"
    elif image is None:
        image = _of_probes(env, images)  # which nodes pull anyway; the image of a model may be large
    return msgspec.structs.replace(env, registry=msgspec.structs.replace(registry, pull_image=image))


def _of_probes(env: Environment, images: tuple[str, ...]) -> str | None:
    """The probe image, when it is in the customer's registry."""
    server = _server(env)
    return next((one.removeprefix(f"{server}/") for one in images if server and one.startswith(f"{server}/")), None)


def _server(env: Environment) -> str:
    return login_server(env.registry.name, env.cloud.acr).lower() if env.registry.name else ""


def _target(env: Environment) -> Target:
    host, _, port = _server(env).partition(":")
    return Target(scheme="https", host=host, port=int(port or 443), path="/v2/")


def wish(plan: Plan, env: Environment, options: Options, run_id: str) -> Wish | None:
    """What is to be pushed, as the workstation reaches the registry."""
    if options.push_nonce is None:
        return None
    here: VantagePlan = vantage_plan(plan, env, VantageKind.WORKSTATION.value, run_id=run_id)
    return Wish(target=_target(env), repository=options.push_nonce, plan=msgspec.structs.replace(here, tasks=()))


def terms(env: Environment, options: Options, images: tuple[str, ...]) -> Terms:
    """How kubelets pull; `env` is the one that the user gave."""
    given = env.registry
    fallback = given.pull_image or _of_probes(env, images)
    if fallback is None and given.repository is not None:
        fallback = f"{given.repository}{'@' if given.reference.startswith('sha256:') else ':'}{given.reference}"
    return Terms(
        start_s=options.start_s,
        pull_secrets=options.pull_secrets,
        registry=_target(env).hostport if given.name else "",
        registry_secret=given.pull_secret,
        fallback=f"{_server(env)}/{fallback}" if fallback else "",
    )


def notices(
    pulling: Pulling, evidence: Evidence, env: Environment, options: Options, images: Sequence[str]
) -> tuple[str, ...]:
    """What the run leaves on nodes and in the registry, and a secret that cannot be where it is looked for."""
    found: dict[str, list[str]] = {}
    for node, image in (*_probed(evidence, images), *pulling.left):
        found.setdefault(image, []).append(node)
    told = "; ".join(f"{image} on {listed(sorted(set(nodes)), _MOST_NODES)}" for image, nodes in found.items())
    left = (f"left on nodes, until the kubelet collects unused images: {told}",) if told and options.pulls else ()
    named = env.registry.pull_secret
    astray = named not in (None, NO_SECRET) and options.namespace is None
    lost = (f"registry.pull_secret: {named} is not in the namespace that this run makes; give --namespace",)
    stays = (pulling.nonce.notice,) if pulling.nonce is not None and pulling.nonce.notice else ()
    return (*left, *stays, *(lost if astray else ()))


def _probed(evidence: Evidence, images: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Node and image of each probe that started there, as the facts of its place tell."""
    for facts in evidence.vantages:
        where, _, image = facts.place.rpartition(", image ")
        if where.startswith("node ") and image in images and facts.finished:
            yield where.removeprefix("node ").partition(",")[0], image
