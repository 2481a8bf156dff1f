"""What events say of the run's Jobs and pods: read for everybody who asks, so that a thousand cost no more than one."""

import asyncio
import contextlib
import time
from typing import Any, Final

from preflight.failures import Refused
from preflight.kube.client import Client

Json = dict[str, Any]
JOBS: Final = "involvedObject.kind=Job,reason=FailedCreate"
PODS: Final = "involvedObject.kind=Pod,type=Warning"
_FRESH_S: Final = 2.0


class Warned:
    """The events of one namespace that one field selector finds, at most that old when they are asked for."""

    def __init__(self, client: Client, path: str, fields: str) -> None:
        self._client, self._path, self._fields = client, path, fields
        self._about: dict[str, list[Json]] = {}  # by uid of the object
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def about(self, uid: str) -> list[Json]:
        """Those about one object; none when events may not be read. Raises `ClusterFailure`."""
        async with self._reading:
            if time.monotonic() - self._read_at > _FRESH_S:
                self._about = await self._read()
                self._read_at = time.monotonic()
        return self._about.get(uid, [])

    async def _read(self) -> dict[str, list[Json]]:
        found: dict[str, list[Json]] = {}
        with contextlib.suppress(Refused):
            listed = await self._client.get(self._path, {"fieldSelector": self._fields})
            for event in listed.get("items") or []:
                found.setdefault(str((event.get("involvedObject") or {}).get("uid")), []).append(event)
        return found
