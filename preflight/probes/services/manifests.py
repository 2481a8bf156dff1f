"""Reads OCI and Docker manifests: which child of an index, which layer, does the content match. Hostile input, bounded.

https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md and image-index.md
"""

import hashlib
import re
from typing import Any

import msgspec

from preflight.probes.services.answers import as_object

ACCEPT = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LIMIT = 4 * 1024 * 1024  # what the distribution specification lets registries refuse beyond
_ENTRIES = 1000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A descriptor: what the registry stores under a digest."""

    digest: str
    size: int


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """Manifests of several platforms; `child` is the one that a Linux node would pull."""

    child: Blob
    platform: str


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of one platform; `smallest` is None when it names no layer."""

    layers: int
    smallest: Blob | None


def read(body: bytes) -> Index | Image | None:
    """The manifest, None when the body is none."""
    document = as_object(body)
    if isinstance(children := document.get("manifests"), list):
        return _index(children[:_ENTRIES])
    if isinstance(layers := document.get("layers"), list):
        return _image(layers[:_ENTRIES])
    return None


def is_digest(text: str) -> bool:
    """Whether the text is a digest that can be verified."""
    return _DIGEST.fullmatch(text) is not None


def matches(digest: str, content: bytes) -> bool:
    """Whether the content has this digest."""
    algorithm, _, expected = digest.partition(":")
    return hashlib.new(algorithm, content).hexdigest() == expected


def _index(children: list[Any]) -> Index | None:
    found = [(blob, _platform(child)) for child in children if (blob := _blob(child)) is not None]
    found = [entry for entry in found if not entry[1].startswith("unknown/")] or found  # attestations say "unknown"
    if not found:
        return None
    blob, platform = next((entry for entry in found if entry[1] == "linux/amd64"), found[0])
    return Index(child=blob, platform=platform)


def _image(layers: list[Any]) -> Image:
    """Layers with `urls` are stored elsewhere (Windows base layers): no registry host would be proven by them."""
    blobs = [blob for layer in layers if (blob := _blob(layer)) is not None and not layer.get("urls")]
    return Image(layers=len(blobs), smallest=min(blobs, key=lambda blob: blob.size, default=None))


def _blob(descriptor: Any) -> Blob | None:
    if not isinstance(descriptor, dict):
        return None
    digest, size = descriptor.get("digest"), descriptor.get("size")
    sound = isinstance(digest, str) and is_digest(digest) and type(size) is int and size >= 0
    return Blob(digest=str(digest), size=int(size or 0)) if sound else None


def _platform(descriptor: Any) -> str:
    platform = descriptor.get("platform")
    if not isinstance(platform, dict):
        return ""
    parts = [part for part in (platform.get("os"), platform.get("architecture")) if isinstance(part, str)]
    return "/".join(part[:40] for part in parts if part.isprintable())
