"""An event loop in a thread that sits in a namespace: servers of this process that live there. Runs nothing itself."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from bed.namespaces import Namespace

_T = TypeVar("_T")
_PATIENCE = 30  # seconds


class Loop:
    """`run(coroutine)` from any thread; sockets that it makes belong to the namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._loop = asyncio.new_event_loop()
        entered: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._serve, args=(namespace, entered), name=f"loop in {namespace.name}", daemon=True
        )
        self._thread.start()
        entered.result(_PATIENCE)

    def _serve(self, namespace: Namespace, entered: "Future[None]") -> None:
        try:
            namespace.enter(mounts=False)
        except BaseException as error:  # noqa: BLE001 - raised again by the constructor
            entered.set_exception(error)
            return
        entered.set_result(None)
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The coroutine's result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def close(self) -> None:
        """Cancel what still runs and end the thread."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
