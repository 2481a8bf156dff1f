"""What can be broken on purpose: every (requirement, cause) that the lab produces and the report must then name."""

import difflib
import re
from collections.abc import Sequence

import msgspec

from preflight.failures import UsageFailure
from preflight.lab.deployment import NODE_POOL
from preflight.lab.sites import SITES, Site, fails

_KINDS = ("workstation", "node", "pod")
# learn.microsoft.com/azure/aks/create-node-pools: what the name of a Linux node pool may be.
_POOL = re.compile(r"[a-z][a-z0-9]{0,11}")


def places(pools: Sequence[str]) -> tuple[str, ...]:
    """The vantages of a deployment with these node pools."""
    return (_KINDS[0], *(f"{kind}/{pool}" for pool in pools for kind in _KINDS[1:]))


VANTAGES = places((NODE_POOL,))


def pool_names(given: Sequence[str]) -> tuple[str, ...]:
    """The node pools of a deployment, each once; one without any. Raises UsageFailure for what is no such name."""
    for name in given:
        if not _POOL.fullmatch(name) or name in _KINDS:
            raise UsageFailure(
                f"--pool {name}: is no name of a Linux node pool\n"
                "  up to 12 small letters and digits, a letter first, for example user1"
            )
    return tuple(dict.fromkeys(given)) or (NODE_POOL,)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing broken on purpose, at a vantage (name, kind or pool) or at all. `fails`: the demo then exits 1."""

    requirement: str
    cause: str
    vantage: str | None = None
    fails: bool = True

    def __str__(self) -> str:
        return f"{self.requirement}={self.cause}" + (f"@{self.vantage}" if self.vantage else "")

    def hits(self, vantage: str) -> bool:
        """Whether it acts at a vantage."""
        kind, _, pool = vantage.partition("/")
        return self.vantage in (None, vantage, kind, pool)


def _every(sites: Sequence[Site]) -> tuple[Fault, ...]:
    """In the table's order, each once."""
    faults = {
        (site.requirement, cause): Fault(requirement=site.requirement, cause=cause, fails=fails(site, cause))
        for site in sites
        for cause in site.causes
    }
    return tuple(faults.values())


FAULTS: tuple[Fault, ...] = _every(SITES)
_KNOWN = {(fault.requirement, fault.cause): fault for fault in FAULTS}


def parse(text: str, vantages: Sequence[str] = VANTAGES) -> Fault:
    """`REQUIREMENT=CAUSE[@VANTAGE]`, at one of these, a kind or a pool; raises UsageFailure that says what is right."""
    left, equals, place = text.partition("@")[0].partition("="), "=" in text, text.partition("@")[2]
    requirement, cause = left[0].strip(), left[2].strip()
    if not equals or not requirement or not cause:
        raise UsageFailure(
            f"--fault {text}: not of the form REQUIREMENT=CAUSE[@VANTAGE]\n"
            "  for example mcr.layers=tls.reset-after-hello@node, see `preflight demo --list-faults`"
        )
    if (requirement, cause) not in _KNOWN:
        raise UsageFailure(
            f"--fault {text}: {_unknown(requirement, cause)}\n  see `preflight demo --list-faults --all`"
        )
    return msgspec.structs.replace(_KNOWN[requirement, cause], vantage=_vantage(text, place.strip(), vantages))


def _vantage(text: str, place: str, vantages: Sequence[str]) -> str | None:
    if not place and "@" not in text:
        return None
    kinds = tuple(dict.fromkeys(name.partition("/")[0] for name in vantages))
    pools = tuple(dict.fromkeys(name.partition("/")[2] for name in vantages if "/" in name))
    if not place or place not in (*vantages, *kinds, *pools):
        or_pool = f", or a pool: {', '.join(pools)}" if pools else ""
        raise UsageFailure(
            f'--fault {text}: there is no vantage "{place}" here\n'
            f"  give one of {', '.join(vantages)}, or a kind: {', '.join(kinds)}{or_pool}"
        )
    return place


def _unknown(requirement: str, cause: str) -> str:
    requirements = sorted({fault.requirement for fault in FAULTS})
    if requirement not in requirements:
        return f'no requirement "{requirement}" can be broken here{_suggestion(requirement, requirements)}'
    causes = [fault.cause for fault in FAULTS if fault.requirement == requirement]
    return f'"{cause}" cannot be produced for {requirement}{_suggestion(cause, causes)}'


def _suggestion(word: str, words: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, words, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else f"; possible: {', '.join(words)}"
