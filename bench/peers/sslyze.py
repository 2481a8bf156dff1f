"""sslyze --certinfo with the bench's root as an additional store, in a virtual environment of its own in the cache."""

import json
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Sample
from bench.peers.base import CACHE, NOTHING, PASSED, Command, Peer, Told
from bench.world import Endpoint

VERSION = "6.3.1"
VENV = CACHE / f"sslyze-{VERSION}"
_PROGRAM = str(VENV / "bin" / "sslyze")
_ROOT = "/etc/ssl/certs/bench-root.pem"


def _prepare(endpoints: Sequence[Endpoint], _: Path) -> Command:
    options = f"--certinfo --mozilla_config disable --certinfo_ca_file {_ROOT} --json_out sslyze.json"
    return Command((_PROGRAM, *options.split(), *(one.host for one in endpoints)))


def _read(endpoints: Sequence[Endpoint], folder: Path, _: Sample) -> dict[str, Told]:
    report = json.loads((folder / "sslyze.json").read_bytes())
    told = dict.fromkeys((one.host for one in endpoints), NOTHING)
    for bad in report["invalid_server_strings"]:
        if "Could not resolve" in bad["error_message"]:
            told[bad["server_string"].partition(":")[0]] = NOTHING._replace(cause="dns.nxdomain")
    for seen in report["server_scan_results"]:
        told[seen["server_location"]["hostname"]] = _told(seen)
    return told


def _told(seen: dict[str, object]) -> Told:
    trace, scanned = str(seen["connectivity_error_trace"] or ""), seen["scan_result"]
    if "ServerRejectedConnection" in trace:
        return NOTHING._replace(cause="tcp.refused")
    if "ConnectionToServerTimedOut" in trace:
        return NOTHING._replace(cause="tcp.timeout")
    if not isinstance(scanned, dict) or not scanned["certificate_info"]["result"]:
        return NOTHING  # for a reset: "could not find a TLS version and cipher suite supported by the server"
    deployments = scanned["certificate_info"]["result"]["certificate_deployments"]
    trusted = any(path["was_validation_successful"] for one in deployments for path in one["path_validation_results"])
    return PASSED if trusted else NOTHING._replace(cause="tls.untrusted")


PEER = Peer(
    name="sslyze --certinfo",
    version=Command(
        (str(VENV / "bin" / "python"), "-c", "import sslyze; print('sslyze', sslyze.__version__.__version__)")
    ),
    prepare=_prepare,
    read=_read,
)
