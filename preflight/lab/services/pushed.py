"""What clients have pushed to the embedded registry: uploads, blobs, manifests; in memory, bounded, gone with the lab.

OCI Distribution Specification 1.1, "Pushing"; the upload's relative address with a state is ACR's.
"""

import hashlib
import re
from collections import OrderedDict
from typing import Any, Final

from preflight.lab.http import Request, Response

_UPLOAD: Final = re.compile(r"/v2/(?P<repository>[a-z0-9][a-z0-9._/-]*)/blobs/uploads/(?P<id>\w*)")
_MANIFEST: Final = re.compile(r"/v2/(?P<repository>[a-z0-9][a-z0-9._/-]*)/manifests/(?P<reference>[\w.:-]+)")
_MOST: Final = 64  # blobs, and manifests


class Pushed:
    """The store; one for each registry."""

    def __init__(self) -> None:
        self.blobs: OrderedDict[str, bytes] = OrderedDict()
        self._manifests: OrderedDict[tuple[str, str], tuple[str, bytes]] = OrderedDict()  # (repository, digest)
        self._tags: dict[tuple[str, str], str] = {}
        self._uploads = 0

    def manifest(self, repository: str, reference: str) -> tuple[str, str, bytes] | None:
        """Digest, media type and content."""
        digest = self._tags.get((repository, reference), reference)
        found = self._manifests.get((repository, digest))
        return (digest, *found) if found is not None else None

    def take(self, request: Request) -> Response | None:
        """Answer a request that writes; None when there is no such thing to write to."""
        upload, manifest = _UPLOAD.fullmatch(request.path), _MANIFEST.fullmatch(request.path)
        match request.method:
            case "POST" if upload and not upload["id"]:
                self._uploads += 1
                place = f"/v2/{upload['repository']}/blobs/uploads/{self._uploads}?_state=lab%3D"
                return Response(status=202, headers={"Location": place, "Docker-Upload-UUID": str(self._uploads)})
            case "PUT" if upload and upload["id"]:
                return self._blob(request.query.get("digest", ""), request.body)
            case "PUT" if manifest:
                return self._put(manifest["repository"], manifest["reference"], request)
            case "DELETE" if manifest:
                return self._delete(manifest["repository"], manifest["reference"])
            case _:
                return None

    def _blob(self, digest: str, content: bytes) -> Response:
        if digest != _digest(content):
            return Response(status=400)
        self.blobs[digest] = content
        _forget(self.blobs)
        return Response(status=201, headers={"Docker-Content-Digest": digest})

    def _put(self, repository: str, reference: str, request: Request) -> Response:
        digest = _digest(request.body)
        self._manifests[repository, digest] = (request.headers.get("content-type", ""), request.body)
        if not reference.startswith("sha256:"):
            self._tags[repository, reference] = digest
        _forget(self._manifests)
        return Response(status=201, headers={"Docker-Content-Digest": digest})

    def _delete(self, repository: str, digest: str) -> Response:
        gone = self._manifests.pop((repository, digest), None)
        self._tags = {key: tagged for key, tagged in self._tags.items() if (key[0], tagged) != (repository, digest)}
        return Response(status=202 if gone else 404)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _forget(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > _MOST:
        kept.popitem(last=False)
