"""The tools side by side: how each is called, and how its output is read. An explicit table, in order."""

from bench.peers import aks, blackbox, check_http, curl, nmap, preflight, sslyze
from bench.peers.base import Peer

PREFLIGHT = preflight.PEER
# All with their own time-outs, as their users get them.
PEERS: tuple[Peer, ...] = (
    PREFLIGHT,
    curl.VERIFIER,
    nmap.PEER,
    check_http.PEER,
    blackbox.METRICS,
    blackbox.DEBUG,
    sslyze.PEER,
    aks.PEER,
)
# Those whose time-out can be set, at preflight's default of three seconds.
SAME_CAP: tuple[Peer, ...] = (
    PREFLIGHT,
    curl.SAME_CAP,
    check_http.SAME_CAP,
    blackbox.METRICS_SAME_CAP,
    blackbox.DEBUG_SAME_CAP,
)
