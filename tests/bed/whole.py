"""The bed as a whole: topology, Azure, workstation, and parts of real software that are started when first used."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from bed.azure import Azure
from bed.engine import Workstation
from bed.topology import Topology

if TYPE_CHECKING:
    from collections.abc import Callable


class Part(Protocol):
    """Real software that stays up between scenarios, idle unless an action of the scenario uses it."""

    def reset(self) -> None:
        """As if no scenario had used it."""

    def stop(self) -> None:
        """End its processes."""


_P = TypeVar("_P", bound=Part)


class Bed:
    """`start()` once, `reset()` before each scenario, `stop()` at the end. Call from the main thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.topology = Topology(folder)
        self.azure: Azure
        self.workstation: Workstation
        self._parts: dict[type[Any], Part] = {}

    def start(self) -> None:
        """Everything but the parts."""
        self.topology.start()
        self.azure = Azure(self.topology.azure)
        self.workstation = Workstation(self.topology.workstation, self.azure)

    def part(self, kind: type[_P], start: "Callable[[Bed], _P]") -> _P:
        """The one part of a kind, started by `start(bed)` when a scenario first asks for it."""
        if kind not in self._parts:
            self._parts[kind] = start(self)
        part = self._parts[kind]
        assert isinstance(part, kind)
        return part

    def reset(self) -> None:
        """Healthy again."""
        self.topology.reset()
        self.azure.reset()
        self.workstation.reset()
        for part in self._parts.values():
            part.reset()

    def stop(self) -> None:
        """End every process and thread, remove the namespaces."""
        with contextlib.ExitStack() as stack:  # each is tried, also when another fails
            stack.callback(self.topology.stop)
            stack.callback(self.azure.stop)
            for part in self._parts.values():
                stack.callback(part.stop)
