"""An agent of another version than ours: how that is known, and how it is told. Pure.

Two versions that understand each other are a notice; two that do not are a cause of their own, so that nobody looks for
a broken network behind it.
"""

import re
from typing import Final

from preflight import __version__
from preflight.vantages.protocol import PROTOCOL_VERSION, Stranger

CAUSE: Final = "vantage.version-skew"
# What lines that nobody could read looked like otherwise.
_EXPLAINED: Final = (None, "pod.agent-failed", "kube.log-channel-broken")
# Last words of an agent that does not know our plan or our options (`vantages.agent.read_plan`, click).
_LAST_WORDS: Final = re.compile(r"this preflight \S+ reads version|not a plan of one vantage: |No such option: --")


def explains(cause: str | None) -> bool:
    """Whether a stranger's lines are the better explanation."""
    return cause in _EXPLAINED


def refused_ours(last_words: str) -> bool:
    """Whether an agent ended because it does not understand what we handed it."""
    return _LAST_WORDS.search(last_words) is not None


def sentence(stranger: Stranger) -> str:
    """What speaks there, and what listens here."""
    there = f"preflight {stranger.tool_version} (protocol {stranger.protocol})"
    return f"the probe image holds {there}, this is {__version__} (protocol {PROTOCOL_VERSION})"
