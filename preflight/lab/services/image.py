"""The one container image that both registries hold: an index for two platforms, manifests, tiny layers."""

import gzip
import hashlib
import io
import tarfile
from typing import Any

import msgspec

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """Manifests and blobs by digest; `index` is the digest that every tag points to."""

    index: str
    manifests: dict[str, tuple[str, bytes]]  # digest -> (media type, content)
    blobs: dict[str, bytes]


def digest(data: bytes) -> str:
    """`sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def build() -> Image:
    """The image of OCI Image Format Specification 1.1 (image-index.md, manifest.md), the same bytes every time."""
    manifests: dict[str, tuple[str, bytes]] = {}
    blobs: dict[str, bytes] = {}
    entries = []
    for architecture in ("amd64", "arm64"):
        content = _manifest(architecture, blobs)
        manifests[digest(content)] = (MANIFEST_TYPE, content)
        entries.append(
            {**_descriptor(MANIFEST_TYPE, content), "platform": {"architecture": architecture, "os": "linux"}}
        )
    index = _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})
    manifests[digest(index)] = (INDEX_TYPE, index)
    return Image(index=digest(index), manifests=manifests, blobs=blobs)


def _manifest(architecture: str, blobs: dict[str, bytes]) -> bytes:
    layers = []
    difference = []
    for name, size in (("model.onnx", 48_000), ("run.sh", 600)):
        raw = _tar(f"{architecture}/{name}", size)
        layer = gzip.compress(raw, mtime=0)
        blobs[digest(layer)] = layer
        layers.append(_descriptor(LAYER_TYPE, layer))
        difference.append(digest(raw))
    config = _json({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": difference}})
    blobs[digest(config)] = config
    return _json(
        {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": _descriptor(CONFIG_TYPE, config), "layers": layers}
    )


def _tar(name: str, size: int) -> bytes:
    seed = hashlib.sha256(name.encode()).digest()
    content = b"".join(hashlib.sha256(seed + number.to_bytes(4)).digest() for number in range(size // 32 + 1))[:size]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = size
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
