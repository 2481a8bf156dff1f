"""A tiny image whose layer nobody has: what containerd must download to pull it. Pure, but for the random bytes."""

import gzip
import hashlib
import io
import secrets
import tarfile
from typing import Any, Final

import msgspec

_SIZE: Final = 64 * 1024  # random, so that the layer is as large: some packets of full size
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A blob or the manifest."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """`sha256:<hex>`."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The whole image."""

    manifest: Part
    config: Part
    layer: Part


def make(run_id: str) -> Content:
    """One layer with one file of random bytes; it holds no program, and is for no architecture in particular."""
    raw = _tar(secrets.token_bytes(_SIZE))
    layer = Part(media_type=_LAYER, content=gzip.compress(raw, mtime=0))
    config = Part(media_type=_CONFIG, content=msgspec.json.encode(_config(run_id, raw)))
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(config),
        "layers": [_descriptor(layer)],
        "annotations": {"org.opencontainers.image.title": "preflight nonce", "preflight.run": run_id},
    }
    return Content(
        manifest=Part(media_type=MANIFEST, content=msgspec.json.encode(document)), config=config, layer=layer
    )


def _config(run_id: str, raw: bytes) -> dict[str, Any]:
    differences = [f"sha256:{hashlib.sha256(raw).hexdigest()}"]
    labels = {"preflight.run": run_id}
    return {
        "architecture": "amd64",  # not looked at: containerd matches platforms of an index only
        "os": "linux",
        "config": {"Entrypoint": ["/none"], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": differences},
    }


def _tar(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("nonce")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _descriptor(part: Part) -> dict[str, Any]:
    return {"mediaType": part.media_type, "digest": part.digest, "size": len(part.content)}
