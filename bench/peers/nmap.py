"""nmap: connect scan of port 443 and the ssl-cert script. It concludes "filtered" from how fast the others answered.

`-n` spares it the reverse lookups. It does not judge certificates: whoever reads the issuer may.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from bench.measure import Sample
from bench.peers.base import NOTHING, PASSED, Command, Peer, Told
from bench.world import Endpoint


def _prepare(endpoints: Sequence[Endpoint], _: Path) -> Command:
    options = "-n -sT -Pn -p 443 --script ssl-cert -oX nmap.xml"
    return Command(("nmap", *options.split(), *(one.host for one in endpoints)))


def _read(endpoints: Sequence[Endpoint], folder: Path, sample: Sample) -> dict[str, Told]:
    told = dict.fromkeys((one.host for one in endpoints), NOTHING)
    for one in endpoints:
        if f'Failed to resolve "{one.host}"' in sample.stdout + sample.stderr:
            told[one.host] = NOTHING._replace(cause="dns.nxdomain")
    for host in ET.parse(folder / "nmap.xml").getroot().iter("host"):
        name, state = host.find("hostnames/hostname"), host.find("ports/port/state")
        if name is not None and state is not None:
            told[name.attrib["name"]] = _told(state.attrib["state"], host.find("ports/port/script[@id='ssl-cert']"))
    return told


def _told(state: str, script: ET.Element | None) -> Told:
    if state != "open":
        return NOTHING._replace(cause={"closed": "tcp.refused", "filtered": "tcp.timeout"}.get(state))
    if script is None:
        return NOTHING  # open, and no certificate: that something is wrong can be seen, what it is cannot
    foreign = "Issuer: commonName=Bench " not in script.attrib["output"]
    return NOTHING._replace(cause="tls.untrusted") if foreign else PASSED


PEER = Peer(
    name="nmap -sT --script ssl-cert",
    version=Command(("nmap", "--version")),
    prepare=_prepare,
    read=_read,
    guesses=True,
)
