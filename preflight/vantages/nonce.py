"""A fresh layer in the customer's registry for one run: pushed from the workstation when it is needed, deleted later.

Only when the user names a repository (`--push-nonce`). What cannot be pushed or deleted is told, never a failed run.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import msgspec

from preflight.model.plan import Target, Task, VantagePlan
from preflight.model.secret import Secret, Secrets
from preflight.model.vocabulary import ProbeName
from preflight.probes import local
from preflight.probes.dialer import Dialer
from preflight.probes.services import nonce, push
from preflight.probes.trail import Trail

_LIMIT_S: Final = 60.0
_SECRETS: Final = ("registry_user", "registry_password")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Where to push, and how this place reaches it."""

    target: Target  # https://acrprod.azurecr.io/v2/
    repository: str
    plan: VantagePlan  # of the workstation: limits, proxy, trust

    @property
    def image(self) -> str:
        """The name that nodes pull."""
        return f"{self.target.hostport.removesuffix(':443')}/{self.repository}:{self.plan.run_id}"


class Nonce:
    """Use it as `async with fresh(wish, secrets) as nonce`."""

    def __init__(self, wish: Wish, secrets: Secrets) -> None:
        self.wish = wish
        self._secrets: dict[str, Secret] = {name: secrets[name] for name in _SECRETS if name in secrets}
        self._content = nonce.make(wish.plan.run_id)
        self._pushing: asyncio.Task[str] | None = None
        self.notice = ""  # what stays in the registry

    @property
    def registry(self) -> str:
        """`host:port` of the registry."""
        return self.wish.target.hostport

    async def pushed(self) -> str:
        """Why there is no fresh image; "" when there is. Pushed once for all places."""
        self._pushing = self._pushing or asyncio.ensure_future(self._push())
        return await asyncio.shield(self._pushing)

    async def _push(self) -> str:
        return await self._told(
            lambda task, dialer, trail: push.push(task, dialer, trail, self._secrets, self._content)
        )

    async def leave(self) -> None:
        """Delete what was pushed; says in `notice` what could not be."""
        if self._pushing is None:
            return
        await asyncio.wait((self._pushing,), timeout=_LIMIT_S)
        if self._pushing.done() and not self._pushing.cancelled() and self._pushing.result():
            return  # nothing was pushed under a name
        digest = self._content.manifest.digest
        refused = await self._told(lambda task, dialer, trail: push.delete(task, dialer, trail, self._secrets, digest))
        if refused:
            self.notice = f"{self.wish.image} ({digest}) is left in the registry: {refused}"

    async def _told(self, what: Callable[[Task, Dialer, Trail], Awaitable[None]]) -> str:
        """Run one errand; what refuses it, or ""."""
        params = {"repository": self.wish.repository, "reference": self.wish.plan.run_id}
        task = Task(
            key="push", probe=ProbeName.REGISTRY, target=self.wish.target, params=params, secrets=tuple(self._secrets)
        )
        try:
            with Trail() as trail:
                async with (
                    asyncio.timeout(_LIMIT_S),
                    Dialer(self.wish.plan, local.look(self.wish.plan), self._secrets) as dialer,
                ):
                    await what(task, dialer, trail)
        except push.Refused as refused:
            return str(refused)
        except TimeoutError:
            return f"no end within {_LIMIT_S:.0f} s"
        return ""


@contextlib.asynccontextmanager
async def fresh(wish: Wish | None, secrets: Secrets) -> AsyncIterator[Nonce | None]:
    """The nonce, and its deletion whatever happens; None when none is wished for."""
    if wish is None:
        yield None
        return
    made = Nonce(wish, secrets)
    try:
        yield made
    finally:
        await made.leave()
