"""Container images of one layer, made from bytes: an archive for a node's store, or pushed to a registry over plain HTTP."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import httpx
import msgspec

# An ELF header of another machine than any that Kubernetes runs on (e_machine 8: MIPS), and nothing behind it.
FOREIGN_PROGRAM = (
    b"\x7fELF\x01\x02\x01".ljust(16, b"\0")
    + bytes.fromhex("0002 0008 00000001 00400000 00000034 00000000 00000000 0034 0020 0000 0028 0000 0000")
).ljust(4096, b"\0")

# x86-64: maps 512 MB and writes to every page, twice what a probe may have.
_EATS = bytes.fromhex(
    "31ff be00000020 ba03000000 41ba22000000 49c7c0ffffffff 4531c9 b809000000 0f05"  # mmap, private and anonymous
    "4889c7 b900000200 c60701 4881c700100000 ffc9 75f2"  # one byte in each of 131,072 pages
    "b83c000000 31ff 0f05"  # exit
)
HUNGRY_PROGRAM = (
    struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 120 + len(_EATS), 120 + len(_EATS), 4096)
    + _EATS
)


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """One program, which is the entry point."""

    program: bytes
    path: str = "program"  # without its first slash
    architecture: str = "amd64"  # what the image says of itself

    @property
    def layer(self) -> bytes:
        """An uncompressed tar."""
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            info = tarfile.TarInfo(self.path)
            info.size, info.mode = len(self.program), 0o755
            tar.addfile(info, io.BytesIO(self.program))
        return made.getvalue()

    @property
    def config(self) -> bytes:
        """The image's own description."""
        return json.dumps(
            {
                "architecture": self.architecture,
                "os": "linux",
                "config": {"Entrypoint": [f"/{self.path}"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(self.layer)]},
            }
        ).encode()

    def archive(self, path: Path, name: str) -> Path:
        """A docker archive."""
        config = f"{hashlib.sha256(self.config).hexdigest()}.json"
        manifest = [{"Config": config, "RepoTags": [name], "Layers": ["layer.tar"]}]
        parts = {config: self.config, "layer.tar": self.layer, "manifest.json": json.dumps(manifest).encode()}
        with tarfile.open(path, "w") as tar:
            for part, content in parts.items():
                info = tarfile.TarInfo(part)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return path

    def push(self, registry: str, repository: str, tag: str) -> None:
        """Put it into the registry at `http://HOST:PORT`, as the only one of an index."""
        layer = gzip.compress(self.layer, mtime=0)
        with httpx.Client(base_url=f"{registry}/v2/{repository}", trust_env=False) as client:
            for blob in (layer, self.config):
                begun = client.post("/blobs/uploads/").raise_for_status()
                place = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": _digest(blob)})
                client.put(place, content=blob).raise_for_status()
            manifest = {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _described(self.config, "application/vnd.docker.container.image.v1+json"),
                "layers": [_described(layer, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
            }
            one = _stored(client, manifest)
            platform = {"os": "linux", "architecture": self.architecture}
            index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [one | {"platform": platform}]}
            _stored(client, index, tag)


_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"


def _stored(client: httpx.Client, manifest: dict[str, Any], name: str = "") -> dict[str, Any]:
    """Its description; it is called by its digest unless it is given a name."""
    content = json.dumps(manifest).encode()
    described = _described(content, manifest["mediaType"])
    sent = {"content-type": manifest["mediaType"]}
    client.put(f"/manifests/{name or described['digest']}", content=content, headers=sent).raise_for_status()
    return described


def _described(blob: bytes, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
