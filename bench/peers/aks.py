"""The policy of AKS's own node check (AgentBaker, aks-check-network.sh) as a script: one host after the other."""

import re
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Sample
from bench.peers.base import NOTHING, PASSED, Command, Peer, Told
from bench.world import Endpoint

_SCRIPT = Path(__file__).parents[1] / "aks_policy.sh"
_LINE = re.compile(r"(SUCCESS|ERROR): .* (?:test DNS resolution to|tested|curl) (\S+)(?: .*status code (\d+))?")


def _prepare(endpoints: Sequence[Endpoint], _: Path) -> Command:
    return Command(("sh", str(_SCRIPT), *(one.host for one in endpoints)))


def _read(_: Sequence[Endpoint], __: Path, sample: Sample) -> dict[str, Told]:
    """Status 000 is all it says of what did not come to an answer: refused, dropped, untrusted and cut look alike."""
    told = {}
    for line in sample.stdout.splitlines():
        found = _LINE.match(line)
        if found is None or (found[1] == "SUCCESS" and found[3] is None):
            continue
        cause = {None: "dns.nxdomain", "403": "http.status-403"}.get(found[3])
        told[found[2]] = PASSED if found[1] == "SUCCESS" else NOTHING._replace(cause=cause)
    return told


PEER = Peer(
    name="AKS's policy, sequential",
    version=Command(("nslookup", "-version")),
    prepare=_prepare,
    read=_read,
    sleeps=True,
)
