"""curl as osd-network-verifier's probe calls it: all URLs at once, HEAD, five seconds each, three retries.

Source: openshift/osd-network-verifier, pkg/probes/curl/curl_json.go. That tool passes what curl exits with 0 for and
prints the URLs of the rest. Here the reader gets the JSON that curl writes for each URL, which that tool throws away.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.measure import Sample
from bench.peers.base import NOTHING, PASSED, Command, Peer, Told
from bench.world import Endpoint

_MARK = "@NV@"


def _prepare(retry: int, limit: str) -> Callable[[Sequence[Endpoint], Path], Command]:
    def prepare(endpoints: Sequence[Endpoint], _: Path) -> Command:
        options = f"--capath /etc/ssl/certs --retry {retry} --retry-connrefused -t B -Z -s -I -m {limit} -w"
        urls = [f"https://{one.host}" for one in endpoints]
        return Command(
            ("curl", *options.split(), "%{stderr}" + _MARK + "%{json}\\n", *urls, "--proto", "=http,https,telnet")
        )

    return prepare


def _read(endpoints: Sequence[Endpoint], __: Path, sample: Sample) -> dict[str, Told]:
    told = dict.fromkeys((one.host for one in endpoints), NOTHING)
    for line in sample.stderr.splitlines():
        _, mark, text = line.partition(_MARK)
        if mark:
            # curl 7.88 leaves out the first key's value where there are no certificates
            said = json.loads(text.replace("{,", "{", 1), strict=False)
            told[said["url"].removeprefix("https://")] = _told(said)
    return told


def _told(said: dict[str, object]) -> Told:
    match said["exitcode"]:
        case 0:
            return PASSED  # whatever the status: so the verifier has it
        case 6:
            cause = "dns.nxdomain"  # "Could not resolve host"
        case 7:
            cause = "tcp.refused"  # "Couldn't connect to server", at once
        case 28:
            cause = "tls.timeout" if said["num_connects"] else "tcp.timeout"
        case 35 if "reset by peer" in str(said["errormsg"]):
            cause = "tls.reset-after-hello"
        case 60:
            cause = "tls.untrusted"
        case _:
            return NOTHING
    return NOTHING._replace(cause=cause)


_VERSION = Command(("curl", "--version"))
VERIFIER = Peer(name="curl -Z, as osd-network-verifier", version=_VERSION, prepare=_prepare(3, "5.00"), read=_read)
SAME_CAP = Peer(name="curl -Z -m 3, no retry", version=_VERSION, prepare=_prepare(0, "3.00"), read=_read)
