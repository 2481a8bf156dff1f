"""The embedded Azure of `preflight.lab` inside the azure namespace, on port 443 with its real names. Judges nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bed.loops import Loop
from bed.namespaces import Namespace
from bed.topology import AZURE_DNS, PREFIX6, PREFIXES
from preflight.lab.embedded import Lab
from preflight.lab.faults import Fault
from preflight.lab.network import Network
from preflight.lab.pages import Page, Presented
from preflight.lab.script import Answer

DNS = "203.0.113.53"  # the VNet's own resolver: private zones are linked
PUBLIC_DNS = "198.51.100.53"  # somebody outside: public answers only
PUBLIC_DNS6 = f"{PREFIX6}53"
NETWORK = Network(
    cidrs=PREFIXES,
    dns=DNS,
    resolvers={AZURE_DNS: "workstation", PUBLIC_DNS: "outside", PUBLIC_DNS6: "outside"},
    prefix6=PREFIX6,
    views={"10.70.0.0/16": "workstation", "10.72.0.0/16": "workstation"},
    default="workstation",
)


class Azure:
    """One lab that runs; faults, DNS answers and AAAA records switch while it does."""

    def __init__(self, namespace: Namespace) -> None:
        self._loop = Loop(namespace)
        self.lab = Lab(network=NETWORK)
        self._loop.run(self.lab.__aenter__())
        self._answers: tuple[Answer, ...] = ()
        self._worn: tuple[Page | Presented, ...] = ()

    def stop(self) -> None:
        """Close every socket and end the thread."""
        try:
            self._loop.run(self.lab.__aexit__())
        finally:
            self._loop.close()

    def reset(self) -> None:
        """Healthy again."""
        self.replace(())
        self.answer(())
        self._wear(())
        self._call(self.lab.announce_six, ())
        self._call(self.lab.rename, ())

    def replace(self, faults: Sequence[Fault]) -> None:
        """Break these and nothing else."""
        self._loop.run(self.lab.replace(faults))

    @contextmanager
    def faults(self, *faults: Fault) -> Iterator[None]:
        """Break these besides what is broken already."""
        before = self.lab.faults
        self.replace((*before, *faults))
        try:
            yield
        finally:
            self.replace(before)

    def answer(self, answers: Sequence[Answer]) -> None:
        """These DNS answers and no others are the scenario's own."""
        self._answers = tuple(answers)
        self._call(self.lab.replace_answers, self._answers)

    @contextmanager
    def answers(self, *answers: Answer) -> Iterator[None]:
        """These DNS answers, after those that are there already."""
        before = self._answers
        self.answer((*before, *answers))
        try:
            yield
        finally:
            self.answer(before)

    @contextmanager
    def wearing(self, *more: Page | Presented) -> Iterator[None]:
        """These pages and certificates besides those that are there already."""
        before = self._worn
        self._wear((*before, *more))
        try:
            yield
        finally:
            self._wear(before)

    def _wear(self, worn: tuple[Page | Presented, ...]) -> None:
        self._worn = worn
        pages = [one for one in worn if isinstance(one, Page)]
        self._call(self.lab.wear, pages, [one for one in worn if isinstance(one, Presented)])

    @contextmanager
    def six(self, *names: str) -> Iterator[None]:
        """AAAA records for these names, for all of them when none is given."""
        self._call(self.lab.announce_six, names or self.lab.names)
        try:
            yield
        finally:
            self._call(self.lab.announce_six, ())

    @contextmanager
    def renamed(self, pairs: Mapping[str, str]) -> Iterator[None]:
        """The deployment under other names: parts of names -> what stands in their place, in order."""
        self._call(self.lab.rename, tuple(pairs.items()))
        try:
            yield
        finally:
            self._call(self.lab.rename, ())

    def write_environment(self, folder: Path) -> Path:
        """preflight.toml and the authorities, as the faults of this moment need them."""
        return self.lab.write_environment(folder)

    @property
    def secrets(self) -> dict[str, str]:
        """Environment variables that preflight.toml names."""
        return self.lab.secrets

    def _call(self, function, *args) -> None:  # type: ignore[no-untyped-def]  # any method of the lab, on its own loop
        async def inside() -> None:
            function(*args)

        self._loop.run(inside())
