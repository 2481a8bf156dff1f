"""Which requirements `--only` and `--skip` leave, and at which vantages a requirement is checked. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from preflight.failures import UsageFailure
from preflight.model.vocabulary import VantageKind, vantage_kind
from preflight.strict import nearest

NOT_RUN = "vantage.not-run"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """`--only` and `--skip`."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def refusal(self, requirement: str) -> str | None:
        """Why it is deselected; None when it is not."""
        if self.only and not any(fnmatchcase(requirement, pattern) for pattern in self.only):
            return "not among those chosen with --only"
        pattern = next((one for one in self.skip if fnmatchcase(requirement, one)), None)
        return f"left out with --skip {pattern}" if pattern else None

    def check(self, known: Sequence[str]) -> None:
        """Raises `UsageFailure` for a pattern that matches no requirement."""
        for flag, patterns in (("--only", self.only), ("--skip", self.skip)):
            for pattern in patterns:
                if not any(fnmatchcase(one, pattern) for one in known):
                    meant = _meant(pattern, known)
                    raise UsageFailure(
                        f'{flag} "{pattern}" matches no requirement\n  {meant}see `preflight checks list`'
                    )


def _meant(pattern: str, known: Sequence[str]) -> str:
    """The requirement, or the group of requirements, that was probably meant."""
    groups = {one.rpartition(".")[0]: f"{one.rpartition('.')[0]}.*" for one in known if "." in one}
    hint = nearest(pattern.strip("*."), [*known, *groups])
    return f"did you mean {groups.get(hint, hint)}? " if hint else ""


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """The vantages of a run: those that run, those left out by choice, those that cannot run."""

    vantages: tuple[str, ...]
    left_out: dict[VantageKind, str]
    unavailable: dict[str, tuple[str | None, str]]
    stand_in: tuple[VantageKind, ...]

    def runs(self, decides: Iterable[VantageKind], informs: Iterable[VantageKind]) -> list[tuple[str, bool]]:
        """Vantages where a requirement is checked, and whether they decide."""
        deciding, informing = set(decides), set(informs)
        if deciding & set(self.stand_in):
            deciding.add(VantageKind.WORKSTATION)
        found = [(vantage, vantage_kind(vantage)) for vantage in self.vantages]
        return [(vantage, kind in deciding) for vantage, kind in found if kind in deciding | informing]

    def gaps(self, decides: Iterable[VantageKind], *, everywhere: bool) -> list[tuple[str, str | None, str]]:
        """Deciding vantages that do not run: name, cause (None: left out by choice) and reason."""
        wanted = [kind for kind in VantageKind if kind in set(decides) and kind not in self.stand_in]
        gaps = [gap for kind in wanted for gap in self._gap(kind)]
        return [gap for gap in gaps if gap[1] is None] if everywhere else gaps

    def _gap(self, kind: VantageKind) -> list[tuple[str, str | None, str]]:
        named = [
            (name, cause, reason)
            for name, (cause, reason) in self.unavailable.items()
            if name != kind and vantage_kind(name) is kind
        ]
        if any(vantage_kind(vantage) is kind for vantage in self.vantages):
            return list(named)
        if kind in self.left_out:
            return [(kind.value, None, self.left_out[kind])]
        if kind in self.unavailable:
            return [(kind.value, *self.unavailable[kind])]
        return list(named) or [(kind.value, NOT_RUN, f"no {kind.value} vantage is part of this run")]


def where(
    vantages: Sequence[str],
    left_out: Mapping[VantageKind, str],
    unavailable: Mapping[str, tuple[str | None, str]],
    stand_in: Sequence[VantageKind],
) -> Where:
    """Checked and normalised. Raises `UsageFailure` when the workstation stands in but does not run."""
    if not vantages:
        raise UsageFailure("no vantage runs: nothing would be checked\n  name one with --vantage")
    if stand_in and not any(vantage_kind(vantage) is VantageKind.WORKSTATION for vantage in vantages):
        raise UsageFailure("--stand-in needs the workstation\n  add it: --vantage workstation")
    return Where(
        vantages=tuple(dict.fromkeys(vantages)),
        left_out=dict(left_out),
        unavailable=dict(unavailable),
        stand_in=tuple(kind for kind in VantageKind if kind in stand_in and kind is not VantageKind.WORKSTATION),
    )
