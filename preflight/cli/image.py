"""`preflight image`: which image probes run, and how it gets into the customer's registry. Sends nothing."""

import os
from pathlib import Path

import click

from preflight import __version__
from preflight.catalogue.places import login_server
from preflight.cli import load, options
from preflight.model.environment import Environment

NAME = "preflight-probe"


def default_image(env: Environment) -> str | None:
    """The probe image in the customer's own registry, where nodes can pull from anyway."""
    if env.registry.name is None:
        return None
    return f"{login_server(env.registry.name, env.cloud.acr).lower()}/{NAME}:{__version__}"


@click.command()
@options.config
@click.option("--probe-image", "image", metavar="IMAGE", help="Another name than the one in your registry.")
def image(config: Path, checks: tuple[Path, ...], sets: tuple[str, ...], image: str | None) -> None:
    """Show which image a run uses, and how to bring it into your registry.

    Probes run from your own registry, so that nothing has to be opened for them. The
    image is built from this version's source with `make image`.
    """
    _, env = load.everything(config, checks, sets, os.environ)
    click.echo(text(env, image or default_image(env)), nl=False)


def text(env: Environment, wanted: str | None) -> str:
    """The image, and the commands; REGISTRY stands for what the environment does not say."""
    target = wanted or f"REGISTRY.{env.cloud.acr}/{NAME}:{__version__}"
    server, _, rest = target.partition("/")
    registry = server.partition(".")[0]
    local = f"localhost/{NAME}:{__version__}"
    archive = "build/image/preflight-probe.tar"
    return f"""\
{target}

A run uses this image unless --probe-image names another. To bring it there, one of:

  # build in the registry, from the source of this version (needs no container engine)
  make dist && az acr build --registry {registry} --image {rest} --target probe --build-arg BASE=BASE-IMAGE@DIGEST .

  # copy what another registry has
  az acr import --name {registry} --source OTHER-REGISTRY/{NAME}:{__version__} --image {rest}

  # push the archive that `make image` wrote
  skopeo copy docker-archive:{archive} docker://{target}
  buildah push {local} docker://{target}    # after: buildah pull docker-archive:{archive}
  docker load --input {archive} && docker tag {local} {target} && docker push {target}
"""
